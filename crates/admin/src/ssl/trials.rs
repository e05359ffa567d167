//! Settings that are tried and reported only: what a trial has come to, and how it ends.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Redirect};
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::RulePath;
use siteward_core::store::{RuleDraft, StoreError};
use siteward_core::traffic::{Client, Findings};
use siteward_core::trial::{Trial, TrialId};
use time::OffsetDateTime;

use super::changes;
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::format;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head, VersionForm};
use crate::traffic::reasons;

/// Clients that are shown one by one.
const CLIENTS: usize = 10;

/// The panel "Report only", for `sites/report.html`.
pub(crate) struct Report {
    pub(crate) id: TrialId,
    /// Empty for the whole site.
    pub(crate) place: String,
    /// What would change, in words.
    pub(crate) changes: String,
    pub(crate) author: String,
    pub(crate) since: OffsetDateTime,
    pub(crate) until: OffsetDateTime,
    pub(crate) has_ended: bool,
    pub(crate) findings: Findings,
    /// Those of the requests of which it can be told what they would have got.
    pub(crate) judged: u64,
    /// `1.3 %`
    pub(crate) share: String,
    /// `16,000 get 403.4 SSL required`
    pub(crate) reasons: Vec<String>,
    /// Who would have been refused; the last one may stand for all others.
    pub(crate) askers: Vec<Asker>,
}

/// The refused requests of one client.
pub(crate) struct Asker {
    pub(crate) agent: String,
    /// Empty for all others.
    pub(crate) network: String,
    pub(crate) count: u64,
    /// In percent of the longest.
    pub(crate) width: String,
}

impl Report {
    /// What a trial of `site` has come to; nothing while its settings are in force.
    async fn new(session: &Session, site: &Site, trial: &Trial) -> Result<Option<Self>, Failure> {
        let Some(rules) = &trial.rules else { return Ok(None) };
        let findings = session.store().trial_findings(site.id, trial).await?;
        let judged = findings.requests - findings.unsure;
        Ok(Some(Self {
            id: trial.id,
            place: if trial.path.is_site() { String::new() } else { trial.path.to_string() },
            changes: changes(site, rules, &trial.path, &session.table()),
            author: trial.author.clone(),
            since: trial.since,
            until: trial.until,
            has_ended: trial.has_ended(session.now),
            judged,
            share: if judged == 0 { "Not known".into() } else { format::share(findings.refused, judged) },
            reasons: reasons(&findings.reasons),
            askers: askers(&findings),
            findings,
        }))
    }

    /// The same of the trial at a place, if one stands there.
    pub(crate) async fn at(session: &Session, site: &Site, path: &RulePath) -> Result<Option<Self>, Failure> {
        match at(site, path) {
            Some(trial) => Self::new(session, site, trial).await,
            None => Ok(None),
        }
    }
}

fn askers(findings: &Findings) -> Vec<Asker> {
    let client = |(client, count): &(Client, u64)| (client.agent.as_str().to_owned(), client.network(), *count);
    let mut shown: Vec<(String, String, u64)> = findings.clients.iter().take(CLIENTS).map(client).collect();
    let others = findings.refused.saturating_sub(shown.iter().map(|(.., count)| count).sum());
    if others > 0 {
        shown.push(("All others".into(), String::new(), others));
    }
    let longest = shown.iter().map(|(.., count)| *count).max().unwrap_or(1);
    let asker = |(agent, network, count): (String, String, u64)| {
        let width = format::percent(100.0 * count as f64 / longest as f64);
        Asker { agent, network, count, width }
    };
    shown.into_iter().map(asker).collect()
}

/// The trial at a place.
pub(crate) fn at<'a>(site: &'a Site, path: &RulePath) -> Option<&'a Trial> {
    site.trials.iter().find(|trial| trial.path == *path)
}

/// Begins to try what a form asks for. `seen` is the trial that its page showed at the place, or 0.
pub(super) async fn begin(session: &Session, site: SiteId, seen: TrialId, draft: RuleDraft) -> Result<(), StoreError> {
    let seen = Some(seen).filter(|seen| *seen != 0);
    session.store().create_trial(site, seen, draft, &session.author()).await.map(drop)
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/trial.html")]
struct TrialPage {
    shell: Shell,
    head: Head,
    /// Nothing while its settings are in force.
    report: Option<Report>,
    errors: Errors,
}

async fn page(session: &Session, id: SiteId, trial: TrialId, errors: Errors) -> Result<TrialPage, Failure> {
    let site = site::find(session, id)?;
    Ok(TrialPage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, &site, "/ssl").await?,
        report: Report::new(session, &site, find(&site, trial)?).await?,
        errors,
    })
}

fn find(site: &Site, id: TrialId) -> Result<&Trial, Failure> {
    site.trials.iter().find(|trial| trial.id == id).ok_or(Failure::NotFound)
}

/// What a trial has come to.
pub(crate) async fn show(session: Session, At((id, trial)): At<(SiteId, TrialId)>) -> Answer {
    Ok(page(&session, id, trial, Errors::default()).await?.into_response())
}

/// Saves what was tried, as its place's form would.
pub(crate) async fn apply(
    session: Session,
    At((id, trial)): At<(SiteId, TrialId)>,
    Fields(form): Fields<VersionForm>,
) -> Answer {
    let site = site::find(&session, id)?;
    let tried = find(&site, trial)?;
    let (store, by, version, draft) = (session.store(), session.author(), form.version, RuleDraft::from(tried));
    let saved = match site.rules.rule_at(&tried.path) {
        Some(rule) if rule.path.is_site() => {
            store.update_ssl(id, version, tried.settings, &by).await.map(|()| Saved::Ssl)
        }
        Some(rule) => store.update_rule(id, rule.id, version, draft, &by).await.map(|()| Saved::Rule),
        None => store.create_rule(id, version, draft, &by).await.map(|_| Saved::RuleAdded),
    };
    match saved {
        Ok(saved) => Ok(session.saved(&format!("/sites/{id}/ssl"), saved).await),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?.without_fields();
            Ok((errors.status(), page(&session, id, trial, errors).await?).into_response())
        }
    }
}

/// An address that something was sent to, typed or loaded again.
pub(crate) async fn back(_: Session, At((id, trial)): At<(SiteId, TrialId)>) -> Answer {
    Ok(Redirect::to(&format!("/sites/{id}/ssl/trials/{trial}")).into_response())
}

/// Ends a trial.
pub(crate) async fn delete(session: Session, At((id, trial)): At<(SiteId, TrialId)>) -> Answer {
    session.store().delete_trial(id, trial, &session.author()).await?;
    Ok(session.saved(&format!("/sites/{id}/ssl"), Saved::TrialEnded).await)
}

#[cfg(test)]
mod tests;
