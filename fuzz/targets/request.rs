//! A request that an authority of Siteward's would sign. A mutated request never has a good signature, and all that
//! comes after it would stay unseen; so each is tried as it is and signed anew with a key of our own.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use libfuzzer_sys::fuzz_target;
use siteward_core::authority::{Draft, Purpose, Requested, Signer, create};
use siteward_core::chain::X509;
use siteward_core::key::{KeyKind, PrivateKey};
use time::OffsetDateTime;
use time::macros::datetime;

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes"));

/// AlgorithmIdentifier of Ed25519 (RFC 8410 §3).
const ED25519: [u8; 7] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// The authority's key and certificate.
static AUTHORITY: LazyLock<(PrivateKey, Vec<u8>)> = LazyLock::new(|| {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
    let certificate = create(&Draft::root("Authority"), &key, None, NOW).expect("its certificate");
    (key, certificate)
});

fuzz_target!(|csr: &[u8]| {
    let _ = Requested::read(csr);
    let Some(Ok(requested)) = signed_anew(csr).map(|csr| Requested::read(&csr)) else { return };
    let (key, certificate) = &*AUTHORITY;
    let signer = Signer { certificate, key, address: None };
    for purpose in [Purpose::Server, Purpose::Client] {
        if let Ok(der) = signer.sign_request(&requested, purpose, 90, NOW) {
            let signed = X509::parse(&der).expect("what an authority signs is read again");
            assert!(!signed.is_ca && (purpose == Purpose::Client || !signed.names.is_empty()));
        }
    }
});

/// The same request with our key in it, signed by that.
fn signed_anew(csr: &[u8]) -> Option<Vec<u8>> {
    let (request, _) = split(csr)?;
    let (info, _) = split(request.1)?;
    let (version, rest) = split(info.1)?;
    let (subject, rest) = split(rest)?;
    let (_key, attributes) = split(rest)?;
    let key = element(0x30, &[&ED25519, &element(3, &[&[0], KEY.public_key().as_ref()])]);
    let info = element(0x30, &[version.0, subject.0, &key, attributes]);
    let signature = element(3, &[&[0], KEY.sign(&info).as_ref()]);
    Some(element(0x30, &[&info, &ED25519, &signature]))
}

/// The first element of `der`, whole and its content, and what follows.
type Split<'a> = ((&'a [u8], &'a [u8]), &'a [u8]);

fn split(der: &[u8]) -> Option<Split<'_>> {
    let header = match *der.get(1)? {
        0..0x80 => 2,
        long => 2 + usize::from(long & 3),
    };
    let length = match *der.get(1)? {
        short @ 0..0x80 => usize::from(short),
        _ => der.get(2..header)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
    };
    let (whole, rest) = der.split_at_checked(header + length)?;
    Some(((whole, &whole[header..]), rest))
}

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let digits = content.len().to_be_bytes();
    let header = if content.len() < 0x80 { vec![tag, digits[7]] } else { [&[tag, 0x83], &digits[5..]].concat() };
    [header, content].concat()
}
