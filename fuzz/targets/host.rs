//! Which host a request is for: a line with the version, one with the target, and one for each Host field.
#![no_main]

use http::{HeaderValue, Request, Version};
use libfuzzer_sys::fuzz_target;
use siteward_core::host::HostName;
use siteward_server::fuzzing::host;

fuzz_target!(|bytes: &[u8]| {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let version = match lines.next() {
        Some([b'0', ..]) => Version::HTTP_10,
        Some([b'2', ..]) => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
    let mut request = Request::builder().version(version).uri(lines.next().unwrap_or_default());
    for field in lines {
        let Ok(field) = HeaderValue::from_bytes(field) else { return };
        request = request.header("host", field);
    }
    let Ok(request) = request.body(()) else { return };
    let (parts, ()) = request.into_parts();
    if let Ok(Some(name)) = host(&parts) {
        assert_eq!(HostName::parse(name.as_str()), Ok(name));
    }
});
