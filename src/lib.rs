//! The program as a value: it can be started, told where it listens, and stopped. Tests start the very same value.

pub mod command;
pub mod config;
mod console;
mod first_start;
mod upkeep;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use siteward_admin::{Console, Ports};
use siteward_core::ledger::Author;
use siteward_core::status::Reporter;
use siteward_core::store::Store;
use siteward_server::{Limits, Server};
use time::OffsetDateTime;
use tokio::task::JoinHandle;

use config::Config;

/// A running Siteward.
#[derive(Debug)]
pub struct Application {
    config: Config,
    store: Store,
    server: Server,
    console: console::Served,
    upkeep: JoinHandle<()>,
    setup_link: Option<String>,
}

impl Application {
    /// Opens the store, makes what a first start needs, serves the sites and then the console.
    ///
    /// # Errors
    /// Where the data directory can't be used or the console can't listen. A site whose port can't be opened is none.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        // A second Application in one process finds the provider installed already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let store = Store::open(&config.data_dir).await?;
        if let Some(trouble) = store.vault_trouble() {
            tracing::error!("{trouble}");
        }
        let now = Author::siteward(OffsetDateTime::now_utc());
        let proposed = first_start::propose_ports(&config);
        first_start::make_default_site(&store, proposed.http, &now).await?;
        let (reporter, status) = Reporter::new();
        let server = Server::start(store.clone(), reporter, Limits::of_this_process());
        let router = siteward_admin::router(Console { store: store.clone(), status: status.clone(), proposed });
        let console = console::serve(&config, &store, router).await.context("the console can't be opened")?;
        let setup_link = first_start::setup_link(&store, &config.console_url(console.address), &now).await?;
        let upkeep = tokio::spawn(upkeep::keep_up(store.clone(), status));
        Ok(Self { config, store, server, console, upkeep, setup_link })
    }

    /// The address of the console's first page.
    pub fn console_url(&self) -> String {
        self.config.console_url(self.console.address)
    }

    /// The address the console listens on.
    pub fn console_address(&self) -> SocketAddr {
        self.console.address
    }

    /// The link to add the first administrator, while there is none.
    pub fn setup_link(&self) -> Option<&str> {
        self.setup_link.as_deref()
    }

    /// The store that this program serves.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops accepting, and waits at most `grace` for running requests.
    pub async fn shutdown(self, grace: Duration) {
        self.upkeep.abort();
        tokio::join!(self.server.shutdown(grace), self.console.shutdown(grace));
        self.store.close().await;
    }
}
