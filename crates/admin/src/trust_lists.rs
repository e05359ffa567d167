//! Trust lists: the CAs whose client certificates open places of sites, and whom they let in.

pub(crate) mod cas;
pub(crate) mod edit;
pub(crate) mod explain;
pub(crate) mod preview;
pub(crate) mod rules;
pub(crate) mod source;
pub(crate) mod words;

use std::collections::{BTreeSet, HashMap};

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use siteward_core::ledger::Revision;
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::{RulePath, Rules, Trusted};
use siteward_core::store::{TrustListView, TrustedCa};
use siteward_core::table::SiteTable;
use siteward_core::trust_list::{TrustListId, TrustedCaId};
use time::OffsetDateTime;

use crate::error::{Answer, Failure};
use crate::form::At;
use crate::format;
use crate::session::Session;
use crate::shell::Shell;
use crate::words::State;

pub(crate) use preview::{Panel, other_lists};

/// Where all of this stands in the navigation.
const SECTION: &str = "/trust-lists";

/// How many sites a page names that ask a list.
const MAX_SITES: usize = 50;

/// How many places of one site it names.
const MAX_PLACES: usize = 10;

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/list.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
}

/// A list in the table of all.
struct Row {
    id: TrustListId,
    name: String,
    cas: String,
    /// The worst that is known of its revocation lists.
    revocations: State,
    admitted: String,
    /// How many sites ask it.
    sites: usize,
    /// How many name it where it is not asked.
    naming: usize,
}

/// Every trust list, by name.
pub(crate) async fn list(session: Session) -> Answer {
    let table = session.table();
    let names = naming(&table);
    let row = |list: TrustListView| Row {
        id: list.id,
        cas: words::cas(&list),
        revocations: words::worst(&list, session.now),
        admitted: words::admitted(&list),
        sites: table.sites_asking(list.id).count(),
        naming: names.get(&list.id).copied().unwrap_or_default(),
        name: list.name,
    };
    let rows = session.store().list_trust_lists().await?.into_iter().map(row).collect();
    Ok(ListPage { shell: session.shell(SECTION).await?, rows }.into_response())
}

/// How many sites name each list at a place where it is not asked.
fn naming(table: &SiteTable) -> HashMap<TrustListId, usize> {
    let mut sites: HashMap<TrustListId, usize> = HashMap::new();
    for site in table.sites() {
        let settings = site.rules.list().iter().map(|rule| rule.settings);
        let settings = settings.chain(site.trials.iter().map(|trial| trial.settings));
        let lists: BTreeSet<TrustListId> = settings.filter_map(|settings| settings.trust).collect();
        for list in lists.into_iter().filter(|list| !named(site, *list).is_empty()) {
            *sites.entry(list).or_default() += 1;
        }
    }
    sites
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/show.html")]
struct ShowPage {
    shell: Shell,
    list: TrustListView,
    places: Places,
    now: OffsetDateTime,
}

/// A site that asks a list, or names it.
pub(crate) struct Asking {
    pub(crate) id: SiteId,
    pub(crate) name: String,
    /// Where, in words.
    pub(crate) places: String,
}

impl Asking {
    fn new(site: &Site, mut places: Vec<String>) -> Self {
        let others = places.len().saturating_sub(MAX_PLACES);
        places.truncate(MAX_PLACES);
        if others > 0 {
            places.push(format::count(others, "other place", "other places"));
        }
        Self { id: site.id, name: site.name.clone(), places: format::list(&places) }
    }
}

/// Whether a place asks a list.
fn asks(rules: &Rules, path: &RulePath, list: TrustListId) -> bool {
    let demands = rules.at(path);
    demands.looks_at_certificates() && demands.trust.value == Trusted::List(list)
}

/// Where a site asks a list, in words.
fn asked(site: &Site, list: TrustListId) -> Vec<String> {
    let (rules, whole) = (&site.rules, RulePath::site());
    let folders = rules.list().iter().map(|rule| &rule.path).filter(|path| !path.is_site());
    let places = [&whole].into_iter().chain(folders);
    places.filter(|path| asks(rules, path, list)).map(in_words).collect()
}

/// Where a site names a list and does not ask it, in words: it can't be deleted there either.
fn named(site: &Site, list: TrustListId) -> Vec<String> {
    let rules = site.rules.list().iter().filter(|rule| rule.settings.trust == Some(list));
    let ignoring = rules.filter(|rule| !asks(&site.rules, &rule.path, list));
    let ignoring = ignoring.map(|rule| format!("{} (certificates are ignored)", in_words(&rule.path)));
    let tried = site.trials.iter().filter(|trial| trial.settings.trust == Some(list));
    ignoring.chain(tried.map(|trial| format!("{} (report only)", in_words(&trial.path)))).collect()
}

fn in_words(path: &RulePath) -> String {
    if path.is_site() { "the whole site".into() } else { path.to_string() }
}

/// One list: its CAs, whom it lets in, and who asks it.
pub(crate) async fn show(session: Session, At(id): At<TrustListId>) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    let (places, shell) = (Places::of(&session.table(), id), session.shell(SECTION).await?);
    Ok(ShowPage { shell, list, places, now: session.now }.into_response())
}

/// The sites that ask a list, and those that name it where it is not asked.
struct Places {
    asking: Vec<Asking>,
    /// How many further sites ask it.
    more: usize,
    naming: Vec<Asking>,
    more_naming: usize,
}

impl Places {
    fn of(table: &SiteTable, list: TrustListId) -> Self {
        let (asking, more) = asking(table, list);
        let names = || table.sites().filter(|site| !named(site, list).is_empty());
        let naming: Vec<Asking> = names().take(MAX_SITES).map(|site| Asking::new(site, named(site, list))).collect();
        let more_naming = names().count() - naming.len();
        Self { asking, more, naming, more_naming }
    }
}

fn asking(table: &SiteTable, list: TrustListId) -> (Vec<Asking>, usize) {
    let sites = table.sites_asking(list).take(MAX_SITES);
    let asking: Vec<Asking> = sites.map(|site| Asking::new(site, asked(site, list))).collect();
    let more = table.sites_asking(list).count() - asking.len();
    (asking, more)
}

/// The CA with this id on a list.
fn find_ca(list: &TrustListView, ca: TrustedCaId) -> Result<&TrustedCa, Failure> {
    list.cas.iter().find(|own| own.id == ca).ok_or(Failure::NotFound)
}

/// The version to save on: the newest where nobody touched what the form is about since it was opened with `was`.
fn version(list: &TrustListView, opened: Revision, was: &[String], saved: &[String]) -> Revision {
    if was == saved { list.version } else { opened }
}

#[cfg(test)]
mod tests;
