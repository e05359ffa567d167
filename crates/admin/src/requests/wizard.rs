//! The wizard that makes a certificate request. Every step carries all answers, and nothing exists before the last button.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::certificate::SubjectName;
use siteward_core::host::HostPattern;
use siteward_core::key::KeyKind;
use siteward_core::site::{Site, SiteId};
use siteward_core::store::{NewRequest, Request, RequestId, StoreError};
use siteward_core::subject::{Subject, SubjectAnswers, SubjectField, countries, country_name};
use siteward_core::table::SiteTable;

use super::findings::{Findings, missing};
use crate::error::Answer;
use crate::form::{Asked, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::Shell;

/// The steps, in the order of the article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Site, friendly name and key.
    Site,
    /// Organization and organizational unit.
    Organization,
    /// Common name and alternative names.
    Names,
    /// Country, state and city.
    Location,
    /// All answers, with what speaks against them.
    Check,
}

impl Step {
    pub(crate) const ALL: [Self; 5] = [Self::Site, Self::Organization, Self::Names, Self::Location, Self::Check];

    /// As posted.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Organization => "organization",
            Self::Names => "names",
            Self::Location => "location",
            Self::Check => "check",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }

    /// The heading of its page.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Site => "Site and key",
            Self::Organization => "Organization",
            Self::Names => "Names",
            Self::Location => "Location",
            Self::Check => "Check your answers",
        }
    }

    fn before(self) -> Self {
        Self::ALL.into_iter().rev().find(|step| *step < self).unwrap_or(self)
    }

    fn after(self) -> Self {
        Self::ALL.into_iter().find(|step| *step > self).unwrap_or(self)
    }
}

/// All answers as typed, and where in the wizard they were given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answers {
    step: String,
    /// Which button was pressed.
    go: String,
    /// Where to go after this step, if not to the next one.
    then: String,
    site: String,
    name: String,
    key: String,
    organization: String,
    organizational_unit: String,
    common_name: String,
    names: String,
    country: String,
    state: String,
    locality: String,
}

/// A form that can't go on: the step to show again.
struct Stuck(Step, Errors);

impl Answers {
    /// Every answer with the step that asks for it.
    fn all(&self) -> [(Step, &'static str, &str); 10] {
        [
            (Step::Site, "site", &self.site),
            (Step::Site, "name", &self.name),
            (Step::Site, "key", &self.key),
            (Step::Organization, "organization", &self.organization),
            (Step::Organization, "organizational_unit", &self.organizational_unit),
            (Step::Names, "common_name", &self.common_name),
            (Step::Names, "names", &self.names),
            (Step::Location, "country", &self.country),
            (Step::Location, "state", &self.state),
            (Step::Location, "locality", &self.locality),
        ]
    }

    /// What the page of `step` carries unseen.
    fn hidden(&self, step: Step) -> Vec<(&'static str, String)> {
        let elsewhere = self.all().into_iter().filter(|(own, ..)| *own != step);
        elsewhere.map(|(_, name, value)| (name, value.to_owned())).collect()
    }

    /// The site chosen, if there is one with this id.
    fn site<'a>(&self, table: &'a SiteTable) -> Option<&'a Site> {
        table.site(self.site.parse().ok()?).map(AsRef::as_ref)
    }

    /// Proposes the site's name and host names where nothing was typed yet.
    fn propose(&mut self, table: &SiteTable) {
        let Some(site) = self.site(table) else { return };
        if self.name.trim().is_empty() {
            self.name = site.name.clone();
        }
        if self.common_name.trim().is_empty() && self.names.trim().is_empty() {
            let hosts = site.hosts();
            let exact = hosts.iter().position(|host| matches!(host, HostPattern::Exact(_))).unwrap_or(0);
            let unicode = |host: &&HostPattern| host.unicode();
            self.common_name = hosts.get(exact).map(unicode).unwrap_or_default();
            let others = hosts.iter().enumerate().filter(|(i, _)| *i != exact);
            self.names = others.map(|(_, host)| host.unicode()).collect::<Vec<_>>().join("\n");
        }
    }

    fn subject(&self) -> Result<Subject, Vec<(Step, &'static str, String)>> {
        let answers = SubjectAnswers {
            common_name: self.common_name.clone(),
            organization: self.organization.clone(),
            organizational_unit: self.organizational_unit.clone(),
            locality: self.locality.clone(),
            state: self.state.clone(),
            country: self.country.clone(),
            names: self.names.clone(),
        };
        Subject::parse(&answers).map_err(|errors| {
            let placed = errors.into_iter().map(|error| {
                let (step, field) = place(error.field);
                (step, field, error.message)
            });
            placed.collect()
        })
    }

    /// The answers of one step.
    fn check(&self, step: Step, table: &SiteTable) -> Errors {
        let mut errors = Errors::default();
        if step == Step::Site {
            if !self.site.is_empty() && self.site(table).is_none() {
                errors.add("site", "This site no longer exists. Choose another one.");
            }
            if !is_name(&self.name) {
                errors.add("name", StoreError::Name);
            }
            if KeyKind::parse(&self.key).is_none() {
                errors.add("key", "Choose a key.");
            }
        }
        let subject = self.subject().err().into_iter().flatten();
        for (_, field, message) in subject.filter(|(own, ..)| *own == step) {
            errors.add(field, message);
        }
        errors
    }

    /// All of them, or the first step that needs another look.
    fn read(&self, table: &SiteTable) -> Result<NewRequest, Stuck> {
        for step in Step::ALL {
            let errors = self.check(step, table);
            if !errors.fields().is_empty() {
                return Err(Stuck(step, errors));
            }
        }
        match (self.subject(), KeyKind::parse(&self.key)) {
            (Ok(subject), Some(key)) => Ok(NewRequest {
                site: self.site(table).map(|site| site.id),
                friendly_name: self.name.trim().to_owned(),
                subject,
                key,
            }),
            _ => Err(Stuck(Step::Site, Errors::default())),
        }
    }

    fn add_hosts(&mut self, table: &SiteTable) {
        let (Some(site), Ok(subject)) = (self.site(table), self.subject()) else { return };
        let missing: Vec<String> = missing(&subject, &site.hosts()).into_iter().map(HostPattern::unicode).collect();
        self.names = format!("{}\n{}", self.names.trim_end(), missing.join("\n")).trim_start().to_owned();
    }
}

