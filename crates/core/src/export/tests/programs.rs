//! What is exported opens in `openssl`, GnuTLS `certtool`, Java `keytool` and NSS `pk12util`, and is found equal there.

use std::fs;
use std::process::Command;

use super::*;
use crate::certificate::Fingerprint;
use crate::csr::{self, Armour};
use crate::subject::{Subject, SubjectAnswers};

/// All of these programs read it from their command line.
const PASSWORD: &str = "correct-horse-battery";

/// A key with its chain, and files in a folder for programs that read nothing else.
struct Example {
    folder: tempfile::TempDir,
    key: PrivateKey,
    chain: Vec<X509>,
}

impl Example {
    fn new(kind: KeyKind) -> Self {
        let (key, chain) = example(kind);
        Self { folder: tempfile::tempdir().unwrap(), key, chain }
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn export(&self, name: &str, file: KeyFile) {
        self.write(name, &file.write(&self.chain, &self.key, "Shop", PASSWORD).unwrap());
    }

    /// What a program prints; its words are split at spaces.
    fn run(&self, program: &str, words: &str) -> Vec<u8> {
        let words = words.replace("PASSWORD", PASSWORD);
        let output = Command::new(program)
            .args(words.split(' ').map(|word| if word == "EMPTY" { "" } else { word }))
            .current_dir(self.folder.path())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}; tests/run --prepare installs it"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {words}\n{said}\n{}", String::from_utf8_lossy(&output.stdout));
        output.stdout
    }

    fn fingerprints(&self) -> Vec<Fingerprint> {
        self.chain.iter().map(|own| own.fingerprint).collect()
    }

    /// Proves that a program printed these certificates and no others, in any order.
    fn same_certificates(&self, printed: &[u8], what: &str) {
        let found =
            intake::open(&[("printed", printed)], Some(PASSWORD)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut found: Vec<Fingerprint> = found.certificates.iter().map(|own| own.fingerprint).collect();
        let mut own = self.fingerprints();
        found.sort();
        found.dedup(); // some print a certificate and the structure it came in
        own.sort();
        assert_eq!(found, own, "{what}");
    }

    /// Proves that a program printed this very key.
    fn same_key(&self, printed: &[u8], what: &str) {
        let found =
            intake::open(&[("printed", printed)], Some(PASSWORD)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found.keys.len(), 1, "{what}");
        assert_eq!(found.keys[0].pkcs8(), self.key.pkcs8(), "{what}");
    }
}

fn each_kind(prove: impl Fn(&Example, KeyKind)) {
    for kind in [KeyKind::Rsa2048, KeyKind::EcdsaP256] {
        prove(&Example::new(kind), kind);
    }
}

#[test]
fn openssl_reads_every_file() {
    each_kind(|example, kind| {
        for file in [KeyFile::Pfx, KeyFile::LegacyPfx] {
            example.export("file.pfx", file);
            let printed = example.run("openssl", "pkcs12 -in file.pfx -passin pass:PASSWORD -noenc");
            example.same_certificates(&printed, &format!("{kind:?} {file:?}"));
            example.same_key(&printed, &format!("{kind:?} {file:?}"));
        }
        for file in [KeyFile::Pem, KeyFile::ClearPem] {
            example.export("file.pem", file);
            let key = example.run("openssl", "pkey -in file.pem -passin pass:PASSWORD");
            example.same_key(&key, &format!("{kind:?} {file:?}"));
            example.run("openssl", "crl2pkcs7 -nocrl -certfile file.pem -out chain.p7b");
            let printed = example.run("openssl", "pkcs7 -in chain.p7b -print_certs");
            example.same_certificates(&printed, &format!("{kind:?} {file:?}"));
        }
        example.write("own.p7b", &p7b(&example.chain));
        let printed = example.run("openssl", "pkcs7 -inform DER -in own.p7b -print_certs");
        example.same_certificates(&printed, "P7B");
        example.write("leaf.cer", &example.chain[0].der);
        assert_eq!(example.run("openssl", "x509 -inform DER -in leaf.cer -outform DER"), example.chain[0].der);
    });
}

