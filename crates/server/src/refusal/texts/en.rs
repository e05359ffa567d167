//! In English.

use super::{SecureChannel, Text, Texts};

pub(in crate::refusal) static TEXTS: Texts = Texts {
    tag: "en",
    reference: "Reference",
    secure_channel: SecureChannel {
        title: "Use https:// for this page",
        text: Text {
            heading: "This page needs a secure connection",
            sentence: "It must be viewed over a secure channel. You came over http://, where others on the way can read along. \
                 Type https:// at the beginning of the address.",
        },
        before_link: "It must be viewed over a secure channel. You came over http://, where others on the way can read along. \
             Type https:// at the beginning of the address, or follow this link:",
        after_link: "Did you use a bookmark or a link? Change http:// to https:// there too.",
    },
    moved: Text {
        heading: "This page has a secure address",
        sentence: "Your browser goes there by itself, or follow this link:",
    },
    tls_too_old: Text {
        heading: "This page needs a newer kind of secure connection",
        sentence: "It is shown over TLS 1.3 only. A current browser or program can do that.",
    },
    cipher_too_weak: Text {
        heading: "This page needs stronger encryption",
        sentence: "It is shown over 256-bit encryption only, with AES-256 or ChaCha20. A current browser or program can do \
             that.",
    },
    not_post_quantum: Text {
        heading: "This page needs stronger encryption",
        sentence: "It is shown only where the keys are agreed on with ML-KEM, which is safe from quantum computers. A current \
             browser or program can do that.",
    },
    certificate_required: Text {
        heading: "This page needs a client certificate",
        sentence: "Your browser has sent none. Install the one you were given, close the browser, and open the page again.",
    },
    certificate_not_allowed: Text {
        heading: "Your client certificate does not open this page",
        sentence: "It is genuine, but its holder is not among those who may see this page.",
    },
    certificate_revoked: Text {
        heading: "Your client certificate has been revoked",
        sentence: "Ask those who issued it for a new one.",
    },
    certificate_untrusted: Text {
        heading: "Your client certificate is not trusted here",
        sentence: "It was not issued for this site, or it is damaged. Choose another one, or ask for one.",
    },
    certificate_out_of_date: Text {
        heading: "Your client certificate is out of date",
        sentence: "It has expired, or is not valid yet. Look at the clock of your computer, or ask for a new one.",
    },
    host_missing: Text {
        heading: "This request cannot be answered",
        sentence: "It does not say which host it is for.",
    },
    several_hosts: Text { heading: "This request cannot be answered", sentence: "It names more than one host." },
    host_unreadable: Text {
        heading: "This request cannot be answered",
        sentence: "The host that it is for cannot be read.",
    },
    path_unreadable: Text {
        heading: "This request cannot be answered",
        sentence: "The path of this address cannot be read.",
    },
    no_site: Text { heading: "There is no site at this address", sentence: "Check the spelling of the host name." },
    no_page: Text {
        heading: "There is no page at this address",
        sentence: "It may have moved, or the address may be misspelt.",
    },
    method: Text { heading: "This cannot be sent here", sentence: "Pages at this address can only be read." },
    misdirected: Text {
        heading: "This page belongs to another connection",
        sentence: "Open the address again, in a new window if need be.",
    },
    unreadable: Text { heading: "This page cannot be read", sentence: "Try again later." },
    stopped: Text { heading: "This site is closed for now", sentence: "Try again later." },
    busy: Text { heading: "Too much is being sent", sentence: "Try again in a moment." },
};
