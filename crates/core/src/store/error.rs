//! Why the store refuses.

use time::OffsetDateTime;

use crate::authority::IssueError;
use crate::binding::Protocol;
use crate::chain::{Doubt, InstallError};
use crate::ssl::Unmet;
use crate::trust_list::{CrlError, NotTrustable};

/// Why nothing was saved. All but [`StoreError::Database`] and [`StoreError::Internal`] are sentences for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The thing was deleted meanwhile, or never was.
    #[error("It no longer exists.")]
    Gone,
    /// Somebody else changed it since the form was opened.
    #[error("{by} changed it on {}, after you opened this page.", moment(.at))]
    Stale {
        /// Who.
        by: String,
        /// When.
        at: OffsetDateTime,
    },
    /// What a change set was changed again since.
    #[error("{by} changed it again on {}. Undo that change first, or change it by hand.", moment(.at))]
    ChangedSince {
        /// Who.
        by: String,
        /// When.
        at: OffsetDateTime,
    },
    /// A change was undone before.
    #[error("{by} undid this change on {} already.", moment(.at))]
    Undone {
        /// Who.
        by: String,
        /// When.
        at: OffsetDateTime,
    },
    /// A change can't be undone.
    #[error("{0}")]
    Final(&'static str),
    /// A binding to switch no longer serves what was seen, or is gone.
    #[error("A ticked binding was switched or deleted meanwhile. Look at what each serves now, then choose again.")]
    BindingsChanged,
    /// The name of a site or an authority is taken.
    #[error("There already is one named {0}.")]
    NameTaken(String),
    /// A name is empty, longer than 100 characters, or has control characters.
    #[error("Enter a name of 1 to 100 characters, without line breaks.")]
    Name,
    /// The certificate that took its place may still be taken back.
    #[error("It is kept ready until fresh clients have seen the certificate that took its place on every binding.")]
    SuccessorUnproven,
    /// No binding is left that could return to a certificate.
    #[error("No binding serves the certificate that took its place, so there is none to return to this one.")]
    NoSuccessor,
    /// A note is longer than 2,000 characters, or has control characters.
    #[error("Enter a note of at most 2,000 characters of text.")]
    Note,
    /// The person to own a certificate has left the team.
    #[error("This person is no longer in the team. Choose another one.")]
    OwnerGone,
    /// This person may not take private keys out, or hand on the right to.
    #[error("You may not export private keys. Somebody who may can allow it on the page Team.")]
    MayNotExport,
    /// Nobody gives the right to export private keys to themselves.
    #[error("Nobody can allow themselves to export private keys. Ask somebody else who may.")]
    NotToOneself,
    /// The folder can't be served from.
    #[error("{0}")]
    Folder(String),
    /// Another binding has this address, port and host name.
    #[error("{place} already belongs to {site}.")]
    PlaceTaken {
        /// The place in words.
        place: String,
        /// The site that has it.
        site: String,
    },
    /// The port speaks the other protocol.
    #[error("Port {port} already speaks {protocol}, for {site}. One port speaks one protocol.")]
    PortSpeaks {
        /// The port.
        port: u16,
        /// What it speaks.
        protocol: Protocol,
        /// A site that has it.
        site: String,
    },
    /// Another rule stands at this very path.
    #[error("There already is a rule for {0}. Change that one.")]
    RuleTaken(String),
    /// A rule sets nothing.
    #[error("Choose at least one setting. A rule that inherits everything changes nothing.")]
    RuleEmpty,
    /// The trust list that a place is to ask was deleted.
    #[error("This trust list no longer exists. Choose another one.")]
    TrustListGone,
    /// A place would look at client certificates without a trust list.
    #[error("Choose the trust list that says whose certificates count. Without one, nobody who sends one is let in.")]
    NoTrustList,
    /// A place that inherits from the one that is changed would look at client certificates without a trust list.
    #[error("{0} looks at client certificates and would have no trust list. Choose one there first.")]
    NoTrustListAt(String),
    /// A trust list that a place asks can't be deleted.
    #[error("{0} asks this trust list. Choose another one there first.")]
    TrustListInUse(String),
    /// Nor can one that settings on trial name.
    #[error("The report for {0} names this trust list. End or remove it there first.")]
    TrustListTried(String),
    /// A trust list has as many CAs as it may have.
    #[error("A trust list has at most 100 CAs.")]
    TrustListFull,
    /// The CA is on the list already.
    #[error("{0} is on this list already.")]
    CaListed(String),
    /// What is to stand on a trust list can't.
    #[error(transparent)]
    NotTrustable(#[from] NotTrustable),
    /// Allow rules are too many, or one is there twice.
    #[error("A trust list has at most 200 allow rules, each once.")]
    AllowRules,
    /// Siteward itself publishes what its own authorities revoked.
    #[error("What this authority revoked is always known here. There is nothing to choose.")]
    OwnCrl,
    /// A revocation list can't be taken.
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// A reason is too long or has control characters.
    #[error("Enter a reason of at most 200 characters, without line breaks.")]
    Reason,
    /// What is to be tried is in force.
    #[error("These settings are in force already. Choose what you would like to try.")]
    TrialOfNothing,
    /// A site has as many settings on trial as it may have.
    #[error("At most 8 places of a site are on trial at the same time. End one of them first.")]
    TrialsFull,
    /// A CA finds something at this very path already.
    #[error("There already is one with this name. Remove that one first.")]
    ExemptionTaken,
    /// A site has as many exemptions as it may have.
    #[error("A site has at most 50 of these. Remove those that are no longer needed first.")]
    ExemptionsFull,
    /// A site has a page of its own for this already.
    #[error("There already is a page for {0}. Change that one.")]
    PageTaken(String),
    /// Browsers are to remember for too short or too long a time.
    #[error("Choose from 5 minutes to 2 years.")]
    HstsMaxAge,
    /// The site may not be built into browsers yet.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))]
    Preload(Vec<Unmet>),
    /// An https binding needs a certificate, and it must exist.
    #[error("Choose the certificate to serve.")]
    CertificateNeeded,
    /// The certificate is questionable; it is taken only with a confirmation.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))]
    Doubtful(Vec<Doubt>),
    /// A CA would come back to an open trust list without its revocation list.
    #[error(
        "The revocation list of {0} is not kept, and this trust list is open without a current one: whoever {0} revoked \
         would be let in until a list is here."
    )]
    Unchecked(String),
    /// A certificate that bindings serve can't be removed.
    #[error("It is still served for {0}. Choose another certificate there first.")]
    CertificateInUse(String),
    /// The request was completed or withdrawn before.
    #[error("{0}")]
    RequestClosed(String),
    /// The very certificate is installed already.
    #[error("This certificate is already installed, as {0}.")]
    AlreadyInstalled(String),
    /// An authority can't sign it.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A name that the authority, or one above it, may not sign for.
    #[error("{name} is outside the names that {authority} may sign for, so every client would refuse the certificate.")]
    Forbidden {
        /// The name.
        name: String,
        /// The authority whose name constraints forbid it.
        authority: String,
    },
    /// The authority may have no further authorities below it.
    #[error("{0} may sign no authority with that many levels below it.")]
    TooDeep(String),
    /// The certificate was revoked before.
    #[error("It was revoked at {0} already.")]
    Revoked(OffsetDateTime),
    /// Something still needs the authority.
    #[error("{0}")]
    AuthorityInUse(String),
    /// The reply does not fit the request.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The reply belongs to another pending request.
    #[error("This reply answers another request: {friendly_name}.")]
    OtherRequest {
        /// The request it answers.
        id: i64,
        /// Its friendly name.
        friendly_name: String,
    },
    /// What is to be trusted as a root is none.
    #[error("{0} is not a root: another CA signed it, or it is no CA. Bring the certificate at the top of the chain.")]
    NoRoot(String),
    /// The team trusts this root already.
    #[error("Your team already trusts {0}.")]
    RootTrusted(String),
    /// Nobody brought the key of a certificate, and it is not here either.
    #[error(
        "The private key of this certificate, for {0}, is not on this server. Bring it too: in a PFX file with the certificate, or as a file beside it."
    )]
    NoKey(String),
    /// Somebody already signs in with this mail address.
    #[error("Somebody already signs in with this e-mail address.")]
    MailTaken,
    /// The invitation was used, has expired, or never was.
    #[error("This link has been used or has expired. Ask for a new one.")]
    InvitationGone,
    /// The last person can't be removed.
    #[error("Nobody could sign in any more. Invite somebody else first.")]
    LastUser,
    /// Nobody could export private keys any more, nor allow it to others.
    #[error("Nobody else may export private keys, and nobody could allow it any more. Allow it to somebody who stays.")]
    LastExporter,
    /// Private keys can't be sealed or unsealed.
    #[error("{0}")]
    Vault(String),
    /// SQLite failed. Not for people: answer 500 and log it.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Stored data can't be understood, or a library refused. Not for people: answer 500 and log it.
    #[error("{0}")]
    Internal(String),
}

/// `24 November 2026, 09:31 UTC`
fn moment(at: &OffsetDateTime) -> String {
    format!("{} {} {}, {:02}:{:02} UTC", at.day(), at.month(), at.year(), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_people_do() {
        let error = StoreError::Stale { by: "Ada".into(), at: OffsetDateTime::UNIX_EPOCH };
        assert_eq!(error.to_string(), "Ada changed it on 1 January 1970, 00:00 UTC, after you opened this page.");
    }
}
