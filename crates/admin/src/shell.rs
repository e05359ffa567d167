//! What surrounds every page behind the door: header, navigation with its counts, and the note of what was saved.

use siteward_core::ledger::Revision;
use siteward_core::status::Listening;
use siteward_core::store::{RequestState, Trouble};

use crate::error::Failure;
use crate::session::Session;

/// The frame of a page, for `base.html`.
#[derive(Debug)]
pub(crate) struct Shell {
    /// The signed-in person's name.
    pub(crate) user: String,
    /// `system`, `light` or `dark`.
    pub(crate) theme: &'static str,
    /// The address of the navigation's entry that this page belongs to.
    pub(crate) section: &'static str,
    /// The path and query of this page.
    pub(crate) here: String,
    /// How many sites there are.
    pub(crate) sites: usize,
    /// How many certificates are installed.
    pub(crate) certificates: i64,
    /// How many requests wait for their CA.
    pub(crate) pending: i64,
    /// How many ports are open.
    pub(crate) open_ports: usize,
    /// How many ports could not be opened.
    pub(crate) failed_ports: usize,
    /// The revision in force.
    pub(crate) revision: i64,
    /// Why private keys can't be used.
    pub(crate) vault_trouble: Trouble,
    /// What was saved just before this page.
    pub(crate) saved: Option<Saved>,
    /// The change that did, where it can be undone.
    pub(crate) undo: Option<Revision>,
}

impl Session {
    /// The frame of a page below `section`, an address in the navigation.
    pub(crate) async fn shell(&self, section: &'static str) -> Result<Shell, Failure> {
        let listening = self.console.status.listening();
        let failed_ports = listening.values().filter(|state| matches!(state, Listening::Failed(_))).count();
        let table = self.table();
        Ok(Shell {
            user: self.user.name.clone(),
            theme: self.user.theme.as_str(),
            section,
            here: without_note(&self.here),
            sites: table.sites().len(),
            certificates: self.store().count_certificates().await?,
            pending: self.store().count_requests(Some(RequestState::Pending)).await?,
            open_ports: listening.len() - failed_ports,
            failed_ports,
            revision: table.revision(),
            vault_trouble: self.store().vault_trouble(),
            saved: Saved::of(&self.here),
            undo: asked(&self.here, CHANGE).and_then(|revision| revision.parse().ok()),
        })
    }
}

/// What was saved, in the address of the page after it.
pub(crate) const SAVED: &str = "saved";

/// The change that did, beside it.
pub(crate) const CHANGE: &str = "change";

/// A plain value in the query of an address.
fn asked<'a>(here: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = here.split_once('?')?;
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(own, _)| *own == name).map(|(_, value)| value))
}

/// A path and query without the note, which is not to come back with the page.
fn without_note(here: &str) -> String {
    let Some((path, query)) = here.split_once('?') else { return here.to_owned() };
    let is_note = |pair: &&str| pair.split_once('=').is_some_and(|(name, _)| name == SAVED || name == CHANGE);
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_note(pair)).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// What was saved just before a page is shown. The address carries its code, so it can say nothing but these sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saved {
    Joined,
    PersonRemoved,
    InvitationWithdrawn,
    PasswordChanged,
    MayExport,
    SiteAdded,
    Site,
    SiteStarted,
    SiteStopped,
    SiteDeleted,
    Ssl,
    LogImported,
    LeaksDealtWith,
    RuleAdded,
    Rule,
    RuleRemoved,
    TrialStarted,
    TrialEnded,
    Hsts,
    ExemptionAdded,
    ExemptionRemoved,
    PageAdded,
    Page,
    PageRemoved,
    BindingAdded,
    Binding,
    BindingRemoved,
    RequestMade,
    RequestWithdrawn,
    CertificateInstalled,
    CertificateSwitched,
    CertificateEdited,
    ServedAgain,
    CertificateRemoved,
    AuthorityMade,
    RootTrusted,
    RootRemoved,
    Proxies,
    AuthorityAddress,
    AuthorityRenewed,
    AuthorityDeleted,
    CertificateIssued,
    CertificateRevoked,
    Undone,
    UndoneUnlisted,
    TrustListMade,
    TrustList,
    TrustListDeleted,
    AllowRules,
    CasAdded,
    AuthorityListed,
    CaRemoved,
    CrlSource,
    CrlBrought,
}

