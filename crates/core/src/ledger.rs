//! The ledger: every change, by whom, with what was before and after.

mod undo;

use serde_json::Value;
use time::OffsetDateTime;

use crate::site::SiteId;

pub use undo::Undo;

/// The number of a change: dense, growing, the same in every process on one database.
pub type Revision = i64;

/// The row id of a person who may sign in to the console.
pub type UserId = i64;

/// The name under which Siteward itself acts.
pub const SITEWARD: &str = "Siteward";

/// The name under which whoever may read the data directory acts.
pub const COMMAND_LINE: &str = "Command line";

/// Who makes a change, and when. Time is an argument everywhere in core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The person, or `None` for Siteward itself and the command line.
    pub user: Option<UserId>,
    /// The name the ledger shows for ever, even after the person has left.
    pub name: String,
    /// The time of the change.
    pub now: OffsetDateTime,
}

impl Author {
    /// Siteward acting by itself.
    pub fn siteward(now: OffsetDateTime) -> Self {
        Self { user: None, name: SITEWARD.into(), now }
    }

    /// Whoever may read the data directory.
    pub fn command_line(now: OffsetDateTime) -> Self {
        Self { user: None, name: COMMAND_LINE.into(), now }
    }
}

/// What kind of thing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thing {
    /// A site.
    Site,
    /// A binding of a site.
    Binding,
    /// What a folder or file of a site demands of a connection.
    Rule,
    /// SSL settings that are tried and reported only.
    Trial,
    /// What a site answers CAs in clear.
    Exemption,
    /// A page of a site's own that visitors get instead of a built-in one.
    Page,
    /// A certificate request.
    Request,
    /// An installed certificate.
    Certificate,
    /// An authority.
    Authority,
    /// A root that the team trusts beside the system's.
    Root,
    /// CAs whose client certificates open places of sites.
    TrustList,
    /// Whose word about visitors is believed at a listener.
    Proxies,
    /// The master key.
    Vault,
    /// A person who may sign in, or an invitation to one.
    User,
}

impl Thing {
    /// Every kind, in the order the console lists them.
    pub const ALL: &[Self] = &[
        Self::Site,
        Self::Binding,
        Self::Rule,
        Self::Trial,
        Self::Exemption,
        Self::Page,
        Self::Request,
        Self::Certificate,
        Self::Authority,
        Self::Root,
        Self::TrustList,
        Self::Proxies,
        Self::Vault,
        Self::User,
    ];

    /// As stored, and as in the console's addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Binding => "binding",
            Self::Rule => "rule",
            Self::Trial => "trial",
            Self::Exemption => "exemption",
            Self::Page => "page",
            Self::Request => "request",
            Self::Certificate => "certificate",
            Self::Authority => "authority",
            Self::Root => "root",
            Self::TrustList => "trust-list",
            Self::Proxies => "proxies",
            Self::Vault => "vault",
            Self::User => "user",
        }
    }

    /// Reads what [`Thing::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|thing| thing.as_str() == text)
    }
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its number.
    pub revision: Revision,
    /// When it was saved.
    pub at: OffsetDateTime,
    /// The author's name at that time.
    pub author: String,
    /// What was done, to follow the author's name: `changed the SSL settings of Bookshop`.
    pub summary: String,
    /// What kind of thing.
    pub thing: Thing,
    /// The thing's row id.
    pub id: i64,
    /// The site the page of this thing lies under, if it is one of a site.
    pub site: Option<SiteId>,
    /// The thing before, as a flat JSON object, or `None` where it is new. Never a secret.
    pub before: Option<Value>,
    /// The thing after, or `None` where it is gone. Never a secret.
    pub after: Option<Value>,
    /// The change that it undid.
    pub undoes: Option<Revision>,
}
