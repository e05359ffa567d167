//! `siteward serve`: starts, tells where the console is, and stops when asked to.

use std::io::{self, IsTerminal};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::Application;
use crate::config::{Config, LogFormat};

/// How long running requests may take after a stop was asked for: less than the ten seconds container engines wait.
const GRACE: Duration = Duration::from_secs(8);

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    start_log(&config)?;
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

/// Logs go to standard error; standard output is for the two lines above.
fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&config.log_level)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
