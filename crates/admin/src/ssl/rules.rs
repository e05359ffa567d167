//! The rules of folders and files: add, change, remove.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::ledger::Revision;
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::{Rule, RuleId, RulePath, Settings};
use siteward_core::store::RuleDraft;
use siteward_core::table::SiteTable;
use siteward_core::trial::TrialId;

use super::PREVIEW;
use super::explain::{Row, in_force, told};
use super::form::{self, Answers, Kind, LABELS};
use super::trials::{self, Report};
use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields, Refusal, version};
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head, VersionForm};
use crate::traffic::Panel;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct RuleForm {
    #[serde(default)]
    path: String,
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
    /// The id of a trust list.
    #[serde(default)]
    trust: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    version: Revision,
    /// `preview` where nothing is to be saved yet, `report` where nothing but what it would do is to be told.
    #[serde(default, rename = "do")]
    action: String,
    /// The trial that the page showed, or 0.
    #[serde(default)]
    trial: TrialId,
    /// The rule in words when the form was opened.
    #[serde(default)]
    was: Vec<String>,
}

impl RuleForm {
    fn of(rule: &Rule, version: Revision, table: &SiteTable) -> Self {
        let Settings { require_ssl, min_tls, strength, key_exchange, client_certificates, trust, .. } = rule.settings;
        Self {
            path: rule.path.to_string(),
            ssl: form::text(require_ssl),
            tls: form::text(min_tls),
            bits: form::text(strength),
            keys: form::text(key_exchange),
            clients: form::text(client_certificates),
            trust: trust.map(|id| id.to_string()).unwrap_or_default(),
            reason: rule.reason.clone(),
            version,
            action: String::new(),
            trial: 0,
            was: shown(rule, table),
        }
    }

    fn answers(&self) -> Answers<'_> {
        Answers {
            ssl: Some(&self.ssl),
            tls: Some(&self.tls),
            bits: Some(&self.bits),
            keys: Some(&self.keys),
            clients: Some(&self.clients),
            trust: Some(&self.trust),
        }
    }

    /// The rule that is wanted; what the form does not ask for stays as `own` has it.
    fn parse(&self, own: Settings) -> Result<RuleDraft, Errors> {
        let mut errors = Errors::default();
        let path = errors.check("path", RulePath::parse(&self.path));
        let chosen = self.answers().parse(&mut errors);
        let settings = Settings { clear_credentials: own.clear_credentials, ..chosen };
        let reason = self.reason.trim().to_owned();
        errors.or(path.map(|path| RuleDraft { path, settings, reason }))
    }

    fn in_words(&self, table: &SiteTable) -> Vec<String> {
        let path = RulePath::parse(&self.path).map_or_else(|_| self.path.clone(), |path| path.to_string());
        words(path, self.answers().in_words(table), self.reason.trim())
    }
}

fn words(path: String, settings: Vec<String>, reason: &str) -> Vec<String> {
    [path].into_iter().chain(settings).chain([reason.to_owned()]).collect()
}

