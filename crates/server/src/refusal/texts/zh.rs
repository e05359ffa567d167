//! In Chinese.

use super::{SecureChannel, Text, Texts};

pub(in crate::refusal) static TEXTS: Texts = Texts {
    tag: "zh",
    reference: "参考编号",
    secure_channel: SecureChannel {
        title: "请使用 https:// 访问此页面",
        text: Text {
            heading: "此页面需要安全连接",
            sentence: "此页面只能通过安全连接查看。您的请求是经 http:// 发来的，途中他人可以读取。请在地址开头输入 https://。",
        },
        before_link: "此页面只能通过安全连接查看。您的请求是经 http:// 发来的，途中他人可以读取。请在地址开头输入 https://，或打开此链接：",
        after_link: "您是通过书签或链接来的吗？请把那里的 http:// 也改为 https://。",
    },
    moved: Text {
        heading: "此页面有安全地址", sentence: "浏览器会自动前往；如果没有，请打开此链接："
    },
    tls_too_old: Text {
        heading: "此页面需要更新一代的安全连接",
        sentence: "它只通过 TLS 1.3 显示。当前的浏览器和程序都支持。",
    },
    cipher_too_weak: Text {
        heading: "此页面需要更强的加密",
        sentence: "它只在 256 位加密（AES-256 或 ChaCha20）下显示。当前的浏览器和程序都支持。",
    },
    not_post_quantum: Text {
        heading: "此页面需要更强的加密",
        sentence: "只有用能抵御量子计算机的 ML-KEM 协商密钥时，它才会显示。当前的浏览器和程序都支持。",
    },
    certificate_required: Text {
        heading: "此页面需要客户端证书",
        sentence: "您的浏览器没有发送证书。请安装发给您的证书，关闭浏览器，然后重新打开此页面。",
    },
    certificate_not_allowed: Text {
        heading: "您的客户端证书不能打开此页面",
        sentence: "证书是真实的，但其持有人不在可以查看此页面的人员之列。",
    },
    certificate_revoked: Text {
        heading: "您的客户端证书已被吊销", sentence: "请向签发者申请新的证书。"
    },
    certificate_untrusted: Text {
        heading: "您的客户端证书在此不受信任",
        sentence: "它不是为本网站签发的，或者已损坏。请选择其他证书，或申请一个。",
    },
    certificate_out_of_date: Text {
        heading: "您的客户端证书不在有效期内",
        sentence: "它已过期，或尚未生效。请检查电脑的时钟，或申请新的证书。",
    },
    host_missing: Text { heading: "无法答复此请求", sentence: "它没有说明要访问哪个主机。" },
    several_hosts: Text { heading: "无法答复此请求", sentence: "它指定了不止一个主机。" },
    host_unreadable: Text { heading: "无法答复此请求", sentence: "无法读取它要访问的主机。" },
    path_unreadable: Text { heading: "无法答复此请求", sentence: "无法读取此地址的路径。" },
    no_site: Text { heading: "此地址没有网站", sentence: "请检查主机名的拼写。" },
    no_page: Text { heading: "此地址没有页面", sentence: "页面可能已移动，或者地址有误。" },
    method: Text { heading: "此处不能接收内容", sentence: "此地址的页面只能读取。" },
    misdirected: Text {
        heading: "此页面属于另一个连接", sentence: "请重新打开此地址，必要时在新窗口中打开。"
    },
    unreadable: Text { heading: "无法读取此页面", sentence: "请稍后再试。" },
    stopped: Text { heading: "本网站暂时关闭", sentence: "请稍后再试。" },
    busy: Text { heading: "目前发送的内容过多", sentence: "请稍等片刻再试。" },
};
