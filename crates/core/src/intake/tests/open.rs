//! Certificates with their keys, as other programs export them.

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

const PASSWORD: &str = "correct horse";

/// A key in PKCS#8 PEM, as `openssl genpkey` writes it.
fn new_key(options: &[&str]) -> Vec<u8> {
    openssl(&[&["genpkey", "-algorithm"], options].concat(), b"")
}

fn new_ec_key() -> Vec<u8> {
    new_key(&["EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
}

/// A self-signed certificate for the key, in PEM.
fn self_signed(key: &[u8]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, key).unwrap();
    let path = file.path().to_str().unwrap();
    let options =
        ["req", "-x509", "-key", path, "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"];
    openssl(&[&options[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat(), b"")
}

fn open_one(bytes: &[u8], password: &str) -> Result<Found, IntakeError> {
    open(&[("file", bytes)], Some(password))
}

/// The one key in `bytes`.
fn key_in(bytes: &[u8], password: &str) -> PrivateKey {
    let mut found = open_one(bytes, password).unwrap();
    assert_eq!((found.keys.len(), found.certificates.len()), (1, 0));
    found.keys.remove(0)
}

fn pfx(options: &[&str], content: &[u8], password: &str) -> Vec<u8> {
    let password = format!("pass:{password}");
    openssl(&[&["pkcs12", "-export", "-passout", &password], options].concat(), content)
}

#[test]
fn a_key_is_the_same_in_every_form_without_a_password() {
    let rsa = new_key(&["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let ec = new_key(&["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    let bare = openssl(&["ec", "-no_public", "-outform", "DER"], &ec);
    assert_eq!(key_in(&bare, "").id(), key_in(&ec, "").id(), "the public half is found anew");
    for (key, kind) in [(&rsa, KeyKind::Rsa2048), (&ec, KeyKind::EcdsaP384)] {
        let id = key_in(key, "").id();
        assert_eq!(key_in(key, "").kind(), kind);
        for options in [
            &["pkey", "-outform", "DER"][..],
            &["pkey", "-traditional"],
            &["pkey", "-traditional", "-outform", "DER"],
            &["pkey", "-text"],
        ] {
            assert_eq!(key_in(&openssl(options, key), "").id(), id, "{kind:?} {options:?}");
        }
    }
}

#[test]
fn an_encrypted_key_opens_with_its_password_only() {
    let key = new_ec_key();
    let id = key_in(&key, "").id();
    let pass = format!("pass:{PASSWORD}");
    for options in [
        &["pkcs8", "-topk8", "-v2", "aes-128-cbc"][..],
        &["pkcs8", "-topk8", "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA1"],
        &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA384"],
        &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-outform", "DER"],
        &["pkcs8", "-topk8", "-v2", "des-ede3-cbc"],
        &["pkcs8", "-topk8", "-scrypt"],
        &["pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES", "-outform", "DER"],
        &["pkcs8", "-topk8", "-v1", "PBE-SHA1-2DES"],
        &["ec", "-aes128"],
        &["ec", "-aes192"],
        &["ec", "-aes256"],
        &["ec", "-des3"],
    ] {
        let file = openssl(&[options, &["-passout", &pass]].concat(), &key);
        assert_eq!(key_in(&file, PASSWORD).id(), id, "{options:?}");
        assert_eq!(open(&[("key", &file)], None).unwrap_err(), IntakeError::PasswordNeeded, "{options:?}");
        assert_eq!(open_one(&file, "wrong").unwrap_err(), IntakeError::WrongPassword, "{options:?}");
        assert_eq!(read(&file), Err(IntakeError::PrivateKey), "{options:?}");
    }
}

#[test]
fn a_cipher_that_is_not_read_is_named_before_the_password_is_tried() {
    let pass = format!("pass:{PASSWORD}");
    for (options, name) in [
        (&["pkcs8", "-topk8", "-v2", "camellia-256-cbc"][..], "Camellia-256"),
        (&["ec", "-camellia128"], "CAMELLIA-128-CBC"),
    ] {
        let file = openssl(&[options, &["-passout", &pass]].concat(), &new_ec_key());
        for password in ["wrong", ""] {
            let error = open_one(&file, password).unwrap_err();
            assert_eq!(error, IntakeError::UnsupportedCipher(name.into()), "{options:?}");
        }
    }
}

#[test]
fn a_pfx_opens_whatever_its_ciphers_mac_and_password() {
    let key = new_ec_key();
    let content = [key.clone(), self_signed(&key)].concat();
    for (options, password) in [
        (&["-macalg", "sha1"][..], PASSWORD),
        (&["-macalg", "sha224"], PASSWORD),
        (&["-macalg", "sha384", "-keypbe", "aes-128-cbc", "-certpbe", "aes-192-cbc"], PASSWORD),
        (&["-macalg", "sha512", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-2DES"], PASSWORD),
        (&["-keypbe", "NONE", "-certpbe", "NONE"], PASSWORD),
        (&["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"], "pässwörd € 😀"),
        (&[], "pässwörd € 😀"),
        (&["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"], ""),
        (&[], ""),
    ] {
        let file = pfx(options, &content, password);
        let pairs = open_one(&file, password).unwrap().pairs().unwrap();
        assert_eq!(pairs.len(), 1, "{options:?}");
        assert_eq!(pairs[0].key.id(), key_in(&key, "").id(), "{options:?}");
        assert_eq!(pairs[0].chain.leaf.subject, "shop.example");
        assert_eq!(open_one(&file, "wrong").unwrap_err(), IntakeError::WrongPassword, "{options:?}");
        let unasked = open(&[("file", &file)], None);
        let needed = unasked.is_err_and(|error| error == IntakeError::PasswordNeeded);
        assert_eq!(needed, !password.is_empty(), "asked for only where it is needed: {options:?}");
        assert_eq!(read(&file), Err(IntakeError::Pkcs12));
    }
}

#[test]
fn a_pfx_may_be_in_base64_or_of_indefinite_lengths() {
    let der = corpus("pfx/legacy-rc2-3des.pfx");
    let id = open_one(&der, "secret").unwrap().keys[0].id();
    for file in [
        indefinite(&der),
        pem::encode("PKCS12", &der).into_bytes(),
        openssl(&["base64"], &der),
        openssl(&["base64", "-A"], &indefinite(&der)),
    ] {
        assert_eq!(open_one(&file, "secret").unwrap().keys[0].id(), id);
    }
}

/// The same PFX with a MAC as RFC 9579 has it: PBMAC1 with PBKDF2 and HMAC, both on SHA-256.
fn with_pbmac1(pfx: &[u8], password: &str, key_len: u8) -> Vec<u8> {
    let parts = ber::Element::only(pfx).unwrap().children().unwrap();
    let content = ber::Element::only(parts[1].children().unwrap()[1].content).unwrap().content;
    let mut key = vec![0; key_len.into()];
    let rounds = std::num::NonZeroU32::new(2048).unwrap();
    aws_lc_rs::pbkdf2::derive(
        aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        b"saltsalt",
        password.as_bytes(),
        &mut key,
    );
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
    let tag = aws_lc_rs::hmac::sign(&key, content);
    let sequence = |parts: &[&[u8]]| ber::encode(ber::SEQUENCE, parts);
    let octets = |bytes: &[u8]| ber::encode(ber::OCTET_STRING, &[bytes]);
    let hmac = sequence(&[&ber::encode(ber::OID, &[oid::HMAC_SHA256])]);
    let numbers = [2, 2, 8, 0, 2, 1, key_len];
    let pbkdf2 = sequence(&[&octets(b"saltsalt"), &numbers, &hmac]);
    let pbkdf2 = sequence(&[&ber::encode(ber::OID, &[oid::PBKDF2]), &pbkdf2]);
    let pbmac1 = sequence(&[&ber::encode(ber::OID, &[oid::PBMAC1]), &sequence(&[&pbkdf2, &hmac])]);
    let info = sequence(&[&pbmac1, &octets(tag.as_ref())]);
    let mac = sequence(&[&info, &octets(b"NOT USED"), &[2, 1, 1]]);
    sequence(&[parts[0].whole, parts[1].whole, &mac]).to_vec()
}

#[test]
fn a_pfx_may_be_proven_by_pbmac1_with_a_key_that_cannot_be_guessed() {
    let file = corpus("pfx/ec.pfx");
    let proven = with_pbmac1(&file, "secret", 32);
    assert_eq!(open_one(&proven, "secret").unwrap().pairs().unwrap().len(), 1);
    assert_eq!(open_one(&proven, "wrong").unwrap_err(), IntakeError::WrongPassword);
    assert_eq!(open_one(&with_pbmac1(&file, "secret", 1), "secret").unwrap_err(), IntakeError::Damaged);
}

#[test]
fn hashing_a_password_too_often_is_refused_at_once() {
    let key = new_ec_key();
    let mac = pfx(
        &["-keypbe", "NONE", "-certpbe", "NONE", "-iter", "2000001"],
        &[key.clone(), self_signed(&key)].concat(),
        "x",
    );
    // n = 2^26, r = 8, p = 1: 64 GiB
    let scrypt = ber::encode(
        ber::SEQUENCE,
        &[&ber::encode(ber::OCTET_STRING, &[b"saltsalt"]), &[2, 4, 4, 0, 0, 0, 2, 1, 8, 2, 1, 1]],
    );
    let scrypt = ber::encode(ber::SEQUENCE, &[&ber::encode(ber::OID, &[oid::SCRYPT]), &scrypt]);
    let iv = ber::encode(ber::OCTET_STRING, &[&[0; 16]]);
    let cipher = ber::encode(ber::SEQUENCE, &[&ber::encode(ber::OID, &[oid::AES_256]), &iv]);
    let pbes2 = ber::encode(ber::SEQUENCE, &[&scrypt, &cipher]);
    let algorithm = ber::encode(ber::SEQUENCE, &[&ber::encode(ber::OID, &[oid::PBES2]), &pbes2]);
    let scrypt = ber::encode(ber::SEQUENCE, &[&algorithm, &ber::encode(ber::OCTET_STRING, &[&[0; 256]])]);
    let started = Instant::now();
    for file in [mac, scrypt.to_vec(), corpus("pfx/iter-20m.pfx")] {
        assert_eq!(open_one(&file, "x").unwrap_err(), IntakeError::TooManyIterations);
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn several_files_make_one_find_and_what_is_of_no_use_is_noted() {
    let key = openssl(&["ec", "-aes256", "-passout", &format!("pass:{PASSWORD}")], &corpus("keys/p256-pkcs8.pem"));
    let (leaf, chain) = (delivery("good/leaf.cer"), delivery("good/chain-root-first.p7b"));
    let files: [(&str, &[u8]); 6] = [
        ("readme.txt", b"Install it soon."),
        ("shop.key", &key),
        ("shop.cer", &leaf),
        ("chain.p7b", &chain),
        ("shop.csr", &delivery("bad/csr-instead.pem")),
        ("same.key", &corpus("keys/p256-pkcs8.pem")),
    ];
    let found = open(&files, Some(PASSWORD)).unwrap();
    assert_eq!(found.keys.len(), 1, "the same key twice");
    let left_out = |file: &str, reason| Note { file: file.into(), reason };
    let notes = vec![left_out("readme.txt", IntakeError::NothingFound), left_out("shop.csr", IntakeError::Request)];
    assert_eq!(found.notes, notes);
    let pair = found.pairs().unwrap().remove(0);
    assert_eq!(pair.chain.leaf.der, leaf);
    assert_eq!(pair.chain.intermediates.len(), 2);
}

#[test]
fn a_key_and_a_certificate_that_do_not_belong_together_are_told_from_a_missing_one() {
    let key = new_ec_key();
    let (leaf, ca) = (leaf().to_pem(), TestCa::new().root_pem());
    let pairs = |files: &[(&str, &[u8])]| open(files, None).unwrap().pairs().unwrap_err();
    assert_eq!(pairs(&[("key", &key), ("leaf", leaf.as_bytes())]), PairError::KeyMismatch);
    assert_eq!(pairs(&[("leaf", leaf.as_bytes()), ("ca", ca.as_bytes())]), PairError::NoKey);
    assert_eq!(pairs(&[("key", &key)]), PairError::NoCertificate);
}

#[test]
fn each_of_several_keys_finds_its_own_certificate() {
    let (one, other) = (new_ec_key(), new_key(&["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]));
    let all = [self_signed(&other), one.clone(), other, self_signed(&one), new_ec_key()].concat();
    let pairs = open_one(&all, "").unwrap().pairs().unwrap();
    assert_eq!(pairs.len(), 2);
    for pair in pairs {
        assert_eq!(pair.chain.leaf.key_id, pair.key.id());
    }
}

#[test]
fn a_key_without_its_curve_is_read_by_its_public_half() {
    let key = new_ec_key();
    let whole = openssl(&["ec", "-outform", "DER"], &key);
    let parts = ber::Element::only(&whole).unwrap().children().unwrap();
    let bare = ber::encode(ber::SEQUENCE, &[parts[0].whole, parts[1].whole, parts[3].whole]);
    let read = |bytes: &[u8]| open_one(bytes, "").unwrap().keys.remove(0).id();
    assert_eq!(read(&pem::encode("EC PRIVATE KEY", &bare).into_bytes()), read(&key));
}

#[test]
fn a_key_whose_halves_belong_to_different_keys_is_refused() {
    let parts = |key: &[u8]| openssl(&["ec", "-outform", "DER"], key);
    let (mine, other) = (parts(&new_ec_key()), parts(&new_ec_key()));
    let halves = |der: &[u8]| {
        let parts = ber::Element::only(der).unwrap().children().unwrap();
        parts.iter().map(|part| part.whole.to_vec()).collect::<Vec<_>>()
    };
    let (mine, other) = (halves(&mine), halves(&other));
    let mixed = ber::encode(ber::SEQUENCE, &[&mine[0], &mine[1], &mine[2], &other[3]]);
    assert_eq!(open_one(&pem::encode("EC PRIVATE KEY", &mixed).into_bytes(), "").unwrap_err(), IntakeError::KeyDamaged);
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in files {
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn an_archive_is_read_as_the_files_in_it() {
    let (leaf, chain) = (delivery("good/leaf.pem"), delivery("good/chain.p7b"));
    let archive =
        zip(&[("__MACOSX/._leaf.pem", b"\0\x05\x16\x07"), ("shop/leaf.pem", &leaf), ("shop/chain.p7b", &chain)]);
    let (one, rest) = (read(&leaf).unwrap(), read(&chain).unwrap());
    assert_eq!(read(&archive).unwrap(), [one, rest].concat());
    let with_key = zip(&[("shop.key", &corpus("keys/p256-pkcs8.pem")), ("leaf.pem", &leaf)]);
    assert_eq!(read(&with_key), Err(IntakeError::PrivateKey));
    assert_eq!(open_one(&with_key, "").unwrap().pairs().unwrap().len(), 1);
    let useless = zip(&[("readme.txt", b"Sign in to download"), ("shop.csr", &delivery("bad/csr-instead.pem"))]);
    assert_eq!(read(&useless), Err(IntakeError::Request));
}

#[test]
fn an_archive_that_would_grow_beyond_all_measure_is_refused() {
    let leaf = delivery("good/leaf.pem");
    let zeros = vec![0; MAX_REPLY];
    let names: Vec<String> = (0..=MAX_FILES).map(|i| format!("{i}.pem")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), leaf.as_slice())).collect();
    assert_eq!(read(&zip(&many)), Err(IntakeError::ArchiveTooLarge));
    assert_eq!(read(&zip(&many[1..])).unwrap().len(), MAX_FILES);
    let large: Vec<_> = names[..11].iter().map(|name| (name.as_str(), zeros.as_slice())).collect();
    assert!(zip(&large).len() < 64 * 1024);
    assert_eq!(read(&zip(&large)), Err(IntakeError::ArchiveTooLarge));
    let nested = zip(&[("inner.zip", &zip(&[("leaf.pem", &leaf)]))]);
    assert_eq!(read(&nested), Err(IntakeError::Archive));
    let lone: &[u8] = &[zeros.as_slice(), b"0"].concat();
    assert_eq!(read(&zip(&[("large.txt", lone), ("leaf.pem", &leaf)])).unwrap().len(), 1);
    let whole = zip(&[("leaf.pem", &leaf)]);
    assert_eq!(read(&whole[..whole.len() - 30]), Err(IntakeError::Archive));
}

#[test]
fn nothing_secret_is_in_what_can_be_printed() {
    let key = new_ec_key();
    let found = open_one(&key, PASSWORD).unwrap();
    assert!(format!("{found:?}").contains("keys: [[secret]]"));
    let text = String::from_utf8(key).unwrap();
    let damaged = text.replacen("MI", "MJ", 1);
    let error = open_one(damaged.as_bytes(), PASSWORD).unwrap_err();
    let secret: String = text.lines().nth(1).unwrap().into();
    assert!(!format!("{error} {error:?}").contains(&secret[4..20]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_mutated_export_is_opened_or_refused(
        bytes in mutated(vec![
            corpus("pfx/ec.pfx"),
            corpus("pfx/legacy-rc2-3des.pfx"),
            corpus("keys/p256-pkcs8.pem"),
            corpus("keys/rsa2048-pkcs8.der"),
            corpus("keys/rsa2048-pkcs8-enc-3des.pem"),
            corpus("keys/rsa2048-trad-enc-aes.pem"),
            zip(&[("leaf.pem", &delivery("good/leaf.pem")), ("key.pem", &corpus("keys/p256-pkcs8.pem"))]),
        ]),
    ) {
        let started = Instant::now();
        if let Ok(found) = open_one(&bytes, "secret") {
            prop_assert!(found.keys.len() + found.certificates.len() > 0);
        }
        prop_assert!(started.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn each_certificate_is_told_with_its_file_and_an_unreadable_one_is_set_aside() {
    let (leaf, old, bundle) =
        (corpus("delivery/p256/good/leaf.pem"), corpus("cert/v1.der"), corpus("delivery/p256/good/chain.p7b"));
    let found = open(&[("leaf.pem", &leaf), ("old.der", &old), ("chain.p7b", &bundle)], None).unwrap();
    assert_eq!(found.files.len(), found.certificates.len());
    assert_eq!(found.files[0], "leaf.pem");
    assert!(found.files.len() > 2 && found.files[1..].iter().all(|file| file == "chain.p7b"), "{:?}", found.files);
    assert_eq!(found.notes, [Note::new("old.der", IntakeError::OldVersion)]);
    assert_eq!(open(&[("old.der", &old)], None).unwrap_err(), IntakeError::OldVersion);
}
