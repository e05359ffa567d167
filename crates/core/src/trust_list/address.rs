//! Where a revocation list is fetched from.

use std::fmt;

use crate::authority::Address;

/// An `http://` address of a revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlAddress {
    host: Address,
    /// From the first slash on, with its query.
    target: String,
}

/// Why an address can't be fetched from. Each message is a sentence for the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// `https://`
    #[error(
        "Enter the http:// address. Over https:// the list could be needed to check the very connection it comes by (RFC 5280, section 8); it is signed, so nobody on the way can change it."
    )]
    Https,
    /// `ldap://`
    #[error(
        "Directories (ldap://) are not asked. Enter the http:// address that most CAs have beside it, or upload the list."
    )]
    Ldap,
    /// Anything else.
    #[error("Enter an address such as http://pki.example/ca.crl: at most 1,000 characters, without spaces.")]
    Unreadable,
}

impl CrlAddress {
    /// The most characters of an address.
    pub const MAX: usize = 1_000;

    /// Reads an address as typed or stored.
    ///
    /// # Errors
    /// [`AddressError`] by name.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Unreadable)?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(AddressError::Https),
            "ldap" | "ldaps" => return Err(AddressError::Ldap),
            _ => return Err(AddressError::Unreadable),
        }
        let (host, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let is_written = |c: u8| c.is_ascii_graphic() && !matches!(c, b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`');
        if text.len() > Self::MAX || !target.bytes().all(is_written) {
            return Err(AddressError::Unreadable);
        }
        let host = Address::parse(host).ok().flatten().ok_or(AddressError::Unreadable)?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { host, target })
    }

    /// The host, and the port unless it is 80, as a `Host` field names it (RFC 9110 §7.2).
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The host and port to connect to.
    pub fn to_connect(&self) -> String {
        let host = self.host();
        let has_port = host.rfind(':') > host.rfind(']');
        if has_port { host } else { host + ":80" }
    }

    /// Where an answer sends on to, by its `Location` (RFC 9110 §10.2.2).
    ///
    /// # Errors
    /// As [`CrlAddress::parse`]; relative paths are not read.
    pub fn join(&self, location: &str) -> Result<Self, AddressError> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Self::parse(&format!("http://{}{location}", self.host));
        }
        Self::parse(location)
    }

    /// The path and query to ask for.
    pub fn target(&self) -> &str {
        &self.target
    }
}

/// `http://pki.example/ca.crl`
impl fmt::Display for CrlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.host, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_shown_and_only_over_http() {
        for (typed, shown) in [
            (" http://pki.example/ca.crl ", "http://pki.example/ca.crl"),
            ("HTTP://PKI.example:8080", "http://pki.example:8080/"),
            ("http://[2001:db8::1]?ca=1", "http://[2001:db8::1]/?ca=1"),
            ("http://192.0.2.7:80/a%20b", "http://192.0.2.7/a%20b"),
        ] {
            let address = CrlAddress::parse(typed).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(CrlAddress::parse(shown), Ok(address));
        }
        let address = CrlAddress::parse("http://pki.example:8080/ca.crl").unwrap();
        assert_eq!(address.join("/b?c").unwrap().to_string(), "http://pki.example:8080/b?c");
        assert_eq!(address.join("http://other.example/").unwrap().to_connect(), "other.example:80");
        let ipv6 = CrlAddress::parse("http://[2001:db8::1]/").unwrap();
        assert_eq!(ipv6.to_connect(), format!("{}:80", "[2001:db8::1]"));
        assert_eq!(address.join("https://pki.example/"), Err(AddressError::Https));
        assert_eq!(CrlAddress::parse("https://pki.example/ca.crl"), Err(AddressError::Https));
        assert_eq!(CrlAddress::parse("ldap://dc/CN=CA?certificateRevocationList"), Err(AddressError::Ldap));
        for bad in [
            "",
            "pki.example/ca.crl",
            "http://",
            "http:///x",
            "http://me@pki.example/",
            "ftp://a.example/x",
            "http://pki.example/a b",
            "http://pki.example/a\r\nHost:b",
            "http://pki.example/#x",
            "http://a.example:0/",
        ] {
            assert_eq!(CrlAddress::parse(bad), Err(AddressError::Unreadable), "{bad}");
        }
        assert_eq!(
            CrlAddress::parse(&format!("http://a.example/{}", "x".repeat(1_000))),
            Err(AddressError::Unreadable)
        );
    }
}
