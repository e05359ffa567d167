//! Bindings of a site. The site's version guards them too.

use super::{Result, Store};
use crate::binding::{BindingId, Place};
use crate::certificate::CertificateId;
use crate::ledger::{Author, Revision};
use crate::site::SiteId;

/// A binding to create, or what one is to become.
#[derive(Debug, Clone)]
pub struct BindingDraft {
    /// Where the site is reached.
    pub place: Place,
    /// The certificate of an https binding; ignored for http.
    pub certificate: Option<CertificateId>,
    /// Take a certificate that is expired, not yet valid, or does not cover the host name.
    pub confirmed: bool,
}

impl Store {
    /// Adds a binding to a site.
    ///
    /// # Errors
    /// `Gone`, `PlaceTaken`, `PortSpeaks`, `CertificateNeeded`, `Doubtful`.
    pub async fn create_binding(&self, site: SiteId, draft: BindingDraft, by: &Author) -> Result<BindingId> {
        let _ = (site, draft, by);
        todo!()
    }

    /// Changes a binding, if nobody changed its site since `version`.
    ///
    /// # Errors
    /// As [`Store::create_binding`], and `Stale`.
    pub async fn update_binding(
        &self,
        site: SiteId,
        id: BindingId,
        version: Revision,
        draft: BindingDraft,
        by: &Author,
    ) -> Result<()> {
        let _ = (site, id, version, draft, by);
        todo!()
    }

    /// Removes a binding, if nobody changed its site since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn delete_binding(&self, site: SiteId, id: BindingId, version: Revision, by: &Author) -> Result<()> {
        let _ = (site, id, version, by);
        todo!()
    }
}
