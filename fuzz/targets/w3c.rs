//! The log of another server, line by line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siteward_core::traffic::W3cLog;
use time::macros::datetime;

fuzz_target!(|text: &str| {
    let mut log = W3cLog::new(vec![443], datetime!(2026-11-22 12:00 UTC));
    for line in text.lines() {
        if log.line(line).is_err() {
            return;
        }
    }
    if let Ok(imported) = log.finish() {
        assert!(imported.counted > 0 && imported.counted + imported.skipped <= text.lines().count() as u64);
    }
});
