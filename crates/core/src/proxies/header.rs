//! The header of the PROXY protocol, version 1 (text) and 2 (binary), as haproxy's `proxy-protocol.txt` has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Told;

/// Bytes of a header at most. Version 1 ends within 107; version 2 could be longer than this, and nobody's is.
pub const MAX_HEADER: usize = 4_096;

/// Bytes of version 1, with its line end.
const MAX_LINE: usize = 107;

/// What version 2 begins with: no byte of it is the beginning of HTTP or TLS.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of version 2 before the addresses: the signature, version and command, family, and a length.
const FIXED: usize = 16;

/// What a client sends that speaks for itself: the command LOCAL.
pub const LOCAL_HEADER: [u8; FIXED] = *b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// The parameter that tells of the visitor's TLS, and the bit in it that there is any.
const PP2_TYPE_SSL: u8 = 0x20;
const PP2_CLIENT_SSL: u8 = 0x01;

/// A header that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it says; nothing where the proxy speaks for itself, or does not know.
    pub told: Told,
    /// Its length in bytes. What follows is the visitor's.
    pub length: usize,
}

/// What was sent is no header of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a trusted proxy sent no header of the PROXY protocol, or a broken one")]
pub struct BadHeader;

impl Header {
    /// Reads the header that `bytes` begin with; `None` where it goes on after them.
    ///
    /// # Errors
    /// [`BadHeader`], as soon as nothing that follows could make a header of it.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, BadHeader> {
        match bytes.first() {
            None => Ok(None),
            Some(b'P') => line(bytes),
            Some(_) => binary(bytes),
        }
    }
}

/// Version 1: `PROXY TCP4 203.0.113.7 192.0.2.1 50000 443`.
fn line(bytes: &[u8]) -> Result<Option<Header>, BadHeader> {
    if !starts_alike(bytes, b"PROXY ") {
        return Err(BadHeader);
    }
    let within = &bytes[..bytes.len().min(MAX_LINE)];
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < MAX_LINE { Ok(None) } else { Err(BadHeader) };
    };
    let text = std::str::from_utf8(&within[..end]).map_err(|_| BadHeader)?;
    let client = match *text.split(' ').collect::<Vec<_>>().as_slice() {
        [_, "UNKNOWN", ..] => None,
        [_, "TCP4", from, to, from_port, to_port] => {
            let ends = [from.parse::<Ipv4Addr>(), to.parse()].map(|ip| ip.map(IpAddr::from));
            Some(source(ends, [from_port, to_port])?)
        }
        [_, "TCP6", from, to, from_port, to_port] => {
            let ends = [from.parse::<Ipv6Addr>(), to.parse()].map(|ip| ip.map(IpAddr::from));
            Some(source(ends, [from_port, to_port])?)
        }
        _ => return Err(BadHeader),
    };
    Ok(Some(Header { told: Told { client, is_https: None }, length: end + 2 }))
}

/// The source, where the destination can be read too.
fn source<E>([from, to]: [Result<IpAddr, E>; 2], ports: [&str; 2]) -> Result<SocketAddr, BadHeader> {
    let port =
        |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0')) {
            true => text.parse::<u16>().map_err(|_| BadHeader),
            false => Err(BadHeader),
        };
    let [from_port, to_port] = ports.map(port);
    to.map_err(|_| BadHeader)?;
    to_port?;
    Ok(SocketAddr::new(from.map_err(|_| BadHeader)?.to_canonical(), from_port?))
}

fn binary(bytes: &[u8]) -> Result<Option<Header>, BadHeader> {
    if !starts_alike(bytes, SIGNATURE) {
        return Err(BadHeader);
    }
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED) else { return Ok(None) };
    let (command, family) = (fixed[12], fixed[13]);
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if FIXED + length > MAX_HEADER {
        return Err(BadHeader);
    }
    let Some(body) = rest.get(..length) else { return Ok(None) };
    let told = match command {
        0x20 => Told::default(), // LOCAL: the proxy speaks for itself, and the rest is to be ignored
        0x21 => proxied(family, body)?,
        _ => return Err(BadHeader),
    };
    Ok(Some(Header { told, length: FIXED + length }))
}

