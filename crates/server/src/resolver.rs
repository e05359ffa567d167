//! Which certificate a handshake is answered with: the table says whose, the store gives its key once.

use std::sync::Arc;

use quick_cache::sync::Cache;
use rustls::sign::SingleCertAndKey;
use rustls::{DistinguishedName, ServerConfig};
use siteward_core::certificate::CertificateId;
use siteward_core::host::HostName;
use siteward_core::site::{Site, SiteId, SiteState};
use siteward_core::sites::Sites;
use siteward_core::ssl::TlsPolicy;
use siteward_core::store::{Store, StoreError};
use siteward_core::table::SiteTable;
use time::OffsetDateTime;

use crate::ask::hints;
use crate::complaints::Complaints;
use crate::handshake::Alert;
use crate::socket::Ends;
use crate::tls::{resumable, server_config};

/// Finds the TLS configuration for a handshake.
#[derive(Debug)]
pub(crate) struct Resolver {
    store: Store,
    sites: Sites,
    /// By certificate and policy. An id's content never changes, so an entry is never stale.
    configs: Cache<(CertificateId, TlsPolicy), Arc<ServerConfig>>,
    complaints: Complaints<SiteId>,
}

/// How a handshake goes on.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) config: Arc<ServerConfig>,
    /// The site that the connection is for.
    pub(crate) site: SiteId,
    /// What its handshakes keep to.
    pub(crate) policy: TlsPolicy,
}

