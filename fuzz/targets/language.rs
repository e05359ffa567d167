//! The languages that a visitor asks for: a line for each Accept-Language field.
#![no_main]

use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use siteward_server::fuzzing::language;

fuzz_target!(|bytes: &[u8]| {
    let mut request = Request::builder();
    for field in bytes.split(|byte| *byte == b'\n') {
        let Ok(field) = HeaderValue::from_bytes(field) else { return };
        request = request.header("accept-language", field);
    }
    let Ok(request) = request.body(()) else { return };
    let (parts, ()) = request.into_parts();
    assert!(["en", "de", "fr", "es", "ja", "zh"].contains(&language(&parts)));
});
