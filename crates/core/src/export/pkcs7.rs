//! PKCS#7 that signs nothing and only carries certificates: `.p7b` (RFC 5652 §5.2.2).

use crate::chain::X509;
use crate::intake::ber::{CONTEXT_0, INTEGER, OID, SEQUENCE, SET, encode};
use crate::intake::oid;
use crate::intake::pem;

/// The certificates in the order given, DER.
pub fn p7b(chain: &[X509]) -> Vec<u8> {
    let certificates: Vec<&[u8]> = chain.iter().map(|own| own.der.as_slice()).collect();
    let nothing = encode(SEQUENCE, &[&encode(OID, &[oid::DATA])]);
    let signed = encode(
        SEQUENCE,
        &[&encode(INTEGER, &[&[1]]), &encode(SET, &[]), &nothing, &encode(CONTEXT_0, &certificates), &encode(SET, &[])],
    );
    encode(SEQUENCE, &[&encode(OID, &[oid::SIGNED_DATA]), &encode(CONTEXT_0, &[&signed])]).to_vec()
}

/// The same as text between BEGIN and END (RFC 7468 §8).
pub fn p7b_pem(chain: &[X509]) -> String {
    pem::encode("PKCS7", &p7b(chain))
}
