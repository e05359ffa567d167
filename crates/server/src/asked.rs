//! Which host a request asks for. HTTP libraries leave this to the application, and many attacks begin here.

use std::net::{IpAddr, Ipv6Addr};

use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Version};
use siteward_core::host::HostName;

/// Why a request's host can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadHost {
    /// HTTP/1.1 must name its host (RFC 9112 §3.2), and so must HTTP/2.
    Missing,
    /// More than one Host field, or one that differs from the target or from `:authority`.
    Several,
    /// Empty, with a user name, with a bad port, or with characters that no host name has.
    Unreadable,
}

/// A host and port as sent (RFC 3986 §3.2), in one spelling.
#[derive(Debug, PartialEq, Eq)]
struct Authority {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum Host {
    Name(HostName),
    Ip(IpAddr),
    /// Allowed by the syntax, but a name that no binding can have, such as one with an underscore.
    Other(String),
}

/// The host name that a request asks for; `None` for an address or a name that only a binding without host name answers.
///
/// # Errors
/// [`BadHost`], for 400.
pub(crate) fn host(request: &Parts) -> Result<Option<HostName>, BadHost> {
    let named = named_host(request)?;
    let target = request.uri.authority().map(|authority| Authority::parse(authority.as_str())).transpose()?;
    let default_port = if request.uri.scheme_str() == Some("https") { 443 } else { 80 };
    let authority = match (named, target) {
        (Some(named), Some(target)) if !named.is(&target, default_port) => return Err(BadHost::Several),
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) if request.version == Version::HTTP_10 => return Ok(None),
        (None, None) => return Err(BadHost::Missing),
    };
    match authority.host {
        Host::Name(name) => Ok(Some(name)),
        Host::Ip(_) | Host::Other(_) => Ok(None),
    }
}

/// What the Host field says. Over HTTP/2 `:authority` may stand alone, over HTTP/1.1 nothing stands for Host.
fn named_host(request: &Parts) -> Result<Option<Authority>, BadHost> {
    let mut fields = request.headers.get_all(HOST).iter();
    let Some(field) = fields.next() else {
        return if request.version == Version::HTTP_11 { Err(BadHost::Missing) } else { Ok(None) };
    };
    if fields.next().is_some() {
        return Err(BadHost::Several);
    }
    let text = HeaderValue::to_str(field).map_err(|_| BadHost::Unreadable)?;
    Authority::parse(text).map(Some)
}

