//! In Japanese.

use super::{SecureChannel, Text, Texts};

pub(in crate::refusal) static TEXTS: Texts = Texts {
    tag: "ja",
    reference: "参照番号",
    secure_channel: SecureChannel {
        title: "このページには https:// をお使いください",
        text: Text {
            heading: "このページには安全な接続が必要です",
            sentence: "このページは安全な接続でのみ表示されます。http:// での通信は、途中で第三者に読まれるおそれがあります。アドレスの先頭に https:// と入力してください。",
        },
        before_link: "このページは安全な接続でのみ表示されます。http:// での通信は、途中で第三者に読まれるおそれがあります。アドレスの先頭に https:// と入力するか、次のリンクを開いてください。",
        after_link: "ブックマークやリンクからお越しの場合は、そちらの http:// も https:// に変更してください。",
    },
    moved: Text {
        heading: "このページには安全なアドレスがあります",
        sentence: "ブラウザーが自動的に移動します。移動しない場合は、次のリンクを開いてください。",
    },
    tls_too_old: Text {
        heading: "このページにはより新しい方式の安全な接続が必要です",
        sentence: "TLS 1.3 でのみ表示されます。新しいブラウザーやプログラムであれば対応しています。",
    },
    cipher_too_weak: Text {
        heading: "このページにはより強力な暗号化が必要です",
        sentence: "256 ビットの暗号化（AES-256 または ChaCha20）でのみ表示されます。新しいブラウザーやプログラムであれば対応しています。",
    },
    not_post_quantum: Text {
        heading: "このページにはより強力な暗号化が必要です",
        sentence: "量子コンピューターにも耐える ML-KEM で鍵を共有した場合にのみ表示されます。新しいブラウザーやプログラムであれば対応しています。",
    },
    certificate_required: Text {
        heading: "このページにはクライアント証明書が必要です",
        sentence: "ブラウザーから証明書が送られませんでした。お手元の証明書をインストールし、ブラウザーをいったん閉じてから、もう一度このページを開いてください。",
    },
    certificate_not_allowed: Text {
        heading: "お使いのクライアント証明書ではこのページを開けません",
        sentence: "証明書は本物ですが、その所有者にはこのページの閲覧が許可されていません。",
    },
    certificate_revoked: Text {
        heading: "お使いのクライアント証明書は失効しています",
        sentence: "発行元に新しい証明書を依頼してください。",
    },
    certificate_untrusted: Text {
        heading: "お使いのクライアント証明書はここでは信頼されていません",
        sentence: "このサイト向けに発行されたものではないか、破損しています。別の証明書を選ぶか、発行を依頼してください。",
    },
    certificate_out_of_date: Text {
        heading: "お使いのクライアント証明書は有効期間外です",
        sentence: "期限が切れているか、まだ有効になっていません。コンピューターの時計を確かめるか、新しい証明書を依頼してください。",
    },
    host_missing: Text {
        heading: "このリクエストには応答できません",
        sentence: "どのホストへのリクエストなのかが示されていません。",
    },
    several_hosts: Text {
        heading: "このリクエストには応答できません", sentence: "複数のホストが指定されています。"
    },
    host_unreadable: Text {
        heading: "このリクエストには応答できません",
        sentence: "リクエスト先のホストを読み取れません。",
    },
    path_unreadable: Text {
        heading: "このリクエストには応答できません",
        sentence: "このアドレスのパスを読み取れません。",
    },
    no_site: Text {
        heading: "このアドレスにサイトはありません", sentence: "ホスト名のつづりをお確かめください。"
    },
    no_page: Text {
        heading: "このアドレスにページはありません",
        sentence: "移動したか、アドレスが間違っている可能性があります。",
    },
    method: Text {
        heading: "ここには送信できません", sentence: "このアドレスのページは閲覧のみ可能です。"
    },
    misdirected: Text {
        heading: "このページは別の接続で開く必要があります",
        sentence: "アドレスをもう一度開いてください。うまくいかない場合は、新しいウィンドウでお試しください。",
    },
    unreadable: Text {
        heading: "このページを読み込めません", sentence: "しばらくしてからもう一度お試しください。"
    },
    stopped: Text {
        heading: "このサイトは現在休止しています", sentence: "しばらくしてからもう一度お試しください。"
    },
    busy: Text {
        heading: "現在、送信が混み合っています", sentence: "少し待ってからもう一度お試しください。"
    },
};
