//! The only door to SQLite. Every write is one transaction, one ledger entry, and in force when it returns.

mod authorities;
mod bindings;
mod certificate_list;
mod certificates;
mod changes;
mod documents;
mod error;
mod exemptions;
mod exports;
mod folder;
mod hsts;
mod imports;
mod invitations;
mod issued;
mod issuers;
mod issuing;
mod kept;
mod life;
mod load;
mod pages;
mod proxies;
mod refused;
mod rehearsal;
mod renewals;
mod requests;
mod roots;
mod rotation;
mod rows;
mod rules;
#[cfg(any(test, feature = "testing"))]
mod seed;
mod seen;
mod sessions;
mod sites;
mod switches;
#[cfg(test)]
mod tests;
pub mod token;
mod traffic;
mod trials;
mod trust_lists;
mod undo;
mod users;
mod vault;
mod watch;
mod write;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use time::OffsetDateTime;
use tokio::sync::{Mutex, OnceCell, watch as channel};

pub use authorities::{Authority, AuthorityId, NewAuthority};
pub use bindings::BindingDraft;
pub use certificate_list::{CertificateFilter, CertificateList, CertificateView};
pub use certificates::{Certificate, Served};
pub use changes::{ChangeFilter, Undone};
pub use error::StoreError;
pub use imports::{ImportKey, KeyUse};
pub use invitations::{INVITATION_HOURS, Invitation};
pub use issued::{Issued, IssuedFilter, IssuedId, IssuedKind, IssuedState};
pub use issuing::PfxOrder;
pub use kept::{KEPT_DAYS, Kept};
pub use life::{CertificateEdit, MAX_NOTE, NewSelfSigned, Relatives};
pub use proxies::ProxiesDraft;
pub use refused::new_reference;
pub use requests::{NewRequest, Request, RequestId, RequestState};
pub use roots::{RootId, TrustedRoot};
pub use rotation::{Rotated, VaultCount};
pub use rules::RuleDraft;
pub use sessions::SESSION_HOURS;
pub use sites::{Folder, NewSite, SiteEdit};
pub use switches::{Switch, TakenBack};
pub use traffic::{Leak, Leaking};
pub use trust_lists::{CaOrigin, CrlFacts, CrlSource, DueCrl, Fetched, TrustListEdit, TrustListView, TrustedCa};
pub use undo::Undoing;
pub use users::{NewUser, Theme, User};
pub use vault::Trouble;

use crate::ledger::Revision;
use crate::sites::{Publisher, Sites};
use crate::table::SiteTable;
use crate::trust::{Anchors, Roots};
use crate::vault::Vault;

/// The result of everything the store does.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The database file, in the data directory.
pub const DATABASE_FILE: &str = "siteward.db";

/// The folder below the data directory that holds the content of sites for which Siteward made a folder.
pub const SITES_FOLDER: &str = "sites";

/// The store. Cheap to clone; every clone is the same store.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>, Option<rehearsal::Rehearsal>);

