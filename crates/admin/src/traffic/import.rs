//! Takes over another server's log, so that a site can be judged before it moves here.

use axum::extract::Multipart;
use axum::extract::multipart::MultipartRejection;
use axum::response::IntoResponse;
use siteward_core::site::{Site, SiteId};
use siteward_core::traffic::{Imported, W3cLog};

use super::{Span, page};
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Refusal};
use crate::session::Session;
use crate::shell::Saved;
use crate::site;

/// The most ports that may speak HTTPS in a log.
const MAX_PORTS: usize = 16;

#[derive(Debug, Default)]
struct LogForm {
    log: Vec<u8>,
    ports: String,
}

impl LogForm {
    async fn receive(multipart: Result<Multipart, MultipartRejection>) -> Result<Self, Failure> {
        let mut multipart = multipart.map_err(|_| Failure::Malformed)?;
        let mut form = Self::default();
        while let Some(field) = multipart.next_field().await? {
            match field.name() {
                Some("log") => form.log = field.bytes().await?.to_vec(),
                Some("ports") => form.ports = String::from_utf8_lossy(&field.bytes().await?).into_owned(),
                _ => {}
            }
        }
        Ok(form)
    }
}

/// Imports a log that was uploaded.
pub(crate) async fn import(
    session: Session,
    At(id): At<SiteId>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Answer {
    let form = LogForm::receive(multipart).await?;
    let site = site::find(&session, id)?;
    match save(&session, &site, &form).await {
        Ok(Imported { counted, skipped, .. }) => {
            let path = format!("/sites/{id}/traffic?counted={counted}&skipped={skipped}");
            Ok(session.saved(&path, Saved::LogImported).await)
        }
        Err(refusal) => {
            let errors = refusal.errors(session.now)?;
            Ok((errors.status(), page(&session, &site, Span::Week, form.ports, errors).await?).into_response())
        }
    }
}

async fn save(session: &Session, site: &Site, form: &LogForm) -> Result<Imported, Refusal> {
    let ports: Option<Vec<u16>> =
        form.ports.split([',', ' ']).filter(|port| !port.is_empty()).map(|port| port.parse().ok()).collect();
    let ports = ports.filter(|ports| !ports.is_empty() && ports.len() <= MAX_PORTS);
    let ports =
        ports.ok_or_else(|| Errors::one("ports", "Enter port numbers with commas between them, such as 443."))?;
    if form.log.trim_ascii().is_empty() {
        return Err(Errors::one("log", "Choose the log file to import.").into());
    }
    let mut log = W3cLog::new(ports, session.now);
    let read = String::from_utf8_lossy(&form.log).lines().try_for_each(|line| log.line(line));
    let imported = read.and_then(|()| log.finish()).map_err(|error| Errors::one("log", error))?;
    session.store().import_traffic(site.id, &imported, &session.author()).await?;
    Ok(imported)
}
