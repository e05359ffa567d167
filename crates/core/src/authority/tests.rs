use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use rcgen::{CustomExtension, SanType, string::Ia5String};
use time::macros::datetime;

use super::*;
use crate::chain::X509;
use crate::intake::pem;
use crate::key::KeyKind;
use crate::subject::{Subject, SubjectAnswers};
use crate::testing_ca::openssl;

struct Ca {
    certificate: Vec<u8>,
    key: PrivateKey,
    address: Option<Address>,
}

impl Ca {
    fn root(draft: &Draft) -> Self {
        let key = make(KeyKind::EcdsaP256);
        let certificate = create(draft, &key, None, OffsetDateTime::now_utc()).unwrap();
        Self { certificate, key, address: Address::parse("pki.example:8080").unwrap() }
    }

    fn below(&self, draft: &Draft) -> Self {
        let key = make(KeyKind::EcdsaP384);
        let certificate = create(draft, &key, Some(&self.signer()), OffsetDateTime::now_utc()).unwrap();
        Self { certificate, key, address: self.address.clone() }
    }

    fn signer(&self) -> Signer<'_> {
        Signer { certificate: &self.certificate, key: &self.key, address: self.address.as_ref() }
    }

    fn issue(&self, order: &Order) -> Vec<u8> {
        self.signer().issue(order, &make(KeyKind::EcdsaP256), OffsetDateTime::now_utc()).unwrap()
    }

    fn list(&self, revoked: &[&[u8]], number: i64) -> Vec<u8> {
        let at = OffsetDateTime::now_utc() - Duration::minutes(1);
        let entry = |der: &&[u8]| Revoked { serial: serial_of(der).unwrap(), at, reason: Reason::KeyCompromise };
        let revoked: Vec<Revoked> = revoked.iter().map(entry).collect();
        revocation_list(&self.signer(), &revoked, number, OffsetDateTime::now_utc()).unwrap()
    }
}

fn draft(name: &str) -> Draft {
    Draft { organization: Some("Bücher AG".into()), country: Some("CH".into()), ..Draft::root(name) }
}

fn order(names: &[&str]) -> Order {
    Order {
        purpose: Purpose::Server,
        // As a common name openssl takes an address for a host name, and holds it against the constraints of those.
        common_name: if names[0].parse::<std::net::IpAddr>().is_err() { names[0].into() } else { "A server".into() },
        organization: None,
        names: names.iter().map(|name| SubjectName::parse(name).unwrap()).collect(),
        mail: None,
        days: ISSUED_DAYS,
    }
}

fn make(kind: KeyKind) -> PrivateKey {
    PrivateKey::generate(kind).unwrap()
}

fn write(folder: &Path, name: &str, label: &str, ders: &[&[u8]]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, ders.iter().map(|der| pem::encode(label, der)).collect::<String>()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What `openssl verify -x509_strict` says: with `lists`, of revocation too, for every certificate of the chain.
fn verify(purpose: &str, root: &[u8], between: &[&[u8]], leaf: &[u8], lists: &[&[u8]]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, label: &str, ders: &[&[u8]]| write(folder.path(), name, label, ders);
    let root = file("root.pem", "CERTIFICATE", &[root]);
    let untrusted = file("between.pem", "CERTIFICATE", between);
    let leaf = file("leaf.pem", "CERTIFICATE", &[leaf]);
    let crls = file("crl.pem", "X509 CRL", lists);
    let mut command = Command::new("openssl");
    command.args(["verify", "-x509_strict", "-purpose", purpose, "-CAfile", &root]);
    if !between.is_empty() {
        command.args(["-untrusted", &untrusted]);
    }
    if !lists.is_empty() {
        command.args(["-crl_check_all", "-CRLfile", &crls]);
    }
    let output = command.arg(&leaf).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() && said.trim_end().ends_with("OK") { Ok(()) } else { Err(said) }
}

fn as_openssl_reads_it(der: &[u8]) -> String {
    let options = ["x509", "-noout", "-text", "-nameopt", "sep_comma_plus,utf8", "-inform", "DER"];
    String::from_utf8(openssl(&options, der)).unwrap()
}

fn request(key: &PrivateKey) -> Requested {
    let answers = SubjectAnswers {
        common_name: "shop.example".into(),
        organization: "Bücher AG".into(),
        country: "CH".into(),
        names: "www.shop.example\n192.0.2.7".into(),
        ..Default::default()
    };
    Requested::read(&crate::csr::sign(&Subject::parse(&answers).unwrap(), key).unwrap()).unwrap()
}

#[test]
fn openssl_accepts_what_an_authority_of_any_key_signs_for_any_key() {
    let now = OffsetDateTime::now_utc();
    let subjects = [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Rsa2048].map(make);
    for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Rsa2048] {
        let key = make(kind);
        let root = create(&draft("Bücher Authority"), &key, None, now).unwrap();
        let signer = Signer { certificate: &root, key: &key, address: None };
        for subject in &subjects {
            for (purpose, name) in [(Purpose::Server, "sslserver"), (Purpose::Client, "sslclient")] {
                let leaf = signer.sign_request(&request(subject), purpose, 90, now).unwrap();
                verify(name, &root, &[], &leaf, &[]).unwrap();
                assert_eq!(X509::parse(&leaf).unwrap().key_id, subject.id());
            }
        }
    }
}

