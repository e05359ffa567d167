//! What came to a site, counted by what its SSL settings could ask for: never who in person, never what for.

mod agent;
mod class;
mod findings;
mod in_clear;
mod preview;
mod shifted;
mod tally;
mod w3c;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayString;
use ipnet::IpNet;
use time::OffsetDateTime;

use crate::site::SiteId;

pub use agent::Agent;
pub use class::{Answer, Cipher, Class, Credentials, Exchange, Facts, Failure, Http, Shown, TlsVersion, Way};
pub use findings::Findings;
pub use in_clear::InClear;
pub use preview::Preview;
pub use shifted::Shifted;
pub use tally::Tally;
pub use w3c::{Imported, NoLog, W3cLog};

/// Stands for the site of what led to none: an unknown name, or a handshake that ended before one was told.
pub const NO_SITE: SiteId = 0;

/// How long traffic is kept.
pub const KEPT_DAYS: i64 = 90;

/// A whole hour: how many have passed since 1970-01-01T00:00Z.
pub type Hour = i64;

/// The hour that a time lies in.
pub fn hour_of(time: OffsetDateTime) -> Hour {
    time.unix_timestamp().div_euclid(3600)
}

/// Where a count comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Siteward saw it.
    Recorded,
    /// Read from another server's log.
    Imported,
}

impl Source {
    /// `recorded` or `imported`, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Imported => "imported",
        }
    }

    /// Reads what [`Source::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Recorded, Self::Imported].into_iter().find(|source| source.as_str() == text)
    }
}

/// Who asks, as far as it is kept: a family of user agents in a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Client {
    /// The family of the user agent.
    pub agent: Agent,
    /// The first address of a network of 24 bits (IPv4) or 48 (IPv6).
    pub network: IpAddr,
}

impl Client {
    /// Whoever is not told apart.
    pub const OTHERS: Self = Self { agent: Agent::OTHERS, network: IpAddr::V4(Ipv4Addr::UNSPECIFIED) };

    /// Whoever sent this `User-Agent` (RFC 9110 §10.1.5) from this address.
    pub fn new(user_agent: &str, address: IpAddr) -> Self {
        Self::of(Agent::of(user_agent), address)
    }

    /// One of this family at this address.
    pub fn of(agent: Agent, address: IpAddr) -> Self {
        Self { agent, network: network(address.to_canonical()) }
    }

    /// `203.0.113.0/24` or `2001:db8:7::/48`.
    pub fn network(&self) -> String {
        self.net().to_string()
    }

    /// The same to reckon with.
    pub(crate) fn net(&self) -> IpNet {
        IpNet::new_assert(self.network, if self.network.is_ipv4() { 24 } else { 48 })
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & !0 << 8).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !0 << 80).into(),
    }
}

/// The first folder of a path, as in `/books/`; `/` for files beside it, empty where it is not kept.
///
/// `/books` counts as the folder that it may stand for, since a rule on it holds with and without the slash at its end. Only a
/// name with a dot is taken for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Folder(ArrayString<32>);

impl Folder {
    /// Any folder that is not told apart from others.
    pub const ELSEWHERE: Self = Self(ArrayString::new_const());

    /// The folder of a path that was read, without slashes at its ends; one with a long name is not kept.
    pub fn of(relative: &str, is_folder: bool) -> Self {
        let first = match relative.split_once('/') {
            Some((first, _)) => first,
            None if is_folder || !relative.contains('.') => relative,
            None => "",
        };
        let mut folder = ArrayString::new();
        let parts = if first.is_empty() { ["/", "", ""] } else { ["/", first, "/"] };
        match parts.iter().try_for_each(|part| folder.try_push_str(part)) {
            Ok(()) => Self(folder),
            Err(_) => Self::ELSEWHERE,
        }
    }

    /// With both its slashes; empty where it is not kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads what [`Folder::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        ArrayString::from(text).ok().map(Self)
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_kept_as_its_network_and_never_as_its_address() {
        for (address, kept) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:7:1234::5", "2001:db8:7::/48"),
        ] {
            assert_eq!(Client::new("", address.parse().unwrap()).network(), kept);
        }
    }

    #[test]
    fn of_a_path_only_its_first_folder_is_kept() {
        for (path, is_folder, kept) in [
            ("", true, "/"),
            ("index.html", false, "/"),
            ("books", true, "/books/"),
            ("books", false, "/books/"),
            ("v1.0", true, "/v1.0/"),
            ("books/a/b.html", false, "/books/"),
            ("a-folder-with-a-name-of-over-thirty-bytes/x", false, ""),
        ] {
            let folder = Folder::of(path, is_folder);
            assert_eq!(folder.as_str(), kept);
            assert_eq!(Folder::parse(kept), Some(folder));
        }
    }

    #[test]
    fn an_hour_begins_on_the_hour() {
        use time::macros::datetime;
        assert_eq!(hour_of(datetime!(1970-01-01 01:59:59 UTC)), 1);
        assert_eq!(hour_of(datetime!(1969-12-31 23:59:59 UTC)), -1);
    }
}
