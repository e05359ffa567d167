//! Which certificate a handshake is answered with: the table says whose, the store gives its key once.

use std::sync::Arc;

use quick_cache::sync::Cache;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::SingleCertAndKey;
use siteward_core::certificate::CertificateId;
use siteward_core::host::HostName;
use siteward_core::site::{Site, SiteId, SiteState};
use siteward_core::sites::Sites;
use siteward_core::store::{Store, StoreError};
use time::OffsetDateTime;

use crate::complaints::Complaints;
use crate::handshake::Alert;
use crate::socket::Ends;

/// Finds the TLS configuration for a handshake.
#[derive(Debug)]
pub(crate) struct Resolver {
    store: Store,
    sites: Sites,
    /// By certificate. An id's content never changes, so an entry is never stale.
    configs: Cache<CertificateId, Arc<ServerConfig>>,
    complaints: Complaints<SiteId>,
}

/// How a handshake goes on.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) config: Arc<ServerConfig>,
    /// The site that the connection is for.
    pub(crate) site: SiteId,
}

/// Why a site that was found can't be served over TLS now.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("it is stopped")]
    Stopped,
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
    /// 2. its binding's certificate, if the site runs and the certificate is valid now: otherwise `internal_error`,
    ///    and never another site's certificate.
    pub(crate) async fn resolve(&self, ends: &Ends, server_name: Option<&str>) -> Result<Resolved, Alert> {
        let host = server_name.and_then(|name| HostName::parse(name).ok());
        let table = self.sites.table();
        let Some(found) = table.find(ends.local.ip(), ends.local.port(), host.as_ref()) else {
            tracing::debug!(remote = %ends.remote, local = %ends.local, server_name, "no site has this name");
            return Err(Alert::UnrecognizedName);
        };
        let certificate = certificate_in_service(found.site, found.binding.certificate.as_deref());
        let config = match certificate {
            Ok(id) => self.config(id).await,
            Err(closed) => Err(closed),
        };
        match config {
            Ok(config) => Ok(Resolved { config, site: found.site.id }),
            Err(closed) => {
                if self.complaints.due(found.site.id) {
                    tracing::warn!(site = found.site.name, cause = %closed, "a TLS connection was refused");
                }
                Err(Alert::InternalError)
            }
        }
    }

    async fn config(&self, id: CertificateId) -> Result<Arc<ServerConfig>, Closed> {
        let read = async {
            let key = self.store.certified_key(id).await?;
            Ok(Arc::new(resumable(server_config(Arc::new(SingleCertAndKey::from(key)))?)?))
        };
        self.configs.get_or_insert_async(&id, read).await
    }
}

fn certificate_in_service(
    site: &Site,
    certificate: Option<&siteward_core::certificate::CertificateFacts>,
) -> Result<CertificateId, Closed> {
    if site.state == SiteState::Stopped {
        return Err(Closed::Stopped);
    }
    let certificate = certificate.ok_or(Closed::NoCertificate)?;
    let now = OffsetDateTime::now_utc();
    match certificate {
        certificate if certificate.valid_at(now) => Ok(certificate.id),
        certificate if now < certificate.not_before => Err(Closed::NotYetValid(certificate.not_before)),
        certificate => Err(Closed::Expired(certificate.not_after)),
    }
}

/// TLS 1.2 and 1.3, post-quantum key exchange first, HTTP/2 before HTTP/1.1; no session can be resumed.
pub(crate) fn server_config(certificate: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// With tickets under a key of its own, so that a session won under one certificate is worthless under any other.
fn resumable(mut config: ServerConfig) -> Result<ServerConfig, rustls::Error> {
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(config)
}