/// The command PROXY: addresses and ports of both ends, then parameters.
fn proxied(family: u8, body: &[u8]) -> Result<Told, BadHeader> {
    let (client, parameters) = match family {
        0x11 => {
            let (ends, parameters) = body.split_first_chunk::<12>().ok_or(BadHeader)?;
            let ip = Ipv4Addr::new(ends[0], ends[1], ends[2], ends[3]);
            (Some((IpAddr::from(ip), [ends[8], ends[9]])), parameters)
        }
        0x21 => {
            let (ends, parameters) = body.split_first_chunk::<36>().ok_or(BadHeader)?;
            let (from, _) = ends.split_first_chunk::<16>().ok_or(BadHeader)?;
            (Some((Ipv6Addr::from(*from).into(), [ends[32], ends[33]])), parameters)
        }
        0x00 => (None, body),
        0x31 => (None, body.get(216..).ok_or(BadHeader)?), // a socket on the proxy's own machine
        _ => return Err(BadHeader),                        // no stream, or nothing that exists
    };
    let client = client.map(|(ip, port)| SocketAddr::new(ip.to_canonical(), u16::from_be_bytes(port)));
    Ok(Told { client, is_https: tells_of_tls(parameters)? })
}

/// Whether the parameters say that the visitor came over TLS. That it did not is not taken from them: a proxy that hands
/// TLS through unopened says so too. Two that speak of it are one too many.
fn tells_of_tls(mut parameters: &[u8]) -> Result<Option<bool>, BadHeader> {
    let mut told = None;
    while !parameters.is_empty() {
        let (&[kind, high, low], rest) = parameters.split_first_chunk::<3>().ok_or(BadHeader)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, rest) = rest.split_at_checked(length).ok_or(BadHeader)?;
        if kind == PP2_TYPE_SSL {
            // One byte of bits, and four with the outcome of the verification.
            let (&[bits, ..], _) = value.split_first_chunk::<5>().ok_or(BadHeader)?;
            if told.replace(bits & PP2_CLIENT_SSL != 0).is_some() {
                return Err(BadHeader);
            }
        }
        parameters = rest;
    }
    Ok(told.filter(|is_https| *is_https))
}

