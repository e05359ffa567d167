//! Rows to values: the sites of the table.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;

use sqlx::SqliteConnection;

use super::{Result, StoreError, from_millis, pages, proxies, rules, trust_lists};
use crate::binding::{Binding, Place, Protocol, parse_ip};
use crate::certificate::{CertificateFacts, CertificateId, Fingerprint};
use crate::document::{Document, DocumentKind};
use crate::exemption::{Exemption, ExemptionKind, Exemptions};
use crate::host::HostPattern;
use crate::ledger::Revision;
use crate::site::{Site, SiteId, SiteState};
use crate::ssl::{Hsts, HstsMode, Rule, RulePath, Rules, Setting, Settings};
use crate::table::SiteTable;
use crate::trial::{Trial, TrialId};
use crate::trust_list::Crl;

struct SiteRow {
    id: i64,
    name: String,
    folder: String,
    state: String,
    version: i64,
}

struct RuleRow {
    id: i64,
    site_id: i64,
    path: String,
    require_ssl: Option<String>,
    min_tls: Option<String>,
    strength: Option<String>,
    key_exchange: Option<String>,
    client_certificates: Option<String>,
    trust_list_id: Option<i64>,
    clear_credentials: Option<String>,
    reason: String,
}

struct ExemptionRow {
    id: i64,
    site_id: i64,
    kind: String,
    name: String,
    content: String,
    ends_at: Option<i64>,
}

struct TrialRow {
    id: TrialId,
    site_id: i64,
    path: String,
    settings: String,
    reason: String,
    since: i64,
    until: i64,
    author: String,
}

struct HstsRow {
    site_id: i64,
    mode: String,
    max_age: i64,
    subdomains: bool,
    preload: bool,
    since: i64,
    remembered_until: i64,
}

struct BindingRow {
    id: i64,
    site_id: i64,
    protocol: String,
    ip: String,
    port: i64,
    host: String,
    certificate_id: Option<i64>,
}

/// The columns of `certificates` that [`CertificateFacts`] needs.
pub(super) struct FactsRow {
    pub(super) id: i64,
    pub(super) fingerprint: Vec<u8>,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) names: String,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

type Certificates = HashMap<CertificateId, Arc<CertificateFacts>>;

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

/// A row that can't be understood is not served, and stops nothing else: one site's damage is its own.
pub(super) fn readable<T>(row: Result<T>) -> Option<T> {
    row.inspect_err(|error| tracing::error!(%error, "a row of the database is left out")).ok()
}

/// An unreadable certificate leaves its bindings without one, which closes them.
fn read_certificates(rows: Vec<FactsRow>) -> Certificates {
    rows.into_iter().filter_map(|row| readable(row.read())).map(|facts| (facts.id, Arc::new(facts))).collect()
}

/// The trials of a site that has these rules. One that can't be read is left out: it decides on nothing.
fn read_trials(rows: Vec<TrialRow>, rules: &Rules) -> Arc<[Trial]> {
    rows.into_iter().filter_map(|row| readable(row.read(rules))).collect()
}

impl SiteRow {
    /// A site of which one rule is missing or unreadable is not served: nobody knows what it demands.
    fn read(self, bindings: Vec<Binding>, rules: Vec<RuleRow>, data_dir: &Path) -> Result<Site> {
        let broken = || StoreError::Internal(format!("site {} can't be read", self.id));
        let rules = rules.into_iter().map(RuleRow::read).collect::<Result<Vec<_>>>()?;
        if !rules.iter().any(|rule| rule.path.is_site()) {
            return Err(broken());
        }
        Ok(Site {
            id: self.id,
            state: SiteState::parse(&self.state).ok_or_else(broken)?,
            rules: Arc::new(Rules::new(rules)),
            exemptions: Arc::default(), // read apart, as the next three: none is a part of what is demanded
            pages: Arc::default(),
            hsts: None,
            trials: Arc::default(),
            name: self.name,
            folder: data_dir.join(self.folder), // one of Siteward's own is stored relative to it
            version: self.version,
            bindings,
            proxied: false, // the table knows both
            locked: false,
        })
    }
}

