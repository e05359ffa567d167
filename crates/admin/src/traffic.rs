//! What came to a site: how, from whom, what was refused and why handshakes failed.

mod chart;
mod import;
mod preview;
mod summary;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::site::{Site, SiteId};
use siteward_core::store::Leak;
use siteward_core::traffic::{Credentials, KEPT_DAYS, NO_SITE};
use time::OffsetDateTime;

use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields};
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head};
use chart::{Chart, Span};
use summary::{Group, Summary};

pub(crate) use import::import;
pub(crate) use preview::{Bar, Panel, bars, first_hour, reasons, span};

#[derive(Debug, Deserialize)]
pub(crate) struct TrafficQuery {
    #[serde(default)]
    span: String,
    /// How many requests were counted of a log that was imported just before, and how many of its lines were left out.
    counted: Option<u64>,
    skipped: Option<u64>,
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/traffic.html")]
struct TrafficPage {
    shell: Shell,
    head: Head,
    errors: Errors,
    span: Span,
    summary: Summary,
    chart: Chart,
    /// Handshakes that ended before a site was known, on all ports.
    strays: Group,
    leaks: Vec<Leak>,
    /// The ports that speak HTTPS, for a log to import.
    ports: String,
    /// Requests counted and lines left out of a log that was imported just before.
    imported: Option<(u64, u64)>,
}

async fn page(
    session: &Session,
    site: &Site,
    span: Span,
    ports: String,
    errors: Errors,
) -> Result<TrafficPage, Failure> {
    let since = span.since(session.now);
    let hours = session.store().list_traffic(site.id, since).await?;
    let strays = Summary::new(&session.store().list_traffic(NO_SITE, since).await?);
    Ok(TrafficPage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, "/traffic").await?,
        errors,
        span,
        summary: Summary::new(&hours),
        chart: Chart::new(&hours, span, session.now),
        strays: strays.failures,
        leaks: session.store().list_leaks(site.id).await?,
        ports,
        imported: None,
    })
}

/// What came to a site.
pub(crate) async fn show(session: Session, At(id): At<SiteId>, Asked(asked): Asked<TrafficQuery>) -> Answer {
    let site = site::find(&session, id)?;
    let span = Span::parse(&asked.span).unwrap_or(Span::Week);
    let mut page = page(&session, &site, span, "443".into(), Errors::default()).await?;
    page.imported = asked.counted.zip(asked.skipped);
    Ok(page.into_response())
}

#[derive(Debug, Deserialize)]
pub(crate) struct LeaksForm {
    /// When the newest leak that was shown was seen, in milliseconds since 1970-01-01T00:00Z.
    #[serde(default)]
    until: i64,
}

/// Takes note that the leaks of a site that were shown are dealt with.
pub(crate) async fn delete_leaks(session: Session, At(id): At<SiteId>, Fields(form): Fields<LeaksForm>) -> Answer {
    let until = OffsetDateTime::from_unix_timestamp_nanos(i128::from(form.until) * 1_000_000);
    let until = until.map_err(|_| Failure::Malformed)?;
    if session.store().delete_leaks(id, until, &session.author()).await? {
        return Ok(session.saved(&format!("/sites/{id}/traffic"), Saved::LeaksDealtWith).await);
    }
    let site = site::find(&session, id)?;
    let errors = Errors::one("", "Each of these clients sent credentials in clear again since you opened this page.");
    Ok((errors.status(), page(&session, &site, Span::Week, "443".into(), errors).await?).into_response())
}

impl TrafficPage {
    /// For [`LeaksForm`].
    fn newest_leak(&self) -> i128 {
        self.leaks.iter().map(|leak| leak.last_at.unix_timestamp_nanos() / 1_000_000).max().unwrap_or_default()
    }
}

/// What came in clear, in words.
pub(crate) fn credentials(credentials: Credentials) -> &'static str {
    match credentials {
        Credentials::None => "Nothing",
        Credentials::Cookie => "A cookie",
        Credentials::Authorization => "An Authorization field",
        Credentials::Both => "A cookie and an Authorization field",
    }
}

#[cfg(test)]
mod tests;
