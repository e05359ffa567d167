//! Certificates as files: for everybody without the key, and with it for people who may have it.

use askama::Template;
use askama_web::WebTemplate;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use siteward_core::certificate::CertificateId;
use siteward_core::chain::X509;
use siteward_core::export::{KeyFile, check_password, p7b, p7b_pem};
use siteward_core::peer::Peer;
use siteward_core::store::{Certificate, Request};

use super::attachment;
use crate::App;
use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields, Refusal};
use crate::requests::file_name;
use crate::session::Session;
use crate::shell::Shell;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DownloadQuery {
    #[serde(rename = "as")]
    form: String,
    /// `leaf`, or all that is sent.
    of: String,
}

/// The leaf, or the leaf and the issuers sent along, as a file without the key.
pub(crate) async fn download(
    session: Session,
    At(id): At<CertificateId>,
    Asked(query): Asked<DownloadQuery>,
) -> Answer {
    let certificate = session.store().find_certificate(id).await?;
    let only = if query.of == "leaf" { 1 } else { certificate.chain.len() };
    let chain = &certificate.chain[..only.min(certificate.chain.len())];
    let file = |extension| file_name(&certificate.facts.subject, extension);
    Ok(match query.form.as_str() {
        "der" => {
            let der: Vec<u8> = chain.iter().flat_map(|own| own.der.iter().copied()).collect();
            attachment(&file("cer"), "application/pkix-cert", der)
        }
        "p7b" => attachment(&file("p7b"), "application/x-pkcs7-certificates", p7b(chain)),
        "p7b-pem" => attachment(&file("p7b"), "application/x-pkcs7-certificates", p7b_pem(chain)),
        _ => {
            let pem: String = chain.iter().map(X509::to_pem).collect();
            attachment(&file("pem"), "application/x-pem-file", pem)
        }
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ExportForm {
    form: String,
    /// The tick for a key in clear.
    clear: String,
    password: String,
    again: String,
    /// The password of who is signed in.
    own: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "certificates/export.html")]
struct ExportPage {
    shell: Shell,
    errors: Errors,
    certificate: Certificate,
    request: Option<Request>,
    may_export_keys: bool,
    chosen: KeyFile,
    clear: bool,
}

async fn page(session: &Session, id: CertificateId, form: &ExportForm, errors: Errors) -> Result<ExportPage, Failure> {
    Ok(ExportPage {
        shell: session.shell("/certificates").await?,
        errors,
        certificate: session.store().find_certificate(id).await?,
        request: session.store().find_request_of(id).await?,
        may_export_keys: session.user.may_export_keys,
        chosen: KeyFile::parse(&form.form).unwrap_or(KeyFile::Pfx),
        clear: !form.clear.is_empty(),
    })
}

/// What each form is for.
fn purpose(file: KeyFile) -> &'static str {
    match file {
        KeyFile::Pfx => "For Windows Server 2019 and later, Java, and every system of the last years.",
        KeyFile::LegacyPfx => {
            "For older Windows and devices that refuse the other. Its encryption is weak: guard the file."
        }
        KeyFile::Pem => "For web servers and tools that ask for a password, such as nginx and openssl.",
        KeyFile::ClearPem => "For programs that take no password. Whoever reads the file has the key.",
    }
}

/// The forms a certificate can be had in.
pub(crate) async fn show(session: Session, At(id): At<CertificateId>) -> Answer {
    Ok(page(&session, id, &ExportForm::default(), Errors::default()).await?.into_response())
}

impl ExportForm {
    fn parse(&self) -> Result<KeyFile, Errors> {
        let mut errors = Errors::default();
        let file = errors.check("form", KeyFile::parse(&self.form).ok_or("Choose a form."));
        if file == Some(KeyFile::ClearPem) && self.clear.is_empty() {
            errors.add("clear", "Tick that whoever reads the file has the key.");
        }
        if file.is_none_or(KeyFile::has_password) {
            match check_password(&self.password) {
                Err(sentence) => errors.add("password", sentence),
                Ok(()) if self.password != self.again => {
                    errors.add("again", "The two passwords differ. Type the same one twice.");
                }
                Ok(()) => {}
            }
        }
        errors.or(file)
    }
}

/// The key with its chain as a file, after one's own password. Guessing that one is limited as at the door.
pub(crate) async fn create(
    session: Session,
    State(app): State<App>,
    At(id): At<CertificateId>,
    Extension(peer): Extension<Peer>,
    Fields(form): Fields<ExportForm>,
) -> Answer {
    let file = match form.parse() {
        Ok(file) => file,
        Err(errors) => return refuse(&session, id, &form, errors).await,
    };
    if let Err(unproven) = session.prove(&app, peer, form.own.clone()).await? {
        return unproven.answer("own", async |errors| page(&session, id, &form, errors).await).await;
    }
    match session.store().export_key(id, file, form.password.clone(), &session.author()).await {
        Ok(written) => {
            let subject = session.store().find_certificate(id).await?.facts.subject;
            let (extension, content_type) = match file {
                KeyFile::Pfx | KeyFile::LegacyPfx => ("pfx", "application/x-pkcs12"),
                KeyFile::Pem | KeyFile::ClearPem => ("pem", "application/x-pem-file"),
            };
            Ok(attachment(&file_name(&subject, extension), content_type, Bytes::from_owner(written)))
        }
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            refuse(&session, id, &form, errors).await
        }
    }
}

