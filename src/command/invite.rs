//! `siteward invite`: a way in that needs no console, for whoever may read the data directory.

use siteward_core::ledger::Author;
use siteward_core::store::Store;
use time::OffsetDateTime;

use crate::config::Config;

pub(super) async fn run(config: Config, note: &str) -> anyhow::Result<()> {
    super::forbid_core_dumps();
    let store = Store::open(&config.data_dir).await?;
    let by = Author::command_line(OffsetDateTime::now_utc());
    let token = store.create_invitation(note, &by).await?;
    println!("Invitation link: {}join/{token}", config.console_url(config.console_address));
    Ok(())
}
