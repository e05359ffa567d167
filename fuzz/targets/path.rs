//! The path of a request. What is let through never leads out of a folder, and no two readings of it exist.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siteward_core::path::{UrlPath, encode};

fuzz_target!(|raw: &str| {
    let Ok(path) = UrlPath::parse(raw) else { return };
    let relative = path.relative();
    for segment in relative.split('/').filter(|_| !relative.is_empty()) {
        assert!(!matches!(segment, "" | "." | ".."), "{relative:?}");
        assert!(!segment.contains('\\') && !segment.contains(char::is_control), "{relative:?}");
    }
    let address = format!("/{}{}", encode(relative), if path.is_folder() { "/" } else { "" });
    assert_eq!(UrlPath::parse(&address), Ok(path), "{address} is read as the same path");
});
