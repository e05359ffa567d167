//! The SSL settings of a site: what it demands of a connection, its folder rules, and what any address would get.

pub(crate) mod exemptions;
pub(crate) mod explain;
pub(crate) mod form;
pub(crate) mod hsts;
pub(crate) mod rules;
pub(crate) mod trials;
pub(crate) mod words;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::ledger::Revision;
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::{ClearCredentials, Demands, RequireSsl, Rule, RuleId, RulePath, Rules, Setting, Settings};
use siteward_core::store::RuleDraft;
use siteward_core::table::SiteTable;
use siteward_core::trial::{Trial, TrialId};

use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields, Refusal, version};
use crate::format;
use crate::pager::Pager;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head};
use crate::traffic::Panel;
use explain::Explanation;
use form::{Answers, Kind, LABELS};
use trials::Report;
use words::Told;

/// What the button Preview sends as `do`.
pub(crate) const PREVIEW: &str = "preview";

#[derive(Debug, Deserialize)]
pub(crate) struct SslForm {
    #[serde(default)]
    ssl: String,
    #[serde(default)]
    tls: String,
    #[serde(default)]
    bits: String,
    #[serde(default)]
    keys: String,
    #[serde(default)]
    clients: String,
    /// The id of a trust list, or [`form::NONE`].
    #[serde(default)]
    trust: String,
    #[serde(default)]
    credentials: String,
    #[serde(default)]
    version: Revision,
    /// `preview` where nothing is to be saved yet, `report` where nothing but what it would do is to be told.
    #[serde(default, rename = "do")]
    action: String,
    /// The trial that the page showed, or 0.
    #[serde(default)]
    trial: TrialId,
    /// The settings in words when the form was opened.
    #[serde(default)]
    was: Vec<String>,
}

impl SslForm {
    fn of(site: &Site, table: &SiteTable) -> Self {
        let demands = site.rules.site();
        Self {
            ssl: demands.require_ssl.value.as_str().into(),
            tls: demands.min_tls.value.as_str().into(),
            bits: demands.strength.value.as_str().into(),
            keys: demands.key_exchange.value.as_str().into(),
            clients: demands.client_certificates.value.as_str().into(),
            trust: demands.trust.value.list().map_or(form::NONE.into(), |id| id.to_string()),
            credentials: demands.clear_credentials.value.as_str().into(),
            version: site.version,
            action: String::new(),
            trial: 0,
            was: shown(site, table),
        }
    }

    fn answers(&self) -> Answers<'_> {
        fn given(answer: &str) -> Option<&str> {
            Some(answer).filter(|answer| !answer.is_empty())
        }
        Answers {
            ssl: given(&self.ssl),
            tls: given(&self.tls),
            bits: given(&self.bits),
            keys: given(&self.keys),
            clients: given(&self.clients),
            trust: given(&self.trust),
        }
    }

    /// The settings that are wanted; what is not answered stays as `own` has it.
    fn parse(&self, own: Settings) -> Result<Settings, Errors> {
        let mut errors = Errors::default();
        let clear_credentials = form::read(self.credentials(), &mut errors);
        let chosen = Settings { clear_credentials, ..self.answers().parse(&mut errors) };
        if errors.fields().is_empty() && chosen.is_empty() {
            errors.add(RequireSsl::FIELD, form::CHOOSE);
        }
        let settings = Settings {
            require_ssl: chosen.require_ssl.or(own.require_ssl),
            min_tls: chosen.min_tls.or(own.min_tls),
            strength: chosen.strength.or(own.strength),
            key_exchange: chosen.key_exchange.or(own.key_exchange),
            client_certificates: chosen.client_certificates.or(own.client_certificates),
            trust: if self.trust.is_empty() { own.trust } else { chosen.trust },
            clear_credentials: chosen.clear_credentials.or(own.clear_credentials),
        };
        errors.or(Some(settings))
    }

    /// What is asked for the whole site only.
    fn credentials(&self) -> Option<&str> {
        Some(self.credentials.as_str()).filter(|answer| !answer.is_empty())
    }

    fn kinds(&self, saved: &Demands, table: &SiteTable) -> Vec<Kind> {
        let mut kinds = self.answers().kinds(saved, table);
        kinds.push(form::kind(self.credentials(), saved.clear_credentials.value));
        kinds
    }

    fn in_words(&self, table: &SiteTable) -> Vec<String> {
        let mut words = self.answers().in_words(table);
        words.extend(self.credentials().and_then(ClearCredentials::parse).map(|own| own.words().to_owned()));
        words
    }
}

