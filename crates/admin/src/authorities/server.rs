//! A certificate for a server, with a key that is made here and stays here.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use siteward_core::authority::{ISSUED_DAYS, Order, Purpose};
use siteward_core::certificate::{CertificateId, SubjectName};
use siteward_core::key::KeyKind;
use siteward_core::store::{Authority, AuthorityId};
use siteward_core::subject::{parse_names, parse_text};

use super::days;
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};

#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct ServerForm {
    names: String,
    organization: String,
    name: String,
    key: String,
    days: String,
}

impl Default for ServerForm {
    fn default() -> Self {
        Self {
            names: String::new(),
            organization: String::new(),
            name: String::new(),
            key: KeyKind::EcdsaP256.as_str().into(),
            days: ISSUED_DAYS.to_string(),
        }
    }
}

impl ServerForm {
    fn read(&self) -> Result<(Order, KeyKind), Errors> {
        let mut errors = Errors::default();
        let names = parse_names(None, &self.names).and_then(|names| match names.as_slice() {
            [] => Err("Enter the names visitors type to reach the server, one on each line.".to_owned()),
            _ => Ok(names),
        });
        let names = errors.check("names", names);
        let organization = errors.check("organization", parse_text("Organization", &self.organization, 64));
        let key = errors.check("key", KeyKind::parse(&self.key).ok_or("Choose a key."));
        let days = days(&self.days, Purpose::Server.max_days(), &mut errors);
        let order = || {
            let names = names?;
            let common_name = common_name(&names);
            let order = Order {
                purpose: Purpose::Server,
                common_name,
                organization: organization?,
                names,
                mail: None,
                days: days?,
            };
            Some((order, key?))
        };
        let order = order();
        errors.or(order)
    }
}

/// The first host name. An address is none: some programs take it for a host name there, and hold it against the name
/// constraints for those.
fn common_name(names: &[SubjectName]) -> String {
    let mut hosts = names.iter().filter(|name| matches!(name, SubjectName::Dns(_))).map(ToString::to_string);
    hosts.find(|host| host.len() <= 64).unwrap_or_else(|| "Server".into())
}

#[derive(Template, WebTemplate)]
#[template(path = "authorities/server.html")]
struct ServerPage {
    shell: Shell,
    authority: Authority,
    form: ServerForm,
    errors: Errors,
}

async fn page(session: &Session, id: AuthorityId, form: ServerForm, errors: Errors) -> Result<Response, Failure> {
    let authority = session.store().find_authority(id).await?;
    let shell = session.shell("/authorities").await?;
    Ok((errors.status(), ServerPage { shell, authority, form, errors }).into_response())
}

/// The empty form.
pub(crate) async fn new(session: Session, At(id): At<AuthorityId>) -> Answer {
    page(&session, id, ServerForm::default(), Errors::default()).await
}

/// Issues the certificate and installs it.
pub(crate) async fn create(session: Session, At(id): At<AuthorityId>, Fields(form): Fields<ServerForm>) -> Answer {
    match issue(&session, id, &form).await {
        Ok(certificate) => {
            Ok(session.saved(&format!("/certificates/{certificate}"), Saved::CertificateInstalled).await)
        }
        Err(refusal) => page(&session, id, form, refusal.errors(session.now)?).await,
    }
}

async fn issue(session: &Session, id: AuthorityId, form: &ServerForm) -> Result<CertificateId, Refusal> {
    let (order, key) = form.read()?;
    let name = if form.name.trim().is_empty() { order.common_name.clone() } else { form.name.clone() };
    Ok(session.store().issue_installed(id, &name, order, key, &session.author()).await?)
}
