//! Name constraints: which names an authority may sign for (RFC 5280 §4.2.1.10).

use std::fmt;
use std::net::IpAddr;

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::certificate::SubjectName;
use crate::host::{HostName, HostPattern};

/// The names an authority may sign for, and those it may not. A kind of name that `permitted` does not mention is free.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Constraints {
    /// Where there is one of a kind, names of that kind must lie within one of them.
    pub permitted: Vec<Subtree>,
    /// No name may lie within one of them.
    pub excluded: Vec<Subtree>,
}

/// A domain with everything below it, or a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subtree {
    /// This name and every name that ends with it.
    Dns(HostName),
    /// The addresses that begin with as many bits of this one.
    Ip(IpAddr, u8),
}

/// Why a line is no subtree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubtreeError {
    /// The part after the slash is no length of this kind of address.
    #[error("After the slash stands a number of bits: 0 to 32 for IPv4, 0 to 128 for IPv6.")]
    Length,
    /// The address has bits after its prefix.
    #[error("The address lies inside the range; the range begins at {0}.")]
    Inside(IpAddr),
    /// No domain either.
    #[error(
        "Enter a domain such as shop.example, which stands for everything below it too, or a range such as 10.0.0.0/8."
    )]
    Neither,
    /// More than [`Constraints::MAX`].
    #[error("Enter at most {} lines.", Constraints::MAX)]
    TooMany,
}

impl Constraints {
    /// The most subtrees in each of the two lists.
    pub const MAX: usize = 100;

    /// Reads one list as typed: one on each line, or separated by commas.
    ///
    /// # Errors
    /// The first bad line, and why.
    pub fn parse_list(text: &str) -> Result<Vec<Subtree>, (String, SubtreeError)> {
        let mut trees = Vec::new();
        for line in text.split([',', '\n', '\r']).map(str::trim).filter(|line| !line.is_empty()) {
            let shown = || line.chars().filter(|c| !c.is_control()).take(60).collect();
            let tree = Subtree::parse(line).map_err(|error| (shown(), error))?;
            if !trees.contains(&tree) {
                trees.push(tree);
            }
            if trees.len() > Self::MAX {
                return Err((shown(), SubtreeError::TooMany));
            }
        }
        Ok(trees)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.permitted.is_empty() && self.excluded.is_empty()
    }

    /// Whether clients accept `name` in a certificate below this authority.
    pub fn allow(&self, name: &SubjectName) -> bool {
        let mut same_kind = self.permitted.iter().filter(|tree| tree.is_of_kind(name)).peekable();
        let permitted = same_kind.peek().is_none() || same_kind.any(|tree| tree.holds(name));
        permitted && !self.excluded.iter().any(|tree| tree.touches(name))
    }

    /// What a certificate says.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let Ok(Some(extension)) = certificate.name_constraints() else { return Self::default() };
        let read = |trees: &Option<Vec<x509_parser::extensions::GeneralSubtree<'_>>>| {
            trees.iter().flatten().filter_map(|tree| Subtree::of(&tree.base)).collect()
        };
        Self {
            permitted: read(&extension.value.permitted_subtrees),
            excluded: read(&extension.value.excluded_subtrees),
        }
    }

    /// For a certificate; nothing where there is none, because an empty extension is forbidden.
    pub(super) fn extension(&self) -> Option<NameConstraints> {
        let write = |trees: &[Subtree]| trees.iter().map(Subtree::general).collect();
        let (permitted_subtrees, excluded_subtrees) = (write(&self.permitted), write(&self.excluded));
        (!self.is_empty()).then_some(NameConstraints { permitted_subtrees, excluded_subtrees })
    }
}