impl RuleRow {
    fn read(self) -> Result<Rule> {
        let broken = || StoreError::Internal(format!("SSL rule {} can't be read", self.id));
        fn setting<T: Setting>(column: Option<&str>) -> Option<Option<T>> {
            column.map_or(Some(None), |text| T::parse(text).map(Some))
        }
        let settings = Settings {
            require_ssl: setting(self.require_ssl.as_deref()).ok_or_else(broken)?,
            min_tls: setting(self.min_tls.as_deref()).ok_or_else(broken)?,
            strength: setting(self.strength.as_deref()).ok_or_else(broken)?,
            key_exchange: setting(self.key_exchange.as_deref()).ok_or_else(broken)?,
            client_certificates: setting(self.client_certificates.as_deref()).ok_or_else(broken)?,
            trust: self.trust_list_id,
            clear_credentials: setting(self.clear_credentials.as_deref()).ok_or_else(broken)?,
        };
        let path = RulePath::stored(&self.path).map_err(|_| broken())?;
        Ok(Rule { id: self.id, path, settings, reason: self.reason })
    }
}

impl ExemptionRow {
    fn read(self) -> Result<Exemption> {
        let broken = || StoreError::Internal(format!("exemption {} can't be read", self.id));
        Ok(Exemption {
            id: self.id,
            kind: ExemptionKind::parse(&self.kind).ok_or_else(broken)?,
            ends_at: self.ends_at.map(from_millis).transpose()?,
            name: self.name,
            content: self.content.into(),
        })
    }
}

impl TrialRow {
    fn read(self, in_force: &Rules) -> Result<Trial> {
        let broken = || StoreError::Internal(format!("trial {} of site {} can't be read", self.id, self.site_id));
        let path = RulePath::stored(&self.path).map_err(|_| broken())?;
        let facts = serde_json::from_str(&self.settings).map_err(|_| broken())?;
        let settings = rules::read_settings(&facts).ok_or_else(broken)?;
        let is_in_force = in_force.rule_at(&path).is_some_and(|rule| rule.settings == settings);
        Ok(Trial {
            rules: (!is_in_force).then(|| in_force.with(&path, settings)),
            since: from_millis(self.since)?,
            until: from_millis(self.until)?,
            id: self.id,
            path,
            settings,
            reason: self.reason,
            author: self.author,
        })
    }
}

impl HstsRow {
    fn read(self) -> Result<Hsts> {
        let broken = || StoreError::Internal(format!("HSTS of site {} can't be read", self.site_id));
        Ok(Hsts {
            mode: HstsMode::parse(&self.mode).ok_or_else(broken)?,
            max_age: u32::try_from(self.max_age).map_err(|_| broken())?,
            subdomains: self.subdomains,
            preload: self.preload,
            since: from_millis(self.since)?,
            told_before: from_millis(self.remembered_until)?,
        })
    }
}

impl BindingRow {
    fn read(self, certificates: &Certificates) -> Result<Binding> {
        let broken = || StoreError::Internal(format!("binding {} can't be read", self.id));
        let port = u16::try_from(self.port).ok().and_then(NonZeroU16::new).ok_or_else(broken)?;
        let place = Place {
            protocol: Protocol::parse(&self.protocol).ok_or_else(broken)?,
            ip: parse_ip(&self.ip).map_err(|_| broken())?,
            port,
            host: HostPattern::parse(&self.host).map_err(|_| broken())?,
        };
        let certificate = self.certificate_id.and_then(|id| certificates.get(&id).cloned());
        Ok(Binding { id: self.id, place, certificate })
    }
}

impl FactsRow {
    pub(super) fn read(self) -> Result<CertificateFacts> {
        let broken = || StoreError::Internal(format!("certificate {} can't be read", self.id));
        Ok(CertificateFacts {
            id: self.id,
            fingerprint: fingerprint(&self.fingerprint).ok_or_else(broken)?,
            names: serde_json::from_str(&self.names).map_err(|_| broken())?,
            subject: self.subject,
            issuer: self.issuer,
            not_before: from_millis(self.not_before)?,
            not_after: from_millis(self.not_after)?,
        })
    }
}

/// A digest column.
pub(super) fn fingerprint(bytes: &[u8]) -> Option<Fingerprint> {
    bytes.try_into().ok().map(Fingerprint)
}
