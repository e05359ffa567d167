//! What visitors are told: one file for each language. A text that is missing in one of them does not compile.

pub(super) mod de;
pub(super) mod en;
pub(super) mod es;
pub(super) mod fr;
pub(super) mod ja;
pub(super) mod zh;

use siteward_core::ssl::Refusal;

use super::Denial;
use crate::asked::BadHost;

/// Everything that is said in one language, but for the code of a page, which is the same in all.
#[derive(Debug)]
pub(super) struct Texts {
    /// As in `lang` and `Content-Language` (RFC 5646).
    pub(super) tag: &'static str,
    /// Before the reference.
    pub(super) reference: &'static str,
    pub(super) secure_channel: SecureChannel,
    pub(super) moved: Text,
    pub(super) tls_too_old: Text,
    pub(super) cipher_too_weak: Text,
    pub(super) not_post_quantum: Text,
    pub(super) certificate_required: Text,
    pub(super) certificate_not_allowed: Text,
    pub(super) certificate_revoked: Text,
    pub(super) certificate_untrusted: Text,
    pub(super) certificate_out_of_date: Text,
    pub(super) host_missing: Text,
    pub(super) several_hosts: Text,
    pub(super) host_unreadable: Text,
    pub(super) path_unreadable: Text,
    pub(super) no_site: Text,
    pub(super) no_page: Text,
    pub(super) method: Text,
    pub(super) misdirected: Text,
    pub(super) unreadable: Text,
    pub(super) stopped: Text,
    pub(super) busy: Text,
}

/// The heading of a page, and what follows it.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) heading: &'static str,
    pub(super) sentence: &'static str,
}

/// The 403.4 page.
#[derive(Debug)]
pub(super) struct SecureChannel {
    /// What to do, for the browser's tab.
    pub(super) title: &'static str,
    /// Where there is no https address to link to.
    pub(super) text: Text,
    /// The sentence before the link.
    pub(super) before_link: &'static str,
    /// What follows it.
    pub(super) after_link: &'static str,
}

impl Texts {
    /// What a page says.
    pub(super) fn of(&self, denial: &Denial) -> &Text {
        match denial {
            Denial::BadHost(BadHost::Missing) => &self.host_missing,
            Denial::BadHost(BadHost::Several) => &self.several_hosts,
            Denial::BadHost(BadHost::Unreadable) => &self.host_unreadable,
            Denial::BadPath => &self.path_unreadable,
            Denial::Redirect { .. } => &self.moved,
            Denial::Refuse { refusal, .. } => self.of_refusal(*refusal),
            Denial::NoSite => &self.no_site,
            Denial::NoPage => &self.no_page,
            Denial::Method => &self.method,
            Denial::Misdirected => &self.misdirected,
            Denial::Unreadable => &self.unreadable,
            Denial::Stopped => &self.stopped,
            Denial::Busy => &self.busy,
        }
    }

    fn of_refusal(&self, refusal: Refusal) -> &Text {
        match refusal {
            Refusal::SslRequired => &self.secure_channel.text,
            Refusal::TlsTooOld => &self.tls_too_old,
            Refusal::CipherTooWeak => &self.cipher_too_weak,
            Refusal::NotPostQuantum => &self.not_post_quantum,
            Refusal::CertificateRequired => &self.certificate_required,
            Refusal::CertificateNotAllowed => &self.certificate_not_allowed,
            Refusal::CertificateRevoked => &self.certificate_revoked,
            Refusal::CertificateUntrusted => &self.certificate_untrusted,
            Refusal::CertificateOutOfDate => &self.certificate_out_of_date,
        }
    }
}
