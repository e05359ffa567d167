//! Whatever is pasted to be looked at: all its fields, and what every rule says of it on either side of its dates.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siteward_core::inspect;
use siteward_core::lint::{Profile, judge};
use time::macros::datetime;

fuzz_target!(|bytes: &[u8]| {
    for inspected in inspect::read(bytes).into_iter().flatten() {
        let shown = inspected.fields.iter().flat_map(|field| [&field.name, &field.value]).chain([&inspected.summary]);
        let findings = [datetime!(2026-11-22 12:00 UTC), datetime!(2030-01-01 0:00 UTC)].into_iter().flat_map(|day| {
            Profile::ALL.into_iter().flat_map(move |profile| judge(&inspected.facts.clone(), profile, day))
        });
        let reasons: Vec<String> = findings.map(|finding| finding.reason).collect();
        for text in shown.chain(&reasons) {
            assert!(text.len() < 4000 && !text.contains(char::is_control), "{text:?}");
        }
    }
});