/// What is asked, in the order of the page.
const ASKED: [&str; 7] = {
    let [ssl, tls, bits, keys, clients, trust] = LABELS;
    [ssl, tls, bits, keys, clients, trust, ClearCredentials::LABEL]
};

/// What holds for the whole site, in words.
fn shown(site: &Site, table: &SiteTable) -> Vec<String> {
    in_words(&site.rules.site(), table)
}

fn in_words(demands: &Demands, table: &SiteTable) -> Vec<String> {
    let mut words = form::shown(&form::all_of(demands), table);
    if let (None, Some(list)) = (demands.trust.value.list(), words.last_mut()) {
        *list = form::NO_LIST.into(); // there is nothing above to inherit it from
    }
    words.push(demands.clear_credentials.value.words().into());
    words
}

/// What is asked about the page.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct SslQuery {
    /// The address to explain.
    #[serde(default)]
    path: String,
    #[serde(default)]
    page: String,
    #[serde(default)]
    per: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/ssl.html")]
struct SslPage {
    shell: Shell,
    head: Head,
    form: SslForm,
    kinds: Vec<Kind>,
    errors: Errors,
    /// Requiring SSL would let nobody in.
    would_close: bool,
    /// Nothing listens for plain HTTP, so the setting has nothing to refuse.
    no_http: bool,
    /// Where a redirect would lead; empty where there is nowhere.
    address: String,
    rows: Vec<Row>,
    /// Places on trial that have no rule yet.
    tried: Vec<(TrialId, String)>,
    pager: Pager,
    query: SslQuery,
    explanation: Option<Explanation>,
    panel: Panel,
    /// What the site's settings on trial have come to.
    report: Option<Report>,
    /// The trial of the whole site, or 0.
    trial: TrialId,
    /// How many answers to CAs are exempt.
    exempt: usize,
    /// What browsers are told to remember; empty for nothing.
    hsts: String,
}

/// A place in the table of rules.
struct Row {
    /// The rule to change; none for the whole site.
    id: Option<RuleId>,
    path: String,
    cells: Vec<Cell>,
    reason: String,
    /// The trial of this place, and when it ends.
    trial: Option<(TrialId, String)>,
}

/// What the table of rules tells of each place.
const COLUMNS: [&str; 5] = ["Require SSL", "TLS", "Strength", "Key exchange", "Client certificates"];

/// What holds at a place.
struct Cell {
    column: &'static str,
    words: String,
    origin: String,
    /// It is inherited.
    quiet: bool,
    /// It lets in clear what the site does not.
    warn: bool,
}

impl Row {
    fn all(site: &Site, table: &SiteTable, pager: &Pager) -> Vec<Self> {
        let rules = &site.rules;
        let closed = rules.site().in_clear() != RequireSsl::Off;
        let listed = rules.list().iter().skip(pager.offset()).take(pager.limit());
        let when = |trial: &Trial| (trial.id, format::short_date(&trial.until));
        let row = |rule: &Rule| {
            let demands = rules.at(&rule.path);
            let opens = closed && demands.in_clear() == RequireSsl::Off;
            let cell = |(column, own): (&'static str, explain::Row)| Cell {
                column,
                quiet: own.origin != "set here",
                warn: opens && own.label == LABELS[0],
                words: own.words,
                origin: own.origin,
            };
            let mut told = explain::told(rules, &demands, Some(&rule.path), table);
            // One column tells both what is done about certificates and by which list.
            if let Some(list) = told.pop().filter(|_| demands.looks_at_certificates())
                && let Some(certificates) = told.last_mut()
            {
                certificates.words = format!("{}: {}", certificates.words, list.words);
            }
            let cells = COLUMNS.into_iter().zip(told).map(cell);
            Self {
                id: (!rule.path.is_site()).then_some(rule.id),
                path: rule.path.to_string(),
                cells: cells.collect(),
                reason: rule.reason.clone(),
                trial: trials::at(site, &rule.path).filter(|trial| trial.rules.is_some()).map(when),
            }
        };
        listed.map(row).collect()
    }
}

