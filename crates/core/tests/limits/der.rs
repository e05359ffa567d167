//! DER and BER that lies in itself too deep, or has too much of a thing.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use siteward_core::chain::InstallError;
use siteward_core::intake::{IntakeError, MAX_REPLY};

use super::{Case, Expect};

const SIGNED_DATA: &[u64] = &[1, 2, 840, 113549, 1, 7, 2];
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const EXTENSION_REQUEST: &[u64] = &[1, 2, 840, 113549, 1, 9, 14];
const ALTERNATIVE_NAMES: &[u64] = &[2, 5, 29, 17];
const RSA: &[u64] = &[1, 2, 840, 113549, 1, 1, 1];
const SHA256_WITH_RSA: &[u64] = &[1, 2, 840, 113549, 1, 1, 11];

pub(super) fn cases() -> Vec<Case> {
    let damaged = || Expect::Refused(IntakeError::Damaged);
    let too_many = || Expect::Refused(IntakeError::TooMany);
    let half = MAX_REPLY / 2;
    let open_ended = |tag: u8| [tag, 0x80].repeat(half);
    let in_a_pfx = |content: Vec<u8>| [&[0x30, 0x80, 2, 1, 3][..], &content].concat();
    let mut cases = vec![
        Case::new("sequences without end", open_ended(0x30), damaged()),
        Case::new("strings without end in a PFX", in_a_pfx(open_ended(0x24)[16..].to_vec()), damaged()),
        Case::new("a thousand sequences in each other", nested(1000), damaged()),
        Case::new("fifty thousand sequences in each other", nested(50_000), Expect::RefusedSomehow),
        Case::new("PKCS#7 of empty sequences", pkcs7(&[0x30, 0].repeat(half - 100)), too_many()),
        Case::new(
            "PKCS#7 of sequences that are closed at once",
            pkcs7(&[0x30, 0x80, 0, 0].repeat(200_000)),
            too_many(),
        ),
        Case::new("sequences that say they have 4 GiB", [0x30, 0x84, 0xff, 0xff, 0xff, 0xff].repeat(1000), damaged()),
        Case::new("a request with 10,000 of each name", request(10_000, 10_000), Expect::RefusedSomehow),
        Case::new("a signed request with 20,000 names", signed_request(20_000), Expect::RefusedSomehow),
        Case::new("a request with a modulus of half a megabit", request_with_modulus(60 * 1024), Expect::Request),
        Case::new("a hundred certificates of a thousand names", fat(), Expect::Read),
        Case::new("a chain of a hundred", chain(99), Expect::NoChain(InstallError::TooLong)),
        Case::new("a chain of more than a hundred", chain(110), too_many()),
        Case::new("a hundred authorities of one name", alike(), Expect::Read),
    ];
    let tiny = [0x30, 0x82, 0, 1, 0].repeat(100_000);
    cases.push(Case::new("a hundred thousand tiny elements", tiny, too_many()));
    cases
}

/// One element of DER around `parts`.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [header(tag, content.len()), content].concat()
}

fn header(tag: u8, length: usize) -> Vec<u8> {
    let digits = length.to_be_bytes();
    match length {
        0..0x80 => vec![tag, digits[7]],
        0x80..0x100 => vec![tag, 0x81, digits[7]],
        0x100..0x1_0000 => vec![tag, 0x82, digits[6], digits[7]],
        0x1_0000..0x100_0000 => vec![tag, 0x83, digits[5], digits[6], digits[7]],
        _ => vec![tag, 0x84, digits[4], digits[5], digits[6], digits[7]],
    }
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, parts)
}

pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    element(0x04, &[bytes])
}

/// A number that is not negative.
pub(super) fn integer(number: u64) -> Vec<u8> {
    let digits = [&[0][..], &number.to_be_bytes()].concat();
    let needed = digits.windows(2).take_while(|pair| pair[0] == 0 && pair[1] < 0x80).count();
    element(0x02, &[&digits[needed..]])
}

pub(super) fn oid(arcs: &[u64]) -> Vec<u8> {
    let mut content = vec![u8::try_from(arcs[0] * 40 + arcs[1]).expect("the first two arcs")];
    for arc in &arcs[2..] {
        let digits = (0..9).rev().map(|i| (arc >> (7 * i)) as u8 & 0x7f).skip_while(|digit| *digit == 0);
        let mut digits: Vec<u8> = digits.map(|digit| digit | 0x80).collect();
        match digits.last_mut() {
            Some(last) => *last &= 0x7f,
            None => digits.push(0),
        }
        content.extend(digits);
    }
    element(0x06, &[&content])
}