impl Saved {
    const ALL: &[Self] = &[
        Self::Joined,
        Self::PersonRemoved,
        Self::InvitationWithdrawn,
        Self::PasswordChanged,
        Self::MayExport,
        Self::SiteAdded,
        Self::Site,
        Self::SiteStarted,
        Self::SiteStopped,
        Self::SiteDeleted,
        Self::Ssl,
        Self::LogImported,
        Self::LeaksDealtWith,
        Self::RuleAdded,
        Self::Rule,
        Self::RuleRemoved,
        Self::TrialStarted,
        Self::TrialEnded,
        Self::Hsts,
        Self::ExemptionAdded,
        Self::ExemptionRemoved,
        Self::PageAdded,
        Self::Page,
        Self::PageRemoved,
        Self::BindingAdded,
        Self::Binding,
        Self::BindingRemoved,
        Self::RequestMade,
        Self::RequestWithdrawn,
        Self::CertificateInstalled,
        Self::CertificateSwitched,
        Self::CertificateEdited,
        Self::ServedAgain,
        Self::CertificateRemoved,
        Self::AuthorityMade,
        Self::RootTrusted,
        Self::RootRemoved,
        Self::Proxies,
        Self::AuthorityAddress,
        Self::AuthorityRenewed,
        Self::AuthorityDeleted,
        Self::CertificateIssued,
        Self::CertificateRevoked,
        Self::Undone,
        Self::UndoneUnlisted,
        Self::TrustListMade,
        Self::TrustList,
        Self::TrustListDeleted,
        Self::AllowRules,
        Self::CasAdded,
        Self::AuthorityListed,
        Self::CaRemoved,
        Self::CrlSource,
        Self::CrlBrought,
    ];

