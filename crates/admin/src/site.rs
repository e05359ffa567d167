//! One site: what its pages have in common, its content, starting and stopping, deleting it.

use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::binding::Protocol;
use siteward_core::host::HostPattern;
use siteward_core::ledger::Revision;
use siteward_core::site::{Enforcement, Site, SiteId, SiteState};
use siteward_core::ssl::{RequireSsl, Settings};
use siteward_core::store::{ChangeFilter, SiteEdit};
use siteward_core::table::SiteTable;
use time::OffsetDateTime;

use crate::activity::{self, Day};
use crate::error::{Answer, Failure};
use crate::form::{self, Asked, At, Errors, Fields, Refusal};
use crate::next::{self, Step, Stock};
use crate::receipts::Seen;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::words::{self, State};

/// The head of every page of a site, for `sites/site.html`.
pub(crate) struct Head {
    pub(crate) id: SiteId,
    pub(crate) name: String,
    pub(crate) version: Revision,
    /// The host names in both forms.
    pub(crate) hosts: String,
    pub(crate) running: State,
    /// What plain HTTP gets from it, where visitors are answered.
    pub(crate) enforcement: Option<State>,
    pub(crate) stopped: bool,
    /// Where a visitor finds the site; empty where only a wildcard leads to it.
    pub(crate) url: String,
    /// What keeps visitors out, in sentences.
    pub(crate) troubles: Vec<String>,
    /// What is to be done, each with its step.
    pub(crate) todos: Vec<(String, Step)>,
    /// What fresh clients got.
    pub(crate) seen: Seen,
    /// The last part of the current tab's address.
    pub(crate) tab: &'static str,
}

impl Head {
    pub(crate) async fn new(session: &Session, site: &Site, tab: &'static str) -> Result<Self, Failure> {
        let hosts: Vec<String> = site.hosts().into_iter().map(in_both_forms).collect();
        let table = session.table();
        Ok(Self {
            id: site.id,
            name: site.name.clone(),
            version: site.version,
            hosts: if hosts.is_empty() { "Any host name".into() } else { hosts.join(", ") },
            running: words::running(site, session.now),
            enforcement: (!site.is_closed(session.now)).then(|| words::enforcement(&table, site, session.now)),
            stopped: site.state == SiteState::Stopped,
            url: url(&table, site, &session.host).unwrap_or_default(),
            troubles: troubles(session, site),
            todos: todos(session, site).await?,
            seen: Seen::new(session, site).await?,
            tab,
        })
    }
}

/// A host name as people write it, and as it is stored where that differs.
pub(crate) fn in_both_forms(host: &HostPattern) -> String {
    let (unicode, ascii) = (host.unicode(), host.to_string());
    if unicode == ascii { unicode } else { format!("{unicode} ({ascii})") }
}

/// The address to open: https before http, a name before `here`, by which the console itself is reached.
fn url(table: &SiteTable, site: &Site, here: &str) -> Option<String> {
    let https = site.https_address(table, None, None);
    let place = |host: &HostPattern| match host {
        HostPattern::Exact(name) => Some(name.to_string()),
        HostPattern::Any => Some(here.to_owned()),
        HostPattern::Wildcard(_) => None,
    };
    let mut places = site.bindings.iter().map(|binding| &binding.place);
    https.or_else(|| places.find_map(|own| Some(own.url(&place(&own.host)?))))
}

fn troubles(session: &Session, site: &Site) -> Vec<String> {
    let mut troubles = Vec::new();
    for binding in &site.bindings {
        let port = words::port(&session.console.status, &binding.place);
        if port.tone == "bad" {
            troubles.push(format!("Port {}: {}", binding.place.port, port.text));
        }
    }
    troubles.dedup();
    troubles
}

async fn todos(session: &Session, site: &Site) -> Result<Vec<(String, Step)>, Failure> {
    if let Some(why) = why_closed(site, session.now) {
        return Ok(vec![(why, Stock::read(session).await?.step(site))]);
    }
    let open = site.enforcement(&session.table(), session.now) == Enforcement::Open;
    if open && !site.has_https() {
        return Ok(vec![("It answers plain HTTP only.".into(), Stock::read(session).await?.step(site))]);
    }
    let mut todos = Vec::new();
    if open {
        todos.push(("It still answers plain HTTP, although it has HTTPS.".into(), next::review(site)));
    }
    let hosts = next::without_https(site);
    if !hosts.is_empty() && site.state == SiteState::Running {
        let have = if hosts.len() == 1 { "has" } else { "have" };
        todos.push((format!("{} {have} no https binding.", next::names(&hosts)), next::add(site)));
    }
    Ok(todos)
}

