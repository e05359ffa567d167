//! A revocation list as a CA publishes it, DER or PEM.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use siteward_core::chain::X509;
use siteward_core::intake;
use siteward_core::trust_list::Crl;
use time::OffsetDateTime;

static ROOT: LazyLock<X509> = LazyLock::new(|| {
    let root = intake::read(include_bytes!("../../tests/corpus/ca/root.pem"));
    root.expect("a root").remove(0)
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(der) = Crl::der_in(bytes) else { return };
    let Ok(crl) = Crl::parse(&der) else { return };
    assert!(crl.len() <= der.len() / 5, "each entry takes some bytes");
    crl.follows(Some(&crl.identity()), OffsetDateTime::UNIX_EPOCH).err();
    crl.prove(&der, &ROOT).err();
});
