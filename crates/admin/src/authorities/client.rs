//! A certificate for a person or device, with a key that is made here and handed out once.

use std::fmt;

use askama::Template;
use askama_web::WebTemplate;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use siteward_core::authority::{Order, Purpose, is_mail};
use siteward_core::export::{KeyFile, check_password};
use siteward_core::key::KeyKind;
use siteward_core::store::{Authority, AuthorityId, PfxOrder};
use siteward_core::subject::parse_text;
use zeroize::Zeroizing;

use super::days;
use crate::certificates::attachment;
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::requests::file_name;
use crate::session::Session;
use crate::shell::Shell;

/// How long a client certificate lasts unless somebody chooses otherwise, in days.
const CLIENT_DAYS: i64 = 365;

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct ClientForm {
    name: String,
    mail: String,
    organization: String,
    key: String,
    days: String,
    file: String,
    password: String,
    again: String,
}

/// Without the passwords.
impl fmt::Debug for ClientForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientForm").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Default for ClientForm {
    fn default() -> Self {
        Self {
            name: String::new(),
            mail: String::new(),
            organization: String::new(),
            key: KeyKind::EcdsaP256.as_str().into(),
            days: CLIENT_DAYS.to_string(),
            file: KeyFile::Pfx.as_str().into(),
            password: String::new(),
            again: String::new(),
        }
    }
}

impl ClientForm {
    fn read(&self) -> Result<PfxOrder, Errors> {
        let mut errors = Errors::default();
        let name = parse_text("A name", &self.name, 64);
        let name = name.and_then(|name| name.ok_or_else(|| "Enter the name of the person or device.".to_owned()));
        let name = errors.check("name", name);
        let mail = match self.mail.trim() {
            "" => Ok(None),
            mail if is_mail(mail) => Ok(Some(mail.to_owned())),
            _ => Err("Enter an e-mail address in ASCII letters, such as inga@shop.example, or nothing."),
        };
        let mail = errors.check("mail", mail);
        let organization = errors.check("organization", parse_text("Organization", &self.organization, 64));
        let key = errors.check("key", KeyKind::parse(&self.key).ok_or("Choose a key."));
        let days = days(&self.days, Purpose::Client.max_days(), &mut errors);
        let file = KeyFile::parse(&self.file).filter(|file| matches!(file, KeyFile::Pfx | KeyFile::LegacyPfx));
        let file = errors.check("file", file.ok_or("Choose how the file is encrypted."));
        if errors.check("password", check_password(&self.password)).is_some() && self.password != self.again {
            errors.add("again", "The two passwords differ. Enter the same one twice.");
        }
        let order = || {
            let order = Order {
                purpose: Purpose::Client,
                common_name: name?,
                organization: organization?,
                names: Vec::new(),
                mail: mail?,
                days: days?,
            };
            Some(PfxOrder { order, key: key?, file: file?, password: self.password.clone().into() })
        };
        let order = order();
        errors.or(order)
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/client.html")]
struct ClientPage {
    shell: Shell,
    authority: Authority,
    form: ClientForm,
    errors: Errors,
}

async fn page(session: &Session, id: AuthorityId, form: ClientForm, errors: Errors) -> Result<Response, Failure> {
    let authority = session.store().find_authority(id).await?;
    let shell = session.shell("/authorities").await?;
    Ok((errors.status(), ClientPage { shell, authority, form, errors }).into_response())
}

/// The empty form.
pub(crate) async fn new(session: Session, At(id): At<AuthorityId>) -> Answer {
    page(&session, id, ClientForm::default(), Errors::default()).await
}

/// Issues the certificate. The answer is the file itself: there is no second time.
pub(crate) async fn create(session: Session, At(id): At<AuthorityId>, Fields(form): Fields<ClientForm>) -> Answer {
    match issue(&session, id, &form).await {
        Ok(file) => {
            let mut answer = attachment(&file_name(&form.name, "pfx"), "application/x-pkcs12", Bytes::from_owner(file));
            answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
            Ok(answer)
        }
        Err(refusal) => page(&session, id, form, refusal.errors(session.now)?).await,
    }
}

async fn issue(session: &Session, id: AuthorityId, form: &ClientForm) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let order = form.read()?;
    let (_, file) = session.store().issue_as_pfx(id, order, &session.author()).await?;
    Ok(file)
}