#[test]
fn openssl_accepts_a_chain_with_intermediates_for_servers_and_for_clients_only_as_such() {
    let root = Ca::root(&Draft { path_length: Some(2), ..draft("Root") });
    let middle = root.below(&Draft { path_length: Some(1), ..draft("Middle") });
    let issuing = middle.below(&draft("Issuing"));
    let between = [&middle.certificate[..], &issuing.certificate];
    let server = issuing.issue(&order(&["shop.example", "192.0.2.7"]));
    verify("sslserver", &root.certificate, &between, &server, &[]).unwrap();
    assert!(verify("sslclient", &root.certificate, &between, &server, &[]).is_err());
    let client = Order {
        purpose: Purpose::Client,
        common_name: "Inga Solberg".into(),
        mail: Some("inga@shop.example".into()),
        names: Vec::new(),
        ..order(&["x.example"])
    };
    let client = issuing.issue(&client);
    verify("sslclient", &root.certificate, &between, &client, &[]).unwrap();
    assert!(verify("sslserver", &root.certificate, &between, &client, &[]).is_err());
    assert!(as_openssl_reads_it(&client).contains("email:inga@shop.example"));
    let too_deep = issuing.below(&draft("Too deep"));
    let leaf = too_deep.issue(&order(&["shop.example"]));
    let between = [&middle.certificate[..], &issuing.certificate, &too_deep.certificate];
    let said = verify("sslserver", &root.certificate, &between, &leaf, &[]).unwrap_err();
    assert!(said.contains("path length"), "{said}");
}

#[test]
fn openssl_refuses_a_name_exactly_where_the_name_constraints_do() {
    let read = |text| Constraints::parse_list(text).unwrap();
    let constraints = Constraints {
        permitted: read("shop.example\n10.0.0.0/8\n2001:db8::/32"),
        excluded: read("secret.shop.example\n10.9.0.0/16"),
    };
    let root = Ca::root(&Draft { constraints: constraints.clone(), ..draft("Constrained") });
    assert_eq!(Draft::of(&root.certificate).unwrap().constraints, constraints);
    assert!(as_openssl_reads_it(&root.certificate).contains("X509v3 Name Constraints: critical"));
    let mut outcomes = HashSet::new();
    for name in [
        "shop.example",
        "www.shop.example",
        "*.shop.example",
        "bookshop.example",
        "secret.shop.example",
        "a.secret.shop.example",
        "10.1.2.3",
        "10.9.2.3",
        "192.0.2.1",
        "2001:db8::1",
        "2001:db9::1",
    ] {
        let leaf = root.issue(&order(&[name]));
        let held = verify("sslserver", &root.certificate, &[], &leaf, &[]);
        let allowed = constraints.allow(&SubjectName::parse(name).unwrap());
        // openssl reads a wildcard as a name; clients that match it would still reach into what is excluded.
        if name != "*.shop.example" {
            assert_eq!(held.is_ok(), allowed, "{name}: {held:?}");
        }
        outcomes.insert(allowed);
        let chain = [root.certificate.clone()];
        assert_eq!(forbidden(&chain, &order(&[name]).names).is_some(), !allowed, "{name}");
    }
    assert_eq!(outcomes.len(), 2);
}