/// Why a running site lets nobody in.
fn why_closed(site: &Site, now: OffsetDateTime) -> Option<String> {
    if site.state == SiteState::Stopped || !site.is_closed(now) {
        return None;
    }
    if site.bindings.is_empty() {
        return Some("The site has no binding, so nobody can reach it.".into());
    }
    if site.locked {
        return Some("The site is closed: its private keys can’t be used, because the master key is missing.".into());
    }
    let mut certificates = site.bindings.iter().filter_map(|binding| binding.certificate.as_ref()).peekable();
    if certificates.peek().is_none() {
        return Some("The site is closed: it requires SSL, and has no https binding yet.".into());
    }
    let all_expired = certificates.all(|certificate| certificate.not_after < now);
    let why = if all_expired { "its certificate has expired" } else { "no certificate of it is valid today" };
    Some(format!("The site is closed: {why}. It answers nobody rather than fall back to plain HTTP."))
}

/// Whether a site would answer nobody with this change.
pub(crate) fn is_closed_if(site: &Site, now: OffsetDateTime, change: impl FnOnce(&mut Site)) -> bool {
    let mut site = site.clone();
    change(&mut site);
    site.is_closed(now)
}

/// The site with this id.
pub(crate) fn find(session: &Session, id: SiteId) -> Result<Arc<Site>, Failure> {
    session.table().site(id).cloned().ok_or(Failure::NotFound)
}

#[derive(Debug, Deserialize)]
pub(crate) struct ContentForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    folder: String,
    #[serde(default)]
    version: Revision,
    /// Name and folder when the form was opened.
    #[serde(default)]
    was: Vec<String>,
}

fn shown(site: &Site) -> Vec<String> {
    vec![site.name.clone(), site.folder.display().to_string()]
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/content.html")]
struct ContentPage {
    shell: Shell,
    head: Head,
    form: ContentForm,
    errors: Errors,
    /// How many files are shown instead of built-in pages.
    pages: usize,
}

async fn content_page(
    session: &Session,
    site: &Site,
    form: ContentForm,
    errors: Errors,
) -> Result<ContentPage, Failure> {
    let shell = session.shell("/sites").await?;
    let pages = site.pages.list().len();
    Ok(ContentPage { shell, head: Head::new(session, site, "/content").await?, form, errors, pages })
}

/// The form with a site's name and folder.
pub(crate) async fn edit(session: Session, At(id): At<SiteId>) -> Answer {
    let site = find(&session, id)?;
    let folder = site.folder.display().to_string();
    let form = ContentForm { name: site.name.clone(), folder, version: site.version, was: shown(&site) };
    Ok(content_page(&session, &site, form, Errors::default()).await?.into_response())
}

/// Saves a site's name and folder.
pub(crate) async fn update(session: Session, At(id): At<SiteId>, Fields(mut form): Fields<ContentForm>) -> Answer {
    let site = find(&session, id)?;
    let version = form::version(&site, form.version, &form.was, &shown(&site));
    let edit = SiteEdit { name: form.name.clone(), folder: form.folder.clone() };
    match session.store().update_site(id, version, edit, &session.author()).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}/content"), Saved::Site).await),
        Err(refusal) => {
            let mut errors = Refusal::from(refusal).errors(session.now)?;
            let site = find(&session, id)?;
            let typed = vec![form.name.trim().to_owned(), form.folder.trim().to_owned()];
            errors.compare(&["Name", "Content folder"], &form.was, &shown(&site), typed);
            if errors.conflict().is_some() {
                (form.version, form.was) = (site.version, shown(&site));
            }
            Ok((errors.status(), content_page(&session, &site, form, errors).await?).into_response())
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct VersionForm {
    #[serde(default)]
    pub(crate) version: Revision,
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/stop.html")]
struct StopPage {
    shell: Shell,
    head: Head,
    errors: Errors,
}

/// Asks before a site is stopped.
pub(crate) async fn confirm_stop(session: Session, At(id): At<SiteId>) -> Answer {
    let head = Head::new(&session, &*find(&session, id)?, "").await?;
    Ok(StopPage { shell: session.shell("/sites").await?, head, errors: Errors::default() }.into_response())
}

/// Stops a site.
pub(crate) async fn stop(session: Session, At(id): At<SiteId>, Fields(form): Fields<VersionForm>) -> Answer {
    match session.store().update_site_state(id, form.version, SiteState::Stopped, &session.author()).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}"), Saved::SiteStopped).await),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            let head = Head::new(&session, &*find(&session, id)?, "").await?;
            Ok((errors.status(), StopPage { shell: session.shell("/sites").await?, head, errors }).into_response())
        }
    }
}

