//! The own pages of sites. The site's version guards them.

use std::collections::HashMap;

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::write::{Entry, Write};
use super::{Result, Store, StoreError, rows};
use crate::ledger::{Author, Revision, Thing};
use crate::pages::{Page, PageDraft, PageId, Pages};
use crate::site::{Site, SiteId};
use crate::traffic::Answer;

struct PageRow {
    id: i64,
    site_id: i64,
    status: i64,
    substatus: i64,
    path: String,
}

impl Store {
    /// Lets a site show a file of its own, if nobody changed the site since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `PageTaken`.
    pub async fn create_page(&self, site: SiteId, version: Revision, draft: PageDraft, by: &Author) -> Result<PageId> {
        let mut write = self.begin(by).await?;
        let site = write.site(site, version).await?;
        is_free(&site, draft.answer, None)?;
        let id = insert(&mut write, site.id, None, &draft).await?;
        let entry = Entry { after: Some(facts(&draft)), ..entry(&site, id, "added a page of its own to") };
        write.commit(entry).await?;
        Ok(id)
    }

    /// Changes which file is shown for what, if nobody changed the site since `version`.
    ///
    /// # Errors
    /// As [`Store::create_page`].
    pub async fn update_page(
        &self,
        site: SiteId,
        id: PageId,
        version: Revision,
        draft: PageDraft,
        by: &Author,
    ) -> Result<()> {
        let mut write = self.begin(by).await?;
        let site = write.site(site, version).await?;
        let before = Some(facts(&find(&site, id)?.draft));
        is_free(&site, draft.answer, Some(id))?;
        update(&mut write, id, &draft).await?;
        let entry = Entry { before, after: Some(facts(&draft)), ..entry(&site, id, "changed a page of its own of") };
        write.commit(entry).await
    }

    /// Lets the built-in page be shown again, if nobody changed the site since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn delete_page(&self, site: SiteId, id: PageId, version: Revision, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let site = write.site(site, version).await?;
        let before = Some(facts(&find(&site, id)?.draft));
        remove(&mut write, id).await?;
        write.commit(Entry { before, ..entry(&site, id, "removed a page of its own from") }).await
    }
}

/// The pages of one site as stored.
pub(super) async fn of(db: &mut SqliteConnection, site: SiteId) -> Result<Pages> {
    let rows =
        sqlx::query_as!(PageRow, "SELECT id, site_id, status, substatus, path FROM pages WHERE site_id = ?", site);
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(Pages::new(rows.filter_map(|row| rows::readable(row.read())).collect()))
}

/// The pages of every site that has any.
pub(super) async fn of_all(db: &mut SqliteConnection) -> Result<HashMap<SiteId, Pages>> {
    let rows = sqlx::query_as!(PageRow, "SELECT id, site_id, status, substatus, path FROM pages");
    let mut pages: HashMap<SiteId, Vec<Page>> = HashMap::new();
    for row in rows.fetch_all(db).await? {
        let site = row.site_id;
        pages.entry(site).or_default().extend(rows::readable(row.read()));
    }
    Ok(pages.into_iter().map(|(site, pages)| (site, Pages::new(pages))).collect())
}

impl PageRow {
    fn read(self) -> Result<Page> {
        let read = || PageDraft::stored(self.status.try_into().ok()?, self.substatus.try_into().ok()?, &self.path);
        let draft = read().ok_or_else(|| StoreError::Internal(format!("page {} can't be read", self.id)))?;
        Ok(Page { id: self.id, draft })
    }
}

pub(super) fn find(site: &Site, id: PageId) -> Result<&Page> {
    site.pages.list().iter().find(|page| page.id == id).ok_or(StoreError::Gone)
}

pub(super) fn is_free(site: &Site, answer: Answer, except: Option<PageId>) -> Result<()> {
    match site.pages.list().iter().any(|page| page.draft.answer == answer && Some(page.id) != except) {
        true => Err(StoreError::PageTaken(answer.to_string())),
        false => Ok(()),
    }
}

