//! Whatever is pasted to be looked at: all its fields, and what every rule says of it on either side of its dates.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siteward_core::inspect;
use siteward_core::lint::{Profile, judge};
use time::macros::datetime;

fuzz_target!(|bytes: &[u8]| {
    for inspected in inspect::read(bytes).into_iter().flatten() {
        sound(&inspected.summary);
        for field in &inspected.fields {
            sound(&field.name);
            sound(&field.value);
        }
        for day in [datetime!(2026-11-22 12:00 UTC), datetime!(2030-01-01 0:00 UTC)] {
            for profile in Profile::ALL {
                judge(&inspected.facts, profile, day).iter().for_each(|finding| sound(&finding.reason));
            }
        }
    }
});

/// Fit for a page.
fn sound(text: &str) {
    assert!(text.len() < 4000 && !text.contains(char::is_control), "{text:?}");
}
