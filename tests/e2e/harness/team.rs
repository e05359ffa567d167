//! What an administrator does in the console, by its pages and forms; the quick way, for journeys that are about
//! something else than the pages.

use std::path::Path;

use hyper::StatusCode;

use super::console::{Console, Form, Page};
use super::openssl::Authority;
use super::program::{Machine, Program};

/// What the first administrator of every journey answers.
pub(crate) const NAME: &str = "Tomas Reyes";
pub(crate) const MAIL: &str = "tomas@alder.example";
pub(crate) const PASSWORD: &str = "wards-cut-into-the-bit";

impl Machine {
    /// Starts the program for the first time and signs in through the set-up link.
    pub(crate) async fn set_up(&self) -> (Program, Console) {
        let mut program = self.start().await;
        let link = program.set_up_link().await;
        let mut console = Console::at(&program.console, &self.console_root());
        let page = console.open(link.strip_prefix(&program.console).expect("a link to the console")).await;
        let form = page.form("Set up and sign in").with("name", NAME).with("mail", MAIL).with("password", PASSWORD);
        let page = console.submit(form).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        (program, console)
    }
}

impl Console {
    /// Adds a site with one http binding and `folder`; the path of its page.
    pub(crate) async fn add_site(&mut self, name: &str, host: &str, port: u16, folder: &Path) -> String {
        let form = Form::post("/sites/new")
            .with("name", name)
            .with("host", host)
            .with("port", &port.to_string())
            .with("place", "at")
            .with("folder", &folder.display().to_string())
            .with("ssl", "off");
        self.save(form).await
    }

    /// Requests a certificate for `host` with an ECDSA key; the path of the request's page.
    pub(crate) async fn request(&mut self, site: &str, host: &str) -> String {
        self.request_with(site, host, "ecdsa-p256").await
    }

    /// Requests a certificate for `host` with a key of this kind; the path of the request's page.
    pub(crate) async fn request_with(&mut self, site: &str, host: &str, key: &str) -> String {
        let form = Form::post("/requests/new")
            .with("step", "check")
            .with("go", "create")
            .with("site", site.trim_start_matches("/sites/"))
            .with("name", host)
            .with("key", key)
            .with("common_name", host);
        self.save(form).await
    }

    /// The text of the request at `path`.
    pub(crate) async fn csr(&mut self, path: &str) -> String {
        let page = self.open(&format!("{path}/download?as=csr")).await;
        assert_eq!(page.status, StatusCode::OK);
        page.body
    }

    /// Brings `reply` to the request at `path`; the page that shows what it would change, or what is wrong.
    pub(crate) async fn bring(&mut self, path: &str, reply: &[u8]) -> Page {
        let form = Form::post(&format!("{path}/reply")).with("text", "").with_file("reply", "reply.pem", reply);
        self.submit(form).await
    }

    /// Installs `reply` for the request at `path` and switches the bindings it is for; the path of the certificate.
    pub(crate) async fn complete(&mut self, path: &str, reply: &str) -> String {
        let page = self.bring(path, reply.as_bytes()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text("main"));
        let button = page.texts("button").into_iter().find(|words| words.starts_with("Install")).expect("a button");
        self.save(page.form(&button)).await
    }

    /// Requests a certificate, has `authority` sign it and installs it; the path of the certificate.
    pub(crate) async fn obtain(&mut self, authority: &mut Authority, site: &str, host: &str) -> String {
        let request = self.request(site, host).await;
        let reply = authority.sign(&self.csr(&request).await);
        self.complete(&request, &reply.chain()).await
    }

    /// Adds an https binding to `site` with a certificate.
    pub(crate) async fn bind_https(&mut self, site: &str, host: &str, port: u16, certificate: &str) {
        let page = self.open(&format!("{site}/bindings/new")).await;
        let form = page
            .form("Add the binding")
            .with("protocol", "https")
            .with("host", host)
            .with("port", &port.to_string())
            .with("certificate", certificate.trim_start_matches("/certificates/"));
        self.save(form).await;
    }

    /// Sets what plain HTTP gets from `site`: `off`, `refuse` or `redirect`.
    pub(crate) async fn require_ssl(&mut self, site: &str, setting: &str) {
        let page = self.open(&format!("{site}/ssl")).await;
        self.save(page.form("Save SSL settings").with("ssl", setting)).await;
    }

    /// Sends a form that must be taken; the path it leads to, without what follows a question mark.
    pub(crate) async fn save(&mut self, form: Form) -> String {
        let page = self.send(form).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}: {}", page.path, page.refusals().join(" "));
        let location = page.headers["location"].to_str().expect("a location in ASCII");
        location.split('?').next().unwrap_or_default().to_owned()
    }
}

impl Page {
    /// What the page says is wrong.
    pub(crate) fn refusals(&self) -> Vec<String> {
        self.texts(".err, .errors, [role=alert]")
    }
}
