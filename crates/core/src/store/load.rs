//! Rows to values: the sites of the table.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use sqlx::SqliteConnection;

use super::rows::{
    BindingRow, ExemptionRow, FactsRow, HstsRow, RuleRow, SiteRow, TrialRow, fingerprint, read_certificates,
    read_trials, readable,
};
use super::{Result, StoreError, from_millis, pages, proxies, trust_lists};
use crate::binding::Binding;
use crate::certificate::Fingerprint;
use crate::document::{Document, DocumentKind};
use crate::exemption::{Exemption, Exemptions};
use crate::ledger::Revision;
use crate::site::{Site, SiteId};
use crate::ssl::Hsts;
use crate::table::SiteTable;
use crate::trust_list::Crl;

/// The newest revision.
pub(super) async fn revision(db: &mut SqliteConnection) -> Result<Revision> {
    Ok(sqlx::query_scalar!(r#"SELECT coalesce(max(revision), 0) AS "revision!: i64" FROM changes"#)
        .fetch_one(db)
        .await?)
}

/// The whole table, at start.
pub(super) async fn table(db: &mut SqliteConnection, data_dir: &Path) -> Result<SiteTable> {
    let revision = revision(db).await?;
    let facts = sqlx::query_as!(
        FactsRow,
        "SELECT id, fingerprint, subject, issuer, names, not_before, not_after FROM certificates
         WHERE id IN (SELECT certificate_id FROM bindings)"
    );
    let certificates = read_certificates(facts.fetch_all(&mut *db).await?);
    let rows = sqlx::query_as!(
        BindingRow,
        "SELECT id, site_id, protocol, ip, port, host, certificate_id FROM bindings ORDER BY site_id, protocol, port, host, ip"
    );
    let mut bindings: HashMap<SiteId, Vec<Binding>> = HashMap::new();
    for row in rows.fetch_all(&mut *db).await? {
        let site = row.site_id;
        bindings.entry(site).or_default().extend(readable(row.read(&certificates)));
    }
    let rows = sqlx::query_as!(
        RuleRow,
        "SELECT id, site_id, path, require_ssl, min_tls, strength, key_exchange, client_certificates, trust_list_id,
                clear_credentials, reason
         FROM ssl_rules"
    );
    let mut rules: HashMap<SiteId, Vec<RuleRow>> = HashMap::new();
    for row in rows.fetch_all(&mut *db).await? {
        rules.entry(row.site_id).or_default().push(row);
    }
    let rows =
        sqlx::query_as!(ExemptionRow, "SELECT id, site_id, kind, name, content, ends_at FROM exemptions ORDER BY id");
    let mut exemptions: HashMap<SiteId, Vec<Exemption>> = HashMap::new();
    for row in rows.fetch_all(&mut *db).await? {
        let site = row.site_id;
        exemptions.entry(site).or_default().extend(readable(row.read()));
    }
    let rows = sqlx::query_as!(
        HstsRow,
        r#"SELECT site_id, mode, max_age, subdomains AS "subdomains: bool", preload AS "preload: bool", since,
           remembered_until FROM hsts"#
    );
    let rows = rows.fetch_all(&mut *db).await?.into_iter();
    let hsts: HashMap<SiteId, Hsts> = rows.filter_map(|row| Some((row.site_id, readable(row.read())?))).collect();
    let rows = sqlx::query_as!(
        TrialRow,
        "SELECT id, site_id, path, settings, reason, since, until, author FROM trials ORDER BY path"
    );
    let mut trials: HashMap<SiteId, Vec<TrialRow>> = HashMap::new();
    for row in rows.fetch_all(&mut *db).await? {
        trials.entry(row.site_id).or_default().push(row);
    }
    let mut own_pages = pages::of_all(db).await?;
    let rows = sqlx::query_as!(SiteRow, "SELECT id, name, folder, state, version FROM sites");
    let mut sites = Vec::new();
    for row in rows.fetch_all(&mut *db).await? {
        let bindings = bindings.remove(&row.id).unwrap_or_default();
        let rules = rules.remove(&row.id).unwrap_or_default();
        let exemptions = Arc::new(Exemptions::new(exemptions.remove(&row.id).unwrap_or_default()));
        let id = row.id;
        let trials = trials.remove(&id).unwrap_or_default();
        let site = readable(row.read(bindings, rules, data_dir));
        let pages = Arc::new(own_pages.remove(&id).unwrap_or_default());
        let read = |site: Site| Site {
            exemptions,
            pages,
            hsts: hsts.get(&id).copied(),
            trials: read_trials(trials, &site.rules),
            ..site
        };
        sites.push((id, site.map(read)));
    }
    let table = proxies::newer(db, SiteTable::default().with(revision, sites), 0).await?;
    upkept(db, table).await
}

/// The table with all that has generations of its own: documents and trust lists that are newer than its own.
pub(super) async fn upkept(db: &mut SqliteConnection, table: SiteTable) -> Result<SiteTable> {
    let table = documents(db, table).await?;
    trust_lists::load(db, table).await
}

async fn documents(db: &mut SqliteConnection, table: SiteTable) -> Result<SiteTable> {
    let known = table.generation();
    let rows = sqlx::query!(
        "SELECT key_id, kind, body, made_at, generation FROM documents WHERE generation > ? ORDER BY generation",
        known
    );
    let rows = rows.fetch_all(db).await?;
    let newest = rows.last().map_or(known, |row| row.generation);
    let lists: Vec<_> = rows.iter().filter_map(|row| own_list(&row.key_id, &row.kind, &row.body)).collect();
    let read = rows.into_iter().filter_map(|row| {
        let broken = || StoreError::Internal(format!("document {} can't be read", row.generation));
        let document = || {
            let kind = DocumentKind::parse(&row.kind).ok_or_else(broken)?;
            let path = kind.path(fingerprint(&row.key_id).ok_or_else(broken)?);
            let (made_at, digest) = (from_millis(row.made_at)?, Fingerprint::of(&row.body));
            let document = Document { kind, body: row.body.into(), made_at, digest };
            Ok((path, Some(document).filter(|document| !document.body.is_empty())))
        };
        readable(document())
    });
    Ok(table.with_documents(newest, read).with_own_lists(lists))
}

/// The revocation list of one of Siteward's own authorities, where the document is one; nothing where it was taken back. One
/// that can't be read stays known as such: what it revoked can't be known then.
fn own_list(key: &[u8], kind: &str, body: &[u8]) -> Option<(Fingerprint, Option<Option<Crl>>)> {
    let key = fingerprint(key).filter(|_| kind == DocumentKind::Crl.as_str())?;
    let read = || Crl::parse(body).map_err(|error| StoreError::Internal(format!("an own revocation list: {error}")));
    Some((key, (!body.is_empty()).then(|| readable(read()))))
}

/// The table after `table` as of `revision`, made by reading the `touched` sites and what is newer than `table` only.
pub(super) async fn next_table(
    db: &mut SqliteConnection,
    table: &SiteTable,
    revision: Revision,
    touched: &[SiteId],
    data_dir: &Path,
) -> Result<SiteTable> {
    let mut changes = Vec::with_capacity(touched.len());
    for &id in touched {
        changes.push((id, site(db, id, data_dir).await?));
    }
    let next = proxies::newer(db, table.with(revision, changes), table.revision()).await?;
    upkept(db, next).await
}

/// The table with everything that other processes committed since `table`; `None` where that is nothing.
pub(super) async fn catch_up(
    db: &mut SqliteConnection,
    table: &SiteTable,
    data_dir: &Path,
) -> Result<Option<SiteTable>> {
    let (newest, known) = (revision(db).await?, table.revision());
    if newest <= known {
        let next = upkept(db, table.clone()).await?;
        let generations = |table: &SiteTable| (table.generation(), table.trust_generation());
        return Ok(Some(next).filter(|next| generations(next) != generations(table)));
    }
    let touched = sqlx::query_scalar!("SELECT DISTINCT site_id FROM touched_sites WHERE revision > ?", known);
    let touched = touched.fetch_all(&mut *db).await?;
    next_table(db, table, newest, &touched, data_dir).await.map(Some)
}

/// One site as stored now.
pub(super) async fn site(db: &mut SqliteConnection, id: SiteId, data_dir: &Path) -> Result<Option<Site>> {
    let row = sqlx::query_as!(SiteRow, "SELECT id, name, folder, state, version FROM sites WHERE id = ?", id);
    let Some(row) = row.fetch_optional(&mut *db).await? else { return Ok(None) };
    let facts = sqlx::query_as!(
        FactsRow,
        "SELECT id, fingerprint, subject, issuer, names, not_before, not_after FROM certificates
         WHERE id IN (SELECT certificate_id FROM bindings WHERE site_id = ?)",
        id
    );
    let certificates = read_certificates(facts.fetch_all(&mut *db).await?);
    let rows = sqlx::query_as!(
        BindingRow,
        "SELECT id, site_id, protocol, ip, port, host, certificate_id FROM bindings WHERE site_id = ?
         ORDER BY protocol, port, host, ip",
        id
    );
    let rows = rows.fetch_all(&mut *db).await?;
    let bindings = rows.into_iter().filter_map(|row| readable(row.read(&certificates))).collect();
    let rules = sqlx::query_as!(
        RuleRow,
        "SELECT id, site_id, path, require_ssl, min_tls, strength, key_exchange, client_certificates, trust_list_id,
                clear_credentials, reason
         FROM ssl_rules WHERE site_id = ?",
        id
    );
    let rules = rules.fetch_all(&mut *db).await?;
    let exemptions = sqlx::query_as!(
        ExemptionRow,
        "SELECT id, site_id, kind, name, content, ends_at FROM exemptions WHERE site_id = ? ORDER BY id",
        id
    );
    let exemptions = exemptions.fetch_all(&mut *db).await?;
    let exemptions = Exemptions::new(exemptions.into_iter().filter_map(|row| readable(row.read())).collect());
    let hsts = sqlx::query_as!(
        HstsRow,
        r#"SELECT site_id, mode, max_age, subdomains AS "subdomains: bool", preload AS "preload: bool", since,
           remembered_until FROM hsts WHERE site_id = ?"#,
        id
    );
    let hsts = hsts.fetch_optional(&mut *db).await?.and_then(|row| readable(row.read()));
    let pages = Arc::new(pages::of(db, id).await?);
    let trials = sqlx::query_as!(
        TrialRow,
        "SELECT id, site_id, path, settings, reason, since, until, author FROM trials WHERE site_id = ? ORDER BY path",
        id
    );
    let trials = trials.fetch_all(&mut *db).await?;
    let site = readable(row.read(bindings, rules, data_dir));
    let exemptions = Arc::new(exemptions);
    Ok(site.map(|site| Site { exemptions, pages, hsts, trials: read_trials(trials, &site.rules), ..site }))
}
