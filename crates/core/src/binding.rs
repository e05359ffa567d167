//! Bindings: by which protocol, address, port and host name a site is reached.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use crate::certificate::CertificateFacts;
use crate::host::HostPattern;

/// The row id of a binding.
pub type BindingId = i64;

/// What is spoken on a port. One port speaks one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

impl Protocol {
    /// `http` or `https`, as stored and as in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Reads what [`Protocol::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    /// The port a browser assumes: 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a site is reached, without its certificate: what must be unique over all sites.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// What is spoken there.
    pub protocol: Protocol,
    /// One address of this machine, or all of them, IPv4 and IPv6.
    pub ip: Option<IpAddr>,
    /// TCP port, 1 to 65535.
    pub port: NonZeroU16,
    /// Which host names.
    pub host: HostPattern,
}

/// Why a binding's place can't be read. Each message is a sentence for the field it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Not a number from 1 to 65535.
    #[error("Enter a port from 1 to 65535.")]
    Port,
    /// Neither empty nor an IPv4 or IPv6 address.
    #[error("Enter an IPv4 or IPv6 address of this server, or leave it empty for all.")]
    Ip,
}

/// Reads a port as typed.
///
/// # Errors
/// [`PlaceError::Port`] for anything but a number from 1 to 65535.
pub fn parse_port(text: &str) -> Result<NonZeroU16, PlaceError> {
    let text = text.trim();
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(PlaceError::Port); // `+80` parses as a number
    }
    text.parse().map_err(|_| PlaceError::Port)
}

/// Reads an address as typed or stored; empty, `*` and the unspecified addresses mean all.
///
/// # Errors
/// [`PlaceError::Ip`] for anything else.
pub fn parse_ip(text: &str) -> Result<Option<IpAddr>, PlaceError> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    if text.is_empty() || text == "*" {
        return Ok(None);
    }
    let ip: IpAddr = text.parse().map_err(|_| PlaceError::Ip)?;
    let ip = ip.to_canonical();
    Ok((!ip.is_unspecified()).then_some(ip))
}

impl Place {
    /// The address a visitor types for `host`: scheme, host, and the port unless it is the protocol's own.
    pub fn url(&self, host: &str) -> String {
        let protocol = self.protocol;
        match self.port.get() {
            port if port == protocol.default_port() => format!("{protocol}://{host}"),
            port => format!("{protocol}://{host}:{port}"),
        }
    }
}

/// `https://shop.example:8443 on 10.0.0.1`, for sentences and the ledger.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, port, host, ip } = self;
        match host {
            HostPattern::Any => write!(f, "{protocol} on port {port}, any host name")?,
            host => write!(f, "{protocol} on port {port}, {}", host.unicode())?,
        }
        match ip {
            Some(ip) => write!(f, ", at {ip}"),
            None => Ok(()),
        }
    }
}

/// One binding of a site. An https binding always names its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Row id.
    pub id: BindingId,
    /// Where it is reached.
    pub place: Place,
    /// What it serves there over TLS; `None` for http only.
    pub certificate: Option<Arc<CertificateFacts>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_from_1_to_65535() {
        assert_eq!(parse_port(" 443 ").unwrap().get(), 443);
        assert_eq!(parse_port("65535").unwrap().get(), 65535);
        for text in ["", "0", "65536", "-1", "+80", "80.0", "https", "4٣"] {
            assert_eq!(parse_port(text), Err(PlaceError::Port), "{text:?}");
        }
    }

    #[test]
    fn an_address_is_one_ip_or_all() {
        assert_eq!(parse_ip(""), Ok(None));
        assert_eq!(parse_ip("0.0.0.0"), Ok(None));
        assert_eq!(parse_ip("[::]"), Ok(None));
        assert_eq!(parse_ip("::ffff:10.0.0.1"), Ok(Some("10.0.0.1".parse().unwrap())));
        assert_eq!(parse_ip("10.0.0"), Err(PlaceError::Ip));
    }
}
