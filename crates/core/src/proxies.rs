//! Trusted proxies: whose word about a visitor is believed, listener by listener. From everybody else it changes nothing.

mod fields;
mod header;
mod shift;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;

use ipnet::{IpNet, Ipv4Net};

use crate::binding::Protocol;
use crate::ledger::Revision;

pub use fields::{forwarded, x_forwarded};
pub use header::{BadHeader, Header, LOCAL_HEADER, MAX_HEADER};
pub use shift::Shift;

/// An address of this machine, or all of them, and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Listener {
    /// TCP port.
    pub port: NonZeroU16,
    /// The address, or all.
    pub ip: Option<IpAddr>,
}

/// `port 443`, or `port 443 at 192.0.2.1`.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            None => write!(f, "port {}", self.port),
            Some(ip) => write!(f, "port {} at {ip}", self.port),
        }
    }
}

/// How trusted proxies say who their visitors are. Only this is read, because a proxy passes on whatever its visitors
/// write into all other fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Speech {
    /// In `X-Forwarded-For` and `X-Forwarded-Proto`, with every request.
    #[default]
    XForwarded,
    /// In `Forwarded` (RFC 7239), with every request.
    Forwarded,
    /// In a header of the PROXY protocol, version 1 or 2, at the beginning of every connection.
    ProxyProtocol,
}

impl Speech {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::XForwarded, Self::Forwarded, Self::ProxyProtocol];

    /// As stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::XForwarded => "x-forwarded",
            Self::Forwarded => "forwarded",
            Self::ProxyProtocol => "proxy-protocol",
        }
    }

    /// Reads what [`Speech::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|speech| speech.as_str() == text)
    }
}

/// The trusted proxies of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// Where they connect to.
    pub listener: Listener,
    /// What was spoken there when they were listed. Where the port speaks something else by now, nobody decided that they
    /// are believed.
    pub protocol: Protocol,
    /// How they say who their visitors are.
    pub speech: Speech,
    /// Who they are. Where it is empty, those of all addresses of the port are believed, or nobody.
    pub networks: Networks,
    /// Nobody is believed here, whoever is at all addresses of the port.
    pub nobody: bool,
    /// The revision of the last change to them, carried by forms so that nobody overwrites another's edit.
    pub version: Revision,
}

impl Proxies {
    /// Whether it says who is believed at its listener, be it nobody, and not that those of all addresses of the port are.
    pub fn is_own(&self) -> bool {
        self.nobody || !self.networks.is_empty()
    }

    /// Whether anybody is believed on a port that speaks this protocol.
    pub(crate) fn holds(&self, protocol: Protocol) -> bool {
        self.protocol == protocol && !self.networks.is_empty()
    }
}

/// What a trusted proxy says of a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// The visitor's address; port 0 where none is told.
    pub client: Option<SocketAddr>,
    /// Whether the visitor came to the proxy over TLS, where it says so or otherwise. What was agreed on there is not
    /// known.
    pub is_https: Option<bool>,
}

/// Networks of trusted proxies, a bounded list, each once and in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<IpNet>);

/// Why a text is no list of networks of trusted proxies. Each is a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNetworks {
    /// Neither an address nor a network.
    #[error("“{0}” is neither an address nor a network, as in 10.0.0.7 or 10.0.0.0/24.")]
    Unreadable(String),
    /// An address with a length that would take in its neighbours.
    #[error(
        "“{typed}” is one address out of a network. Enter {network} for all of it, or the address without its length."
    )]
    Inside {
        /// As typed.
        typed: String,
        /// The network it lies in.
        network: IpNet,
    },
    /// So large that strangers are in it.
    #[error(
        "“{0}” takes in strangers: each of them could then write where they come from, and that they came over https. \
         Enter the addresses of your proxies only."
    )]
    Strangers(String),
    /// More than [`Networks::MAX`].
    #[error("Enter at most 100 addresses and networks.")]
    TooMany,
}

impl Networks {
    /// How many a listener may have.
    pub const MAX: usize = 100;

    /// The shortest prefixes of public networks, IPv4 and IPv6.
    const SHORTEST: (u8, u8) = (16, 32);

    /// Those in which no stranger is, so that they may be named whole (RFC 1918, RFC 4193), and those whose packets no router
    /// passes on (RFC 1122 §3.2.1.3, RFC 4291 §2.5.6).
    const PRIVATE: [IpNet; 6] = [
        IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
        IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10),
        IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)), 8),
        IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(172, 16, 0, 0)), 12),
        IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(192, 168, 0, 0)), 16),
        IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    ];

    /// Reads addresses and networks, one on each line.
    ///
    /// # Errors
    /// [`BadNetworks`], for the first line that can't be taken.
    pub fn parse(text: &str) -> Result<Self, BadNetworks> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut networks = Vec::new();
        for line in lines {
            networks.push(network(line)?);
            if networks.len() > Self::MAX {
                return Err(BadNetworks::TooMany);
            }
        }
        networks.sort_unstable();
        networks.dedup();
        Ok(Self(networks))
    }

    /// Whether this address is among them.
    pub fn includes(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// Whether an address of this network is among them.
    pub(crate) fn overlap(&self, network: &IpNet) -> bool {
        self.0.iter().any(|own| own.contains(network) || network.contains(own))
    }

    /// Those that do not lie within others, however these are cut.
    pub(crate) fn without(&self, others: &Self) -> Self {
        let others = IpNet::aggregate(&others.0);
        let is_left = |own: &&IpNet| !others.iter().any(|other| other.contains(*own));
        Self(self.0.iter().filter(is_left).copied().collect())
    }

    /// Whether nobody is believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each as it is typed: one address without its length.
    pub fn list(&self) -> Vec<String> {
        let typed = |network: &IpNet| match network.prefix_len() == network.max_prefix_len() {
            true => network.addr().to_string(),
            false => network.to_string(),
        };
        self.0.iter().map(typed).collect()
    }
}

