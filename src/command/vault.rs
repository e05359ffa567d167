//! `siteward vault`: replaces the master key, and tells whether everything opens.

use anyhow::{Context, bail};
use clap::Subcommand;
use siteward_core::ledger::Author;
use siteward_core::store::Store;
use siteward_core::vault::{NEXT_KEY_FILE, Settled};
use time::OffsetDateTime;

use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Seal every private key under a new master key, while Siteward goes on serving.
    Rotate,
    /// Try to open every private key, and count.
    Check,
}

pub(super) async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    super::forbid_core_dumps();
    let store = Store::open(&config.data_dir).await?;
    let done = match command {
        Command::Rotate => rotate(&store).await,
        Command::Check => check(&store).await,
    };
    store.close().await;
    done
}

async fn rotate(store: &Store) -> anyhow::Result<()> {
    let rotated = store.rotate_master_key(&Author::command_line(OffsetDateTime::now_utc())).await?;
    println!("Sealed under the new master key: {}", rotated.sealed);
    if rotated.unreadable > 0 {
        println!("Damaged before, and left as they were: {}", rotated.unreadable);
    }
    if rotated.key == Settled::Waiting {
        let path = store.data_dir().join(NEXT_KEY_FILE);
        println!("The new master key is in {}.", path.display());
        println!("Put it where Siteward gets its master key from, and restart Siteward: it then removes this file.");
    }
    Ok(())
}

async fn check(store: &Store) -> anyhow::Result<()> {
    let count = store.check_vault().await.context("the vault can't be read")?;
    println!("Open: {}", count.opened);
    println!("Destroyed: {}", count.destroyed);
    println!("Not to be opened: {}", count.unreadable.len());
    for id in &count.unreadable {
        println!("  the private key whose public key has the SHA-256 {id}");
    }
    if count.master_keys > 1 {
        println!("A rotation of the master key is unfinished: run siteward vault rotate.");
    }
    if let Some(trouble) = store.vault_trouble() {
        bail!("{trouble}");
    }
    if !count.unreadable.is_empty() {
        bail!("some private keys can't be opened");
    }
    Ok(())
}
