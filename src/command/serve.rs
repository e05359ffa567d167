//! `siteward serve`: starts, tells where the console is, and stops when asked to.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{forbid_core_dumps, log};
use crate::Application;
use crate::config::Config;

/// How long running requests may take after a stop was asked for: less than the ten seconds container engines wait.
const GRACE: Duration = Duration::from_secs(8);

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let _log = log::start(&config)?; // dropped last: it writes what still waits
    forbid_core_dumps();
    let application = Application::start(config).await?;
    println!("Console: {}", application.console_url());
    if let Some(link) = application.setup_link() {
        println!("Set-up link: {link}");
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    application.shutdown(GRACE).await;
    Ok(())
}