fn network(line: &str) -> Result<IpNet, BadNetworks> {
    let unreadable = || BadNetworks::Unreadable(line.to_owned());
    let network = match line.parse::<IpAddr>() {
        Ok(ip) => IpNet::from(ip),
        Err(_) => line.parse::<IpNet>().map_err(|_| unreadable())?,
    };
    if network.trunc() != network {
        return Err(BadNetworks::Inside { typed: line.to_owned(), network: canonical(network.trunc()) });
    }
    let network = canonical(network);
    let shortest = if network.addr().is_ipv4() { Networks::SHORTEST.0 } else { Networks::SHORTEST.1 };
    let is_private = Networks::PRIVATE.iter().any(|private| private.contains(&network));
    if network.prefix_len() < shortest && !is_private || network.addr().is_unspecified() {
        return Err(BadNetworks::Strangers(line.to_owned()));
    }
    Ok(network)
}

/// IPv4 is never written as IPv6: connections are told apart by their canonical addresses.
fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(ip), Some(length)) if network.addr().is_ipv6() => {
            Ipv4Net::new(ip, length).map_or(network, IpNet::from)
        }
        _ => network,
    }
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<SocketAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let without_port = || bare().or_else(bracketed).map(|ip| SocketAddr::new(ip, 0));
    let address = text.parse::<SocketAddr>().ok().or_else(without_port)?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn networks_are_read_one_a_line_each_once_and_told_as_they_are_typed() {
        let read = |text| Networks::parse(text).map(|networks| networks.list());
        assert_eq!(read("\n 10.0.0.7 \r\n\n10.0.0.7/32\n"), Ok(vec!["10.0.0.7".to_owned()]));
        assert_eq!(
            read("2001:db8::/48\n::1\n192.0.2.0/24\n10.0.0.0/8\n172.16.0.0/12\nfc00::/7\nfe80::/10\n127.0.0.0/8")
                .unwrap(),
            [
                "10.0.0.0/8",
                "127.0.0.0/8",
                "172.16.0.0/12",
                "192.0.2.0/24",
                "::1",
                "2001:db8::/48",
                "fc00::/7",
                "fe80::/10"
            ]
        );
        assert_eq!(read("::ffff:192.0.2.7\n::ffff:10.0.0.0/104").unwrap(), ["10.0.0.0/8", "192.0.2.7"]);
        assert_eq!(read(""), Ok(vec![]));
    }

    #[test]
    fn what_would_take_in_strangers_or_cannot_be_read_is_refused() {
        let refused = |text: &str| Networks::parse(text).unwrap_err().to_string();
        for text in [
            "0.0.0.0/0",
            "::/0",
            "0.0.0.0",
            "::",
            "128.0.0.0/1",
            "11.0.0.0/8",
            "172.0.0.0/8",
            "2000::/3",
            "2000::/7",
            "fc00::/6",
            "fe80::/9",
            "126.0.0.0/7",
            "192.168.0.0/15",
            "::ffff:0:0/96",
            "::/8",
        ] {
            assert!(refused(text).contains("takes in strangers"), "{text}");
        }
        assert!(refused("10.0.0.7/24").contains("Enter 10.0.0.0/24 for all of it"));
        for text in ["proxy.example", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.1:80", "[::1]", "10.0.0.1 10.0.0.2"]
        {
            assert!(refused(&format!("10.0.0.1\n{text}")).contains(&format!("“{text}” is neither")), "{text}");
        }
        let many = |count| (0..count).map(|n| format!("10.0.{}.{}", n / 256, n % 256)).collect::<Vec<_>>().join("\n");
        assert!(Networks::parse(&many(Networks::MAX)).is_ok());
        assert_eq!(Networks::parse(&many(Networks::MAX + 1)), Err(BadNetworks::TooMany));
    }

    #[test]
    fn an_address_is_read_in_every_way_in_which_proxies_write_it() {
        for (text, read) in [
            ("192.0.2.7", Some("192.0.2.7:0")),
            ("192.0.2.7:4711", Some("192.0.2.7:4711")),
            ("2001:db8::7", Some("[2001:db8::7]:0")),
            ("[2001:db8::7]", Some("[2001:db8::7]:0")),
            ("[2001:db8::7]:4711", Some("[2001:db8::7]:4711")),
            ("::ffff:192.0.2.7", Some("192.0.2.7:0")),
            ("[192.0.2.7]", None),
            ("192.0.2.07", None),
            ("unknown", None),
            ("_hidden", None),
            ("", None),
        ] {
            assert_eq!(address(text), read.map(|read| read.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_as_the_same_and_takes_in_its_own_addresses(
            text in "([0-9]{1,3}\\.[0-9]{1,3}\\.0\\.0(/[0-9]{1,2})?|[0-9a-f:]{2,12}(/[0-9]{1,3})?)(\n10\\.1\\.2\\.3)?"
        ) {
            let Ok(networks) = Networks::parse(&text) else { return Ok(()) };
            let told = networks.list();
            prop_assert_eq!(Networks::parse(&told.join("\n")), Ok(networks.clone()));
            for one in told {
                let ip = one.split('/').next().unwrap().parse().unwrap();
                prop_assert!(networks.includes(ip), "{}", one);
            }
            prop_assert!(!networks.includes("203.0.113.77".parse().unwrap()) || text.starts_with("203."));
        }
    }
}
