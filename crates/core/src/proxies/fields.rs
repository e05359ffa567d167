//! What trusted proxies write into requests.
//!
//! Each proxy appends what it knows of whoever connected to it, so a list is read from its end: what stands there was
//! written by the proxy that is connected to us, what stands before it by whoever that proxy names. The walk ends at the
//! first address that is no trusted proxy: that is the visitor, and everything before it is the visitor's own invention.

use std::net::IpAddr;

use super::{Told, address};

/// Reads the fields `X-Forwarded-For` and `X-Forwarded-Proto`, each in the order in which they came. They are nobody's
/// standard, and proxies set or append to the latter as they like: https is believed where it stands there, and nothing
/// else beside it.
pub fn x_forwarded<'a>(
    hops: impl DoubleEndedIterator<Item = &'a [u8]>,
    schemes: impl Iterator<Item = &'a [u8]>,
    is_proxy: impl Fn(IpAddr) -> bool,
) -> Told {
    let hops = hops.rev().flat_map(|field| field.rsplit(|byte| *byte == b','));
    let hops = hops.map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty());
    let mut client = None;
    for hop in hops {
        let Some(hop) = std::str::from_utf8(hop).ok().and_then(address) else { break };
        client = Some(hop);
        if !is_proxy(hop.ip()) {
            break;
        }
    }
    let schemes = schemes.flat_map(|field| field.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let is_https = schemes.map(|scheme| scheme.eq_ignore_ascii_case(b"https")).reduce(|all, next| all && next);
    Told { client, is_https }
}

/// Reads the fields `Forwarded` (RFC 7239 §4) in the order in which they came. https is believed where every proxy on the way
/// says it: one hop in clear is one too many. Where a hop hides who came to it, everything before it must say https too, as it
/// may be a proxy's. An element that breaks the syntax counts as in clear, and nothing before it can be read.
pub fn forwarded<'a>(fields: impl DoubleEndedIterator<Item = &'a [u8]>, is_proxy: impl Fn(IpAddr) -> bool) -> Told {
    let elements = fields.rev().flat_map(elements).filter(|element| !element.is_empty());
    let (mut client, mut is_named, mut is_https) = (None, true, Vec::new());
    for element in elements {
        let Some(hop) = std::str::from_utf8(element).ok().and_then(hop) else {
            is_https.push(Some(false));
            break;
        };
        is_https.push(hop.is_https);
        match hop.client.as_deref().and_then(node).filter(|_| is_named) {
            Some(named) => client = Some(named),
            None => is_named = false,
        }
        if is_named && client.is_some_and(|client| !is_proxy(client.ip())) {
            break;
        }
    }
    Told { client, is_https: is_https.into_iter().reduce(of_both).flatten() }
}

/// What two hops come to: in clear where one of them was, over TLS where both were.
fn of_both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// What one proxy wrote.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hop {
    /// The parameter `for` (RFC 7239 §5.2).
    client: Option<String>,
    /// Whether the parameter `proto` is https (RFC 7239 §5.4).
    is_https: Option<bool>,
}

/// The elements of one field from the last to the first. They are told apart from the end, because a proxy may append its
/// element to the visitor's own line: no quote that a visitor leaves open reaches into it.
fn elements(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    std::iter::from_fn(move || {
        let field = rest?;
        let comma = last_comma(field);
        rest = comma.map(|comma| &field[..comma]);
        Some(field[comma.map_or(0, |comma| comma + 1)..].trim_ascii())
    })
}

/// The last comma outside of quotes.
fn last_comma(field: &[u8]) -> Option<usize> {
    let is_escaped = |quote: usize| field[..quote].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let mut is_quoted = false;
    for (position, byte) in field.iter().enumerate().rev() {
        match byte {
            b',' if !is_quoted => return Some(position),
            b'"' if !is_quoted => is_quoted = true,
            b'"' if !is_escaped(position) => is_quoted = false,
            _ => {}
        }
    }
    None
}

/// `None` where it breaks the syntax, or names client or scheme twice.
fn hop(element: &str) -> Option<Hop> {
    let mut hop = Hop::default();
    for pair in pairs(element)?.into_iter().filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.to_ascii_lowercase(), value_of(value)?);
        let is_first = match name.as_str() {
            "for" => hop.client.replace(value).is_none(),
            "proto" => hop.is_https.replace(value.eq_ignore_ascii_case("https")).is_none(),
            name => is_token(name),
        };
        if !is_first {
            return None;
        }
    }
    Some(hop)
}