impl Subtree {
    /// Reads `shop.example`, `10.0.0.0/8` or `2001:db8::/32`; an address alone is a range of one.
    ///
    /// # Errors
    /// [`SubtreeError`].
    pub fn parse(text: &str) -> Result<Self, SubtreeError> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        if let Ok(ip) = address.parse::<IpAddr>() {
            let whole = bits(ip);
            let length = length.map_or(Ok(whole), str::parse).map_err(|_| SubtreeError::Length)?;
            let first = network(ip, length).ok_or(SubtreeError::Length)?;
            return if first == ip { Ok(Self::Ip(ip, length)) } else { Err(SubtreeError::Inside(first)) };
        }
        HostName::parse(text).map(Self::Dns).map_err(|_| SubtreeError::Neither)
    }

    fn is_of_kind(&self, name: &SubjectName) -> bool {
        matches!((self, name), (Self::Dns(_), SubjectName::Dns(_)) | (Self::Ip(..), SubjectName::Ip(_)))
    }

    /// Whether all that `name` stands for lies within.
    fn holds(&self, name: &SubjectName) -> bool {
        match (self, name) {
            (Self::Dns(domain), SubjectName::Dns(HostPattern::Exact(host) | HostPattern::Wildcard(host))) => {
                is_within(&host.to_string(), &domain.to_string())
            }
            (Self::Ip(first, length), SubjectName::Ip(ip)) => {
                bits(*ip) == bits(*first) && network(*ip, *length) == Some(*first)
            }
            _ => false,
        }
    }

    /// Whether anything that `name` stands for lies within: a wildcard also stands for the domain one label below.
    fn touches(&self, name: &SubjectName) -> bool {
        let below = match (self, name) {
            (Self::Dns(domain), SubjectName::Dns(HostPattern::Wildcard(parent))) => {
                domain.parent().is_some_and(|above| parent.to_string() == above)
            }
            _ => false,
        };
        below || self.holds(name)
    }

    fn of(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::DNSName(name) => HostName::parse(name).ok().map(Self::Dns),
            GeneralName::IPAddress(bytes) => {
                let (address, mask) = bytes.split_at_checked(bytes.len() / 2)?;
                let ip = <[u8; 4]>::try_from(address).map(IpAddr::from);
                let ip = ip.or_else(|_| <[u8; 16]>::try_from(address).map(IpAddr::from)).ok()?;
                Some(Self::Ip(ip, u8::try_from(mask.iter().map(|byte| byte.count_ones()).sum::<u32>()).ok()?))
            }
            _ => None,
        }
    }

    fn general(&self) -> GeneralSubtree {
        match self {
            Self::Dns(domain) => GeneralSubtree::DnsName(domain.to_string()),
            Self::Ip(IpAddr::V4(ip), length) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*length)).unwrap_or(0);
                GeneralSubtree::IpAddress(CidrSubnet::V4(ip.octets(), mask.to_be_bytes()))
            }
            Self::Ip(IpAddr::V6(ip), length) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
                GeneralSubtree::IpAddress(CidrSubnet::V6(ip.octets(), mask.to_be_bytes()))
            }
        }
    }
}

/// As typed, with the Unicode spelling of a domain.
impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(domain) => f.write_str(&domain.unicode()),
            Self::Ip(first, length) => write!(f, "{first}/{length}"),
        }
    }
}

/// `host` is `domain`, or ends with it after a dot.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// The first address of the range of `length` bits that `ip` lies in.
fn network(ip: IpAddr, length: u8) -> Option<IpAddr> {
    let spare = u32::from(bits(ip).checked_sub(length)?);
    Some(match ip {
        IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() & u32::MAX.checked_shl(spare).unwrap_or(0)).into()),
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & u128::MAX.checked_shl(spare).unwrap_or(0)).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn constraints(permitted: &str, excluded: &str) -> Constraints {
        let read = |text| Constraints::parse_list(text).unwrap();
        Constraints { permitted: read(permitted), excluded: read(excluded) }
    }

    fn allow(constraints: &Constraints, name: &str) -> bool {
        constraints.allow(&SubjectName::parse(name).unwrap())
    }

    #[test]
    fn a_domain_stands_for_itself_and_everything_below_it() {
        let only = constraints("shop.example", "");
        for name in ["shop.example", "www.shop.example", "a.b.shop.example", "*.shop.example"] {
            assert!(allow(&only, name), "{name}");
        }
        for name in ["example", "bookshop.example", "*.other.example", "shop.example.org"] {
            assert!(!allow(&only, name), "{name}");
        }
        assert!(allow(&only, "10.0.0.1"), "a kind that is not mentioned is free");
    }

    #[test]
    fn what_is_excluded_wins_and_a_wildcard_may_not_reach_into_it() {
        let both = constraints("example, 10.0.0.0/8", "secret.shop.example\n10.9.0.0/16");
        for name in ["www.example", "10.1.2.3"] {
            assert!(allow(&both, name), "{name}");
        }
        for name in
            ["secret.shop.example", "a.secret.shop.example", "*.shop.example", "10.9.0.1", "192.0.2.1", "2001:db8::1"]
        {
            assert!(!allow(&both, name), "{name}");
        }
    }

    #[test]
    fn a_line_that_is_no_domain_and_no_range_is_named() {
        for (text, error) in [
            ("10.0.0.0/33", SubtreeError::Length),
            ("10.0.0.0/-1", SubtreeError::Length),
            ("2001:db8::/129", SubtreeError::Length),
            ("10.1.0.0/8", SubtreeError::Inside("10.0.0.0".parse().unwrap())),
            ("*.shop.example", SubtreeError::Neither),
            ("shop example", SubtreeError::Neither),
        ] {
            assert_eq!(Constraints::parse_list(&format!("ok.example\n{text}")), Err((text.into(), error)));
        }
        assert!(Constraints::parse_list(&(0..101).map(|i| format!("n{i}.example\n")).collect::<String>()).is_err());
    }

    proptest! {
        #[test]
        fn a_range_is_read_again_as_it_is_shown_and_holds_what_begins_with_its_bits(ip: u32, length in 0u8..=32, other: u32) {
            let first = network(IpAddr::V4(ip.into()), length).unwrap();
            let tree = Subtree::parse(&format!("{first}/{length}")).unwrap();
            prop_assert_eq!(Subtree::parse(&tree.to_string()).unwrap(), tree.clone());
            let same = length == 0 || ip >> (32 - u32::from(length)) == other >> (32 - u32::from(length));
            prop_assert_eq!(tree.holds(&SubjectName::Ip(IpAddr::V4(other.into()))), same);
        }
    }
}
