//! What publishing one changed site costs with 100 and with 20,000 sites: `cargo bench --bench publish`.
//!
//! The two stores are visited in turn, so that the machine's mood falls on both alike; the figure to read is the ratio.

use std::fs;
use std::hint::black_box;
use std::num::NonZeroU16;
use std::path::Path;
use std::time::{Duration, Instant};

use siteward_core::binding::{Place, Protocol};
use siteward_core::host::HostPattern;
use siteward_core::ledger::Author;
use siteward_core::ssl::RequireSsl;
use siteward_core::store::{Folder, NewSite, Store};
use time::OffsetDateTime;

const SIZES: [usize; 2] = [100, 20_000];
const ROUNDS: usize = 300;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let content = tempfile::tempdir()?;
    let mut stores = Vec::new();
    let mut folders = Vec::new();
    for size in SIZES {
        let folder = tempfile::tempdir_in(".")?;
        fill(folder.path(), content.path(), size).await?;
        stores.push(Store::open(folder.path()).await?);
        folders.push(folder);
    }
    let mut saved = [Vec::new(), Vec::new()];
    let mut published = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (which, store) in stores.iter().enumerate() {
            saved[which].push(save(store, round).await?);
            published[which].push(publish(store, round));
        }
    }
    println!("{:34} {:>12} {:>12} {:>8}", "one changed site", "100 sites", "20,000 sites", "ratio");
    row("next table (in memory)", &mut published);
    row("saved (commit, next table, publish)", &mut saved);
    Ok(())
}

/// Fills a store in memory where the system has a place for that, since every commit waits for the disk, then copies it.
async fn fill(folder: &Path, content: &Path, size: usize) -> anyhow::Result<()> {
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let store = Store::open(scratch.path()).await?;
    for i in 0..size {
        let place = Place {
            protocol: Protocol::Http,
            ip: None,
            port: NonZeroU16::MIN.saturating_add(79),
            host: HostPattern::parse(&format!("site-{i}.example"))?,
        };
        let new = NewSite {
            name: format!("Site {i}"),
            folder: Folder::At(content.display().to_string()),
            bindings: vec![place],
            require_ssl: RequireSsl::Off,
        };
        store.create_site(new, &author()).await?;
    }
    drop(store);
    for file in fs::read_dir(scratch.path())? {
        let file = file?;
        if file.file_type()?.is_file() {
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
    }
    Ok(())
}

async fn save(store: &Store, round: usize) -> anyhow::Result<Duration> {
    let table = store.table();
    let sites = table.sites().len();
    let site = table.sites().nth(round * 7919 % sites).expect("an index below the length").clone();
    let next = if site.rules.site().in_clear() == RequireSsl::Off { RequireSsl::Refuse } else { RequireSsl::Off };
    let start = Instant::now();
    store.update_ssl(site.id, site.version, next, &author()).await?;
    Ok(start.elapsed())
}

fn publish(store: &Store, round: usize) -> Duration {
    let table = store.table();
    let site = table.sites().nth(round * 7919 % table.sites().len()).expect("an index below the length").clone();
    let changed = (site.id, Some((*site).clone()));
    let start = Instant::now();
    black_box(table.with(table.revision() + 1, [changed]));
    start.elapsed()
}

fn row(name: &str, times: &mut [Vec<Duration>; 2]) {
    let [small, large] = times.each_mut().map(|times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    println!("{name:34} {:>12} {:>12} {ratio:>8.2}", format!("{small:.1?}"), format!("{large:.1?}"));
}

fn author() -> Author {
    Author::siteward(OffsetDateTime::now_utc())
}