/// Sequences in each other, of definite length.
fn nested(depth: usize) -> Vec<u8> {
    let mut inside_out: Vec<Vec<u8>> = Vec::new();
    let mut length = 0;
    for _ in 0..depth {
        let header = header(0x30, length);
        length += header.len();
        inside_out.push(header);
    }
    inside_out.reverse();
    inside_out.concat()
}

fn pkcs7(certificates: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 4] = [&integer(1), &element(0x31, &[]), &sequence(&[]), &element(0xa0, &[certificates])];
    sequence(&[&oid(SIGNED_DATA), &element(0xa0, &[&sequence(&parts)])])
}

/// A request with so many common and alternative names, whose signature is none.
fn request(common: usize, alternative: usize) -> Vec<u8> {
    let subject: Vec<u8> = (0..common)
        .flat_map(|i| {
            element(0x31, &[&sequence(&[&oid(COMMON_NAME), &element(0x0c, &[format!("c{i}.test").as_bytes()])])])
        })
        .collect();
    let names: Vec<u8> = (0..alternative).flat_map(|i| element(0x82, &[format!("a{i}.test").as_bytes()])).collect();
    let extension = sequence(&[&oid(ALTERNATIVE_NAMES), &octets(&sequence(&[&names]))]);
    let wanted = sequence(&[&oid(EXTENSION_REQUEST), &element(0x31, &[&sequence(&[&extension])])]);
    signed(&[&integer(0), &sequence(&[&subject]), &public(&[0xc5; 256]), &element(0xa0, &[&wanted])])
}

fn request_with_modulus(bytes: usize) -> Vec<u8> {
    signed(&[&integer(0), &sequence(&[]), &public(&vec![0xc5; bytes]), &element(0xa0, &[])])
}

fn public(modulus: &[u8]) -> Vec<u8> {
    let key = sequence(&[&element(2, &[&[0], modulus]), &integer(65_537)]);
    sequence(&[&sequence(&[&oid(RSA), &[5, 0]]), &element(3, &[&[0], &key])])
}

fn signed(info: &[&[u8]]) -> Vec<u8> {
    sequence(&[&sequence(info), &sequence(&[&oid(SHA256_WITH_RSA), &[5, 0]]), &element(3, &[&[0; 257]])])
}

pub(super) fn named(name: &str, is_ca: bool) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params.subject_alt_names = vec![SanType::DnsName("shop.example".try_into().expect("a name"))];
    params
}

/// A request with so many names, whose signature holds.
fn signed_request(names: usize) -> Vec<u8> {
    let mut params = named("shop.example", false);
    let name = |i: usize| SanType::DnsName(format!("n{i}.example").as_str().try_into().expect("a name"));
    params.subject_alt_names = (0..names).map(name).collect();
    params.serialize_request(&new_key()).expect("a request").der().to_vec()
}

pub(super) fn new_key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key")
}

/// A leaf and so many authorities above it, each signed by the next.
fn chain(length: usize) -> Vec<u8> {
    let mut issuer = Issuer::new(named("Root", true), new_key());
    let mut ders = Vec::new();
    for i in 0..length {
        let (params, key) = (named(&format!("Authority {i}"), true), new_key());
        ders.push(params.signed_by(&key, &issuer).expect("an authority").der().to_vec());
        issuer = Issuer::new(params, key);
    }
    let leaf = named("shop.example", false).signed_by(&new_key(), &issuer).expect("a leaf");
    ders.push(leaf.der().to_vec());
    ders.reverse();
    ders.concat()
}

/// A leaf and 99 authorities, all of one name and any of which may have signed any other.
fn alike() -> Vec<u8> {
    let issuer = Issuer::new(named("Same", true), new_key());
    let sign = |is_ca| named("Same", is_ca).signed_by(&new_key(), &issuer).expect("a certificate").der().to_vec();
    let leaf = sign(false);
    (0..99).fold(leaf, |all, _| [all, sign(true)].concat())
}

/// As many names in each certificate as a reply has room for.
fn fat() -> Vec<u8> {
    let issuer = Issuer::new(named("Root", true), new_key());
    let key = new_key();
    let names = (0..600).map(|i| SanType::DnsName(format!("n{i}.example").as_str().try_into().expect("a name")));
    let names: Vec<SanType> = names.collect();
    let fat = |i: usize| {
        let mut params = named(&format!("{i}.example"), false);
        params.subject_alt_names = names.clone();
        params.signed_by(&key, &issuer).expect("a certificate").der().to_vec()
    };
    (0..100).flat_map(fat).collect()
}
