//! A throw-away certification authority, and the `openssl` program as the foreign judge, for tests only.

use std::io::Write;
use std::process::{Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint,
    CrlIssuingDistributionPoint, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyIdMethod, KeyUsagePurpose, NameConstraints, PublicKeyData, RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};

use crate::authority::{read_request, serial_of, sign};
use crate::certificate::SubjectName;
use crate::csr::server_params;
use crate::intake::pem;
use crate::key::{KeyKind, PrivateKey};
use crate::trust_list::{Seen, TrustListId};

/// A root and an intermediate, as a real CA has them.
#[derive(Debug)]
pub struct TestCa {
    root: Vec<u8>,
    root_key: PrivateKey,
    intermediate: Vec<u8>,
    key: PrivateKey,
}

/// What a person or device shows to servers, with its key.
#[derive(Debug, Clone)]
pub struct TestClient {
    /// Its certificate, DER.
    pub leaf: Vec<u8>,
    /// Its key, PKCS#8.
    pub key: Vec<u8>,
}

impl TestClient {
    /// Its serial number, big end first.
    pub fn serial(&self) -> Vec<u8> {
        serial_of(&self.leaf).expect("a serial number")
    }
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

impl TestCa {
    /// A CA with new keys, valid from ten years ago for twenty years.
    pub fn new() -> Self {
        Self::with(ca_params("Test Issuing CA", BasicConstraints::Constrained(0)))
    }

    /// The same, but its intermediate may not sign for `name` and what is below it (RFC 5280 §4.2.1.10).
    pub fn excluding(name: &str) -> Self {
        let mut params = ca_params("Test Issuing CA", BasicConstraints::Constrained(0));
        let excluded_subtrees = vec![GeneralSubtree::DnsName(name.into())];
        params.name_constraints = Some(NameConstraints { permitted_subtrees: Vec::new(), excluded_subtrees });
        Self::with(params)
    }

    /// The same, but its intermediate is valid until then only.
    #[cfg(test)]
    pub(crate) fn ending(until: OffsetDateTime) -> Self {
        let mut params = ca_params("Test Issuing CA", BasicConstraints::Constrained(0));
        params.not_after = until;
        Self::with(params)
    }

    fn with(intermediate: CertificateParams) -> Self {
        let root_key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
        let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
        let root = ca_params("Test Root CA", BasicConstraints::Unconstrained);
        let root = root.self_signed(root_key.pair()).expect("a root").der().to_vec();
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(root.as_slice()), root_key.pair()).expect("a root");
        let intermediate = intermediate.signed_by(key.pair(), &issuer).expect("an intermediate").der().to_vec();
        Self { root, root_key, intermediate, key }
    }

    /// Signs a request as asked, or for other `names`; the leaf's DER.
    pub fn sign(
        &self,
        csr_der: &[u8],
        not_before: OffsetDateTime,
        not_after: OffsetDateTime,
        names: Option<&[&str]>,
    ) -> Vec<u8> {
        let (mut params, public_key) = read_request(csr_der).expect("a request");
        if let Some(names) = names {
            let names: Vec<_> = names.iter().map(|name| SubjectName::parse(name).expect("a name")).collect();
            let is_rsa = params.key_usages.contains(&KeyUsagePurpose::KeyEncipherment);
            params = server_params(&names, is_rsa).expect("names");
            params.distinguished_name.push(DnType::CommonName, names[0].to_string());
        }
        (params.not_before, params.not_after) = (not_before, not_after);
        self.issue(params, &public_key)
    }

    /// Signs a request as asked, valid from an hour ago for 90 days.
    pub fn sign_now(&self, csr_der: &[u8]) -> Vec<u8> {
        let now = OffsetDateTime::now_utc();
        self.sign(csr_der, now - Duration::hours(1), now + Duration::days(90), None)
    }

