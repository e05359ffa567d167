use proptest::prelude::*;
use rcgen::{Attribute, CertificateParams, CustomExtension, KeyPair};

use super::*;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/");

fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(format!("{CORPUS}{file}")).expect(file)
}

fn corpus(file: &str) -> Inspected {
    read(&bytes(file)).expect(file).remove(0)
}

fn values<'a>(inspected: &'a Inspected, name: &str) -> Vec<&'a str> {
    let own = inspected.fields.iter().filter(|field| field.name == name);
    own.map(|field| field.value.as_str()).collect()
}

/// What `openssl` says of the same file.
fn by_openssl(options: &[&str], file: &str) -> String {
    let path = format!("{CORPUS}{file}");
    String::from_utf8(crate::testing_ca::openssl(&[options, &["-in", &path]].concat(), b"")).unwrap()
}

/// Every file of the corpus.
fn files(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(format!("{CORPUS}{folder}")).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(self::files(&format!("{path}/"))),
            false => files.push(path),
        }
    }
    files
}

fn is_clean(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'))
}

/// What holds for all that is shown, whoever wrote it.
fn check(read: &Result<Vec<Inspected>, InspectError>, file: &str) {
    for inspected in read.iter().flatten() {
        assert!(inspected.fields.len() <= MAX_FIELDS, "{file}");
        assert!(is_clean(&inspected.summary), "{file}");
        for Field { name, value, .. } in &inspected.fields {
            assert!(is_clean(name) && is_clean(value) && value.chars().count() < 600, "{file}: {name}: {value:?}");
        }
    }
}

#[test]
fn every_file_of_the_corpus_is_shown_or_refused_by_name_and_deceives_nobody() {
    let files = files("");
    assert!(files.len() > 100, "{}", files.len());
    for file in files {
        let read = read(&bytes(&file));
        check(&read, &file);
        if file.starts_with("keys/") || file.starts_with("pfx/") {
            assert!(read.is_err(), "{file}");
        }
        let odd = ["csr/empty.pem", "csr/random.bin", "cert/date-garbage.der", "cert/chain-100.pem", "cert/ext-1m.der"];
        if (file.starts_with("csr/") || file.starts_with("cert/")) && !odd.contains(&file.as_str()) {
            assert!(read.is_ok(), "{file}: {read:?}");
        }
    }
}

#[test]
fn the_subject_and_the_key_are_those_that_openssl_finds() {
    for file in ["csr/iis5-seed.txt", "csr/openssl-rsa3072.pem", "csr/openssl-p-521.pem", "csr/certtool-rsa.pem"] {
        let request = corpus(file);
        let text = by_openssl(&["req", "-noout", "-subject", "-nameopt", "sep_multiline,utf8"], file);
        let theirs: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split_once('=')).map(|own| own.1).collect();
        let ours = request.fields.iter().filter(|field| field.section == "Subject").map(|field| field.value.as_str());
        assert_eq!(ours.collect::<Vec<_>>(), theirs, "{file}");
        let pem = by_openssl(&["req", "-noout", "-pubkey"], file);
        let key = pem::blocks(&pem).unwrap()[0].decode().unwrap();
        let digest = crate::certificate::Fingerprint::of(&key).to_string();
        assert_eq!(values(&request, "SHA-256 of the public key"), [digest], "{file}");
    }
}

#[test]
fn a_signature_holds_exactly_where_openssl_says_so() {
    let mut seen = 0;
    for file in files("csr/") {
        let Ok(request) = read(&bytes(&file)).map(|mut all| all.remove(0)) else { continue };
        let Some(holds) = request.facts.holds else {
            let unusual = request.facts.hash != Hash::Strong || file == "csr/openssl-rsapss2048.pem";
            assert!(unusual, "{file}"); // MD5, or a salt of an odd length
            continue;
        };
        let der = if file.ends_with(".der") { "DER" } else { "PEM" };
        let path = format!("{CORPUS}{file}");
        let said = std::process::Command::new("openssl")
            .args(["req", "-verify", "-noout", "-inform", der, "-in", &path])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&said.stderr);
        if said.contains("Unable to load") {
            continue; // openssl reads less than is shown here
        }
        let theirs = said.contains("verify OK");
        assert_eq!(holds, theirs, "{file}: {said:?}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn a_certificate_is_checked_against_the_issuer_beside_it() {
    let found = read(&bytes("delivery/p256/good/bundle-with-root.pem")).unwrap();
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|own| own.kind == Kind::Certificate && own.facts.holds == Some(true)), "{found:?}");
    let alone = corpus("delivery/p256/good/leaf.pem");
    assert_eq!(alone.facts.holds, None);
    assert_eq!(values(&alone, "Holds"), ["Not checked: the certificate of its issuer is not here"]);
    let forged = [bytes("cert/badsig.der"), crate::chain::X509::parse(&ca_der()).unwrap().der].concat();
    assert_eq!(read(&forged).unwrap()[0].facts.holds, Some(false));
}