async fn refuse(session: &Session, id: CertificateId, form: &ExportForm, errors: Errors) -> Result<Response, Failure> {
    let page = page(session, id, form, errors).await?;
    Ok((page.errors.status(), page).into_response())
}

#[cfg(test)]
mod tests {
    use siteward_core::intake;

    use crate::testing::{Browser, PASSWORD};

    const FILE_PASSWORD: &str = "opens-the-export";

    fn form(form: &'static str) -> Vec<(&'static str, &'static str)> {
        vec![("form", form), ("password", FILE_PASSWORD), ("again", FILE_PASSWORD), ("own", PASSWORD)]
    }

    #[tokio::test]
    async fn a_certificate_without_its_key_is_saved_in_every_form() {
        let mut browser = Browser::signed_in().await;
        browser.certificate("shop.example").await;
        let page = browser.get("/certificates/1/export").await;
        assert_eq!(page.status, 200, "{}", page.html);
        let links: Vec<&str> = page.html.split("href=\"/certificates/1/download?").skip(1).collect();
        assert!(links.len() >= 7, "{}", page.html);
        for link in links {
            let path = format!("/certificates/1/download?{}", link.split('"').next().unwrap().replace("&#38;", "&"));
            let file = browser.get(&path).await;
            assert_eq!(file.status, 200, "{path}");
            assert!(!file.html.contains("PRIVATE KEY"), "{path}");
            assert!(file.headers["content-disposition"].to_str().unwrap().contains("shop.example."), "{path}");
        }
        for path in
            ["/requests/1/download?as=csr", "/requests/1/download?as=csr&header=new", "/requests/1/download?as=der"]
        {
            assert_eq!(browser.get(path).await.status, 200, "{path}");
        }
    }

    #[tokio::test]
    async fn the_key_is_exported_after_one_s_own_password_and_the_ledger_has_it() {
        let mut browser = Browser::signed_in().await;
        browser.certificate("shop.example").await;
        let mut fields = form("pem-clear");
        fields.push(("clear", "yes"));
        let page = browser.post("/certificates/1/export", &fields).await;
        assert_eq!((page.status, page.headers["cache-control"].to_str().unwrap()), (200, "no-store"));
        let pairs = intake::open(&[("file", page.html.as_bytes())], None).unwrap().pairs().unwrap();
        assert_eq!(pairs[0].chain.leaf.fingerprint, browser.store.find_certificate(1).await.unwrap().facts.fingerprint);
        let page = browser.post("/certificates/1/export", &form("pfx")).await;
        assert_eq!(page.headers["content-disposition"], "attachment; filename=\"shop.example.pfx\"");
        let log = browser.get("/activity").await.html;
        for text in ["exported the private key of shop.example", "PFX, AES-256", "PEM, not encrypted"] {
            assert!(log.contains(text), "no {text:?} in {log}");
        }
        assert!(!log.contains(FILE_PASSWORD) && !log.contains(PASSWORD));
    }

