//! The real `openssl` program as a certification authority: a root, an intermediate, and what they sign.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use siteward_core::certificate::Fingerprint;
use tempfile::TempDir;

/// A certification authority with one intermediate that signs.
#[derive(Debug)]
pub(crate) struct Authority {
    folder: TempDir,
}

/// What the authority sends back, each certificate in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) leaf: String,
    pub(crate) intermediate: String,
    pub(crate) root: String,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Validity {
    Now,
    Expired,
    NotYet,
    /// While the authority is valid itself.
    FromTomorrow,
}

const CONFIGURATION: &str = "\
[ca]
default_ca = intermediate
[intermediate]
database = index.txt
new_certs_dir = issued
certificate = intermediate.pem
private_key = intermediate.key
default_md = sha256
default_days = 90
policy = anything
copy_extensions = copy
unique_subject = no
rand_serial = yes
crlnumber = crlnumber
crl_extensions = list
default_crl_days = 7
x509_extensions = leaf
string_mask = utf8only
[anything]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[list]
authorityKeyIdentifier = keyid
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = name
[name]
";

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        authority.write("ca.cnf", CONFIGURATION);
        authority.write("index.txt", "");
        authority.write("crlnumber", "01\n");
        fs::create_dir(authority.path("issued")).expect("a folder for what is issued");
        let make = |arguments: &str| {
            authority.run(&arguments.split(' ').collect::<Vec<_>>());
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -config ca.cnf";
        make(&format!(
            "req -x509 {key} -days 3650 -subj /O=Meridian/CN=Meridian_Root -extensions authority -keyout root.key -out root.pem"
        ));
        make(&format!(
            "req -new {key} -subj /O=Meridian/CN=Meridian_TLS -keyout intermediate.key -out intermediate.csr"
        ));
        make(
            "x509 -req -in intermediate.csr -CA root.pem -CAkey root.key -CAcreateserial -days 1825 \
             -extfile ca.cnf -extensions authority -out intermediate.pem",
        );
        authority
    }

    /// The same with one more intermediate between the one that signs and the root.
    pub(crate) fn with_two_intermediates() -> Self {
        let authority = Self::new();
        for name in ["pem", "key"] {
            fs::rename(authority.path(&format!("intermediate.{name}")), authority.path(&format!("upper.{name}")))
                .expect("the upper intermediate");
        }
        let make = |arguments: &str| {
            authority.run(&arguments.split(' ').collect::<Vec<_>>());
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -config ca.cnf";
        make(&format!("req -new {key} -subj /O=Meridian/CN=Meridian_TLS_4 -keyout intermediate.key -out lower.csr"));
        make(
            "x509 -req -in lower.csr -CA upper.pem -CAkey upper.key -CAcreateserial -days 1825 \
             -extfile ca.cnf -extensions authority -out intermediate.pem",
        );
        authority
    }

    /// A reply with the root and both intermediates as PKCS#7 (`.p7b`), the leaf last but one.
    pub(crate) fn p7b_in_a_wrong_order(&self, reply: &Reply) -> Vec<u8> {
        self.write("reply.pem", &reply.leaf);
        let mut arguments = vec!["crl2pkcs7", "-nocrl", "-outform", "DER", "-out", "reply.p7b"];
        for file in ["root.pem", "upper.pem", "reply.pem", "intermediate.pem"] {
            arguments.extend(["-certfile", file]);
        }
        self.run(&arguments);
        fs::read(self.path("reply.p7b")).expect("a bundle")
    }

    /// A certificate for `hosts` with its key and chain as old servers export them: RC2-40, 3DES and SHA-1.
    pub(crate) fn legacy_pfx(&mut self, hosts: &[&str], password: &str) -> (Reply, Vec<u8>) {
        let subject = format!("/O=Alder & Finch Ltd/CN={}", hosts[0]);
        let names = format!("subjectAltName=DNS:{}", hosts.join(",DNS:"));
        let mut request =
            vec!["req", "-new", "-newkey", "rsa:2048", "-noenc", "-config", "ca.cnf", "-keyout", "old.key"];
        request.extend(["-subj", &subject, "-addext", &names, "-out", "old.csr"]);
        self.run(&request);
        let csr = self.read("old.csr");
        let reply = self.sign(&csr);
        self.write("old.pem", &[reply.leaf.clone(), self.read("intermediate.pem"), self.read("upper.pem")].concat());
        let password = format!("pass:{password}");
        let mut export =
            vec!["pkcs12", "-export", "-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES"];
        export.extend(["-macalg", "sha1", "-inkey", "old.key", "-in", "old.pem", "-passout", &password]);
        export.extend(["-out", "old.pfx"]);
        self.run(&export);
        (reply, fs::read(self.path("old.pfx")).expect("a PFX"))
    }

    /// The root to trust.
    pub(crate) fn root_pem(&self) -> String {
        self.read("root.pem")
    }

    /// The root's file.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("root.pem")
    }

    /// Checks a request's own signature; the request in words.
    pub(crate) fn verify_request(&self, csr: &str) -> String {
        self.write("verify.csr", csr);
        let output =
            self.run(&["req", "-verify", "-in", "verify.csr", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus"]);
        let verdict = String::from_utf8_lossy(&output.stderr);
        assert!(verdict.contains("verify OK"), "{verdict}");
        String::from_utf8(output.stdout).expect("the request in UTF-8")
    }

    /// Signs a request, copying the names it asks for.
    pub(crate) fn sign(&mut self, csr: &str) -> Reply {
        self.sign_for(csr, Validity::Now)
    }

    /// Signs a request with the dates of `validity`.
    pub(crate) fn sign_for(&mut self, csr: &str, validity: Validity) -> Reply {
        self.sign_as("leaf", csr, validity);
        Reply { leaf: self.read("leaf.pem"), intermediate: self.read("intermediate.pem"), root: self.read("root.pem") }
    }

    /// A certificate for a person or device with this common name, and its key, both PEM.
    pub(crate) fn client(&mut self, name: &str, validity: Validity) -> (String, String) {
        let subject = format!("/O=Meridian Books/CN={name}");
        let key =
            "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -config ca.cnf -keyout client.key -out client.csr";
        let mut request = vec!["req", "-new", "-subj", &subject];
        request.extend(key.split(' '));
        self.run(&request);
        self.sign_as("client", &self.read("client.csr"), validity);
        (self.read("leaf.pem"), self.read("client.key"))
    }

    /// Revokes what it signed last; its revocation list from then on, DER.
    pub(crate) fn revoke_last(&mut self) -> Vec<u8> {
        self.run(&["ca", "-config", "ca.cnf", "-revoke", "leaf.pem"]);
        self.run(&["ca", "-config", "ca.cnf", "-gencrl", "-out", "list.pem"]);
        self.run(&["crl", "-in", "list.pem", "-outform", "DER", "-out", "list.crl"]);
        fs::read(self.path("list.crl")).expect("a revocation list")
    }

    /// What signs.
    pub(crate) fn intermediate_pem(&self) -> String {
        self.read("intermediate.pem")
    }

    fn sign_as(&self, extensions: &str, csr: &str, validity: Validity) {
        self.write("sign.csr", csr);
        let mut arguments = vec!["ca", "-batch", "-config", "ca.cnf", "-notext", "-in", "sign.csr", "-out", "leaf.pem"];
        arguments.extend(["-extensions", extensions]);
        let (begin, end);
        arguments.extend(match validity {
            Validity::Now => vec![],
            Validity::Expired => vec!["-startdate", "20240101000000Z", "-enddate", "20240401000000Z"],
            Validity::NotYet => vec!["-startdate", "20480101000000Z", "-enddate", "20480401000000Z"],
            Validity::FromTomorrow => {
                (begin, end) = (in_days(1), in_days(30));
                vec!["-startdate", &begin, "-enddate", &end]
            }
        });
        self.run(&arguments);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect(name);
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let output =
            Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().expect("openssl runs");
        assert!(output.status.success(), "openssl {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

/// A time to come, as `openssl ca` takes it.
fn in_days(days: u32) -> String {
    let arguments = ["--utc", &format!("--date=+{days} days"), "+%Y%m%d%H%M%SZ"];
    let output = Command::new("date").args(arguments).output().expect("date runs");
    String::from_utf8(output.stdout).expect("a date").trim().to_owned()
}

impl Reply {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&CertificateDer::from_pem_slice(self.leaf.as_bytes()).expect("a leaf in PEM"))
    }

    /// As CAs send it: the leaf and what signed it, with the words around it that CAs like to add.
    pub(crate) fn chain(&self) -> String {
        format!("Your certificate:\r\n{}\r\nIntermediate:\r\n{}", self.leaf, self.intermediate)
    }
}
