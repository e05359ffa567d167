//! PEM with anything around it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siteward_core::fuzzing::{pem_blocks, pem_encode};

fuzz_target!(|bytes: &[u8]| {
    for (label, der) in pem_blocks(bytes).into_iter().flatten() {
        let again = pem_blocks(pem_encode(&label, &der).as_bytes());
        assert_eq!(again, Ok(vec![(label, der)]), "what is written is read again");
    }
});