    /// The code, what was done, and what follows from it.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Joined => ("joined", "You are signed in.", "From now on every change you make carries your name."),
            Self::PersonRemoved => {
                ("person-removed", "The person was removed.", "Their sessions and open invitations have ended.")
            }
            Self::InvitationWithdrawn => {
                ("invitation-withdrawn", "Invitation withdrawn.", "Its link is worth nothing now.")
            }
            Self::PasswordChanged => {
                ("password-changed", "Password changed.", "Every other session of yours has ended.")
            }
            Self::MayExport => ("may-export", "Saved: who may export private keys.", "Below you see who may."),
            Self::SiteAdded => ("site-added", "Site added.", "Below you see whether its ports are open."),
            Self::Site => ("site", "Name and folder saved.", "In force from the next request on."),
            Self::LogImported => {
                ("log-imported", "Log imported.", "Previews of the SSL settings count it from now on.")
            }
            Self::LeaksDealtWith => (
                "leaks-dealt-with",
                "Taken note.",
                "Siteward tells again when credentials come in clear the next time.",
            ),
            Self::SiteStarted => ("site-started", "Site started.", "In force from the next request on."),
            Self::SiteStopped => ("site-stopped", "Site stopped.", "Nobody is answered until you start it again."),
            Self::SiteDeleted => {
                ("site-deleted", "Site deleted.", "Its files, requests and certificates are still there.")
            }
            Self::Ssl => ("ssl", "SSL settings saved.", "In force from the next request on."),
            Self::RuleAdded => ("rule-added", "Rule added.", "In force from the next request on."),
            Self::Rule => ("rule", "Rule saved.", "In force from the next request on."),
            Self::RuleRemoved => ("rule-removed", "Rule removed.", "The folder or file inherits everything now."),
            Self::TrialStarted => (
                "trial-started",
                "Report only started.",
                "Nobody is refused by it. For 14 days it counts who would be.",
            ),
            Self::TrialEnded => ("trial-ended", "Report only ended.", "What it counted is no longer shown."),
            Self::Hsts => ("hsts", "HSTS saved.", "Told with the next answer over HTTPS."),
            Self::ExemptionAdded => {
                ("exemption-added", "Exemption added.", "Answered over plain HTTP from the next request on.")
            }
            Self::ExemptionRemoved => {
                ("exemption-removed", "Exemption removed.", "Its path demands what the site does again.")
            }
            Self::PageAdded => ("page-added", "Page added.", "Shown from the next refusal on."),
            Self::Page => ("page", "Page saved.", "Shown from the next refusal on."),
            Self::PageRemoved => ("page-removed", "Page removed.", "Visitors get the built-in page again."),
            Self::BindingAdded => ("binding-added", "Binding added.", "Below you see whether its port is open."),
            Self::Binding => ("binding", "Binding saved.", "In force from the next connection on."),
            Self::BindingRemoved => ("binding-removed", "Binding removed.", "Nobody is answered there any more."),
            Self::RequestMade => ("request-made", "Certificate request made.", "Its private key stays on this server."),
            Self::RequestWithdrawn => ("request-withdrawn", "Request withdrawn.", "It takes no reply any more."),
            Self::CertificateInstalled => {
                ("certificate-installed", "Certificate installed.", "Visitors get it once a binding serves it.")
            }
            Self::CertificateSwitched => {
                ("certificate-switched", "Certificate installed and in service.", "The next connection gets it.")
            }
            Self::CertificateEdited => ("certificate-edited", "Certificate saved.", "Visitors notice nothing."),
            Self::ServedAgain => ("served-again", "This certificate is served again.", "The next connection gets it."),
            Self::CertificateRemoved => ("certificate-removed", "Certificate removed.", "No binding served it."),
            Self::AuthorityMade => {
                ("authority-made", "Authority made.", "Devices trust it once you install its certificate there.")
            }
            Self::RootTrusted => {
                ("root-trusted", "Root added.", "Chains that lead to it count as trusted from now on.")
            }
            Self::RootRemoved => ("root-removed", "Root removed.", "Installed certificates stay as they are."),
            Self::Proxies => ("proxies", "Trusted proxies saved.", "In force from the next connection and request on."),
            Self::AuthorityAddress => (
                "authority-address",
                "Address saved.",
                "Certificates signed from now on say it; earlier ones say what they said.",
            ),
            Self::AuthorityRenewed => {
                ("authority-renewed", "Authority renewed.", "Its earlier certificate stays valid until its own end.")
            }
            Self::AuthorityDeleted => ("authority-deleted", "Authority deleted.", "Its private key is destroyed."),
            Self::CertificateIssued => {
                ("certificate-issued", "Certificate signed.", "Hand out its file below; Siteward has no key for it.")
            }
            Self::CertificateRevoked => (
                "certificate-revoked",
                "Certificate revoked.",
                "The revocation list that names it is published already.",
            ),
            Self::Undone => ("undone", "Change undone.", "What it set is as it was before, and in force."),
            Self::UndoneUnlisted => (
                "undone-unlisted",
                "Change undone, but for a revocation list.",
                "One that was brought is not kept. Bring it again below, on the page of its CA.",
            ),
            Self::TrustListMade => {
                ("trust-list-made", "Trust list made.", "It lets nobody in until a CA stands on it.")
            }
            Self::TrustList => ("trust-list", "Trust list saved.", "In force from the next request on."),
            Self::TrustListDeleted => ("trust-list-deleted", "Trust list deleted.", "No place of a site asked it."),
            Self::AllowRules => ("allow-rules", "Saved: whom the list lets in.", "In force from the next request on."),
            Self::CasAdded => {
                ("cas-added", "Put on the trust list.", "Say below from where it is known what each has revoked.")
            }
            Self::AuthorityListed => {
                ("authority-listed", "Put on the trust list.", "What it revokes counts from the next request on.")
            }
            Self::CaRemoved => {
                ("ca-removed", "Taken off the trust list.", "Its certificates open nothing here any more.")
            }
            Self::CrlSource => {
                ("crl-source", "Saved: where revocations are learnt.", "In force from the next request on.")
            }
            Self::CrlBrought => ("crl-brought", "Revocation list taken.", "It counts from the next request on."),
        }
    }

    /// As in the address.
    pub(crate) fn code(self) -> &'static str {
        self.words().0
    }

    /// What was done.
    pub(crate) fn sentence(self) -> &'static str {
        self.words().1
    }

    /// What follows from it; may be empty.
    pub(crate) fn consequence(self) -> &'static str {
        self.words().2
    }

    fn of(here: &str) -> Option<Self> {
        let code = asked(here, SAVED)?;
        Self::ALL.iter().copied().find(|saved| saved.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_can_only_say_what_was_foreseen() {
        for &saved in Saved::ALL {
            assert_eq!(Saved::of(&format!("/sites/3?x=1&saved={}", saved.code())), Some(saved));
        }
        assert_eq!(Saved::of("/sites?saved=%3Cscript%3E"), None);
        assert_eq!(Saved::of("/sites"), None);
    }

    #[test]
    fn a_note_does_not_come_back_with_its_page() {
        assert_eq!(without_note("/sites/3?saved=ssl"), "/sites/3");
        assert_eq!(without_note("/sites?f=a&saved=ssl&page=2"), "/sites?f=a&page=2");
        assert_eq!(without_note("/sites?saved=ssl&change=31"), "/sites");
        assert_eq!(without_note("/sites"), "/sites");
    }
}
