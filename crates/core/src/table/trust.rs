//! What the table holds beside sites: Siteward's own documents, and the trust lists that sites ask.

use std::sync::Arc;

use super::SiteTable;
use crate::certificate::Fingerprint;
use crate::document::{Document, Generation};
use crate::site::Site;
use crate::ssl::{TlsPolicy, Trusted};
use crate::trust_list::{Crl, Finding, OwnLists, TrustList, TrustListId};

impl SiteTable {
    /// The number of the newest document.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The same table with newer documents, each with its path and `None` where it was taken back.
    pub fn with_documents(
        mut self,
        generation: Generation,
        changes: impl IntoIterator<Item = (String, Option<Document>)>,
    ) -> Self {
        self.generation = generation;
        for (path, document) in changes {
            match document {
                Some(document) => drop(self.documents.insert(path, document)),
                None => drop(self.documents.remove(&path)),
            }
        }
        self
    }

    /// The same table with newer revocation lists of Siteward's own authorities, each with the key that signs for it and
    /// `None` where it was taken back.
    pub fn with_own_lists(mut self, changes: impl IntoIterator<Item = (Fingerprint, Option<Option<Crl>>)>) -> Self {
        for (key, crl) in changes {
            match crl {
                Some(crl) => drop(self.own_lists.insert(key, crl.map(Arc::new))),
                None => drop(self.own_lists.remove(&key)),
            }
        }
        self
    }

    /// What Siteward's own authorities have revoked.
    pub fn own_lists(&self) -> &OwnLists {
        &self.own_lists
    }

    /// The number of the newest state of a trust list.
    pub fn trust_generation(&self) -> Generation {
        self.trust_generation
    }

    /// The same table with newer trust lists, each with its id and `None` where it is gone or can't be read.
    pub fn with_trust_lists(
        mut self,
        generation: Generation,
        changes: impl IntoIterator<Item = (TrustListId, Option<Arc<TrustList>>)>,
    ) -> Self {
        self.trust_generation = generation;
        for (id, list) in changes {
            match list {
                Some(list) => drop(self.trust_lists.insert(id, list)),
                None => drop(self.trust_lists.remove(&id)),
            }
        }
        self
    }

    /// Every trust list, by id.
    pub fn trust_lists(&self) -> impl ExactSizeIterator<Item = &Arc<TrustList>> {
        self.trust_lists.values()
    }

    /// The trust list that counts where this is trusted.
    ///
    /// # Errors
    /// What is found about every certificate where there is none.
    pub fn trust_list(&self, trusted: Trusted) -> Result<&Arc<TrustList>, Finding<'static>> {
        match trusted {
            Trusted::Unset => Err(Finding::NoList),
            Trusted::Conflict => Err(Finding::Conflict),
            Trusted::List(id) => self.trust_lists.get(&id).ok_or(Finding::ListGone),
        }
    }

    /// The sites that ask this trust list at any place.
    pub fn sites_asking(&self, list: TrustListId) -> impl Iterator<Item = &Arc<Site>> {
        self.asking.get(&list).into_iter().flatten().filter_map(|site| self.sites.get(site))
    }

    /// What handshakes for a site keep to, with the CAs of the trust lists that it asks.
    pub fn tls(&self, site: &Site) -> TlsPolicy {
        let policy = site.rules.tls();
        if site.rules.trust_lists().is_empty() {
            return policy;
        }
        let lists = site.rules.trust_lists().iter().map(|id| self.trust_lists.get(id).map(|list| list.identity()));
        let identities: Vec<u8> = lists.flat_map(|list| list.unwrap_or_default().0).collect();
        TlsPolicy { trust: Fingerprint::of(&identities), ..policy }
    }

    pub(super) fn ask_no_longer(&mut self, site: &Site) {
        for list in site.rules.trust_lists() {
            if let Some(sites) = self.asking.get_mut(list) {
                sites.remove(&site.id);
                if sites.is_empty() {
                    self.asking.remove(list);
                }
            }
        }
    }

    /// Siteward's own document at this very path.
    pub fn document(&self, path: &str) -> Option<&Document> {
        self.documents.get(path)
    }
}
