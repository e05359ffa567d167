//! A site's own pages, shown instead of the built-in ones: listed, added, changed, removed.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::ledger::Revision;
use siteward_core::pages::{Page, PageDraft, PageId};
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::Refusal as Refused;
use siteward_core::store::StoreError;
use siteward_core::traffic;

use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal, version};
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head, VersionForm};

const LABELS: [&str; 2] = ["Shown for", "File"];

#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageForm {
    /// A status, as in `403.4`.
    #[serde(default)]
    shown: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    version: Revision,
    /// The page in words when the form was opened.
    #[serde(default)]
    was: Vec<String>,
}

impl PageForm {
    fn of(page: &Page, version: Revision) -> Self {
        let PageDraft { answer, .. } = &page.draft;
        Self { shown: answer.to_string(), file: page.draft.address(), version, was: shown(&page.draft) }
    }

    fn parse(&self) -> Result<PageDraft, Errors> {
        let mut errors = Errors::default();
        let answer = errors.check("shown", PageDraft::parse_answer(&self.shown));
        let path = errors.check("file", PageDraft::parse_path(&self.file));
        errors.or(answer.zip(path).map(|(answer, path)| PageDraft { answer, path }))
    }

    fn in_words(&self) -> Vec<String> {
        let answer = PageDraft::parse_answer(&self.shown).map_or_else(|_| self.shown.clone(), words);
        let file = PageDraft::parse("404", &self.file).map_or_else(|_| self.file.clone(), |draft| draft.address());
        vec![answer, file]
    }
}

fn shown(draft: &PageDraft) -> Vec<String> {
    vec![words(draft.answer), draft.address()]
}

/// `403.4 SSL required`
pub(crate) fn words(answer: traffic::Answer) -> String {
    let of_substatus = |refusal: &&Refused| refusal.substatus() == answer.substatus;
    let meaning = match answer.status {
        403 => {
            Refused::ALL.iter().find(of_substatus).map_or("Any refusal without a page of its own", |own| own.reason())
        }
        404 => "No such page",
        405 => "Something that can only be read",
        500 => "Folder or file can’t be read",
        _ => "Closed for now, or too busy",
    };
    format!("{answer} {meaning}")
}

/// What a page can be shown for: each value, and its words.
fn choices() -> Vec<(String, String)> {
    PageDraft::ANSWERS.iter().map(|answer| (answer.to_string(), words(*answer))).collect()
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/pages.html")]
struct PagesPage {
    shell: Shell,
    head: Head,
    rows: Vec<Row>,
    choices: Vec<(String, String)>,
    form: PageForm,
    errors: Errors,
}

struct Row {
    id: PageId,
    shown: String,
    file: String,
}

async fn list_page(session: &Session, site: &Site, form: PageForm, errors: Errors) -> Result<PagesPage, Failure> {
    let row = |page: &Page| Row { id: page.id, shown: words(page.draft.answer), file: page.draft.address() };
    Ok(PagesPage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, "/content").await?,
        rows: site.pages.list().iter().map(row).collect(),
        choices: choices(),
        form,
        errors,
    })
}

/// The pages of a site, and the form that adds one.
pub(crate) async fn list(session: Session, At(id): At<SiteId>) -> Answer {
    let site = site::find(&session, id)?;
    Ok(list_page(&session, &site, PageForm::default(), Errors::default()).await?.into_response())
}

/// Adds one.
pub(crate) async fn create(session: Session, At(id): At<SiteId>, Fields(form): Fields<PageForm>) -> Answer {
    let site = site::find(&session, id)?;
    let added = async {
        let draft = form.parse()?;
        // Nobody's edit can be overwritten by adding, so it goes on what is there now.
        Ok::<_, Refusal>(session.store().create_page(id, site.version, draft, &session.author()).await?)
    };
    match added.await {
        Ok(_) => Ok(session.saved(&format!("/sites/{id}/pages"), Saved::PageAdded).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            Ok((errors.status(), list_page(&session, &site, form, errors).await?).into_response())
        }
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/page.html")]
struct EditPage {
    shell: Shell,
    head: Head,
    choices: Vec<(String, String)>,
    form: PageForm,
    errors: Errors,
}

async fn edit_page(session: &Session, site: &Site, form: PageForm, errors: Errors) -> Result<EditPage, Failure> {
    Ok(EditPage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, "/content").await?,
        choices: choices(),
        form,
        errors,
    })
}

/// The form with a page.
pub(crate) async fn edit(session: Session, At((id, page)): At<(SiteId, PageId)>) -> Answer {
    let site = site::find(&session, id)?;
    let form = PageForm::of(find(&site, page)?, site.version);
    Ok(edit_page(&session, &site, form, Errors::default()).await?.into_response())
}

/// Saves a page.
pub(crate) async fn update(
    session: Session,
    At((id, page)): At<(SiteId, PageId)>,
    Fields(mut form): Fields<PageForm>,
) -> Answer {
    match save(&session, id, page, &form).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}/pages"), Saved::Page).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            let saved = shown(&find(&site, page)?.draft);
            errors.compare(&LABELS, &form.was, &saved, form.in_words());
            if errors.conflict().is_some() {
                (form.version, form.was) = (site.version, saved);
            }
            Ok((errors.status(), edit_page(&session, &site, form, errors).await?).into_response())
        }
    }
}

