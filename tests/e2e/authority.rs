//! Authorities through the console's pages, judged by `openssl` and `curl`: a chain of two, a server, a request of
//! somebody else, a revocation that everybody can fetch.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::client::curl;
use crate::harness::console::{Console, Form, Page};
use crate::harness::program::Machine;

/// The `openssl` program in a folder of its own.
struct Judge(TempDir);

impl Judge {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("a file can be written");
    }

    /// Everything that it says, and whether it succeeds.
    fn says(&self, arguments: &str) -> (bool, String) {
        let output = Command::new("openssl").current_dir(self.0.path()).args(arguments.split(' ')).output();
        let output = output.expect("openssl runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    fn run(&self, arguments: &str) -> String {
        let (success, said) = self.says(arguments);
        assert!(success, "openssl {arguments}: {said}");
        said
    }

    /// Fetches the document at `url` over http; a revocation list also as PEM.
    fn fetch(&self, url: &str, name: &str) {
        let file = self.path(name);
        curl(&["--fail", "--output", file.to_str().expect("a path in UTF-8"), url]);
    }
}

/// Where a certificate says that something is.
fn address(text: &str, ending: &str) -> String {
    let mut words = text.split([' ', '\n']).filter_map(|word| word.strip_prefix("URI:"));
    words.rfind(|url| url.ends_with(ending)).unwrap_or_else(|| panic!("no {ending} in {text}")).to_owned()
}

async fn make(console: &mut Console, name: &str, signed_by: &str, levels: &str, address: &str) -> String {
    let form = console.open("/authorities/new").await.form("Make the authority");
    let parents = form.clone();
    assert!(parents.names().any(|name| name == "parent"));
    let form = form.with("name", name).with("levels", levels).with("address", address).with("parent", signed_by);
    console.save(form.with("organization", "Alder & Finch").with("country", "GB").with("permitted", "example")).await
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().expect("an id")
}