impl Authority {
    fn parse(text: &str) -> Result<Self, BadHost> {
        let (host, port) = split_port(text)?;
        let port = match port {
            None | Some("") => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| BadHost::Unreadable)?)
            }
            Some(_) => return Err(BadHost::Unreadable),
        };
        Ok(Self { host: Host::parse(host)?, port })
    }

    fn is(&self, other: &Self, default_port: u16) -> bool {
        self.host == other.host && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), BadHost> {
    if !text.starts_with('[') {
        return Ok(text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))));
    }
    let end = text.find(']').ok_or(BadHost::Unreadable)?;
    let (host, rest) = text.split_at(end + 1);
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Ok((host, None)),
        None => Err(BadHost::Unreadable),
        Some(port) => Ok((host, Some(port))),
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, BadHost> {
        if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let ip: Ipv6Addr = address.parse().map_err(|_| BadHost::Unreadable)?;
            return Ok(Self::Ip(IpAddr::V6(ip).to_canonical()));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&b);
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(BadHost::Unreadable);
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(ip));
        }
        Ok(HostName::parse(text).map_or_else(|_| Self::Other(text.to_ascii_lowercase()), Self::Name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use proptest::prelude::*;

    fn asked(version: Version, target: &str, hosts: &[&[u8]]) -> Result<Option<String>, BadHost> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(HOST, HeaderValue::from_bytes(host).unwrap());
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        host(&parts).map(|host| host.map(|host| host.to_string()))
    }

    fn over_http1(target: &str, hosts: &[&str]) -> Result<Option<String>, BadHost> {
        let hosts: Vec<_> = hosts.iter().map(|host| host.as_bytes()).collect();
        asked(Version::HTTP_11, target, &hosts)
    }

    #[test]
    fn a_host_is_one_name_in_any_spelling_with_or_without_port() {
        let shop = Ok(Some("shop.example".to_owned()));
        for host in ["shop.example", "SHOP.example.", "shop.example:80", "shop.example:8080", "shop.example:"] {
            assert_eq!(over_http1("/", &[host]), shop, "{host}");
        }
    }

    #[test]
    fn an_address_or_a_name_that_no_binding_can_have_is_no_name() {
        for host in ["127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "my_shop.example", "shop%2eexample"] {
            assert_eq!(over_http1("/", &[host]), Ok(None), "{host}");
        }
    }

    #[test]
    fn a_missing_doubled_or_unreadable_host_is_refused() {
        assert_eq!(over_http1("/", &[]), Err(BadHost::Missing));
        assert_eq!(over_http1("http://shop.example/", &[]), Err(BadHost::Missing));
        assert_eq!(over_http1("/", &["shop.example", "shop.example"]), Err(BadHost::Several));
        for host in [
            "",
            " ",
            "a b",
            "me@shop.example",
            "me:pw@shop.example",
            "shop.example:http",
            "shop.example:65536",
            "shop.example:+80",
            "shop.example:80:80",
            "shop.example/",
            "http://shop.example",
            "[::1",
            "[::1]x",
            "[shop]",
            "::1",
            "a,b@c",
            "<script>",
            "shop.example?x",
            "shop.example#x",
            "shop\\.example",
        ] {
            assert_eq!(over_http1("/", &[host]), Err(BadHost::Unreadable), "{host:?}");
        }
        assert_eq!(asked(Version::HTTP_11, "/", &["bücher.example".as_bytes()]), Err(BadHost::Unreadable));
    }

    #[test]
    fn the_target_and_the_host_field_name_the_same_host() {
        let shop = Ok(Some("shop.example".to_owned()));
        assert_eq!(over_http1("http://shop.example/", &["Shop.Example"]), shop);
        assert_eq!(over_http1("http://shop.example/", &["shop.example:80"]), shop);
        assert_eq!(over_http1("http://other.example/", &["shop.example"]), Err(BadHost::Several));
        assert_eq!(over_http1("http://shop.example:81/", &["shop.example"]), Err(BadHost::Several));
        assert_eq!(over_http1("http://me@shop.example/", &["shop.example"]), Err(BadHost::Unreadable));
    }

    #[test]
    fn http2_names_its_host_by_authority_alone_or_twice_the_same() {
        let shop = Ok(Some("shop.example".to_owned()));
        assert_eq!(asked(Version::HTTP_2, "https://shop.example/", &[]), shop);
        assert_eq!(asked(Version::HTTP_2, "https://shop.example/", &[b"shop.example:443"]), shop);
        assert_eq!(asked(Version::HTTP_2, "https://shop.example/", &[b"other.example"]), Err(BadHost::Several));
        assert_eq!(asked(Version::HTTP_2, "/", &[]), Err(BadHost::Missing));
    }

    proptest! {
        #[test]
        fn a_host_that_was_read_is_read_again_as_itself(field in "[a-zA-Z0-9.:@%_*\\[\\] -]{0,80}|[ -~]{0,80}") {
            for version in [Version::HTTP_11, Version::HTTP_2] {
                if let Ok(Some(name)) = asked(version, "/", &[field.as_bytes()]) {
                    prop_assert_eq!(asked(version, "/", &[name.as_bytes()]), Ok(Some(name.clone())));
                    prop_assert!(!name.contains(['@', ':', '%', '/', '*', ' ']), "{}", name);
                }
            }
        }
    }

    #[test]
    fn only_http10_may_leave_the_host_out() {
        assert_eq!(asked(Version::HTTP_10, "/", &[]), Ok(None));
    }
}
