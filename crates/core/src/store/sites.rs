//! Sites: create, edit, start, stop, delete. Lists come from [`Store::table`], without the database.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::requests::blocking;
use super::write::{Entry, Write};
use super::{
    Result, RuleDraft, Store, StoreError, bindings, exemptions, folder, hsts, pages, parse_name, rules, trials,
};
use crate::binding::Place;
use crate::ledger::{Author, Revision, Thing};
use crate::site::{Site, SiteId, SiteState};
use crate::ssl::{RequireSsl, RulePath, Setting};

/// Where a new site's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// A folder made for it below the data directory, with a first page.
    Own,
    /// An existing folder, as typed.
    At(String),
}

/// A site to create.
#[derive(Debug, Clone)]
pub struct NewSite {
    /// Unique name.
    pub name: String,
    /// Where its files are.
    pub folder: Folder,
    /// Its first bindings, http only.
    pub bindings: Vec<Place>,
    /// What plain HTTP gets.
    pub require_ssl: RequireSsl,
}

/// An edit of a site's name and folder.
#[derive(Debug, Clone)]
pub struct SiteEdit {
    /// Unique name.
    pub name: String,
    /// An existing folder, as typed.
    pub folder: String,
}

impl Store {
    /// Creates a running site.
    ///
    /// # Errors
    /// `Name`, `NameTaken`, `Folder`, `PlaceTaken`, `PortSpeaks`.
    pub async fn create_site(&self, new: NewSite, by: &Author) -> Result<SiteId> {
        let name = parse_name(&new.name)?;
        let existing = match &new.folder {
            Folder::Own => None,
            Folder::At(typed) => Some(self.parse_folder(typed).await?),
        };
        let mut write = self.begin(by).await?;
        name_is_free(&mut write, &name, None).await?;
        for place in &new.bindings {
            bindings::place_is_free(&mut write, place, None).await?;
        }
        let made = match existing {
            Some(_) => None,
            None => Some(folder::Made::create(&name, self.data_dir())?),
        };
        let folder = existing.as_deref().or(made.as_deref()).ok_or(StoreError::Gone)?;
        let id = insert(write, &name, folder, &new).await?;
        if let Some(made) = made {
            made.keep();
        }
        Ok(id)
    }

    /// Looks at a folder as typed, which may be on a slow disk, before anything is locked.
    pub(super) async fn parse_folder(&self, typed: &str) -> Result<PathBuf> {
        let (typed, data_dir) = (typed.to_owned(), self.data_dir().to_owned());
        blocking(move || folder::parse(&typed, &data_dir)).await
    }

    /// Renames a site or moves its folder, if nobody changed it since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `Name`, `NameTaken`, `Folder`.
    pub async fn update_site(&self, id: SiteId, version: Revision, edit: SiteEdit, by: &Author) -> Result<()> {
        let name = parse_name(&edit.name)?;
        let folder = self.parse_folder(&edit.folder).await?;
        let mut write = self.begin(by).await?;
        let before = write.site(id, version).await?;
        name_is_free(&mut write, &name, Some(id)).await?;
        let after = Site { name, folder, ..before.clone() };
        update(write, "edited the site", &before, &after).await
    }

    /// Starts or stops a site, if nobody changed it since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn update_site_state(&self, id: SiteId, version: Revision, state: SiteState, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let before = write.site(id, version).await?;
        let verb = match state {
            SiteState::Running => "started",
            SiteState::Stopped => "stopped",
        };
        let after = Site { state, ..before.clone() };
        update(write, verb, &before, &after).await
    }

    /// Deletes a site and its bindings, if nobody changed it since `version`. Its files, requests and certificates stay.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn delete_site(&self, id: SiteId, version: Revision, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let site = write.site(id, version).await?;
        let before = whole(&mut write, &site).await?;
        remove(&mut write, id).await?;
        let entry = Entry {
            thing: Thing::Site,
            id,
            site: Some(id),
            summary: format!("deleted the site {}", site.name),
            before: Some(before),
            after: None,
            touched: vec![id],
        };
        write.commit(entry).await
    }
}

async fn insert(mut write: Write<'_>, name: &str, folder: &Path, new: &NewSite) -> Result<SiteId> {
    let id = insert_row(&mut write, None, name, folder, SiteState::Running).await?;
    let settings = new.require_ssl.into();
    let whole_site = RuleDraft { path: RulePath::site(), settings, reason: String::new() };
    rules::insert(&mut write, id, None, &whole_site).await?;
    for place in &new.bindings {
        bindings::place_is_free(&mut write, place, None).await?; // two of the new ones may be the same
        bindings::insert(&mut write, id, None, place, None).await?;
    }
    let site = write.site_now(id).await?.ok_or(StoreError::Gone)?;
    let after = whole(&mut write, &site).await?;
    let entry = Entry {
        thing: Thing::Site,
        id,
        site: Some(id),
        summary: format!("added the site {name}"),
        before: None,
        after: Some(after),
        touched: vec![id],
    };
    write.commit(entry).await?;
    Ok(id)
}