fn shown(rule: &Rule, table: &SiteTable) -> Vec<String> {
    words(rule.path.to_string(), form::shown(&rule.settings, table), &rule.reason)
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/rule.html")]
struct RulePage {
    shell: Shell,
    head: Head,
    /// The rule to change; none for a new one.
    id: Option<RuleId>,
    form: RuleForm,
    /// Each kind, and what it would be without the rule; empty where the folder is not known yet.
    kinds: Vec<(Kind, String)>,
    /// What the trial of this place has come to.
    report: Option<Report>,
    /// The trial of this place, or 0.
    trial: TrialId,
    errors: Errors,
    panel: Panel,
}

/// What the rule would set, in words; empty where it would set nothing.
fn changes(draft: &RuleDraft, table: &SiteTable) -> String {
    let words = LABELS.iter().zip(form::shown(&draft.settings, table));
    let set = words.filter(|(_, words)| words != form::INHERITED).map(|(label, words)| format!("{label}: {words}"));
    let set: Vec<String> = set.collect();
    if set.is_empty() { String::new() } else { format!("For {}: {}", draft.path, set.join(". ")) }
}

async fn page(
    session: &Session,
    site: &Site,
    rule: Option<&Rule>,
    form: RuleForm,
    errors: Errors,
) -> Result<RulePage, Failure> {
    let table = session.table();
    let above = rule.map(|rule| told(&site.rules, &site.rules.above(&rule.path), Some(&rule.path), &table));
    let inherited = above.unwrap_or_default().into_iter();
    let inherited = inherited.map(|own| format!("{}, {}", own.words, own.origin.trim_start_matches("inherited ")));
    let kinds = form.answers().kinds(&site.rules.site(), &table);
    let place = rule.map(|rule| rule.path.clone()).or_else(|| RulePath::parse(&form.path).ok()).unwrap_or_default();
    let tried = trials::at(site, &place).filter(|trial| !trial.path.is_site());
    // What can't be read is said beside its field; the panel then tells of what is in force.
    let draft = form.parse(rule.map(|rule| rule.settings).unwrap_or_default()).ok();
    let then = draft.as_ref().filter(|draft| !draft.settings.is_empty());
    let others = rule.map(|rule| site.rules.without(rule.id));
    let rules = then.map(|draft| others.as_ref().unwrap_or(&site.rules).with(&draft.path, draft.settings));
    let words = then.filter(|draft| rule.is_none_or(|rule| rule.settings != draft.settings || rule.path != draft.path));
    let words = words.map(|draft| changes(draft, &table)).unwrap_or_default();
    Ok(RulePage {
        panel: Panel::new(session, site, rules.as_ref().unwrap_or(&site.rules), words).await?,
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, "/ssl").await?,
        id: rule.map(|rule| rule.id),
        kinds: kinds.into_iter().zip(inherited.chain(std::iter::repeat(String::new()))).collect(),
        report: if tried.is_some() { Report::at(session, site, &place).await? } else { None },
        trial: tried.map_or(0, |trial| trial.id),
        form,
        errors,
    })
}

#[derive(Debug, Deserialize)]
pub(crate) struct NewQuery {
    /// The folder or file to begin with.
    #[serde(default)]
    path: String,
}

/// The form for a new rule.
pub(crate) async fn new(session: Session, At(id): At<SiteId>, Asked(query): Asked<NewQuery>) -> Answer {
    let site = site::find(&session, id)?;
    let form = RuleForm { path: query.path, version: site.version, ..RuleForm::default() };
    Ok(page(&session, &site, None, form, Errors::default()).await?.into_response())
}

/// Adds a rule, or tries it.
pub(crate) async fn create(session: Session, At(id): At<SiteId>, Fields(form): Fields<RuleForm>) -> Answer {
    let site = site::find(&session, id)?;
    if form.action == PREVIEW {
        return previewed(&session, &site, None, form).await;
    }
    let added = async {
        let draft = form.parse(Settings::default())?;
        if form.action == "report" {
            trials::begin(&session, id, form.trial, draft).await?;
            return Ok(Saved::TrialStarted);
        }
        // Nobody's edit can be overwritten by adding, so it goes on what is there now.
        session.store().create_rule(id, site.version, draft, &session.author()).await?;
        Ok::<_, Refusal>(Saved::RuleAdded)
    };
    match added.await {
        Ok(saved) => Ok(session.saved(&format!("/sites/{id}/ssl"), saved).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            Ok((errors.status(), page(&session, &site, None, form, errors).await?).into_response())
        }
    }
}

/// The form again, with whom the rule would refuse. Nothing is saved.
async fn previewed(session: &Session, site: &Site, rule: Option<&Rule>, form: RuleForm) -> Answer {
    let errors = form.parse(Settings::default()).err().unwrap_or_default();
    Ok((errors.status(), page(session, site, rule, form, errors).await?).into_response())
}