async fn sign(console: &mut Console, authority: &str, csr: &str) -> Page {
    let form = console.open(&format!("{authority}/request")).await.form("Read the request");
    let preview = console.submit(form.with("csr", csr)).await;
    assert!(preview.body.contains("1.2.3.4") && preview.body.contains("Basic constraints"), "{}", preview.body);
    console.submit(preview.form("Sign the request")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_made_in_the_console_verifies_strictly_and_a_revocation_reaches_whoever_fetches_the_list() {
    let machine = Machine::new();
    let (program, mut console) = machine.set_up().await;
    let (http, https) = (machine.http.number(), machine.https.number());
    let at = format!("127.0.0.1:{http}");
    let root = make(&mut console, "Alder Root", "", "1", &at).await;
    let issuing = make(&mut console, "Alder Issuing", id(&root), "0", &at).await;

    let judge = Judge::new();
    judge.write("root.pem", &console.get(&format!("{root}/download?as=pem")).await.body);
    let trust = console.open(&format!("{issuing}/trust")).await;
    assert!(trust.body.contains("Trust Alder Root"), "devices trust the root: {}", trust.body);

    let form = console.open(&format!("{issuing}/server")).await.form("Sign and install");
    let outside = console.send(form.clone().with("names", "shop.org")).await;
    assert_eq!(outside.status, 422);
    assert!(outside.body.contains("shop.org is outside the names that Alder Issuing may sign for"), "{}", outside.body);
    let certificate = console.save(form.with("names", "shop.example")).await;
    let shop = console.add_site("Bookshop", "shop.example", http, &machine.content("shop", "Books")).await;
    console.bind_https(&shop, "shop.example", https, &certificate).await;
    console.require_ssl(&shop, "refuse").await;
    let file = judge.path("root.pem").display().to_string();
    let page = curl(&["--cacert", &file, &format!("https://shop.example:{https}/")]);
    assert!(page.contains("Books"), "curl accepts the chain that is served: {page}");

    judge.write("ask.cnf", ASK);
    judge.run(
        "req -new -newkey rsa:2048 -noenc -keyout key.pem -out request.pem -config ask.cnf -subj /CN=mail.example",
    );
    let csr = fs::read_to_string(judge.path("request.pem")).expect("a request");
    let issued = sign(&mut console, &issuing, &csr).await;
    assert!(issued.path.starts_with("/issued/"), "{}: {}", issued.path, issued.body);
    let issued = issued.path.split('?').next().expect("a path").to_owned();
    judge.write("leaf.pem", &console.get(&format!("{issued}/download?as=pem")).await.body);
    let text = judge.run("x509 -noout -text -in leaf.pem");
    assert!(!text.contains("1.2.3.4") && text.contains("DNS:mail.example"), "{text}");

    // Whoever checks follows the addresses in the certificates, over plain http.
    judge.fetch(&address(&text, ".cer"), "issuing.cer");
    judge.run("x509 -inform DER -in issuing.cer -out issuing.pem");
    let above = judge.run("x509 -noout -text -in issuing.pem");
    judge.fetch(&address(&above, ".crl"), "root.crl");
    judge.fetch(&address(&text, ".crl"), "issuing.crl");
    assert_eq!(verify(&judge), Ok(()));

    let form = console.open(&format!("{issued}/revoke")).await.form("Revoke the certificate");
    assert_eq!(console.send(form.clone()).await.status, 422, "a reason is needed");
    console.save(form.with("reason", "1")).await;
    judge.fetch(&address(&text, ".crl"), "issuing.crl");
    let said = verify(&judge).expect_err("it is revoked");
    assert!(said.contains("certificate revoked"), "{said}");
    let list = judge.run("crl -inform DER -in issuing.crl -noout -text");
    assert!(list.contains("Key Compromise"), "{list}");
    let read =
        Command::new("certtool").args(["--crl-info", "--inder", "--infile"]).arg(judge.path("issuing.crl")).output();
    assert!(read.expect("certtool runs").status.success());
    let page = curl(&["--cacert", &file, &format!("https://shop.example:{https}/")]);
    assert!(page.contains("Books"), "another certificate of the same authority is not touched");

    let delete = console.open(&format!("{issuing}/delete")).await;
    assert!(delete.body.contains("needs its revocation list"), "{}", delete.body);
    drop(program);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_authority_is_published_and_goes_on_signing() {
    let machine = Machine::new();
    let (_program, mut console) = machine.set_up().await;
    let at = format!("127.0.0.1:{}", machine.http.number());
    let root = make(&mut console, "Alder Root", "", "0", &at).await;
    let judge = Judge::new();
    judge.write("root.pem", &console.get(&format!("{root}/download?as=pem")).await.body);
    let form = console.open(&format!("{root}/renew")).await.form("Renew it");
    console.save(form.with("days", "7300")).await;
    judge.write("renewed.pem", &console.get(&format!("{root}/download?as=pem")).await.body);
    let page = console.open(&root).await;
    assert!(page.body.contains("Earlier certificates"), "{}", page.body);
    console
        .save(
            Form::post(&format!("{root}/server"))
                .with("names", "a.example")
                .with("key", "ecdsa-p256")
                .with("days", "30"),
        )
        .await;
    let issued = console.open("/issued?view=valid&f=a.example").await.addresses("main table a").remove(0);
    judge.write("leaf.pem", &console.get(&format!("{issued}/download?as=pem")).await.body);
    for trusted in ["root.pem", "renewed.pem"] {
        judge.run(&format!("verify -x509_strict -CAfile {trusted} leaf.pem"));
    }
    let text = judge.run("x509 -noout -text -in leaf.pem");
    judge.fetch(&address(&text, ".cer"), "published.cer");
    judge.run("x509 -inform DER -in published.cer -out published.pem");
    let fingerprint = |file: &str| judge.run(&format!("x509 -noout -fingerprint -sha256 -in {file}"));
    assert_eq!(fingerprint("published.pem"), fingerprint("renewed.pem"));
}

/// Strictly, with the revocation lists of the whole chain.
fn verify(judge: &Judge) -> Result<(), String> {
    let mut lists = String::new();
    for name in ["root.crl", "issuing.crl"] {
        lists += &judge.run(&format!("crl -inform DER -in {name}"));
    }
    judge.write("lists.pem", &lists);
    for check in ["-crl_check", "-crl_check_all"] {
        let (success, said) = judge.says(&format!(
            "verify -x509_strict -purpose sslserver {check} -CRLfile lists.pem -CAfile root.pem -untrusted issuing.pem leaf.pem"
        ));
        if !success {
            return Err(said);
        }
    }
    Ok(())
}

/// A request that asks for more than it gets.
const ASK: &str = "\
[req]
distinguished_name = name
req_extensions = wanted
[name]
[wanted]
basicConstraints = critical,CA:TRUE
subjectAltName = DNS:mail.example
1.2.3.4 = ASN1:NULL
";
