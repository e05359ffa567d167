//! The console on its own port, always over TLS, with a certificate from Siteward's first authority.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use siteward_core::certificate::SubjectName;
use siteward_core::ledger::Author;
use siteward_core::store::Store;
use siteward_server::{Limits, console};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;

/// The root to trust for the console, in the data directory.
const ROOT_FILE: &str = "console-root.pem";

/// How often the console gets a new certificate: often enough that none ever comes near its end.
const RENEW_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The console while it is served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    console: console::Console,
    renewing: JoinHandle<()>,
}

/// Opens the console's port, and writes the root that a browser needs to trust it.
pub(crate) async fn serve(config: &Config, store: &Store, router: Router) -> anyhow::Result<Served> {
    let listener = TcpListener::bind(config.console_address)
        .with_context(|| format!("{} can't be opened", config.console_address))?;
    let address = listener.local_addr()?;
    let names = names(config, address.ip())?;
    let (renewed, newest) = watch::channel(issue(store, &names).await?);
    write_root(store).await?;
    let console = console::serve(listener, Arc::new(Newest(newest)), router, &Limits::of_console())?;
    let renewing = tokio::spawn(renew(store.clone(), names, renewed));
    Ok(Served { address, console, renewing })
}

impl Served {
    pub(crate) async fn shutdown(self, grace: Duration) {
        self.renewing.abort();
        if let Err(error) = self.console.shutdown(grace).await {
            tracing::error!(%error, "the console ended badly");
        }
    }
}

/// Answers each handshake with the newest certificate.
#[derive(Debug)]
struct Newest(watch::Receiver<Arc<CertifiedKey>>);

impl ResolvesServerCert for Newest {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.borrow().clone())
    }
}

async fn renew(store: Store, names: Vec<SubjectName>, renewed: watch::Sender<Arc<CertifiedKey>>) {
    let mut vault = store.watch_vault();
    let mut days = tokio::time::interval(RENEW_EVERY);
    days.tick().await; // the first is now
    loop {
        // With the master key, the console's own authority comes and goes.
        tokio::select! {
            _ = days.tick() => {}
            Ok(()) = vault.changed() => {}
        }
        match issue(&store, &names).await {
            Ok(key) => drop(renewed.send_replace(key)),
            Err(error) => tracing::error!(%error, "the console keeps its certificate for now"),
        }
    }
}

async fn issue(store: &Store, names: &[SubjectName]) -> anyhow::Result<Arc<CertifiedKey>> {
    let now = Author::siteward(OffsetDateTime::now_utc());
    store.console_certificate(names, &now).await.context("the console's certificate can't be made")
}

/// Every name by which a browser may reach the console.
fn names(config: &Config, ip: IpAddr) -> anyhow::Result<Vec<SubjectName>> {
    let mut names = Vec::new();
    if let Some(name) = &config.console_name {
        names.push(SubjectName::parse(name).with_context(|| format!("--console-name {name}"))?);
    }
    names.push(SubjectName::parse("localhost")?);
    names.extend([IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].map(SubjectName::Ip));
    let own = SubjectName::Ip(ip);
    if !ip.is_unspecified() && !names.contains(&own) {
        names.push(own);
    }
    Ok(names)
}

async fn write_root(store: &Store) -> anyhow::Result<()> {
    let Some(first) = store.list_authorities().await?.into_iter().next() else { return Ok(()) };
    let path = store.data_dir().join(ROOT_FILE);
    fs::write(&path, first.certificate.to_pem()).with_context(|| format!("{}", path.display()))
}