/// Whether one of them is the beginning of the other.
fn starts_alike(bytes: &[u8], expected: &[u8]) -> bool {
    bytes.iter().zip(expected).all(|(byte, expected)| byte == expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IPV4: [u8; 12] = [203, 0, 113, 7, 192, 0, 2, 1, 0xc3, 0x50, 1, 0xbb];

    fn version_2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, body].concat()
    }

    fn parameter(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[kind][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
    }

    fn ipv6(from: &str) -> Vec<u8> {
        let octets = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
        [&octets(from)[..], &octets("2001:db8::1"), &[0xc3, 0x50, 1, 0xbb]].concat()
    }

    /// What is told by a header that something else follows.
    fn read(header: &[u8]) -> Result<Told, BadHeader> {
        let read = Header::read(&[header, b"GET / HTTP/1.1\r\n\r\n"].concat())?.expect("a whole header");
        assert_eq!(read.length, header.len());
        Ok(read.told)
    }

    fn told(client: &str, is_https: bool) -> Result<Told, BadHeader> {
        Ok(Told { client: Some(client.parse().unwrap()), is_https: is_https.then_some(true) })
    }

    #[test]
    fn a_line_tells_the_visitor_s_address() {
        assert_eq!(read(b"PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\r\n"), told("203.0.113.7:50000", false));
        assert_eq!(read(b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 443\r\n"), told("[2001:db8::7]:50000", false));
        assert_eq!(read(b"PROXY TCP6 ::ffff:203.0.113.7 ::1 0 443\r\n"), told("203.0.113.7:0", false));
        for unknown in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "PROXY UNKNOWN ? \r\n"] {
            assert_eq!(read(unknown.as_bytes()), Ok(Told::default()), "{unknown:?}");
        }
    }

    #[test]
    fn a_broken_line_is_no_header() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(MAX_LINE));
        for line in [
            "PROXY\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 50000\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 50000 443 \r\n",
            "PROXY TCP4  203.0.113.7 192.0.2.1 50000 443\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 65536 443\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 +5 443\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 050 443\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 50000 x\r\n",
            "PROXY TCP4 203.0.113.07 192.0.2.1 50000 443\r\n",
            "PROXY TCP4 2001:db8::7 2001:db8::1 50000 443\r\n",
            "PROXY TCP6 203.0.113.7 192.0.2.1 50000 443\r\n",
            "PROXY TCP4 203.0.113.7 here 50000 443\r\n",
            "PROXY UDP4 203.0.113.7 192.0.2.1 50000 443\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\n GET / HTTP/1.1\r\n",
            "POST / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\n",
            "proxy unknown\r\n",
            &long,
        ] {
            assert_eq!(Header::read(line.as_bytes()), Err(BadHeader), "{line:?}");
        }
    }

    #[test]
    fn the_binary_form_tells_the_visitor_s_address_and_whether_it_came_over_tls() {
        assert_eq!(read(&version_2(0x21, 0x11, &IPV4)), told("203.0.113.7:50000", false));
        assert_eq!(read(&version_2(0x21, 0x21, &ipv6("2001:db8::7"))), told("[2001:db8::7]:50000", false));
        assert_eq!(read(&version_2(0x21, 0x21, &ipv6("::ffff:203.0.113.7"))), told("203.0.113.7:50000", false));
        let version = parameter(0x21, b"TLSv1.3");
        for (bits, is_https) in [(0x01, true), (0x07, true), (0x00, false), (0x06, false)] {
            let tls = parameter(PP2_TYPE_SSL, &[&[bits, 0, 0, 0, 0][..], &version].concat());
            let body = [&IPV4[..], &parameter(1, b"h2"), &tls, &parameter(4, &[0; 40])].concat();
            assert_eq!(read(&version_2(0x21, 0x11, &body)), told("203.0.113.7:50000", is_https), "{bits}");
        }
        let tls = parameter(PP2_TYPE_SSL, &[1, 0, 0, 0, 0]);
        assert_eq!(
            read(&version_2(0x21, 0x00, &tls)),
            Ok(Told { client: None, is_https: Some(true) }),
            "from nobody knows where"
        );
        assert_eq!(read(&version_2(0x21, 0x31, &[0; 216])), Ok(Told::default()), "a socket on the proxy's machine");
    }

    #[test]
    fn a_proxy_that_speaks_for_itself_tells_nothing_of_a_visitor() {
        assert_eq!(read(&LOCAL_HEADER), Ok(Told::default()));
        let tls = parameter(PP2_TYPE_SSL, &[1, 0, 0, 0, 0]);
        for body in [&[][..], &IPV4, &tls, &[&IPV4[..], &tls].concat(), b"anything"] {
            for family in [0x00, 0x11, 0xff] {
                assert_eq!(read(&version_2(0x20, family, body)), Ok(Told::default()));
            }
        }
    }

    #[test]
    fn a_broken_binary_header_is_none() {
        let tls = parameter(PP2_TYPE_SSL, &[1, 0, 0, 0, 0]);
        let with = |more: &[u8]| [&IPV4[..], more].concat();
        for (command, family, body) in [
            (0x11, 0x11, IPV4.to_vec()),
            (0x22, 0x11, IPV4.to_vec()),
            (0x21, 0x12, IPV4.to_vec()),
            (0x21, 0x41, IPV4.to_vec()),
            (0x21, 0x11, IPV4[..11].to_vec()),
            (0x21, 0x21, ipv6("::1")[..35].to_vec()),
            (0x21, 0x31, vec![0; 215]),
            (0x21, 0x11, with(&[PP2_TYPE_SSL])),
            (0x21, 0x11, with(&[PP2_TYPE_SSL, 0, 6, 1, 0, 0, 0, 0])),
            (0x21, 0x11, with(&parameter(PP2_TYPE_SSL, &[1, 0, 0, 0]))),
            (0x21, 0x11, with(&[&tls[..], &tls].concat())),
            (0x21, 0x11, with(&parameter(4, &[0; MAX_HEADER]))),
        ] {
            assert_eq!(Header::read(&version_2(command, family, &body)), Err(BadHeader), "{command:x} {family:x}");
        }
        assert_eq!(Header::read(b"\x16\x03\x01"), Err(BadHeader));
        assert_eq!(Header::read(b"\r\n\r\nGET"), Err(BadHeader));
    }

    proptest! {
        /// However a connection is cut into pieces: before its end a header is unfinished, after it the same.
        #[test]
        fn a_header_is_the_same_whatever_follows_and_unfinished_whatever_is_missing(
            header in prop_oneof![
                (any::<[u8; 12]>(), prop::collection::vec(any::<u8>(), 0..40))
                    .prop_map(|(ends, value)| version_2(0x21, 0x11, &[&ends[..], &parameter(4, &value)].concat())),
                any::<[u8; 36]>().prop_map(|ends| version_2(0x21, 0x21, &ends)),
                (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| {
                    format!("PROXY TCP4 {} 192.0.2.1 {port} 443\r\n", Ipv4Addr::from(ip)).into_bytes()
                }),
            ],
            rest in prop::collection::vec(any::<u8>(), 0..40)
        ) {
            for end in 0..header.len() {
                prop_assert_eq!(Header::read(&header[..end]), Ok(None), "{}", end);
            }
            let whole = Header::read(&header).unwrap().unwrap();
            prop_assert_eq!(whole.length, header.len());
            prop_assert_eq!(Header::read(&[header, rest].concat()), Ok(Some(whole)));
        }

        #[test]
        fn whatever_is_sent_is_a_header_of_bounded_length_or_none(
            start in prop::sample::select(vec![&b""[..], b"PROXY TCP4 ", SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]),
            rest in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            let bytes = [start, &rest].concat();
            if let Ok(Some(header)) = Header::read(&bytes) {
                prop_assert!(header.length <= bytes.len().min(MAX_HEADER));
            }
        }
    }
}