/// Whether the store takes it as a name.
fn is_name(text: &str) -> bool {
    let text = text.trim();
    (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Where an answer of the subject is asked for.
fn place(field: SubjectField) -> (Step, &'static str) {
    match field {
        SubjectField::CommonName => (Step::Names, "common_name"),
        SubjectField::Names => (Step::Names, "names"),
        SubjectField::Organization => (Step::Organization, "organization"),
        SubjectField::OrganizationalUnit => (Step::Organization, "organizational_unit"),
        SubjectField::Country => (Step::Location, "country"),
        SubjectField::State => (Step::Location, "state"),
        SubjectField::Locality => (Step::Location, "locality"),
    }
}

/// What each kind of key means, in a line.
pub(crate) fn consequence(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::EcdsaP256 => "Small and fast. Every browser of the last ten years takes it.",
        KeyKind::EcdsaP384 => "For rules that ask for more than 128-bit strength. Handshakes cost a little more.",
        KeyKind::Rsa2048 => "For very old clients, and for CAs that take no ECDSA.",
        KeyKind::Rsa3072 => {
            "For rules that ask for RSA of 128-bit strength. Handshakes cost three times those of RSA 2048."
        }
        KeyKind::Rsa4096 => "Handshakes cost six times those of RSA 2048. Making the key takes some seconds.",
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "requests/step.html")]
struct StepPage {
    shell: Shell,
    step: Step,
    answers: Answers,
    errors: Errors,
    hidden: Vec<(&'static str, String)>,
    /// The chosen site's name.
    site: Option<String>,
    /// Sites to choose from, by name.
    sites: Vec<(SiteId, String)>,
    more_sites: bool,
}

#[derive(Template, WebTemplate)]
#[template(path = "requests/check.html")]
struct CheckPage {
    shell: Shell,
    errors: Errors,
    hidden: Vec<(&'static str, String)>,
    site: Option<String>,
    request: NewRequest,
    /// `GB, United Kingdom`.
    country: Option<String>,
    findings: Findings,
    today: String,
}

/// Where the wizard is entered: for a site, or with the answers of an earlier request.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Entry {
    site: Option<SiteId>,
    again: Option<RequestId>,
}

/// The first step.
pub(crate) async fn new(session: Session, Asked(entry): Asked<Entry>) -> Answer {
    let mut answers = Answers { key: KeyKind::EcdsaP256.as_str().into(), ..Answers::default() };
    if let Some(id) = entry.again {
        answers = again(session.store().find_request(id).await?);
    }
    if let Some(site) = entry.site {
        answers.site = site.to_string();
    }
    answers.propose(&session.table());
    show(session, answers, Step::Site, Errors::default()).await
}

/// The answers of an earlier request.
fn again(request: Request) -> Answers {
    let subject = request.subject;
    let others = subject.names.iter().filter(|name| name.to_string() != subject.common_name);
    Answers {
        site: request.site.map(|id| id.to_string()).unwrap_or_default(),
        name: request.friendly_name,
        key: request.key.as_str().into(),
        organization: subject.organization.unwrap_or_default(),
        organizational_unit: subject.organizational_unit.unwrap_or_default(),
        names: others.map(SubjectName::unicode).collect::<Vec<_>>().join("\n"),
        common_name: subject.common_name,
        country: subject.country.unwrap_or_default(),
        state: subject.state.unwrap_or_default(),
        locality: subject.locality.unwrap_or_default(),
        ..Answers::default()
    }
}

/// Goes on from a step, back, or to another one; or makes the request.
pub(crate) async fn create(session: Session, Fields(mut answers): Fields<Answers>) -> Answer {
    let step = Step::parse(&answers.step).unwrap_or(Step::Site);
    let table = session.table();
    match answers.go.as_str() {
        "back" => show(session, answers, step.before(), Errors::default()).await,
        "create" => make(session, answers).await,
        "drop-unit" => {
            answers.organizational_unit.clear();
            show(session, answers, Step::Check, Errors::default()).await
        }
        "add-hosts" => {
            answers.add_hosts(&table);
            show(session, answers, Step::Check, Errors::default()).await
        }
        go => match Step::parse(go) {
            Some(other) => {
                answers.then = Step::Check.as_str().into();
                show(session, answers, other, Errors::default()).await
            }
            None => go_on(session, answers, step, &table).await,
        },
    }
}

async fn go_on(session: Session, mut answers: Answers, step: Step, table: &SiteTable) -> Answer {
    answers.propose(table);
    let errors = answers.check(step, table);
    if !errors.fields().is_empty() {
        return show(session, answers, step, errors).await;
    }
    let next = Step::parse(&answers.then).unwrap_or(step.after());
    answers.then.clear();
    show(session, answers, next, errors).await
}

async fn make(session: Session, answers: Answers) -> Answer {
    let request = match answers.read(&session.table()) {
        Ok(request) => request,
        Err(Stuck(step, errors)) => return show(session, answers, step, errors).await,
    };
    match session.store().create_request(request, &session.author()).await {
        Ok(id) => Ok(Redirect::to(&format!("/requests/{id}")).into_response()),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            show(session, answers, Step::Check, errors).await
        }
    }
}

/// The page of a step, or of the first one before it that needs another look.
async fn show(session: Session, answers: Answers, step: Step, errors: Errors) -> Answer {
    let table = session.table();
    let shell = session.shell("/requests").await?;
    if step != Step::Check {
        let page = StepPage::new(shell, step, answers, errors, &table);
        return Ok((page.errors.status(), page).into_response());
    }
    let request = match answers.read(&table) {
        Ok(request) => request,
        Err(Stuck(step, errors)) => {
            let page = StepPage::new(shell, step, answers, errors, &table);
            return Ok((page.errors.status(), page).into_response());
        }
    };
    let site = answers.site(&table);
    let hosts = site.map(Site::hosts).unwrap_or_default();
    let country = request.subject.country.as_deref();
    let page = CheckPage {
        shell,
        errors,
        hidden: answers.hidden(Step::Check),
        site: site.map(|site| site.name.clone()),
        country: country.map(|code| format!("{code}, {}", country_name(code).unwrap_or_default())),
        findings: Findings::of(&request.subject, &hosts),
        today: crate::format::date(&session.now),
        request,
    };
    Ok((page.errors.status(), page).into_response())
}

impl StepPage {
    /// How many sites are offered; others are reached from their own pages.
    const MAX_SITES: usize = 200;

    fn new(shell: Shell, step: Step, answers: Answers, errors: Errors, table: &SiteTable) -> Self {
        let chosen = answers.site(table);
        let mut sites: Vec<(SiteId, String)> =
            table.sites().take(Self::MAX_SITES).map(|site| (site.id, site.name.clone())).collect();
        if let Some(site) = chosen
            && !sites.iter().any(|(id, _)| *id == site.id)
        {
            sites.push((site.id, site.name.clone()));
        }
        sites.sort_by_key(|(_, name)| name.to_lowercase());
        Self {
            shell,
            step,
            hidden: answers.hidden(step),
            site: chosen.map(|site| site.name.clone()),
            more_sites: table.sites().len() > Self::MAX_SITES,
            sites,
            answers,
            errors,
        }
    }
}
