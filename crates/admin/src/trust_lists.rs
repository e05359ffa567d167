//! Trust lists: the CAs whose client certificates open places of sites, and whom they let in.

pub(crate) mod cas;
pub(crate) mod edit;
pub(crate) mod explain;
pub(crate) mod rules;
pub(crate) mod source;
pub(crate) mod words;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use siteward_core::ledger::Revision;
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::Trusted;
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
}

/// Every trust list, by name.
pub(crate) async fn list(session: Session) -> Answer {
    let table = session.table();
    let row = |list: TrustListView| Row {
        id: list.id,
        cas: words::cas(&list),
        revocations: words::worst(&list, session.now),
        admitted: words::admitted(list.allow.len()),
        sites: table.sites_asking(list.id).count(),
        name: list.name,
    };
    let rows = session.store().list_trust_lists().await?.into_iter().map(row).collect();
    Ok(ListPage { shell: session.shell(SECTION).await?, rows }.into_response())
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/show.html")]
struct ShowPage {
    shell: Shell,
    list: TrustListView,
    asking: Vec<Asking>,
    /// How many further sites ask it.
    more: usize,
    now: OffsetDateTime,
}

/// A site that asks a list.
struct Asking {
    id: SiteId,
    name: String,
    /// Where, in words.
    places: String,
}

impl Asking {
    fn new(site: &Site, list: TrustListId) -> Self {
        let rules = &site.rules;
        let asks = |demands: siteward_core::ssl::Demands| {
            demands.looks_at_certificates() && demands.trust.value == Trusted::List(list)
        };
        let mut places: Vec<String> = asks(rules.site()).then(|| "the whole site".to_owned()).into_iter().collect();
        let folders = rules.list().iter().filter(|rule| !rule.path.is_site() && asks(rules.at(&rule.path)));
        places.extend(folders.map(|rule| rule.path.to_string()));
        let others = places.len().saturating_sub(MAX_PLACES);
        places.truncate(MAX_PLACES);
        if others > 0 {
            places.push(format::count(others, "other place", "other places"));
        }
        Self { id: site.id, name: site.name.clone(), places: format::list(&places) }
    }
}

/// One list: its CAs, whom it lets in, and who asks it.
pub(crate) async fn show(session: Session, At(id): At<TrustListId>) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    let table = session.table();
    let (asking, more) = asking(&table, id);
    let shell = session.shell(SECTION).await?;
    Ok(ShowPage { shell, list, asking, more, now: session.now }.into_response())
}

fn asking(table: &SiteTable, id: TrustListId) -> (Vec<Asking>, usize) {
    let asking = table.sites_asking(id).take(MAX_SITES).map(|site| Asking::new(site, id)).collect::<Vec<_>>();
    let more = table.sites_asking(id).count() - asking.len();
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
