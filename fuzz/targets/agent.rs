//! The user agent that a visitor claims to be, of which a family is kept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siteward_core::traffic::Agent;

fuzz_target!(|text: &str| {
    let agent = Agent::of(text);
    assert!(agent.as_str().chars().all(|c| c.is_ascii_graphic() || c == ' '), "{agent:?}");
    assert_eq!(Agent::parse(agent.as_str()), Some(agent), "what is stored is read again");
});
