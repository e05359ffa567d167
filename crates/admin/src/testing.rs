//! A browser for tests: keeps cookies, reads pages, sends forms.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use axum_extra::extract::cookie::Cookie;
use siteward_core::certificate::CertificateId;
use siteward_core::host::HostName;
use siteward_core::key::KeyKind;
use siteward_core::ledger::Author;
use siteward_core::peer::Peer;
use siteward_core::refused::{Cause, Decided, Refused};
use siteward_core::site::SiteId;
use siteward_core::ssl::{Refusal, RulePath, Transport};
use siteward_core::status::{Reporter, Status};
use siteward_core::store::{NewRequest, RequestId, Store, new_reference};
use siteward_core::subject::{Subject, SubjectAnswers};
use siteward_core::testing::{TestStore, tester};
use siteward_core::traffic::Client;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tower::ServiceExt;

use crate::form::address;
use crate::{Console, Ports, router};

/// Who is signed in.
pub(crate) const NAME: &str = "Inga Solberg";
/// With this address.
pub(crate) const MAIL: &str = "inga@alderfinch.example";
/// And this password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The answer to one request.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) html: String,
    /// Where a redirect leads; empty without one.
    pub(crate) location: String,
    pub(crate) headers: HeaderMap,
}

impl Page {
    /// The value of the first hidden field or box with this name.
    pub(crate) fn value(&self, name: &str) -> String {
        let (_, rest) = self.html.split_once(&format!("name=\"{name}\" value=\"")).expect(name);
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A browser at a console of its own.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) store: Store,
    pub(crate) reporter: Arc<Reporter>,
    router: Router,
    cookie: Option<String>,
    /// Outside the data directory.
    folder: Arc<TempDir>,
    /// Keeps the data directory for as long as the browser lives.
    _store: Arc<TestStore>,
}

impl Browser {
    /// At an empty console, signed in as [`NAME`].
    pub(crate) async fn signed_in() -> Self {
        let mut browser = Self::stranger().await;
        let token = browser.store.create_invitation("the first one", &tester()).await.unwrap();
        let form = [("name", NAME), ("mail", MAIL), ("password", PASSWORD)];
        let page = browser.post(&format!("/join/{token}"), &form).await;
        assert_eq!((page.status, page.location.as_str()), (303, "/?saved=joined"), "{}", page.html);
        browser
    }

    /// At an empty console where nobody is known.
    pub(crate) async fn stranger() -> Self {
        let data = TestStore::open().await;
        let store = data.store.clone();
        let (reporter, status): (_, Status) = Reporter::new();
        // What the server would report: it has taken up whatever comes.
        reporter.report(i64::MAX, Default::default());
        let console = Console { store: store.clone(), status, proposed: Ports { http: 80, https: 443 } };
        Self {
            store,
            reporter: Arc::new(reporter),
            router: router(console),
            cookie: None,
            folder: Arc::new(TempDir::new().unwrap()),
            _store: Arc::new(data),
        }
    }

    /// Adds a site with its own folder and one http binding on port 80.
    pub(crate) async fn site(&mut self, name: &str, host: &str, ssl: &str) -> SiteId {
        let form = [("name", name), ("host", host), ("port", "80"), ("place", "own"), ("ssl", ssl)];
        let page = self.post("/sites/new", &form).await;
        assert_eq!(page.status, 303, "{}", page.html);
        let id = page.location.trim_start_matches("/sites/").split('?').next().unwrap();
        id.parse().unwrap()
    }

    /// The same with an https binding on port 443 and a certificate for it.
    pub(crate) async fn https_site(&mut self, name: &str, host: &str, ssl: &str) -> SiteId {
        let id = self.site(name, host, ssl).await;
        let certificate = self.certificate(host).await;
        self.bind(id, host, certificate).await;
        id
    }

    /// Keeps a request in clear for a path of a site that `place` refuses; its reference.
    pub(crate) async fn refused(&self, site: SiteId, path: &str, place: RulePath) -> String {
        let table = self.store.table();
        let rule = table.site(site).unwrap().rules.list().iter().find(|rule| rule.path == place).unwrap().id;
        let refused = Refused {
            reference: new_reference().unwrap(),
            at: OffsetDateTime::now_utc(),
            listener: "192.0.2.1:80".parse().unwrap(),
            server_name: None,
            host: Some(HostName::parse("shop.example").unwrap()),
            site: Some(site),
            path: path.into(),
            came: Transport::Clear { credentials: false, reads: true }.into(),
            cause: Cause::Unmet(Refusal::SslRequired),
            revision: table.revision(),
            decided: Some(Decided { rule, place, setting: "require_ssl".into(), value: "refuse".into(), twist: None }),
            client: Client::new("curl/8.5.0", "203.0.113.7".parse().unwrap()),
        };
        let reference = refused.reference.to_string();
        self.store.record_refused(&[refused]).await.unwrap();
        reference
    }