#[derive(Debug)]
struct Inner {
    data_dir: PathBuf,
    vault: Vault,
    trouble: channel::Sender<Trouble>,
    /// Any number of readers.
    reader: SqlitePool,
    /// One connection: SQLite has one writer.
    writer: SqlitePool,
    sites: Sites,
    /// Held over commit, next table and publish, so that tables can't be published out of order.
    publisher: Arc<Mutex<Publisher>>,
    /// Read on first use.
    system_roots: OnceCell<Arc<Roots>>,
    /// As read at this revision or later.
    anchors: ArcSwapOption<(Revision, Arc<Anchors>)>,
    /// Whether something overwritten may still be in the write-ahead log.
    is_log_left: AtomicBool,
}

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory or the master key can't be written.
    #[error("the data directory can't be used: {0}")]
    DataDir(#[from] io::Error),
    /// SQLite can't open or read the file.
    #[error("the database can't be opened: {0}")]
    Database(#[from] sqlx::Error),
    /// The file was made by a newer Siteward, or is not a Siteward database.
    #[error("the database does not fit this version of Siteward: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// What is stored can't be understood.
    #[error("the database can't be read: {0}")]
    Store(#[from] StoreError),
}

impl Store {
    /// Opens the store in `data_dir`, which is made where it is missing (mode 0700), and loads the table of all sites.
    ///
    /// # Errors
    /// [`OpenError`]. A missing or wrong master key is none: see [`Store::vault_trouble`].
    pub async fn open(data_dir: &Path) -> Result<Self, OpenError> {
        make_data_dir(data_dir)?;
        let data_dir = data_dir.canonicalize()?;
        let _first_start = lock(&data_dir).await?;
        make_private(&data_dir.join(DATABASE_FILE))?;
        let options = SqliteConnectOptions::new()
            .filename(data_dir.join(DATABASE_FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("secure_delete", "ON") // a destroyed key leaves no copy in the file
            .busy_timeout(Duration::from_secs(10));
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("../../migrations").run(&writer).await?;
        let options = options.create_if_missing(false).read_only(true);
        let reader = SqlitePoolOptions::new().max_connections(4).connect_with(options.clone()).await?;

        let (vault, trouble) = vault::open(&data_dir, &writer).await?;
        let table = load::table(&mut *reader.begin().await?, &data_dir).await?.with_keys_locked(trouble.is_some());
        let trouble = channel::Sender::new(trouble);
        let (publisher, sites) = Publisher::new(table);
        let publisher = Arc::new(Mutex::new(publisher));
        let system_roots = OnceCell::new();
        let (anchors, is_log_left) = (ArcSwapOption::empty(), AtomicBool::new(false));
        let inner =
            Inner { data_dir, vault, trouble, reader, writer, sites, publisher, system_roots, anchors, is_log_left };
        let store = Self(Arc::new(inner), None);
        tokio::spawn(watch::follow_other_processes(Arc::downgrade(&store.0), options));
        Ok(store)
    }

    /// The channel on which the table in force is published.
    pub fn sites(&self) -> Sites {
        self.0.sites.clone()
    }

    /// The table in force: every site, from memory.
    pub fn table(&self) -> Arc<SiteTable> {
        self.0.sites.table()
    }

    /// The data directory, canonical.
    pub fn data_dir(&self) -> &Path {
        &self.0.data_dir
    }

    /// Ends every connection and folds the write-ahead log into the database file. The store can't be used afterwards.
    pub async fn close(&self) {
        self.0.reader.close().await;
        self.fold_log().await;
        self.0.writer.close().await;
    }

    /// Folds the write-ahead log into the database file, so that nothing overwritten stays in it. Where readers are in the
    /// way it is told, and done again with the upkeep. Nothing is lost without it: the next start reads the log.
    async fn fold_log(&self) {
        let folded = sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.0.writer).await;
        let is_folded = folded.as_ref().is_ok_and(|&is_busy| is_busy == 0);
        self.0.is_log_left.store(!is_folded, Ordering::Relaxed);
        if !is_folded {
            let error = folded.err();
            tracing::warn!(?error, "the write-ahead log is in use: keys that were destroyed may stay in it, sealed");
        }
    }

    fn vault(&self) -> &Vault {
        &self.0.vault
    }

    fn reader(&self) -> &SqlitePool {
        &self.0.reader
    }
}

fn make_data_dir(data_dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir.join(SITES_FOLDER))
}

/// Two first starts at once would both make the schema and the master key: the second waits for the first.
async fn lock(data_dir: &Path) -> io::Result<File> {
    let folder = File::open(data_dir)?;
    let locked = tokio::task::spawn_blocking(move || folder.lock().map(|()| folder)).await;
    locked.map_err(io::Error::other)?
}

/// Makes the database file readable for its owner only; SQLite gives its companions the same mode.
fn make_private(file: &Path) -> io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

/// A time as stored: milliseconds since 1970.
fn to_millis(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Reads what [`to_millis`] wrote.
fn from_millis(millis: i64) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .map_err(|_| StoreError::Internal(format!("{millis} is no time")))
}

/// A name as typed: trimmed, 1 to 100 characters, no control characters.
fn parse_name(text: &str) -> Result<String> {
    let name = text.trim();
    let fits = !name.is_empty() && name.chars().count() <= 100 && !name.chars().any(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err(StoreError::Name) }
}