    #[tokio::test]
    async fn what_is_missing_is_said_beside_its_field_and_nothing_leaves() {
        let mut browser = Browser::signed_in().await;
        browser.certificate("shop.example").await;
        let revision = browser.store.table().revision();
        for (name, value, field) in [
            ("form", "zip", "form"),
            ("form", "pem-clear", "clear"),
            ("password", "seven77", "password"),
            ("again", "another one", "again"),
            ("own", "not my password", "own"),
        ] {
            let mut fields = form("pfx");
            fields.iter_mut().filter(|(own, _)| *own == name).for_each(|(_, own)| *own = value);
            let page = browser.post("/certificates/1/export", &fields).await;
            assert_eq!(page.status, 422, "{name} {value}");
            assert!(page.html.contains(&format!(r##"<a href="#{field}">"##)), "{name} {value}: {}", page.html);
            for secret in [FILE_PASSWORD, PASSWORD, "PRIVATE KEY"] {
                assert!(!page.html.contains(secret), "{name} {value}: {secret}");
            }
        }
        assert_eq!(browser.store.table().revision(), revision);
    }

    #[tokio::test]
    async fn guessing_one_s_own_password_is_limited() {
        let mut browser = Browser::signed_in().await;
        browser.certificate("shop.example").await;
        let mut guess = form("pfx");
        guess.retain(|(name, _)| *name != "own");
        guess.push(("own", "not my password"));
        for _ in 0..8 {
            browser.post("/certificates/1/export", &guess).await;
        }
        assert_eq!(browser.post("/certificates/1/export", &form("pfx")).await.status, 429);
    }

    #[tokio::test]
    async fn who_was_invited_exports_no_key_until_somebody_who_may_allows_it() {
        let mut browser = Browser::signed_in().await;
        browser.certificate("shop.example").await;
        let invited = browser.post("/team/invite", &[("note", "Owen Clarke")]).await;
        let (_, link) = invited.html.split_once("https://console.test").unwrap();
        let mut owen = browser.clone();
        owen.forget();
        let join = [("name", "Owen Clarke"), ("mail", "owen@alderfinch.example"), ("password", PASSWORD)];
        owen.submit(link.split('<').next().unwrap(), &join).await;

        assert!(owen.get("/certificates/1/export").await.html.contains("You may not export private keys"));
        let page = owen.post("/certificates/1/export", &form("pfx")).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("Somebody who may can allow it"), "{}", page.html);

        let people = browser.store.list_users().await.unwrap();
        let id = |name: &str| people.iter().find(|person| person.name == name).unwrap().id;
        let (inga, owen_s) = (id(crate::testing::NAME), id("Owen Clarke"));
        let allow = |id| format!("/team/{id}/keys");
        let yes = [("allow", "yes"), ("own", PASSWORD)];
        assert_eq!(owen.post(&allow(owen_s), &yes).await.status, 422, "not to oneself");
        assert_eq!(owen.post(&allow(inga), &[("allow", "")]).await.status, 422, "nor by who may not");
        assert_eq!(browser.post(&allow(inga), &yes).await.status, 422);
        for own in ["", "not my password"] {
            let page = browser.post(&allow(owen_s), &[("allow", "yes"), ("own", own)]).await;
            assert!(page.status == 422 && page.html.contains(r##"<a href="#own">"##), "a session alone: {}", page.html);
        }
        assert_eq!(owen.post("/certificates/1/export", &form("pfx")).await.status, 422, "nothing was allowed yet");
        assert!(browser.get("/team").await.html.contains(&format!("href=\"{}\"", allow(owen_s))));
        assert_eq!(browser.get(&allow(owen_s)).await.status, 200);
        let page = browser.submit(&allow(owen_s), &yes).await;
        assert!(page.html.contains("Saved: who may export private keys."), "{}", page.html);
        assert_eq!(browser.get(&allow(999)).await.status, 404);
        assert_eq!(owen.post("/certificates/1/export", &form("pfx")).await.status, 200);
        browser.submit(&allow(owen_s), &[]).await;
        assert_eq!(owen.post("/certificates/1/export", &form("pfx")).await.status, 422);
        let log = browser.get("/activity").await.html;
        assert!(log.contains("allowed Owen Clarke to export private keys"), "{log}");
    }
}
