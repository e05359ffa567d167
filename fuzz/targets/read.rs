//! A CA's reply as it comes: PEM, DER, PKCS#7 or a ZIP archive; what is found is put in order for each of its keys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siteward_core::chain::{Chain, X509};
use siteward_core::intake;

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificates) = intake::read(bytes) else { return };
    assert!(!certificates.is_empty() && certificates.len() <= intake::MAX_CERTIFICATES);
    for certificate in &certificates {
        assert_eq!(X509::parse(&certificate.der).as_ref(), Ok(certificate), "what is stored is read again");
    }
    if let Ok(chain) = Chain::build(certificates.clone(), certificates[0].key_id) {
        assert_eq!(chain.leaf.key_id, certificates[0].key_id);
        assert!(chain.intermediates.len() <= Chain::MAX_INTERMEDIATES);
    }
});