    /// Installs a certificate for one name, by an authority of its own.
    pub(crate) async fn certificate(&self, host: &str) -> CertificateId {
        self.certificate_of(host, OffsetDateTime::now_utc()).await
    }

    /// The same as if it had been done at `now`: it lasts 90 days from then.
    pub(crate) async fn certificate_of(&self, host: &str, now: OffsetDateTime) -> CertificateId {
        let by = Author { now, ..tester() };
        let authority = match self.store.list_authorities().await.unwrap().first() {
            Some(authority) => authority.id,
            None => {
                let old = Author { now: OffsetDateTime::now_utc() - Duration::days(365), ..tester() };
                self.store.create_authority("Test CA", KeyKind::EcdsaP256, &old).await.unwrap()
            }
        };
        let request = self.request(host, now).await;
        self.store.sign_request(request, authority, &by).await.unwrap()
    }

    /// Makes a request for one name, as if at `now`.
    pub(crate) async fn request(&self, host: &str, now: OffsetDateTime) -> RequestId {
        let answers = SubjectAnswers { common_name: host.into(), ..SubjectAnswers::default() };
        let subject = Subject::parse(&answers).unwrap();
        let new = NewRequest { site: None, friendly_name: host.into(), subject, key: KeyKind::EcdsaP256 };
        self.store.create_request(new, &Author { now, ..tester() }).await.unwrap()
    }

    /// Binds a site to https on port 443 with a certificate, whatever speaks against it.
    pub(crate) async fn bind(&mut self, id: SiteId, host: &str, certificate: CertificateId) {
        let certificate = certificate.to_string();
        let form = [("protocol", "https"), ("port", "443"), ("host", host), ("certificate", certificate.as_str())];
        let form: Vec<_> = form.into_iter().chain([("confirmed", "yes")]).collect();
        let page = self.post(&format!("/sites/{id}/bindings/new"), &form).await;
        assert_eq!(page.status, 303, "{}", page.html);
    }

    /// The version of a site, as a form carries it.
    pub(crate) fn version(&self, id: SiteId) -> String {
        self.store.table().site(id).unwrap().version.to_string()
    }

    /// An existing folder that a site may have.
    pub(crate) fn folder(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// An existing file, which is no folder.
    pub(crate) fn file(&self) -> String {
        let file = self.folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        file.display().to_string()
    }

    /// Drops the cookie.
    pub(crate) fn forget(&mut self) {
        self.cookie = None;
    }

    /// Opens a page.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Request::get(path), Body::empty()).await
    }

    /// Sends a form of this console.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_from("https://console.test", path, fields).await
    }

    /// Sends a form, and follows to the page it leads to.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.post(path, fields).await;
        assert_eq!(page.status, 303, "{}", page.html);
        self.get(&page.location).await
    }

    /// Sends a form that stands on a page of `origin`.
    pub(crate) async fn post_from(&mut self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let body: Vec<String> =
            fields.iter().map(|field| address("", &[*field]).trim_start_matches('?').into()).collect();
        let request = Request::post(path)
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(body.join("&"))).await
    }

    /// Sends files and pasted text, as the macro `bring` asks for them.
    pub(crate) async fn bring(&mut self, path: &str, files: &[(&str, &[u8])], text: &str) -> Page {
        self.bring_with(path, files, &[("text", text)]).await
    }

    /// Sends files, and answers to what a page asks besides.
    pub(crate) async fn bring_with(&mut self, path: &str, files: &[(&str, &[u8])], answers: &[(&str, &str)]) -> Page {
        const BOUNDARY: &str = "a-boundary-of-this-test";
        let mut body = Vec::new();
        let mut part = |head: String, content: &[u8]| {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n");
            body.extend([head.as_bytes(), content, b"\r\n"].concat());
        };
        for (name, content) in files {
            part(format!("name=\"reply\"; filename=\"{name}\""), content);
        }
        for (name, answer) in answers {
            part(format!("name=\"{name}\""), answer.as_bytes());
        }
        body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
        let request = Request::post(path)
            .header(header::ORIGIN, "https://console.test")
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"));
        self.send(request, Body::from(body)).await
    }

    /// Sends any request.
    pub(crate) async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Page {
        let peer = Peer(SocketAddr::from(([127, 0, 0, 1], 50_000)));
        let mut request = request.header(header::HOST, "console.test").extension(peer).body(body).unwrap();
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        if let Some(cookie) = parts.headers.get(header::SET_COOKIE) {
            let cookie = Cookie::parse(cookie.to_str().unwrap().to_owned()).unwrap();
            self.cookie = (!cookie.value().is_empty()).then(|| format!("{}={}", cookie.name(), cookie.value()));
        }
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Page {
            status: parts.status.as_u16(),
            html: String::from_utf8_lossy(&body).into_owned(),
            location: parts.headers.get(header::LOCATION).map_or("", |l| l.to_str().unwrap()).to_owned(),
            headers: parts.headers,
        }
    }
}