async fn page(
    session: &Session,
    site: &Site,
    form: SslForm,
    errors: Errors,
    query: SslQuery,
) -> Result<SslPage, Failure> {
    let path = format!("/sites/{}/ssl", site.id);
    let pager = Pager::new(path, site.rules.list().len(), &query.page, &query.per);
    // What can't be read is said beside its field; the panel then tells of what is in force.
    let chosen = form.parse(site.rules.own()).unwrap_or(site.rules.own());
    let (rules, table) = (site.rules.with_site(chosen), session.table());
    Ok(SslPage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, "/ssl").await?,
        kinds: form.kinds(&site.rules.site(), &table),
        form,
        errors,
        would_close: site::would_close(site, session.now, RequireSsl::Refuse),
        no_http: !site::speaks_http(site),
        address: site.https_address(&table, None, None).unwrap_or_default(),
        rows: Row::all(site, &table, &pager),
        pager,
        tried: tried(site),
        panel: Panel::new(session, site, &rules, changes(site, &rules, &RulePath::site(), &table)).await?,
        report: Report::at(session, site, &RulePath::site()).await?,
        trial: trials::at(site, &RulePath::site()).map_or(0, |trial| trial.id),
        exempt: site.exemptions.list().iter().filter(|own| own.is_live(session.now)).count(),
        hsts: site.hsts.and_then(|hsts| hsts.field(site, session.now)).unwrap_or_default(),
        explanation: (!query.path.trim().is_empty()).then(|| Explanation::new(&table, site, &query.path, session.now)),
        query,
    })
}

/// The places on trial that have no rule yet.
fn tried(site: &Site) -> Vec<(TrialId, String)> {
    let new = site.trials.iter().filter(|trial| site.rules.rule_at(&trial.path).is_none());
    new.map(|trial| (trial.id, trial.path.to_string())).collect()
}

/// What would be new at a place, in words.
fn changes(site: &Site, rules: &Rules, path: &RulePath, table: &SiteTable) -> String {
    let [now, then] = [&*site.rules, rules].map(|rules| in_words(&rules.at(path), table));
    let labelled = ASKED.iter().zip(now.iter().zip(&then));
    let changed = labelled.filter(|(_, (now, then))| now != then).map(|(label, (_, then))| format!("{label}: {then}"));
    changed.collect::<Vec<_>>().join(". ")
}

/// The form with a site's SSL settings.
pub(crate) async fn edit(session: Session, At(id): At<SiteId>, Asked(query): Asked<SslQuery>) -> Answer {
    let site = site::find(&session, id)?;
    let form = SslForm::of(&site, &session.table());
    Ok(page(&session, &site, form, Errors::default(), query).await?.into_response())
}

/// Saves a site's SSL settings, tries them, or shows whom they would refuse.
pub(crate) async fn update(session: Session, At(id): At<SiteId>, Fields(mut form): Fields<SslForm>) -> Answer {
    if form.action == PREVIEW {
        let site = site::find(&session, id)?;
        let errors = form.parse(site.rules.own()).err().unwrap_or_default();
        return Ok((errors.status(), page(&session, &site, form, errors, SslQuery::default()).await?).into_response());
    }
    match save(&session, &*site::find(&session, id)?, &form).await {
        Ok(saved) => Ok(session.saved(&format!("/sites/{id}/ssl"), saved).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            let table = session.table();
            errors.compare(&ASKED, &form.was, &shown(&site, &table), form.in_words(&table));
            if errors.conflict().is_some() {
                (form.version, form.was) = (site.version, shown(&site, &table));
            }
            Ok((errors.status(), page(&session, &site, form, errors, SslQuery::default()).await?).into_response())
        }
    }
}

async fn save(session: &Session, site: &Site, form: &SslForm) -> Result<Saved, Refusal> {
    let settings = form.parse(site.rules.own())?;
    if form.action == "report" {
        let draft = RuleDraft { path: RulePath::site(), settings, reason: String::new() };
        trials::begin(session, site.id, form.trial, draft).await?;
        return Ok(Saved::TrialStarted);
    }
    let version = version(site, form.version, &form.was, &shown(site, &session.table()));
    session.store().update_ssl(site.id, version, settings, &session.author()).await?;
    Ok(Saved::Ssl)
}

#[cfg(test)]
mod tests;
