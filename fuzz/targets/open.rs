//! Files with keys and the password typed for them: the first line is the password, the rest the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siteward_core::fuzzing;

/// What other programs write by default still opens; a file that asks for more is refused before any hashing.
const ROUNDS: u64 = 20_000;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (password, file) = bytes.split_at(end);
    let Ok(password) = std::str::from_utf8(password) else { return };
    let file = file.get(1..).unwrap_or_default();
    let Ok(found) = fuzzing::open_within(ROUNDS, &[("a file", file)], Some(password)) else { return };
    let keys: Vec<_> = found.keys.iter().map(|key| key.id()).collect();
    for pair in found.pairs().into_iter().flatten() {
        assert_eq!(pair.key.id(), pair.chain.leaf.key_id);
        assert!(keys.contains(&pair.key.id()));
    }
});
