//! The program's log. Whoever reads it slowly, or not at all, loses lines; nobody waits for them.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Lines that may wait to be written.
const WAITING: usize = 10_000;

/// How often lost lines are told.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Starts the log on standard error; standard output is for what a person must see. Dropping the guard writes out what
/// waits, or gives it up after a second.
pub(super) fn start(config: &Config) -> anyhow::Result<WorkerGuard> {
    let filter = EnvFilter::builder().parse(&config.log_level)?;
    let (writer, guard) = patient(io::stderr());
    tokio::spawn(tell_lost(writer.error_counter()));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match config.log_format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(guard)
}

/// Writes to `target` on a thread of its own.
fn patient(target: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING).thread_name("log").finish(target)
}

async fn tell_lost(counter: ErrorCounter) {
    let mut times = tokio::time::interval(TELL_EVERY);
    let mut told = 0;
    loop {
        times.tick().await;
        let lost = counter.dropped_lines();
        if lost > told {
            tracing::warn!(lines = lost - told, "log lines were lost, because they were not read in time");
            told = lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_log_that_nobody_reads_loses_lines_and_holds_nobody_up() {
        let (reader, pipe) = io::pipe().unwrap();
        let (mut writer, guard) = patient(pipe);
        let lost = writer.error_counter();
        for _ in 0..2 * WAITING {
            writer.write_all(&[b'x'; 100]).unwrap();
        }
        assert!(lost.dropped_lines() > 0);
        drop(reader);
        drop(guard);
    }

    #[test]
    fn the_last_lines_are_written_before_the_end() {
        let (mut reader, pipe) = io::pipe().unwrap();
        let (mut writer, guard) = patient(pipe);
        writer.write_all(b"first\n").unwrap();
        writer.write_all(b"last\n").unwrap();
        drop((guard, writer));
        let mut written = String::new();
        reader.read_to_string(&mut written).unwrap();
        assert_eq!(written, "first\nlast\n");
    }
}
