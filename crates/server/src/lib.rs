//! Bytes on ports: TLS, HTTP, and who gets what.
//!
//! A connection walks `door` (a place for it) → `acceptor` (`proxied`: a trusted proxy's word; TLS, `resolver`: whose
//! certificate) → `visit` (each request)
//! → `guard` (every step at which it may be refused) → `content` (a site's files) or `refusal` (why not) → `access_log`.
//! `probe` connects from outside and tells what came.

mod acceptor;
mod access_log;
mod answer;
mod ask;
mod asked;
mod client;
mod complaints;
pub mod console;
mod content;
mod crls;
mod documents;
mod door;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gathered;
mod guard;
mod handshake;
mod limits;
mod listeners;
mod patience;
mod places;
mod probe;
mod proxied;
mod references;
mod refusal;
mod resolver;
mod seen;
mod socket;
mod steady;
mod tls;
mod traffic;
mod validation;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use siteward_core::status::Reporter;
use siteward_core::store::Store;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

pub use limits::Limits;

use listeners::Listeners;
use references::References;
use traffic::{Recorder, Traffic};

/// Everything that serves sites. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Server {
    stop: oneshot::Sender<Duration>,
    following: JoinHandle<()>,
    recorder: Recorder,
    /// Ends with this.
    fetching: JoinSet<()>,
}

impl Server {
    /// Serves the sites of `store` on the current runtime and keeps up with their changes; tells `reporter` which
    /// ports are open.
    pub fn start(store: Store, reporter: Reporter, limits: Limits) -> Self {
        let (stop, stopped) = oneshot::channel();
        let traffic = Arc::new(Traffic::new(limits.kinds));
        let references = Arc::new(References::default());
        let recorder = Recorder::start(traffic.clone(), references.clone(), store.clone());
        let fetching = [crls::keep_fetched(store.clone())].into_iter().collect();
        let listeners = Listeners::new(store, limits, traffic, references);
        Self { stop, following: tokio::spawn(listeners.follow(reporter, stopped)), recorder, fetching }
    }

    /// Stops accepting, lets running requests finish within `grace`, then cuts.
    pub async fn shutdown(mut self, grace: Duration) {
        if self.stop.send(grace).is_err() {
            tracing::error!("serving had ended before");
        }
        if let Err(error) = self.following.await {
            tracing::error!(%error, "serving ended badly");
        }
        self.fetching.shutdown().await;
        self.recorder.finish().await;
    }
}