#[test]
fn gnutls_reads_every_file() {
    each_kind(|example, kind| {
        for file in [KeyFile::Pfx, KeyFile::LegacyPfx] {
            example.export("file.pfx", file);
            let printed = example.run("certtool", "--p12-info --inder --infile file.pfx --password PASSWORD");
            example.same_certificates(&printed, &format!("{kind:?} {file:?}"));
            let text = String::from_utf8(printed).unwrap();
            let key = text.split_once("-----BEGIN ENCRYPTED PRIVATE KEY").map(|(_, key)| key).unwrap();
            example.write("key.pem", format!("-----BEGIN ENCRYPTED PRIVATE KEY{key}").as_bytes());
            let key = example.run("certtool", "--key-info --pkcs8 --infile key.pem --password PASSWORD --no-text");
            example.same_key(&key, &format!("{kind:?} {file:?}"));
        }
        for file in [KeyFile::Pem, KeyFile::ClearPem] {
            example.export("file.pem", file);
            let form = if file.has_password() { " --pkcs8" } else { "" };
            let key =
                example.run("certtool", &format!("--key-info{form} --infile file.pem --password PASSWORD --no-text"));
            example.same_key(&key, &format!("{kind:?} {file:?}"));
        }
        for (name, content, form) in
            [("own.p7b", p7b(&example.chain), "--inder"), ("own.pem", p7b_pem(&example.chain).into_bytes(), "")]
        {
            example.write(name, &content);
            let printed = example.run("certtool", format!("--p7-info --infile {name} {form}").trim());
            example.same_certificates(&printed, name);
        }
    });
}

#[test]
fn java_reads_every_file_it_has_a_reader_for() {
    each_kind(|example, kind| {
        for (file, copy) in [(KeyFile::Pfx, "copy.pfx"), (KeyFile::LegacyPfx, "legacy.pfx")] {
            example.export("file.pfx", file);
            let listed = example.run("keytool", "-list -rfc -keystore file.pfx -storetype PKCS12 -storepass PASSWORD");
            example.same_certificates(&listed, &format!("{kind:?} {file:?}"));
            example.run(
                "keytool",
                &format!(
                    "-importkeystore -noprompt -srckeystore file.pfx -srcstoretype PKCS12 -srcstorepass PASSWORD \
                     -destkeystore {copy} -deststoretype PKCS12 -deststorepass PASSWORD"
                ),
            );
            let copied = fs::read(example.folder.path().join(copy)).unwrap();
            example.same_key(&copied, &format!("{kind:?} {file:?}"));
            example.same_certificates(&copied, &format!("{kind:?} {file:?}"));
        }
        let pem: String = example.chain.iter().map(X509::to_pem).collect();
        let der: Vec<u8> = example.chain.iter().flat_map(|own| own.der.clone()).collect();
        for (name, content) in [("chain.pem", pem.as_bytes()), ("chain.p7b", &p7b(&example.chain)), ("chain.cer", &der)]
        {
            example.write(name, content);
            let printed = example.run("keytool", &format!("-printcert -rfc -file {name}"));
            example.same_certificates(&printed, name);
        }
    });
}

#[test]
fn nss_reads_every_pfx() {
    each_kind(|example, kind| {
        for (file, db) in [(KeyFile::Pfx, "modern"), (KeyFile::LegacyPfx, "legacy")] {
            let what = format!("{kind:?} {file:?}");
            fs::create_dir(example.folder.path().join(db)).unwrap();
            example.run("certutil", &format!("-N -d sql:{db} --empty-password"));
            example.export("file.pfx", file);
            example.run("pk12util", &format!("-i file.pfx -d sql:{db} -W PASSWORD -K EMPTY"));
            example.run("pk12util", &format!("-o {db}.pfx -n Shop -d sql:{db} -W PASSWORD -K EMPTY"));
            let copied = fs::read(example.folder.path().join(format!("{db}.pfx"))).unwrap();
            let found = intake::open(&[("copied", &copied)], Some(PASSWORD)).unwrap();
            assert_eq!(found.keys[0].id(), example.key.id(), "{what}");
            let leaf = example.chain[0].fingerprint;
            assert!(found.certificates.iter().any(|own| own.fingerprint == leaf), "{what}");
        }
    });
}

#[test]
fn every_program_that_reads_requests_reads_them_in_both_armours_and_in_der() {
    let answers = SubjectAnswers { common_name: "shop.example".into(), ..Default::default() };
    let subject = Subject::parse(&answers).unwrap();
    each_kind(|example, _| {
        let csr = csr::sign(&subject, &example.key).unwrap();
        example.write("standard.csr", csr::to_pem(&csr, Armour::Standard).as_bytes());
        example.write("new.csr", csr::to_pem(&csr, Armour::New).as_bytes());
        example.write("request.der", &csr);
        for (file, form) in [("standard.csr", "PEM"), ("new.csr", "PEM"), ("request.der", "DER")] {
            let read = example.run("openssl", &format!("req -verify -in {file} -inform {form} -outform DER"));
            assert_eq!(read, csr, "{file}");
            let flag = if form == "DER" { " --inder" } else { "" };
            let words = format!("--crq-info --infile {file}{flag}");
            assert!(String::from_utf8_lossy(&example.run("certtool", &words)).contains("shop.example"), "{file}");
        }
        for file in ["standard.csr", "new.csr"] {
            let printed = example.run("keytool", &format!("-printcertreq -file {file}"));
            assert!(String::from_utf8_lossy(&printed).contains("CN=shop.example"), "{file}");
        }
    });
}