    /// Signs what `params` say; for certificates that no request asks for.
    pub(crate) fn issue(&self, mut params: CertificateParams, public_key: &impl PublicKeyData) -> Vec<u8> {
        params.is_ca = IsCa::ExplicitNoCa;
        let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(self.intermediate.as_slice()), self.key.pair());
        sign(params, public_key, &issuer.expect("an intermediate")).expect("a certificate")
    }

    /// The certificate of a client: common name, organization, e-mail alternative name `name@meridian.example`.
    pub fn client(&self, name: &str, not_before: OffsetDateTime, not_after: OffsetDateTime) -> TestClient {
        self.client_as(name, |params| (params.not_before, params.not_after) = (not_before, not_after))
    }

    /// The same, valid from an hour ago for 90 days.
    pub fn client_now(&self, name: &str) -> TestClient {
        let now = OffsetDateTime::now_utc();
        self.client(name, now - Duration::hours(1), now + Duration::days(90))
    }

    /// The same, changed before it is signed.
    pub(crate) fn client_as(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> TestClient {
        let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
        let now = OffsetDateTime::now_utc();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Meridian Books");
        params.distinguished_name.push(DnType::CommonName, name);
        let mail = format!("{}@meridian.example", name.to_lowercase()).try_into().expect("ASCII");
        params.subject_alt_names = vec![SanType::Rfc822Name(mail)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = (now - Duration::hours(1), now + Duration::days(90));
        change(&mut params);
        let leaf = self.issue(params, key.pair());
        TestClient { leaf, key: key.pair().serialized_der().to_vec() }
    }

    /// What the root revoked: serial numbers, with the number of the list, DER.
    pub fn root_crl(&self, serials: &[&[u8]], number: u64, made: OffsetDateTime, until: OffsetDateTime) -> Vec<u8> {
        crl(&self.root, &self.root_key, serials, number, (made, until), None)
    }

    /// The same of the intermediate, which signs the certificates.
    pub fn issuing_crl(&self, serials: &[&[u8]], number: u64, made: OffsetDateTime, until: OffsetDateTime) -> Vec<u8> {
        crl(&self.intermediate, &self.key, serials, number, (made, until), None)
    }

    /// The same, about those certificates only that name this address.
    pub fn issuing_crl_about(&self, address: &str, serials: &[&[u8]], until: OffsetDateTime) -> Vec<u8> {
        let distribution_point = CrlDistributionPoint { uris: vec![address.into()] };
        self.issuing_crl_at(CrlIssuingDistributionPoint { distribution_point, scope: None }, serials, until)
    }

    /// The same, about what is said there.
    pub(crate) fn issuing_crl_at(
        &self,
        point: CrlIssuingDistributionPoint,
        serials: &[&[u8]],
        until: OffsetDateTime,
    ) -> Vec<u8> {
        let made = until - Duration::days(7);
        crl(&self.intermediate, &self.key, serials, 1, (made, until), Some(point))
    }

    /// A leaf with its issuers as a CA sends them: leaf, intermediate, root.
    pub fn chain_pem(&self, leaf: &[u8]) -> String {
        [leaf, &self.intermediate, &self.root].map(|der| pem::encode("CERTIFICATE", der)).concat()
    }

    /// That a client came to a place that asks `list`, and showed its certificate with that of its issuer.
    pub fn seen(&self, list: TrustListId, client: &TestClient, subject: &str, at: OffsetDateTime) -> Seen {
        let sent = [client.leaf.as_slice(), &self.intermediate].map(|der| CertificateDer::from(der).into_owned());
        Seen { list, sent: sent.to_vec().into(), subject: subject.into(), at }
    }

    /// The root's certificate.
    pub fn root_der(&self) -> &[u8] {
        &self.root
    }

    /// The intermediate's certificate.
    pub fn intermediate_der(&self) -> &[u8] {
        &self.intermediate
    }

    /// Another certificate of the intermediate, with the same name and key.
    #[cfg(test)]
    pub(crate) fn intermediate_again(&self) -> Vec<u8> {
        let mut params = ca_params("Test Issuing CA", BasicConstraints::Constrained(0));
        params.serial_number = Some(SerialNumber::from(7_u64));
        let root = CertificateDer::from(self.root.as_slice());
        let issuer = Issuer::from_ca_cert_der(&root, self.root_key.pair()).expect("a root");
        params.signed_by(self.key.pair(), &issuer).expect("an intermediate").der().to_vec()
    }

    /// The root's certificate as text.
    pub fn root_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.root)
    }
}

/// A list in the name of the CA with this certificate, signed with `key`.
pub(crate) fn crl(
    issuer: &[u8],
    key: &PrivateKey,
    serials: &[&[u8]],
    number: u64,
    (this_update, next_update): (OffsetDateTime, OffsetDateTime),
    issuing_distribution_point: Option<CrlIssuingDistributionPoint>,
) -> Vec<u8> {
    let entry = |serial: &&[u8]| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: this_update,
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update,
        next_update,
        crl_number: SerialNumber::from(number),
        issuing_distribution_point,
        revoked_certs: serials.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(issuer), key.pair()).expect("a CA");
    list.signed_by(&issuer).expect("a list").der().to_vec()
}

fn ca_params(name: &str, constraints: BasicConstraints) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = OffsetDateTime::now_utc() - Duration::days(3650);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(3650);
    params
}

/// What the `openssl` program prints for `input`. Panics with its own words where it fails.
pub fn openssl(options: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the openssl program");
    child.stdin.take().expect("a pipe").write_all(input).expect("openssl reads its input");
    let output = child.wait_with_output().expect("openssl ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {options:?}: {said}");
    output.stdout
}
