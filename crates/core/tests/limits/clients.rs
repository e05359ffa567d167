//! Revocation lists as long as may be, and chains of clients that lead everywhere.

use rcgen::{CertificateParams, CertificateRevocationListParams, DnType, Issuer, KeyIdMethod, SerialNumber};
use rustls::pki_types::CertificateDer;
use siteward_core::chain::X509;
use siteward_core::trust_list::{CaDraft, Checked, Crl, MAX_SENT, TrustList, Untrusted, WhenStale};
use time::macros::datetime;

use super::der::{element, named, new_key};
use super::within_limits;

const NOW: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

pub(super) fn check() {
    let long = revocation_list(Crl::MAX_LEN - 1024);
    within_limits("a revocation list of 16 MiB", "read", || {
        assert!(Crl::parse(&long).expect("a list").len() > 650_000);
    });
    let text = format!("-----BEGIN X509 CRL-----\n{}", "A".repeat(Crl::MAX_LEN - 1024));
    within_limits("16 MiB of a text that does not end", "read", || assert!(Crl::der_in(text.as_bytes()).is_err()));
    let (list, sent) = alike();
    let sent: Vec<CertificateDer<'_>> = sent.iter().map(|der| der.as_slice().into()).collect();
    within_limits("a client with CAs of one name", "judged", || {
        assert!(
            list.path(&sent, NOW).is_err_and(|why| matches!(why, Untrusted::TooManyPaths | Untrusted::UnknownIssuer))
        );
    });
}

/// The shortest entries there are, as many as fit; the signature is of a shorter list.
fn revocation_list(length: usize) -> Vec<u8> {
    let issuer = Issuer::new(named("Root", true), new_key());
    let params = CertificateRevocationListParams {
        this_update: NOW,
        next_update: NOW + time::Duration::DAY,
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let short = params.signed_by(&issuer).expect("a list").der().to_vec();
    let whole = parts(&short)[0].1;
    let [list, algorithm, signature] = parts(whole).try_into().expect("three parts");
    let entry = |serial: u32| {
        element(0x30, &[&element(2, &[&[1], &serial.to_be_bytes()]), &element(0x17, &[b"261122120000Z"])])
    };
    let size = entry(0).len();
    let entries: Vec<u8> = (0..).take(length / size).flat_map(entry).collect();
    let head = parts(list.1);
    let (before, after) = head.split_at(5);
    let join = |parts: &[(&[u8], &[u8])]| parts.iter().flat_map(|(whole, _)| whole.to_vec()).collect::<Vec<u8>>();
    let list = element(0x30, &[&join(before), &element(0x30, &[&entries]), &join(after)]);
    element(0x30, &[&list, algorithm.0, signature.0])
}

/// The elements in `bytes`, each whole and its content alone.
fn parts(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut parts = Vec::new();
    while let [_, first, ..] = *bytes {
        let digits = if first < 0x80 { 0 } else { usize::from(first - 0x80) };
        let length = match digits {
            0 => usize::from(first),
            _ => bytes[2..2 + digits].iter().fold(0, |length, &byte| length << 8 | usize::from(byte)),
        };
        let (whole, rest) = bytes.split_at(2 + digits + length);
        parts.push((whole, &whole[2 + digits..]));
        bytes = rest;
    }
    parts
}

/// A client that sends as many CAs as may be, each of which may have signed each other by its name, and a list of CAs of
/// that name too.
fn alike() -> (TrustList, Vec<Vec<u8>>) {
    let issuer = Issuer::new(named("Same", true), new_key());
    let sign = |params: CertificateParams| params.signed_by(&new_key(), &issuer).expect("a certificate").der().to_vec();
    let mut client = named("Same", false);
    client.distinguished_name.push(DnType::OrganizationName, "Client");
    let sent = [sign(client)].into_iter().chain((1..MAX_SENT).map(|_| sign(named("Same", true)))).collect();
    let ca = |id| {
        let der = named("Same", true).self_signed(&new_key()).expect("a certificate").der().to_vec();
        CaDraft { id, certificate: X509::parse(&der).expect("a CA"), checked: Checked::Never }
    };
    let list = (1, "Partners".into(), WhenStale::Closed);
    (TrustList::new(list, (0..100).map(ca).collect(), Vec::new(), &[]).expect("a list"), sent)
}