/// The form with a rule.
pub(crate) async fn edit(session: Session, At((id, rule)): At<(SiteId, RuleId)>) -> Answer {
    let site = site::find(&session, id)?;
    let rule = find(&site, rule)?;
    let form = RuleForm::of(rule, site.version, &session.table());
    Ok(page(&session, &site, Some(rule), form, Errors::default()).await?.into_response())
}

/// Saves a rule, or tries it.
pub(crate) async fn update(
    session: Session,
    At((id, rule)): At<(SiteId, RuleId)>,
    Fields(mut form): Fields<RuleForm>,
) -> Answer {
    if form.action == PREVIEW {
        let site = site::find(&session, id)?;
        return previewed(&session, &site, Some(find(&site, rule)?), form).await;
    }
    match save(&session, id, rule, &form).await {
        Ok(saved) => Ok(session.saved(&format!("/sites/{id}/ssl"), saved).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            let rule = find(&site, rule)?;
            let labels: Vec<&str> = ["Folder or file"].into_iter().chain(LABELS).chain(["Reason"]).collect();
            let table = session.table();
            errors.compare(&labels, &form.was, &shown(rule, &table), form.in_words(&table));
            if errors.conflict().is_some() {
                (form.version, form.was) = (site.version, shown(rule, &table));
            }
            Ok((errors.status(), page(&session, &site, Some(rule), form, errors).await?).into_response())
        }
    }
}

async fn save(session: &Session, id: SiteId, rule: RuleId, form: &RuleForm) -> Result<Saved, Refusal> {
    let site = session.table().site(id).cloned().ok_or(siteward_core::store::StoreError::Gone)?;
    let rule = site.rules.rule(rule).ok_or(siteward_core::store::StoreError::Gone)?;
    let draft = form.parse(rule.settings)?;
    if form.action == "report" {
        if draft.path != rule.path {
            return Err(Errors::one("path", MOVED).into());
        }
        trials::begin(session, id, form.trial, draft).await?;
        return Ok(Saved::TrialStarted);
    }
    let version = version(&site, form.version, &form.was, &shown(rule, &session.table()));
    session.store().update_rule(id, rule.id, version, draft, &session.author()).await?;
    Ok(Saved::Rule)
}

/// What is said beside the folder where another one is to be tried.
const MOVED: &str = "Only what the folder demands can be tried. Save the other folder first, or add a rule for it.";

/// A rule of a folder or file.
fn find(site: &Site, id: RuleId) -> Result<&Rule, Failure> {
    site.rules.rule(id).filter(|rule| !rule.path.is_site()).ok_or(Failure::NotFound)
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/rule_delete.html")]
struct DeletePage {
    shell: Shell,
    head: Head,
    path: String,
    /// What would hold there.
    inherited: Vec<Row>,
    panel: Panel,
    errors: Errors,
}

async fn delete_page(session: &Session, id: SiteId, rule: RuleId, errors: Errors) -> Result<DeletePage, Failure> {
    let site = site::find(session, id)?;
    let rule = find(&site, rule)?;
    Ok(DeletePage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, &site, "/ssl").await?,
        path: rule.path.to_string(),
        panel: Panel::new(session, &site, &site.rules.without(rule.id), format!("Without the rule for {}", rule.path))
            .await?,
        inherited: in_force(&site.rules, &site.rules.above(&rule.path), Some(&rule.path), &session.table()),
        errors,
    })
}

/// Asks before a rule is removed.
pub(crate) async fn confirm_delete(session: Session, At((id, rule)): At<(SiteId, RuleId)>) -> Answer {
    Ok(delete_page(&session, id, rule, Errors::default()).await?.into_response())
}

/// Removes a rule.
pub(crate) async fn delete(
    session: Session,
    At((id, rule)): At<(SiteId, RuleId)>,
    Fields(form): Fields<VersionForm>,
) -> Answer {
    match session.store().delete_rule(id, rule, form.version, &session.author()).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}/ssl"), Saved::RuleRemoved).await),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?.without_fields();
            Ok((errors.status(), delete_page(&session, id, rule, errors).await?).into_response())
        }
    }
}