fn ca_der() -> Vec<u8> {
    let text = String::from_utf8(bytes("ca/int2.pem")).unwrap();
    pem::blocks(&text).unwrap()[0].decode().unwrap().to_vec()
}

#[test]
fn a_request_is_found_in_either_armour_in_der_and_in_utf_16_with_text_around_it() {
    let plain = corpus("csr/iis5-seed.txt");
    let text = String::from_utf8(bytes("csr/iis5-seed.txt")).unwrap();
    let der = pem::blocks(&text).unwrap()[0].decode().unwrap();
    let renamed = text.replace("NEW CERTIFICATE", "CERTIFICATE").replace('\n', "\r\n");
    let wide: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let wrapped = format!("Dear CA,\n\n{text}\nRegards");
    let bare = text.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    for other in [der.to_vec(), renamed.into(), wide, wrapped.into(), bare.into()] {
        assert_eq!(read(&other).unwrap(), std::slice::from_ref(&plain));
    }
    let both = [&text, "\n", &String::from_utf8(bytes("delivery/p256/good/leaf.pem")).unwrap()].concat();
    let kinds: Vec<Kind> = read(both.as_bytes()).unwrap().iter().map(|own| own.kind).collect();
    assert_eq!(kinds, [Kind::Request, Kind::Certificate]);
}

#[test]
fn certificates_are_found_in_pkcs_7_too() {
    let found = read(&bytes("delivery/p256/good/chain.p7b")).unwrap();
    assert!(found.len() > 1);
    assert_eq!(found[0].facts.holds, Some(true));
}

#[test]
fn a_challenge_password_is_never_shown() {
    let request = corpus("csr/openssl-challenge.pem");
    assert_eq!(values(&request, "Challenge password"), ["There is one. It is a secret and is not shown."]);
    let text = by_openssl(&["req", "-noout", "-text"], "csr/openssl-challenge.pem");
    let secret = text.lines().find_map(|line| line.split_once("challengePassword")).unwrap().1;
    let secret = secret.trim_start_matches([' ', ':']).trim();
    assert!(secret.len() > 3 && !format!("{request:?}").contains(secret), "{secret}");
}

fn with_attribute(oid: &'static [u64], values: &[u8]) -> Inspected {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut set = vec![0x31, values.len() as u8];
    set.extend_from_slice(values);
    let attribute = Attribute { oid, values: set };
    let request = CertificateParams::default().serialize_request_with_attributes(&key, vec![attribute]).unwrap();
    read(request.der()).unwrap().remove(0)
}

#[test]
fn what_windows_writes_of_itself_is_decoded() {
    let client = [b"\x30\x1d\x02\x01\x05\x0c\x06web-01\x0c\x08corp\\ann\x0c\x06w3wp.x".as_slice(), b""].concat();
    let client = with_attribute(&[1, 3, 6, 1, 4, 1, 311, 21, 20], &client);
    assert_eq!(values(&client, "Microsoft client information (1.3.6.1.4.1.311.21.20)"), ["Client 5"]);
    assert_eq!(values(&client, "Computer"), ["web-01"]);
    assert_eq!(values(&client, "User"), ["corp\\ann"]);
    assert_eq!(values(&client, "Program"), ["w3wp.x"]);
    let pair = with_attribute(&[1, 3, 6, 1, 4, 1, 311, 13, 2, 1], b"\x30\x08\x1e\x02\0A\x1e\x02\0B");
    assert_eq!(values(&pair, "Microsoft enrolment name and value (1.3.6.1.4.1.311.13.2.1)"), ["A"]);
    assert_eq!(values(&pair, "Its value"), ["B"]);
}

#[test]
fn an_attribute_that_makes_no_sense_is_shown_in_hexadecimal_and_hides_nothing_else() {
    let csp = with_attribute(&[1, 3, 6, 1, 4, 1, 311, 13, 2, 2], b"\x30\x03\x02\x01\x01");
    assert_eq!(values(&csp, "Microsoft enrolment CSP (1.3.6.1.4.1.311.13.2.2)"), ["02:01:01"]);
    let unknown = with_attribute(&[1, 2, 3, 4], b"\x04\x02\xca\xfe");
    assert_eq!(values(&unknown, "1.2.3.4"), ["CA:FE"]);
    assert_eq!(unknown.facts.holds, Some(true));
    // An IA5String, which the library does not read there.
    let password = with_attribute(&[1, 2, 840, 113549, 1, 9, 7], b"\x16\x06hunter");
    assert_eq!(values(&password, "Challenge password").len(), 1);
    assert!(!format!("{password:?}").contains("hunter"));
}

