//! `siteward import-log`: reads the logs of another server, however long they are.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use siteward_core::ledger::Author;
use siteward_core::store::Store;
use siteward_core::traffic::W3cLog;
use time::OffsetDateTime;

use crate::config::Config;

/// Bytes of a line that are read as one.
const MAX_LINE: u64 = 64 * 1024;

/// Reads all `files` as one log for the site named `name`.
pub(super) async fn run(config: Config, name: &str, files: &[PathBuf], https_ports: Vec<u16>) -> anyhow::Result<()> {
    super::forbid_core_dumps();
    let store = Store::open(&config.data_dir).await?;
    let site = store.table().sites().find(|site| site.name.eq_ignore_ascii_case(name)).map(|site| site.id);
    let site = site.with_context(|| format!("there is no site named {name}"))?;
    let now = OffsetDateTime::now_utc();
    let mut log = W3cLog::new(https_ports, now);
    for file in files {
        read(file, &mut log).with_context(|| format!("{}", file.display()))?;
    }
    let imported = log.finish()?;
    store.import_traffic(site, &imported, &Author::command_line(now)).await?;
    store.close().await;
    println!("Requests imported: {}", imported.counted);
    if imported.skipped > 0 {
        println!("Lines left out, because they are too old or can't be read: {}", imported.skipped);
    }
    Ok(())
}

fn read(file: &Path, log: &mut W3cLog) -> anyhow::Result<()> {
    let mut reader = BufReader::new(File::open(file)?);
    let mut line = Vec::new();
    while reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? > 0 {
        log.line(&String::from_utf8_lossy(&line))?;
        line.clear();
    }
    Ok(())
}