/// Inserts a page, under the id that it had before where there was one.
pub(super) async fn insert(
    write: &mut Write<'_>,
    site: SiteId,
    id: Option<PageId>,
    draft: &PageDraft,
) -> Result<PageId> {
    let (Answer { status, substatus }, path) = (draft.answer, draft.path.relative());
    let inserted = sqlx::query!(
        "INSERT INTO pages (id, site_id, status, substatus, path) VALUES (?, ?, ?, ?, ?)",
        id,
        site,
        status,
        substatus,
        path
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

pub(super) async fn update(write: &mut Write<'_>, id: PageId, draft: &PageDraft) -> Result<()> {
    let (Answer { status, substatus }, path) = (draft.answer, draft.path.relative());
    sqlx::query!("UPDATE pages SET status = ?, substatus = ?, path = ? WHERE id = ?", status, substatus, path, id)
        .execute(write.db())
        .await?;
    Ok(())
}

pub(super) async fn remove(write: &mut Write<'_>, id: PageId) -> Result<()> {
    sqlx::query!("DELETE FROM pages WHERE id = ?", id).execute(write.db()).await?;
    Ok(())
}

fn entry(site: &Site, id: PageId, verb: &str) -> Entry {
    Entry::of_site(site, Thing::Page, id, verb)
}

pub(super) fn facts(draft: &PageDraft) -> Value {
    json!({ "shown_for": draft.answer.to_string(), "file": draft.address() })
}

/// Reads what [`facts`] wrote.
pub(super) fn read(facts: &Value) -> Option<PageDraft> {
    PageDraft::parse(facts["shown_for"].as_str()?, facts["file"].as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssl::RequireSsl;
    use crate::store::{ChangeFilter, Folder, NewSite};
    use crate::testing::{TestStore, tester};

    async fn site(store: &Store) -> SiteId {
        let new =
            NewSite { name: "Shop".into(), folder: Folder::Own, bindings: Vec::new(), require_ssl: RequireSsl::Off };
        store.create_site(new, &tester()).await.unwrap()
    }

    fn version(store: &Store, site: SiteId) -> Revision {
        store.table().site(site).unwrap().version
    }

    fn draft(status: &str, path: &str) -> PageDraft {
        PageDraft::parse(status, path).unwrap()
    }

    fn shown(store: &Store, site: SiteId) -> Vec<String> {
        let site = store.table().site(site).unwrap().clone();
        site.pages.list().iter().map(|page| format!("{} {}", page.draft.answer, page.draft.address())).collect()
    }

    #[tokio::test]
    async fn pages_are_added_changed_and_removed_and_a_restart_reads_the_same() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        let first = store.create_page(id, version(store, id), draft("403", "/no.html"), &tester()).await.unwrap();
        store.create_page(id, version(store, id), draft("403.4", "/s p.html"), &tester()).await.unwrap();
        assert_eq!(shown(store, id), ["403 /no.html", "403.4 /s%20p.html"]);
        let changed = draft("404", "/gone.html");
        store.update_page(id, first, version(store, id), changed, &tester()).await.unwrap();
        assert_eq!(shown(store, id), ["403.4 /s%20p.html", "404 /gone.html"]);
        let again = Store::open(test.folder.path()).await.unwrap();
        assert_eq!(again.table().site(id), store.table().site(id));
        store.delete_page(id, first, version(store, id), &tester()).await.unwrap();
        assert_eq!(shown(store, id), ["403.4 /s%20p.html"]);

        let filter = ChangeFilter { thing: Some(Thing::Page), ..ChangeFilter::default() };
        let changes = store.list_changes(&filter, 9).await.unwrap();
        let told = |value: &Option<Value>| value.as_ref().map(|value| value["shown_for"].as_str().unwrap().to_owned());
        let told: Vec<_> = changes.iter().map(|change| (told(&change.before), told(&change.after))).collect();
        let word = |text: &str| Some(text.to_owned());
        let expected = [(word("404"), None), (word("403"), word("404")), (None, word("403.4")), (None, word("403"))];
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn one_answer_has_one_page_and_nobody_overwrites_unseen() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        let opened = version(store, id);
        store.create_page(id, opened, draft("403", "/no.html"), &tester()).await.unwrap();
        let stale = store.create_page(id, opened, draft("404", "/x.html"), &tester()).await;
        assert!(matches!(stale, Err(StoreError::Stale { .. })));
        let twice = store.create_page(id, version(store, id), draft("403", "/x.html"), &tester()).await;
        assert!(matches!(twice, Err(StoreError::PageTaken(answer)) if answer == "403"));
        assert!(matches!(store.delete_page(id, 99, version(store, id), &tester()).await, Err(StoreError::Gone)));
        store.delete_site(id, version(store, id), &tester()).await.unwrap();
        let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pages").fetch_one(store.reader());
        assert_eq!(left.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_page_that_cannot_be_read_is_left_out_and_its_site_is_served() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        store.create_page(id, version(store, id), draft("403", "/no.html"), &tester()).await.unwrap();
        store.create_page(id, version(store, id), draft("404", "/x.html"), &tester()).await.unwrap();
        sqlx::query("UPDATE pages SET path = '../x' WHERE status = 403").execute(&store.0.writer).await.unwrap();
        let again = Store::open(test.folder.path()).await.unwrap();
        assert_eq!(shown(&again, id), ["404 /x.html"]);
    }
}