#[test]
fn openssl_and_certtool_find_a_revoked_certificate_on_the_list_and_no_other() {
    let root = Ca::root(&Draft { path_length: Some(1), ..draft("Root") });
    let issuing = root.below(&draft("Issuing"));
    let (good, bad) = (issuing.issue(&order(&["good.example"])), issuing.issue(&order(&["bad.example"])));
    let check = |leaf: &[u8], issuing_list: &[u8], root_list: &[u8]| {
        verify("sslserver", &root.certificate, &[&issuing.certificate], leaf, &[issuing_list, root_list])
    };
    let (empty, above) = (issuing.list(&[], 1), root.list(&[], 1));
    check(&good, &empty, &above).unwrap();
    check(&bad, &empty, &above).unwrap();
    let next = issuing.list(&[&bad], 2);
    check(&good, &next, &above).unwrap();
    assert!(check(&bad, &next, &above).unwrap_err().contains("revoked"));
    let above = root.list(&[&issuing.certificate], 2);
    assert!(check(&good, &next, &above).unwrap_err().contains("revoked"));

    let text = String::from_utf8(openssl(&["crl", "-inform", "DER", "-noout", "-text"], &next)).unwrap();
    for expected in
        ["Version 2", "X509v3 CRL Number: \n                2", "Authority Key Identifier", "Key Compromise"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let folder = tempfile::tempdir().unwrap();
    for list in [&empty, &next, &above] {
        let file = folder.path().join("list.crl");
        std::fs::write(&file, list).unwrap();
        let output = Command::new("certtool").args(["--crl-info", "--inder", "--infile"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_certificate_says_where_the_documents_of_its_issuer_are_and_a_root_or_one_without_address_says_nothing() {
    let mut root = Ca::root(&Draft { path_length: Some(1), ..draft("Root") });
    let below = root.below(&draft("Issuing"));
    let says = |der: &[u8], issuer: &Ca| {
        let text = as_openssl_reads_it(der);
        [(DocumentKind::Crl, "URI:"), (DocumentKind::Certificate, "CA Issuers - URI:")].map(|(kind, before)| {
            text.contains(&format!("{before}http://pki.example:8080{}", kind.path(issuer.key.id())))
        })
    };
    assert_eq!(says(&below.certificate, &root), [true, true]);
    assert_eq!(says(&below.issue(&order(&["shop.example"])), &below), [true, true]);
    assert_eq!(says(&root.certificate, &root), [false, false]);
    root.address = None;
    assert!(!as_openssl_reads_it(&root.issue(&order(&["shop.example"]))).contains("URI:"));
    let id = DocumentKind::Crl.path(root.key.id());
    let printed = as_openssl_reads_it(&root.certificate).replace(':', "").to_lowercase();
    assert!(printed.contains(&id[id.rfind('/').unwrap() + 1..id.len() - 4]), "named as in the subject key identifier");
}

#[test]
fn an_authority_s_certificate_has_what_rfc_5280_asks_for_and_no_more() {
    let root = Ca::root(&draft("Test"));
    let text = as_openssl_reads_it(&root.certificate);
    for expected in [
        "Subject: C=CH,O=Bücher AG,CN=Test",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign",
        "Subject Key Identifier",
        "Authority Key Identifier",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("Name Constraints") && !text.contains("Alternative Name"), "{text}");
    let parsed = X509::parse(&root.certificate).unwrap();
    assert!(parsed.is_self_signed && parsed.is_ca);
    let unbounded = Ca::root(&Draft { path_length: None, ..draft("Any") });
    assert!(!as_openssl_reads_it(&unbounded.certificate).contains("pathlen"));
    assert_eq!(Draft::of(&unbounded.certificate).unwrap(), Draft { path_length: None, ..draft("Any") });
}

#[test]
fn a_leaf_has_the_subject_and_names_of_the_request_and_its_purpose_only() {
    let root = Ca::root(&draft("Test"));
    let asked = request(&make(KeyKind::Rsa2048));
    let leaf = root.signer().sign_request(&asked, Purpose::Server, 90, OffsetDateTime::now_utc()).unwrap();
    let text = as_openssl_reads_it(&leaf);
    for expected in [
        "Subject: C=CH,O=Bücher AG,CN=shop.example",
        "DNS:shop.example, DNS:www.shop.example, IP Address:192.0.2.7",
        "Digital Signature, Key Encipherment",
        "TLS Web Server Authentication\n",
        "CA:FALSE",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn no_extension_of_a_request_but_its_names_reaches_the_certificate_and_each_is_told() {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![
        SanType::DnsName("shop.example".try_into().unwrap()),
        SanType::Rfc822Name(Ia5String::try_from("me@shop.example").unwrap()),
        SanType::URI(Ia5String::try_from("urn:x").unwrap()),
    ];
    params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 12]), "Director");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
    let csr = params.serialize_request(make(KeyKind::EcdsaP256).pair()).unwrap();
    let asked = Requested::read(csr.der()).unwrap();
    for dropped in ["1.2.3.4", "Basic constraints", "Key usage", "urn:x", "Title"] {
        assert!(asked.dropped.iter().any(|own| own.contains(dropped)), "{dropped}: {:?}", asked.dropped);
    }
    assert_eq!(asked.mails, ["me@shop.example"]);
    let root = Ca::root(&draft("Test"));
    let now = OffsetDateTime::now_utc();
    let leaf = root.signer().sign_request(&asked, Purpose::Server, 90, now).unwrap();
    let text = as_openssl_reads_it(&leaf);
    for unwanted in ["1.2.3.4", "Certificate Sign", "CA:TRUE", "me@", "urn:", "Director"] {
        assert!(!text.contains(unwanted), "{unwanted}: {text}");
    }
    verify("sslserver", &root.certificate, &[], &leaf, &[]).unwrap();
    let client = root.signer().sign_request(&asked, Purpose::Client, 90, now).unwrap();
    assert!(as_openssl_reads_it(&client).contains("email:me@shop.example"));
}

#[test]
fn a_request_whose_signature_does_not_hold_is_refused() {
    let answers = SubjectAnswers { common_name: "shop.example".into(), ..Default::default() };
    let good = crate::csr::sign(&Subject::parse(&answers).unwrap(), &make(KeyKind::EcdsaP256)).unwrap();
    let mut forged = good.clone();
    let at = forged.windows(4).position(|bytes| bytes == b"shop").unwrap();
    forged[at] = b'S';
    let trailing = [&good[..], b"\0"].concat();
    for csr in [&b""[..], b"garbage", &forged, &trailing, &good[..good.len() - 1]] {
        assert!(Requested::read(csr).is_err());
    }
    assert!(Requested::read(&good).is_ok());
}

#[test]
fn a_certificate_starts_an_hour_ago_and_ends_with_its_authority() {
    let key = make(KeyKind::EcdsaP256);
    let now = datetime!(2026-11-22 12:00 UTC);
    let root = create(&draft("Test"), &key, None, now).unwrap();
    let end = X509::parse(&root).unwrap().not_after;
    assert_eq!(end, now - Duration::hours(1) + Duration::days(AUTHORITY_DAYS));
    let signer = Signer { certificate: &root, key: &key, address: None };
    let leaf = |now| signer.issue(&order(&["localhost"]), &key, now).map(|der| X509::parse(&der).unwrap());
    let first = leaf(now).unwrap();
    assert_eq!(first.not_before, now - Duration::hours(1));
    assert_eq!(first.not_after, first.not_before + Duration::days(ISSUED_DAYS));
    assert_eq!(leaf(end - Duration::days(1)).unwrap().not_after, end);
    assert!(leaf(end + Duration::minutes(1)).is_err());
    let below = create(&draft("Below"), &key, Some(&signer), now + Duration::days(100)).unwrap();
    assert_eq!(X509::parse(&below).unwrap().not_after, end, "an authority below ends with it too");
}

#[test]
fn dates_from_2050_on_are_written_as_generalized_time() {
    let root = Ca::root(&Draft { days: MAX_AUTHORITY_DAYS, ..draft("Long") });
    let said = String::from_utf8(openssl(&["asn1parse", "-inform", "DER"], &root.certificate)).unwrap();
    assert!(said.contains("UTCTIME") && said.contains("GENERALIZEDTIME   :205"), "{said}");
    let leaf = root.issue(&order(&["shop.example"]));
    verify("sslserver", &root.certificate, &[], &leaf, &[]).unwrap();
}

#[test]
fn a_renewed_authority_vouches_for_what_it_signed_before() {
    let root = Ca::root(&draft("Test"));
    let leaf = root.issue(&order(&["shop.example"]));
    let again = Draft { days: 7300, ..Draft::of(&root.certificate).unwrap() };
    let renewed = create(&again, &root.key, None, OffsetDateTime::now_utc()).unwrap();
    assert_ne!(renewed, root.certificate);
    for certificate in [&root.certificate, &renewed] {
        verify("sslserver", certificate, &[], &leaf, &[]).unwrap();
    }
    let list = root.list(&[&leaf], 1);
    assert!(verify("sslserver", &renewed, &[], &leaf, &[&list]).unwrap_err().contains("revoked"));
}

#[test]
fn serial_numbers_are_random_positive_and_16_bytes_long() {
    let serials: HashSet<_> = (0..50).map(|_| sign::random_serial().unwrap().to_bytes()).collect();
    assert_eq!(serials.len(), 50);
    assert!(serials.iter().all(|serial| serial.len() == 16 && (0x40..0x80).contains(&serial[0])));
}

#[test]
fn an_address_is_read_as_people_write_it() {
    for (typed, read) in [
        ("pki.shop.example", "pki.shop.example"),
        (" http://PKI.shop.example:80/ ", "pki.shop.example"),
        ("pki.shop.example:8080", "pki.shop.example:8080"),
        ("10.0.0.7:8080", "10.0.0.7:8080"),
        ("[2001:db8::1]:8080", "[2001:db8::1]:8080"),
        ("2001:db8::1", "[2001:db8::1]"),
    ] {
        assert_eq!(Address::parse(typed).unwrap().unwrap().to_string(), read, "{typed}");
    }
    assert_eq!(Address::parse(" ").unwrap(), None);
    for bad in
        ["https://pki.shop.example", "pki shop", "pki.shop.example/crl", "pki.shop.example:0", "a:b:c", "me@x.example"]
    {
        assert!(Address::parse(bad).is_err(), "{bad}");
    }
}
