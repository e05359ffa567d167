//! What a trusted proxy says of its visitor: a header of the PROXY protocol, and fields of a request, one on each line.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use siteward_core::proxies::{Header, MAX_HEADER, Networks, forwarded, x_forwarded};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(header)) = Header::read(bytes) {
        assert!(header.length <= bytes.len().min(MAX_HEADER));
        assert_eq!(Header::read(&bytes[..header.length]), Ok(Some(header)), "what follows is not read");
    }
    let lines = || bytes.split(|byte| *byte == b'\n');
    let is_proxy = |ip: IpAddr| ip.is_loopback();
    let told = x_forwarded(lines(), lines(), is_proxy);
    assert!(told.is_https != Some(true) || told.client.is_none(), "no line is an address and a scheme");
    forwarded(lines(), is_proxy);
    // Whatever came before it, a proxy's own line in clear is not taken for https.
    let own = &b"for=203.0.113.7;proto=http"[..];
    assert_eq!(forwarded(lines().chain([own]), is_proxy).is_https, Some(false));
    let appended = [bytes, own].join(&b", "[..]);
    assert_eq!(forwarded([appended.as_slice()].into_iter(), is_proxy).is_https, Some(false));
    if let Ok(networks) = str::from_utf8(bytes).map(Networks::parse).unwrap_or_else(|_| Networks::parse("")) {
        assert_eq!(Networks::parse(&networks.list().join("\n")), Ok(networks));
    }
});