#[test]
fn extensions_are_decoded_and_unknown_ones_shown_in_hexadecimal() {
    let mut params = CertificateParams::default();
    let extension = |oid: &[u64], value: &[u8]| CustomExtension::from_oid_content(oid, value.to_vec());
    params.custom_extensions = vec![
        extension(&[1, 3, 6, 1, 5, 5, 7, 1, 24], b"\x30\x03\x02\x01\x05"),
        extension(&[1, 3, 6, 1, 4, 1, 311, 20, 2], b"\x1e\x12\0W\0e\0b\0S\0e\0r\0v\0e\0r"),
        extension(&[1, 3, 6, 1, 4, 1, 311, 21, 7], b"\x30\x0c\x06\x04\x2a\x03\x04\x05\x02\x01\x64\x02\x01\x03"),
        extension(&[1, 2, 3, 4], b"\xca\xfe"),
    ];
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let request = read(params.serialize_request(&key).unwrap().der()).unwrap().remove(0);
    assert!(request.facts.must_staple);
    for (name, value) in [
        ("TLS feature", "status request, 5 (must-staple)"),
        ("Microsoft certificate template", "WebServer"),
        ("Microsoft certificate template information", "1.2.3.4.5, version 100.3"),
        ("1.2.3.4", "CA:FE"),
    ] {
        assert_eq!(values(&request, name), [value]);
    }
}

#[test]
fn a_list_of_a_thousand_names_is_cut_short_and_counted() {
    let certificate = corpus("cert/1000-san.der");
    assert_eq!(certificate.facts.names.len(), 1000);
    let shown = values(&certificate, "DNS name");
    assert_eq!((shown.len(), shown[100]), (101, "and 900 more"));
    assert!(!values(&certificate, "Holds").is_empty(), "what follows the list is still there");
}

#[test]
fn a_name_without_end_is_cut_short_in_headings_and_reasons() {
    let certificate = corpus("cert/cn-64k.der");
    assert_eq!(certificate.summary.chars().count(), MAX_SUMMARY + 1);
    let today = time::macros::datetime!(2026-11-22 0:00 UTC);
    let findings = crate::lint::judge(&certificate.facts, crate::lint::Profile::PublicCa, today);
    assert!(findings.iter().any(|finding| finding.rule == "common-name-too-long"));
    assert!(findings.iter().all(|finding| finding.reason.len() < 500), "{findings:?}");
}

#[test]
fn strings_of_any_type_are_read_and_a_second_value_on_a_level_is_marked() {
    assert_eq!(values(&corpus("csr/forged-bmp-cn.der"), "Common name, as BMPString"), ["www.corpus.test"]);
    assert_eq!(values(&corpus("csr/forged-t61-cn.der"), "Common name, as T61String").len(), 1);
    assert_eq!(values(&corpus("csr/openssl-multi-rdn.pem"), "+ Organizational unit"), ["B"]);
    assert!(corpus("csr/forged-rtl-cn.der").summary.contains('\u{fffd}'));
    assert!(corpus("csr/forged-crlf-cn.der").summary.contains("\u{fffd}\u{fffd}"));
}

#[test]
fn what_cannot_be_shown_is_refused_by_name() {
    let key = String::from_utf8(bytes("keys/p256-pkcs8.pem")).unwrap();
    let request = String::from_utf8(bytes("csr/openssl-rsa2048.pem")).unwrap();
    let many = request.repeat(101);
    for (text, error) in [
        ("", InspectError::Empty),
        (" \n", InspectError::Empty),
        ("Hello", InspectError::NothingFound),
        (&key, InspectError::PrivateKey),
        (&format!("{request}{key}"), InspectError::PrivateKey),
        (&many, InspectError::TooMany),
        (&request[..200], InspectError::Intake(IntakeError::Truncated)),
        (&"x".repeat(MAX_REPLY + 1), InspectError::TooLarge),
        ("<!doctype html><html>", InspectError::Intake(IntakeError::WebPage)),
    ] {
        let refused = read(text.as_bytes()).unwrap_err();
        assert_eq!(refused, error);
        assert!(refused.to_string().ends_with('.') && !refused.to_string().contains("BEGIN PRIVATE"));
    }
    let der = bytes("csr/openssl-rsa2048.der");
    assert_eq!(read(&der[..der.len() - 1]).unwrap_err(), InspectError::Damaged);
    assert_eq!(read(&bytes("pfx/ec.pfx")).unwrap_err(), InspectError::PrivateKey);
    assert_eq!(read(&bytes("cert/date-garbage.der")).unwrap_err(), InspectError::Damaged);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        check(&read(&bytes), "bytes");
    }

    #[test]
    fn no_damage_to_a_request_makes_it_panic(at in 0..773usize, byte: u8, cut in 0..773usize) {
        let text = String::from_utf8(bytes("csr/iis5-seed.txt")).unwrap();
        let mut der = pem::blocks(&text).unwrap()[0].decode().unwrap().to_vec();
        der[at] = byte;
        check(&read(&der), "damaged");
        check(&read(&der[..cut]), "cut");
        let judged = read(&der).into_iter().flatten().map(|own| {
            crate::lint::judge(&own.facts, crate::lint::Profile::PublicCa, time::macros::datetime!(2026-11-22 0:00 UTC))
        });
        prop_assert!(judged.flatten().all(|finding| is_clean(&finding.reason)));
    }
}