async fn update(mut write: Write<'_>, verb: &str, before: &Site, after: &Site) -> Result<()> {
    put(&mut write, after).await?;
    let entry = Entry {
        thing: Thing::Site,
        id: after.id,
        site: Some(after.id),
        summary: format!("{verb} {}", after.name),
        before: Some(facts(before)),
        after: Some(facts(after)),
        touched: vec![after.id],
    };
    write.commit(entry).await
}

/// Saves a site's name, folder and state.
pub(super) async fn put(write: &mut Write<'_>, site: &Site) -> Result<()> {
    let (folder, state) = (text(&site.folder, write.data_dir)?, site.state.as_str());
    sqlx::query!("UPDATE sites SET name = ?, folder = ?, state = ? WHERE id = ?", site.name, folder, state, site.id)
        .execute(write.db())
        .await?;
    Ok(())
}

/// Inserts a site without anything that it has, under the id that it had before where there was one.
pub(super) async fn insert_row(
    write: &mut Write<'_>,
    id: Option<SiteId>,
    name: &str,
    folder: &Path,
    state: SiteState,
) -> Result<SiteId> {
    let (folder, state, version) = (text(folder, write.data_dir)?, state.as_str(), write.revision());
    let inserted = sqlx::query!(
        "INSERT INTO sites (id, name, folder, state, version) VALUES (?, ?, ?, ?, ?)",
        id,
        name,
        folder,
        state,
        version
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

/// Deletes a site and what it has. What leaked stays until it is too old, for a site that comes back.
pub(super) async fn remove(write: &mut Write<'_>, id: SiteId) -> Result<()> {
    sqlx::query!("DELETE FROM bindings WHERE site_id = ?", id).execute(write.db()).await?;
    sqlx::query!("DELETE FROM sites WHERE id = ?", id).execute(write.db()).await?;
    Ok(())
}

pub(super) async fn name_is_free(write: &mut Write<'_>, name: &str, except: Option<SiteId>) -> Result<()> {
    let taken = sqlx::query_scalar!("SELECT name FROM sites WHERE name = ? AND id IS NOT ?", name, except)
        .fetch_optional(write.db())
        .await?;
    match taken {
        Some(name) => Err(StoreError::NameTaken(name)),
        None => Ok(()),
    }
}

pub(super) fn facts(site: &Site) -> Value {
    json!({
        "name": site.name,
        "folder": site.folder.display().to_string(),
        "state": site.state.as_str(),
    })
}

/// A site with everything that goes with it, so that it can come back.
pub(super) async fn whole(write: &mut Write<'_>, site: &Site) -> Result<Value> {
    let requests = sqlx::query_scalar!("SELECT id FROM requests WHERE site_id = ? ORDER BY id", site.id);
    let requests = requests.fetch_all(write.db()).await?;
    let numbered = |id: i64, mut facts: Value| {
        facts["id"] = id.into();
        facts
    };
    let bindings = site.bindings.iter().map(|own| numbered(own.id, bindings::facts_of(own)));
    let rules = site.rules.list().iter().map(|own| numbered(own.id, rules::facts_of(&own.clone().into())));
    let exemptions = site.exemptions.list().iter().map(|own| numbered(own.id, exemptions::facts(own)));
    let pages = site.pages.list().iter().map(|own| numbered(own.id, pages::facts(&own.draft)));
    let mut value = facts(site);
    value["require_ssl"] = site.rules.site().require_ssl.value.as_str().into();
    value["bindings"] = bindings.collect();
    value["rules"] = rules.collect();
    value["exemptions"] = exemptions.collect();
    value["trials"] = site.trials.iter().map(trials::facts).collect();
    value["pages"] = pages.collect();
    value["requests"] = requests.into();
    value["told"] = hsts::exact(site.hsts);
    Ok(value)
}

/// A folder as stored: one of Siteward's own relative to the data directory, so that this can be moved.
fn text<'a>(folder: &'a Path, data_dir: &Path) -> Result<&'a str> {
    let stored = folder.strip_prefix(data_dir).unwrap_or(folder);
    stored.to_str().ok_or_else(|| StoreError::Internal("a folder is not UTF-8".into()))
}
