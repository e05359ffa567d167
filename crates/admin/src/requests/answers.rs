//! The answers of the wizard as typed: what each step asks, proposes, carries on and refuses.

use std::sync::Arc;

use serde::Deserialize;
use siteward_core::certificate::SubjectName;
use siteward_core::host::HostPattern;
use siteward_core::key::KeyKind;
use siteward_core::site::Site;
use siteward_core::store::{Certificate, NewRequest, Request, StoreError};
use siteward_core::subject::{Subject, SubjectAnswers, SubjectField};
use siteward_core::table::SiteTable;

use super::findings::missing;
use crate::form::Errors;

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

    pub(super) fn parse(text: &str) -> Option<Self> {
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

    pub(super) fn before(self) -> Self {
        Self::ALL.into_iter().rev().find(|step| *step < self).unwrap_or(self)
    }

    pub(super) fn after(self) -> Self {
        Self::ALL.into_iter().find(|step| *step > self).unwrap_or(self)
    }
}

/// All answers as typed, and where in the wizard they were given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answers {
    pub(super) step: String,
    /// Which button was pressed.
    pub(super) go: String,
    /// Where to go after this step, if not to the next one.
    pub(super) then: String,
    pub(super) site: String,
    /// The certificate whose place the reply takes.
    pub(super) renews: String,
    pub(super) name: String,
    pub(super) key: String,
    pub(super) organization: String,
    pub(super) organizational_unit: String,
    pub(super) common_name: String,
    pub(super) names: String,
    pub(super) country: String,
    pub(super) state: String,
    pub(super) locality: String,
}

/// A form that can't go on: the step to show again.
pub(super) struct Stuck(pub(super) Step, pub(super) Errors);

impl Answers {
    /// Nothing typed yet.
    pub(super) fn fresh() -> Self {
        Self { key: KeyKind::EcdsaP256.as_str().into(), ..Self::default() }
    }

    /// Those of an earlier request.
    pub(super) fn of(request: Request) -> Self {
        let subject = request.subject;
        let others = subject.names.iter().filter(|name| name.to_string() != subject.common_name);
        Self {
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
            ..Self::default()
        }
    }

    /// Those of a certificate: of its request where there is one, otherwise as its leaf tells them.
    pub(super) fn renewing(certificate: &Certificate, request: Option<Request>, table: &SiteTable) -> Self {
        let renews = certificate.facts.id.to_string();
        let name = certificate.friendly_name.clone();
        if let Some(request) = request {
            return Self { renews, name, ..Self::of(request) };
        }
        let subject = certificate.chain.first().map(SubjectAnswers::of_leaf).unwrap_or_default();
        let serves = |site: &&Arc<Site>| {
            let mut certificates = site.bindings.iter().filter_map(|binding| binding.certificate.as_ref());
            certificates.any(|own| own.id == certificate.facts.id)
        };
        Self {
            renews,
            name,
            site: table.sites().find(serves).map(|site| site.id.to_string()).unwrap_or_default(),
            key: certificate.key.as_str().into(),
            organization: subject.organization,
            organizational_unit: subject.organizational_unit,
            common_name: subject.common_name,
            names: subject.names,
            country: subject.country,
            state: subject.state,
            locality: subject.locality,
            ..Self::default()
        }
    }

    /// Every answer with the step that asks for it; the one that none asks for is carried along.
    fn all(&self) -> [(Option<Step>, &'static str, &str); 11] {
        [
            (None, "renews", &self.renews),
            (Some(Step::Site), "site", &self.site),
            (Some(Step::Site), "name", &self.name),
            (Some(Step::Site), "key", &self.key),
            (Some(Step::Organization), "organization", &self.organization),
            (Some(Step::Organization), "organizational_unit", &self.organizational_unit),
            (Some(Step::Names), "common_name", &self.common_name),
            (Some(Step::Names), "names", &self.names),
            (Some(Step::Location), "country", &self.country),
            (Some(Step::Location), "state", &self.state),
            (Some(Step::Location), "locality", &self.locality),
        ]
    }

    /// What the page of `step` carries unseen.
    pub(super) fn hidden(&self, step: Step) -> Vec<(&'static str, String)> {
        let elsewhere = self.all().into_iter().filter(|(own, ..)| *own != Some(step));
        elsewhere.map(|(_, name, value)| (name, value.to_owned())).collect()
    }

    /// The site chosen, if there is one with this id.
    pub(super) fn site<'a>(&self, table: &'a SiteTable) -> Option<&'a Site> {
        table.site(self.site.parse().ok()?).map(AsRef::as_ref)
    }

    /// Proposes the site's name and host names where nothing was typed yet.
    pub(super) fn propose(&mut self, table: &SiteTable) {
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
    pub(super) fn check(&self, step: Step, table: &SiteTable) -> Errors {
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
    pub(super) fn read(&self, table: &SiteTable) -> Result<NewRequest, Stuck> {
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

    pub(super) fn add_hosts(&mut self, table: &SiteTable) {
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