/// Starts a site.
pub(crate) async fn start(session: Session, At(id): At<SiteId>, Fields(form): Fields<VersionForm>) -> Answer {
    session.store().update_site_state(id, form.version, SiteState::Running, &session.author()).await?;
    Ok(session.saved(&format!("/sites/{id}"), Saved::SiteStarted).await)
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/delete.html")]
struct DeletePage {
    shell: Shell,
    head: Head,
    places: Vec<String>,
    folder: String,
    errors: Errors,
}

async fn delete_page(session: &Session, id: SiteId, errors: Errors) -> Result<DeletePage, Failure> {
    let site = find(session, id)?;
    Ok(DeletePage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, &site, "").await?,
        places: site.bindings.iter().map(|binding| binding.place.to_string()).collect(),
        folder: site.folder.display().to_string(),
        errors,
    })
}

/// Asks before a site is deleted.
pub(crate) async fn confirm_delete(session: Session, At(id): At<SiteId>) -> Answer {
    Ok(delete_page(&session, id, Errors::default()).await?.into_response())
}

/// Deletes a site.
pub(crate) async fn delete(session: Session, At(id): At<SiteId>, Fields(form): Fields<VersionForm>) -> Answer {
    match session.store().delete_site(id, form.version, &session.author()).await {
        Ok(()) => Ok(session.saved("/sites", Saved::SiteDeleted).await),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            Ok((errors.status(), delete_page(&session, id, errors).await?).into_response())
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct HistoryQuery {
    before: Option<Revision>,
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/history.html")]
struct HistoryPage {
    shell: Shell,
    head: Head,
    days: Vec<Day>,
    older: String,
}

/// What was changed on a site.
pub(crate) async fn history(session: Session, At(id): At<SiteId>, Asked(query): Asked<HistoryQuery>) -> Answer {
    let head = Head::new(&session, &*find(&session, id)?, "/history").await?;
    let filter = ChangeFilter { before: query.before, site: Some(id), ..ChangeFilter::default() };
    let (days, next) = activity::days(&session, &filter).await?;
    let older = next.map(|before| format!("/sites/{id}/history?before={before}")).unwrap_or_default();
    Ok(HistoryPage { shell: session.shell("/sites").await?, head, days, older }.into_response())
}

/// Whether a setting needs a certificate that the site has not got: then saving it closes the site.
pub(crate) fn would_close(site: &Site, now: OffsetDateTime, require_ssl: RequireSsl) -> bool {
    site.state == SiteState::Running
        && is_closed_if(site, now, |site| {
            let settings = Settings { require_ssl: Some(require_ssl), ..site.rules.own() };
            site.rules = Arc::new(site.rules.with_site(settings));
        })
}

/// Whether a site answers over http at all.
pub(crate) fn speaks_http(site: &Site) -> bool {
    site.bindings.iter().any(|binding| binding.place.protocol == Protocol::Http)
}

#[cfg(test)]
mod tests {
    use crate::testing::Browser;

    #[tokio::test]
    async fn a_site_that_is_not_there_is_a_page_that_is_not_there() {
        let mut browser = Browser::signed_in().await;
        for path in ["/sites/7", "/sites/x", "/sites/-1", "/sites/7/ssl", "/sites/7/delete", "/sites/7/bindings/1"] {
            assert_eq!(browser.get(path).await.status, 404, "{path}");
        }
        assert_eq!(browser.post("/sites/7/delete", &[("version", "1")]).await.status, 404);
        assert_eq!(browser.post("/sites/7/delete", &[("version", "x")]).await.status, 400);
    }

    #[tokio::test]
    async fn a_site_is_renamed_and_moved() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let folder = browser.folder();
        let version = browser.version(id);
        let form = [("name", "Bookshop"), ("folder", folder.as_str()), ("version", &version)];
        let page = browser.submit(&format!("/sites/{id}/content"), &form).await;
        assert!(page.html.contains("Name and folder saved."));
        assert!(page.html.contains("<h1>Bookshop</h1>") && page.html.contains(&folder));
    }

    #[tokio::test]
    async fn two_people_at_once_get_a_comparison_and_the_second_saves_on_purpose() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let (folder, opened) = (browser.folder(), browser.version(id));
        let path = format!("/sites/{id}/content");
        browser.submit(&path, &[("name", "Of the first"), ("folder", &folder), ("version", &opened)]).await;

        let mine = [("name", "Of the second"), ("folder", &folder), ("version", &opened)];
        let page = browser.post(&path, &mine).await;
        assert_eq!(page.status, 409);
        assert!(page.html.contains("Inga Solberg changed this just now"), "{}", page.html);
        assert!(page.html.contains("<td>Of the first</td><td><ins>Of the second</ins></td>"), "{}", page.html);
        assert!(page.html.contains(r#"value="Of the second""#), "the answers are kept");
        assert_eq!(browser.store.table().site(id).unwrap().name, "Of the first");

        let newest = browser.version(id);
        assert!(page.html.contains(&format!(r#"name="version" value="{newest}""#)));
        browser.submit(&path, &[("name", "Of the second"), ("folder", &folder), ("version", &newest)]).await;
        assert_eq!(browser.store.table().site(id).unwrap().name, "Of the second");
    }

    #[tokio::test]
    async fn what_somebody_else_changed_elsewhere_on_the_site_is_no_conflict() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let (path, opened) = (format!("/sites/{id}/content"), browser.version(id));
        let html = browser.get(&path).await.html;
        let folder = browser.store.table().site(id).unwrap().folder.display().to_string();
        for was in ["Shop", &folder] {
            assert!(html.contains(&format!(r#"<input type="hidden" name="was" value="{was}">"#)), "{was}: {html}");
        }
        browser.submit(&format!("/sites/{id}/ssl"), &[("ssl", "refuse"), ("version", &opened)]).await;
        let mine = |name| {
            let was = [("was", "Shop"), ("was", folder.as_str())];
            [&[("name", name), ("folder", folder.as_str()), ("version", opened.as_str())][..], &was].concat()
        };
        let page = browser.submit(&path, &mine("Bookshop")).await;
        assert!(page.html.contains("<h1>Bookshop</h1>"), "{}", page.html);

        let page = browser.post(&path, &mine("Atlas shop")).await;
        assert_eq!(page.status, 409, "now the name itself was changed");
        assert!(page.html.contains("<td>Bookshop</td><td><ins>Atlas shop</ins></td>"), "{}", page.html);
    }

    #[tokio::test]
    async fn a_confirmation_that_came_too_late_asks_to_look_again() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let opened = browser.version(id);
        browser.submit(&format!("/sites/{id}/ssl"), &[("ssl", "refuse"), ("version", &opened)]).await;
        let page = browser.post(&format!("/sites/{id}/delete"), &[("version", &opened)]).await;
        assert_eq!(page.status, 409);
        assert!(page.html.contains("Look again, then confirm."), "{}", page.html);
        assert!(!page.html.contains("Your answers are kept"), "there are none");
    }

    #[tokio::test]
    async fn stopping_asks_first_and_starting_does_not() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let asked = browser.get(&format!("/sites/{id}/stop")).await;
        assert!(asked.html.contains("Stop Shop?"));
        let version = browser.version(id);
        let page = browser.submit(&format!("/sites/{id}/stop"), &[("version", &version)]).await;
        assert!(page.html.contains("Site stopped.") && page.html.contains("Stopped</span>"));

        let again = browser.post(&format!("/sites/{id}/stop"), &[("version", &version)]).await;
        assert_eq!(again.status, 409);
        let version = browser.version(id);
        let page = browser.submit(&format!("/sites/{id}/start"), &[("version", &version)]).await;
        assert!(page.html.contains("Site started."));
    }

    #[tokio::test]
    async fn deleting_lists_what_goes_with_the_site() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "refuse").await;
        let asked = browser.get(&format!("/sites/{id}/delete")).await;
        assert!(asked.html.contains("2 bindings go with it"));
        assert!(asked.html.contains("https on port 443, shop.example"));
        let version = browser.version(id);
        let page = browser.submit(&format!("/sites/{id}/delete"), &[("version", &version)]).await;
        assert!(page.html.contains("Site deleted.") && page.html.contains("There is no site yet"));
        assert_eq!(browser.store.count_certificates().await.unwrap(), 1, "its certificate stays");
    }

    #[tokio::test]
    async fn the_site_is_opened_by_https_where_there_is_any() {
        let mut browser = Browser::signed_in().await;
        let http = browser.site("Plain", "plain.example", "off").await;
        assert!(browser.get(&format!("/sites/{http}")).await.html.contains(r#"href="http://plain.example""#));
        let any = browser.site("Any", "", "off").await;
        assert!(browser.get(&format!("/sites/{any}")).await.html.contains(r#"href="http://console.test""#));
        let https = browser.https_site("Shop", "shop.example", "refuse").await;
        assert!(browser.get(&format!("/sites/{https}")).await.html.contains(r#"href="https://shop.example""#));
    }
}