async fn save(session: &Session, id: SiteId, page: PageId, form: &PageForm) -> Result<(), Refusal> {
    let site = session.table().site(id).cloned().ok_or(StoreError::Gone)?;
    let saved = site.pages.list().iter().find(|own| own.id == page).ok_or(StoreError::Gone)?;
    let version = version(&site, form.version, &form.was, &shown(&saved.draft));
    Ok(session.store().update_page(id, page, version, form.parse()?, &session.author()).await?)
}

fn find(site: &Site, id: PageId) -> Result<&Page, Failure> {
    site.pages.list().iter().find(|page| page.id == id).ok_or(Failure::NotFound)
}

/// Removes one.
pub(crate) async fn delete(
    session: Session,
    At((id, page)): At<(SiteId, PageId)>,
    Fields(form): Fields<VersionForm>,
) -> Answer {
    match session.store().delete_page(id, page, form.version, &session.author()).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}/pages"), Saved::PageRemoved).await),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            let site = site::find(&session, id)?;
            Ok((errors.status(), list_page(&session, &site, PageForm::default(), errors).await?).into_response())
        }
    }
}

/// An address that something was sent to, typed or loaded again.
pub(crate) async fn back(_: Session, At((id, _)): At<(SiteId, PageId)>) -> Answer {
    Ok(Redirect::to(&format!("/sites/{id}/pages")).into_response())
}

#[cfg(test)]
mod tests {
    use crate::testing::Browser;

    #[tokio::test]
    async fn a_page_is_added_changed_and_removed() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "refuse").await;
        let path = format!("/sites/{id}/pages");
        assert!(browser.get(&path).await.html.contains("Visitors get the built-in pages."));
        let page = browser.submit(&path, &[("shown", "403.4"), ("file", "errors/https.html")]).await;
        assert!(page.html.contains("Page added.") && page.html.contains("403.4 SSL required"), "{}", page.html);
        assert!(page.html.contains(r#"href="https://shop.example/errors/https.html""#), "{}", page.html);

        let own = format!("{path}/1");
        let opened = browser.get(&own).await;
        assert!(opened.html.contains(r#"value="/errors/https.html""#), "{}", opened.html);
        let form = [("shown", "403"), ("file", "/errors/no.html"), ("version", &opened.value("version"))];
        let page = browser.submit(&own, &form).await;
        assert!(page.html.contains("403 Any refusal without a page of its own"), "{}", page.html);
        let version = browser.version(id);
        let page = browser.submit(&format!("{own}/delete"), &[("version", &version)]).await;
        assert!(page.html.contains("Page removed.") && !page.html.contains("/errors/no.html"), "{}", page.html);
        let history = browser.get(&format!("/sites/{id}/history")).await.html;
        assert!(history.contains("<del>403.4</del>") && history.contains("Shown for"), "{history}");
    }

    #[tokio::test]
    async fn what_is_no_page_comes_back_with_a_sentence_beside_its_field() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "refuse").await;
        let path = format!("/sites/{id}/pages");
        browser.submit(&path, &[("shown", "404"), ("file", "/none.html")]).await;
        for (shown, file, error) in [
            ("", "/x.html", "shown-e"),
            ("421", "/x.html", "shown-e"),
            ("404", "/x.html", "shown-e"),
            ("403.4", "", "file-e"),
            ("403.4", "/../<x>.html", "file-e"),
            ("403.4", "/.git/config", "file-e"),
        ] {
            let page = browser.post(&path, &[("shown", shown), ("file", file)]).await;
            assert_eq!(page.status, 422, "{shown} {file}");
            assert!(page.html.contains(&format!(r#"id="{error}""#)), "{shown} {file}: {}", page.html);
            assert!(!page.html.contains("<x>"), "{}", page.html);
        }
        let page = browser.post(&path, &[("shown", "403.4"), ("file", "/../y.html")]).await;
        assert!(page.html.contains(r#"value="/../y.html""#), "what was typed is kept: {}", page.html);
        assert!(page.html.contains(r#"<option value="403.4" selected>"#), "{}", page.html);
    }

    #[tokio::test]
    async fn two_people_at_one_page_get_a_comparison_and_an_old_button_removes_nothing() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "refuse").await;
        browser.submit(&format!("/sites/{id}/pages"), &[("shown", "404"), ("file", "/a.html")]).await;
        let own = format!("/sites/{id}/pages/1");
        let opened = browser.version(id);
        let was = [("was", "404 No such page"), ("was", "/a.html"), ("version", opened.as_str())];
        let form = |file| [&[("shown", "404"), ("file", file)][..], &was].concat();
        browser.submit(&own, &form("/b.html")).await;
        let page = browser.post(&own, &form("/c.html")).await;
        assert_eq!(page.status, 409);
        assert!(page.html.contains("<td>/b.html</td><td><ins>/c.html</ins></td>"), "{}", page.html);
        let page = browser.post(&format!("{own}/delete"), &[("version", &opened)]).await;
        assert_eq!(page.status, 409);
        assert!(
            page.html.contains("Inga Solberg changed this just now") && page.html.contains("/b.html"),
            "{}",
            page.html
        );
        assert_eq!(browser.get(&format!("/sites/{id}/pages/9")).await.status, 404);
    }
}