/// Why a site that was found can't be served over TLS now.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("it is stopped")]
    Stopped,
    #[error("its private keys can't be used, because the master key is missing")]
    Locked,
    #[error("its binding has no certificate")]
    NoCertificate,
    #[error("its certificate is not valid before {0}")]
    NotYetValid(OffsetDateTime),
    #[error("its certificate expired on {0}")]
    Expired(OffsetDateTime),
    #[error("its certificate cannot be used: {0}")]
    Key(#[from] StoreError),
    #[error("TLS refuses its certificate: {0}")]
    Tls(#[from] rustls::Error),
}

impl Resolver {
    /// Certificates whose configuration and key are kept in memory.
    const KEPT: usize = 10_000;

    pub(crate) fn new(store: Store) -> Self {
        let sites = store.sites();
        Self { store, sites, configs: Cache::new(Self::KEPT), complaints: Complaints::new() }
    }

    /// The site and certificate for a handshake that came in at `ends` with this server name. In this order:
    /// 1. the site that the server name, or without one the address alone, leads to; none: `unrecognized_name`;
    /// 2. its binding's certificate, if the site runs, is not locked, and the certificate is valid now: otherwise `internal_error`,
    ///    and never another site's certificate.
    pub(crate) async fn resolve(&self, ends: &Ends, server_name: Option<&str>) -> Result<Resolved, Alert> {
        let host = server_name.and_then(|name| HostName::parse(name).ok());
        let table = self.sites.table();
        let Some(found) = table.find(ends.local.ip(), ends.local.port(), host.as_ref()) else {
            tracing::debug!(remote = %ends.remote, local = %ends.local, server_name, "no site has this name");
            return Err(Alert::UnrecognizedName);
        };
        let certificate = certificate_in_service(found.site, found.binding.certificate.as_deref());
        let policy = table.tls(found.site);
        let config = match certificate {
            Ok(id) => self.config(id, policy, || hints(&table, found.site)).await,
            Err(closed) => Err(closed),
        };
        // Had a change released the certificate meanwhile, what was just read would stay for nobody.
        self.forget_released(&table, &self.sites.table());
        match config {
            Ok(config) => Ok(Resolved { config, site: found.site.id, policy }),
            Err(closed) => {
                if self.complaints.due(found.site.id) {
                    tracing::warn!(site = found.site.name, cause = %closed, "a TLS connection was refused");
                }
                Err(Alert::InternalError(found.site.id))
            }
        }
    }

    /// Forgets the keys that no handshake needs any more, now that `next` is in force after `before`, and the ticket
    /// keys of sites whose SSL settings, or CAs on their trust lists, changed. What another site still has is made anew by its next handshake.
    pub(crate) fn forget_released(&self, before: &SiteTable, next: &SiteTable) {
        for released in before.released_handshakes(next) {
            self.configs.remove(&released);
        }
    }

    async fn config(
        &self,
        id: CertificateId,
        policy: TlsPolicy,
        hints: impl Fn() -> Vec<DistinguishedName> + Send,
    ) -> Result<Arc<ServerConfig>, Closed> {
        let read = async {
            let key = self.store.certified_key(id).await?;
            Ok(Arc::new(resumable(server_config(policy, hints(), Arc::new(SingleCertAndKey::from(key)))?)?))
        };
        self.configs.get_or_insert_async(&(id, policy), read).await
    }
}

fn certificate_in_service(
    site: &Site,
    certificate: Option<&siteward_core::certificate::CertificateFacts>,
) -> Result<CertificateId, Closed> {
    if site.state == SiteState::Stopped {
        return Err(Closed::Stopped);
    }
    if site.locked {
        return Err(Closed::Locked);
    }
    let certificate = certificate.ok_or(Closed::NoCertificate)?;
    let now = OffsetDateTime::now_utc();
    match certificate {
        certificate if certificate.valid_at(now) => Ok(certificate.id),
        certificate if now < certificate.not_before => Err(Closed::NotYetValid(certificate.not_before)),
        certificate => Err(Closed::Expired(certificate.not_after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siteward_core::binding::{Place, Protocol, parse_port};
    use siteward_core::host::HostPattern;
    use siteward_core::key::KeyKind;
    use siteward_core::ssl::RequireSsl;
    use siteward_core::store::{BindingDraft, Folder, NewRequest, NewSite, SiteEdit};
    use siteward_core::subject::{Subject, SubjectAnswers};
    use siteward_core::testing::{TestStore, tester};

    #[tokio::test]
    async fn a_key_is_forgotten_once_its_binding_is_gone_and_kept_through_other_changes() {
        let test = TestStore::open().await;
        let store = &test.store;
        let place = |protocol, port| {
            let host = HostPattern::parse("shop.example").unwrap();
            Place { protocol, ip: None, port: parse_port(port).unwrap(), host }
        };
        let bindings = vec![place(Protocol::Http, "80")];
        let new = NewSite { name: "Shop".into(), folder: Folder::Own, bindings, require_ssl: RequireSsl::Off };
        let site = store.create_site(new, &tester()).await.unwrap();
        let authority = store.create_authority("Test authority", KeyKind::EcdsaP256, &tester()).await.unwrap();
        let answers = SubjectAnswers { common_name: "shop.example".into(), ..SubjectAnswers::default() };
        let subject = Subject::parse(&answers).unwrap();
        let new = NewRequest { site: None, friendly_name: "Shop".into(), subject, key: KeyKind::EcdsaP256 };
        let request = store.create_request(new, &tester()).await.unwrap();
        let certificate = store.sign_request(request, authority, &tester()).await.unwrap();
        let draft =
            BindingDraft { place: place(Protocol::Https, "443"), certificate: Some(certificate), confirmed: true };
        let binding = store.create_binding(site, draft, &tester()).await.unwrap();
        let version = || store.table().site(site).unwrap().version;

        let resolver = Resolver::new(store.clone());
        let ends = Ends { local: "127.0.0.1:443".parse().unwrap(), remote: "127.0.0.1:50000".parse().unwrap() };
        resolver.resolve(&ends, Some("shop.example")).await.unwrap();
        let bound = store.table();
        let before = store.table().site(site).unwrap().clone();
        let edit = SiteEdit { name: "Bookshop".into(), folder: before.folder.display().to_string() };
        store.update_site(site, version(), edit, &tester()).await.unwrap();
        resolver.forget_released(&bound, &store.table());
        assert_eq!(resolver.configs.len(), 1, "another setting changed");
        store.update_ssl(site, version(), RequireSsl::Refuse, &tester()).await.unwrap();
        resolver.forget_released(&bound, &store.table());
        assert_eq!(resolver.configs.len(), 0, "what was won under other SSL settings is worth nothing");
        let bound = store.table();
        resolver.resolve(&ends, Some("shop.example")).await.unwrap();
        assert_eq!(resolver.configs.len(), 1);
        store.delete_binding(site, binding, version(), &tester()).await.unwrap();
        resolver.forget_released(&bound, &store.table());
        assert_eq!(resolver.configs.len(), 0);
    }
}