/// The parts between semicolons outside of quotes, without the blanks around them; `None` where a quote has no end.
fn pairs(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (position, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ';' if !is_quoted => {
                parts.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!is_quoted).then(|| parts.into_iter().map(|part| part.trim_matches([' ', '\t'])).collect())
}

/// A token, or what a quoted string stands for (RFC 9110 §5.6.4).
fn value_of(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else { return is_token(text).then(|| text.to_owned()) };
    let (mut value, mut characters) = (String::new(), quoted.strip_suffix('"')?.chars());
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
    Some(value)
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// The address of a node (RFC 7239 §6): IPv6 has brackets, a port may be hidden.
fn node(text: &str) -> Option<std::net::SocketAddr> {
    let hidden = || text.rsplit_once(":_").and_then(|(node, _)| address(node));
    address(text).filter(|address| address.is_ipv4() || text.starts_with('[')).or_else(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::SocketAddr;

    fn is_proxy(ip: IpAddr) -> bool {
        ip.to_string().starts_with("10.")
    }

    fn told(client: &str, is_https: impl Into<Option<bool>>) -> Told {
        let (client, is_https) = ((!client.is_empty()).then(|| address(client).unwrap()), is_https.into());
        Told { client, is_https }
    }

    fn bytes<'a>(fields: &[&'a str]) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        fields.iter().map(|field| field.as_bytes()).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn the_visitor_is_the_last_address_that_is_no_proxy_and_what_stands_before_it_is_not_read() {
        for (fields, client) in [
            (&["203.0.113.7"][..], "203.0.113.7"),
            (&["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            (&["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
            (&["198.51.100.1,203.0.113.7:4711 , 10.0.0.1,"], "203.0.113.7:4711"),
            (&["2001:db8::7, 10.0.0.2,10.0.0.1"], "2001:db8::7"),
            (&["10.0.0.2, 10.0.0.1"], "10.0.0.2"),
            (&["203.0.113.7, unknown, 10.0.0.1"], "10.0.0.1"),
            (&["10.0.0.1, \u{fc}"], ""),
            (&["203.0.113.7 198.51.100.1"], ""),
            (&[""], ""),
            (&[], ""),
        ] {
            assert_eq!(x_forwarded(bytes(fields), bytes(&[]), is_proxy), told(client, None), "{fields:?}");
        }
    }

    #[test]
    fn https_is_believed_where_nothing_else_stands_beside_it() {
        for (fields, is_https) in [
            (&["https"][..], Some(true)),
            (&[" HTTPS "], Some(true)),
            (&["https,https", "https"], Some(true)),
            (&["http"], Some(false)),
            (&["https, http"], Some(false)),
            (&["http", "https"], Some(false)),
            (&["https,"], Some(false)),
            (&["https://"], Some(false)),
            (&["on"], Some(false)),
            (&[""], Some(false)),
            (&[], None),
        ] {
            assert_eq!(x_forwarded(bytes(&[]), bytes(fields), is_proxy), told("", is_https), "{fields:?}");
        }
    }

    #[test]
    fn the_standard_s_field_is_read_from_its_end_too() {
        for (fields, client, is_https) in [
            (&["for=203.0.113.7;proto=https"][..], "203.0.113.7", Some(true)),
            (&["For=203.0.113.7; Proto=HTTPS;by=10.0.0.1"], "203.0.113.7", Some(true)),
            (&["for=198.51.100.1;proto=https, for=203.0.113.7"], "203.0.113.7", None),
            (&["for=198.51.100.1;proto=https, for=203.0.113.7;proto=http"], "203.0.113.7", Some(false)),
            (&["for=198.51.100.1", "for=\"203.0.113.7:4711\";proto=https"], "203.0.113.7:4711", Some(true)),
            (&["for=\"[2001:db8::7]:4711\";proto=https"], "[2001:db8::7]:4711", Some(true)),
            (&["for=\"[2001:db8::7]:_port\";proto=\"ht\\tps\""], "2001:db8::7", Some(true)),
            (&["for=203.0.113.7;proto=https,for=10.0.0.2;proto=https"], "203.0.113.7", Some(true)),
            (&["for=203.0.113.7;proto=https,for=10.0.0.2;proto=http"], "203.0.113.7", Some(false)),
            (&["for=203.0.113.7;proto=http,for=10.0.0.2;proto=https"], "203.0.113.7", Some(false)),
            (&["for=203.0.113.7,for=10.0.0.2;proto=https"], "203.0.113.7", None),
            // Who hides whom it speaks for may hide a proxy that was reached in clear.
            (&["for=203.0.113.7;proto=http,for=unknown;proto=https"], "", Some(false)),
            (&["for=203.0.113.7,for=_edge;proto=https"], "", None),
            (&["for=203.0.113.7;proto=https,for=_edge;proto=https"], "", Some(true)),
            (&["for=203.0.113.7;proto=http,for=_edge;proto=https,for=10.0.0.2;proto=https"], "10.0.0.2", Some(false)),
            (&["for=203.0.113.7,for=_hidden"], "", None),
            (&["for=\"10.0.0.2, for=203.0.113.7\";proto=https"], "", Some(true)),
            // What a visitor leaves open ends where the proxy's own element begins.
            (&["for=\", for=203.0.113.7;proto=https"], "203.0.113.7", Some(true)),
            (&["for=\", for=203.0.113.7;proto=http"], "203.0.113.7", Some(false)),
            (&["for=\"\\, for=203.0.113.7;proto=http,for=10.0.0.2;proto=https"], "203.0.113.7", Some(false)),
            (&["\", for=203.0.113.7;proto=https;host=\"a, \\\"b\\\\\""], "203.0.113.7", Some(true)),
            (&["for=\"", "for=203.0.113.7;proto=https"], "203.0.113.7", Some(true)),
            // What can't be read is not believed as https, whoever wrote it.
            (&["for=\"", "for=_edge;proto=https"], "", Some(false)),
            (&["for=203.0.113.7;proto=https, for=\"10.0.0.2;proto=https"], "", Some(false)),
            (&["for=203.0.113.7;proto=https, \", for=10.0.0.2;proto=https"], "10.0.0.2", Some(false)),
            (&["for=2001:db8::7;proto=https"], "", Some(false)),
            (&["for=\"2001:db8::7\";proto=https"], "", Some(true)),
            (&["for=203.0.113.7;for=198.51.100.1;proto=https"], "", Some(false)),
            (&["for=203.0.113.7;proto=http;proto=https"], "", Some(false)),
            (&["for = 203.0.113.7;proto=https"], "", Some(false)),
            (&["203.0.113.7"], "", Some(false)),
            (&[", ,"], "", None),
            (&[], "", None),
        ] {
            assert_eq!(forwarded(bytes(fields), is_proxy), told(client, is_https), "{fields:?}");
        }
    }

    proptest! {
        /// Whatever a visitor sends, a proxy's own last word holds: the visitor has its address, and no other.
        #[test]
        fn nobody_can_write_before_the_proxy_s_word_what_takes_its_place(
            forged in "[ -~é]{0,40}|(for=|\"|;|,|=|proto=https|10\\.0\\.0\\.1|\\\\){0,12}", hops in 0..3u8
        ) {
            let visitor: SocketAddr = "203.0.113.7:0".parse().unwrap();
            let own: String = (0..hops).map(|hop| format!(", 10.0.0.{hop}")).collect();
            let fields = [forged.as_bytes(), &format!("203.0.113.7{own}").into_bytes()].map(<[u8]>::to_vec);
            let read = x_forwarded(fields.iter().map(Vec::as_slice), [&b"http"[..]].into_iter(), is_proxy);
            prop_assert_eq!(read, Told { client: Some(visitor), is_https: Some(false) });

            let own: String = (0..hops).map(|hop| format!(", for=10.0.0.{hop};proto=https")).collect();
            let fields = [forged.as_bytes(), &format!("for=203.0.113.7;proto=http{own}").into_bytes()].map(<[u8]>::to_vec);
            let read = forwarded(fields.iter().map(Vec::as_slice), is_proxy);
            prop_assert_eq!(read, Told { client: Some(visitor), is_https: Some(false) }, "{}", forged);

            // The same where proxies append to the visitor's own line.
            let line = fields.join(&b", "[..]);
            let read = forwarded([line.as_slice()].into_iter(), is_proxy);
            prop_assert_eq!(read, Told { client: Some(visitor), is_https: Some(false) }, "{}", forged);
        }
    }
}
