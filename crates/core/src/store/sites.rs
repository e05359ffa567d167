//! Sites: create, edit, start, stop, delete. Lists come from [`Store::table`], without the database.

use super::{Result, Store};
use crate::binding::Place;
use crate::ledger::{Author, Revision};
use crate::site::{SiteId, SiteState};
use crate::ssl::RequireSsl;

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
        let _ = (new, by);
        todo!()
    }

    /// Renames a site or moves its folder, if nobody changed it since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `Name`, `NameTaken`, `Folder`.
    pub async fn update_site(&self, id: SiteId, version: Revision, edit: SiteEdit, by: &Author) -> Result<()> {
        let _ = (id, version, edit, by);
        todo!()
    }

    /// Starts or stops a site, if nobody changed it since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn update_site_state(&self, id: SiteId, version: Revision, state: SiteState, by: &Author) -> Result<()> {
        let _ = (id, version, state, by);
        todo!()
    }

    /// Sets what plain HTTP gets, if nobody changed the site since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn update_ssl(&self, id: SiteId, version: Revision, require_ssl: RequireSsl, by: &Author) -> Result<()> {
        let _ = (id, version, require_ssl, by);
        todo!()
    }

    /// Deletes a site and its bindings, if nobody changed it since `version`. Its files, requests and certificates stay.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn delete_site(&self, id: SiteId, version: Revision, by: &Author) -> Result<()> {
        let _ = (id, version, by);
        todo!()
    }
}
