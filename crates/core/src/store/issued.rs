//! What authorities signed, and what of it was revoked.

use serde_json::json;
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::authorities::Signing;
use super::documents::publish;
use super::write::{Entry, Write};
use super::{AuthorityId, Result, Store, StoreError, from_millis, to_millis};
use crate::authority::{IssueError, Reason, Revoked, serial_of};
use crate::certificate::SubjectName;
use crate::chain::X509;
use crate::ledger::{Author, Thing};

/// The row id of a certificate that an authority signed.
pub type IssuedId = i64;

/// What it was issued as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IssuedKind {
    /// For a server.
    Server,
    /// For a person or device.
    Client,
    /// The certificate of an authority below.
    Authority,
    /// The console's own, a new one every day.
    Console,
}

impl IssuedKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Server, Self::Client, Self::Authority, Self::Console];

    /// As stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Authority => "authority",
            Self::Console => "console",
        }
    }

    /// Reads what [`IssuedKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IssuedState {
    /// Neither expired nor revoked.
    Valid,
    /// Revoked, whether expired or not.
    Revoked,
    /// Its last day is over.
    Expired,
}

impl IssuedState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Valid, Self::Revoked, Self::Expired];

    /// As posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// Reads what [`IssuedState::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One certificate that an authority signed.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Row id.
    pub id: IssuedId,
    /// Who signed it.
    pub authority: AuthorityId,
    /// The name of who signed it.
    pub authority_name: String,
    /// What it is for.
    pub kind: IssuedKind,
    /// The certificate.
    pub certificate: X509,
    /// When it was signed.
    pub issued_at: OffsetDateTime,
    /// By whom.
    pub issued_by: String,
    /// When, by whom and why it was revoked.
    pub revoked: Option<(OffsetDateTime, String, Reason)>,
}

impl Issued {
    /// What became of it by `now`.
    pub fn state(&self, now: OffsetDateTime) -> IssuedState {
        match self.revoked {
            Some(_) => IssuedState::Revoked,
            None if self.certificate.not_after < now => IssuedState::Expired,
            None => IssuedState::Valid,
        }
    }
}

/// Which of them to list.
#[derive(Debug, Clone, Default)]
pub struct IssuedFilter {
    /// Of one authority.
    pub authority: Option<AuthorityId>,
    /// In one state as of `now`.
    pub state: Option<IssuedState>,
    /// With this in its subject or names, or at the start of its serial number in hexadecimal.
    pub text: String,
}

struct IssuedRow {
    id: i64,
    authority_id: i64,
    authority_name: String,
    kind: String,
    der: Vec<u8>,
    issued_at: i64,
    issued_by: String,
    revoked_at: Option<i64>,
    revoked_by: Option<String>,
    reason: Option<i64>,
}

impl Store {
    /// What authorities signed, newest first, `limit` of them after the first `offset`.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_issued(
        &self,
        filter: &IssuedFilter,
        now: OffsetDateTime,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<Issued>> {
        let (state, text, serial, now) = asked(filter, now);
        let rows = sqlx::query_as!(
            IssuedRow,
            "SELECT i.id, i.authority_id, a.name AS authority_name, i.kind, i.der, i.issued_at, i.issued_by,
                    i.revoked_at, i.revoked_by, i.reason
             FROM issued i JOIN authorities a ON a.id = i.authority_id
             WHERE (?1 IS NULL OR i.authority_id = ?1)
               AND (?2 = '' OR instr(lower(i.subject), ?2) OR instr(i.names, ?2) OR (?3 <> '' AND instr(hex(i.serial), ?3) = 1))
               AND (?4 = '' OR ?4 = CASE WHEN i.revoked_at IS NOT NULL THEN 'revoked'
                                         WHEN i.not_after < ?5 THEN 'expired' ELSE 'valid' END)
             ORDER BY i.id DESC LIMIT ?6 OFFSET ?7",
            filter.authority,
            text,
            serial,
            state,
            now,
            limit,
            offset
        );
        rows.fetch_all(self.reader()).await?.into_iter().map(IssuedRow::read).collect()
    }

    /// How many of them there are.
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_issued(&self, filter: &IssuedFilter, now: OffsetDateTime) -> Result<i64> {
        let (state, text, serial, now) = asked(filter, now);
        let count = sqlx::query_scalar!(
            "SELECT count(*) FROM issued i
             WHERE (?1 IS NULL OR i.authority_id = ?1)
               AND (?2 = '' OR instr(lower(i.subject), ?2) OR instr(i.names, ?2) OR (?3 <> '' AND instr(hex(i.serial), ?3) = 1))
               AND (?4 = '' OR ?4 = CASE WHEN i.revoked_at IS NOT NULL THEN 'revoked'
                                         WHEN i.not_after < ?5 THEN 'expired' ELSE 'valid' END)",
            filter.authority,
            text,
            serial,
            state,
            now
        );
        Ok(count.fetch_one(self.reader()).await?)
    }

    /// The one with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_issued(&self, id: IssuedId) -> Result<Issued> {
        let row = sqlx::query_as!(
            IssuedRow,
            "SELECT i.id, i.authority_id, a.name AS authority_name, i.kind, i.der, i.issued_at, i.issued_by,
                    i.revoked_at, i.revoked_by, i.reason
             FROM issued i JOIN authorities a ON a.id = i.authority_id WHERE i.id = ?",
            id
        );
        row.fetch_optional(self.reader()).await?.ok_or(StoreError::Gone)?.read()
    }

    /// Revokes a certificate: the next revocation list, which is published at once, names it. That can't be undone.
    ///
    /// # Errors
    /// `Gone`, `Revoked`, `Vault`.
    pub async fn revoke_issued(&self, id: IssuedId, reason: Reason, by: &Author) -> Result<()> {
        let issued = self.find_issued(id).await?;
        let signing = self.signing(issued.authority).await?;
        let mut write = self.begin(by).await?;
        let before = sqlx::query_scalar!("SELECT revoked_at FROM issued WHERE id = ?", id);
        if let Some(at) = before.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)? {
            return Err(StoreError::Revoked(from_millis(at)?));
        }
        let (at, number) = (to_millis(by.now), reason.number());
        sqlx::query!(
            "UPDATE issued SET revoked_at = ?, revoked_by = ?, reason = ? WHERE id = ?",
            at,
            by.name,
            number,
            id
        )
        .execute(write.db())
        .await?;
        publish(&mut write, &signing).await?;
        let X509 { subject, serial, .. } = &issued.certificate;
        let entry = Entry {
            thing: Thing::Authority,
            id: issued.authority,
            site: None,
            summary: format!("revoked the certificate of {subject}, signed by {}", issued.authority_name),
            before: Some(json!({ "certificate": subject, "serial": serial })),
            after: Some(json!({ "certificate": subject, "serial": serial, "reason": reason.label() })),
            touched: Vec::new(),
        };
        write.commit(entry).await
    }
}

/// The filter as SQL compares it.
fn asked(filter: &IssuedFilter, now: OffsetDateTime) -> (&'static str, String, String, i64) {
    let text = filter.text.trim().to_lowercase();
    let hex: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let is_hex = !hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit());
    let serial = if is_hex { hex.to_uppercase() } else { String::new() };
    (filter.state.map_or("", IssuedState::as_str), text, serial, to_millis(now))
}

/// Remembers what `signing` signed, where it still exists and still may sign.
pub(super) async fn record(write: &mut Write<'_>, signing: &Signing, kind: IssuedKind, der: &[u8]) -> Result<IssuedId> {
    may_sign(write, signing).await?;
    let certificate = X509::parse(der)?;
    let serial = serial_of(der).ok_or_else(|| StoreError::Internal("a certificate without a serial number".into()))?;
    let names: Vec<String> = certificate.names.iter().map(SubjectName::unicode).collect();
    let names = names.join("\n");
    let (not_before, not_after) = (to_millis(certificate.not_before), to_millis(certificate.not_after));
    let (kind, at, by) = (kind.as_str(), to_millis(write.by.now), write.by);
    let inserted = sqlx::query!(
        "INSERT INTO issued (authority_id, serial, kind, subject, names, der, not_before, not_after, issued_at, issued_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        signing.id,
        serial,
        kind,
        certificate.subject,
        names,
        der,
        not_before,
        not_after,
        at,
        by.name
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

/// Proves within a change that an authority exists and that neither it nor one above it was revoked.
pub(super) async fn may_sign(write: &mut Write<'_>, signing: &Signing) -> Result<()> {
    let found = sqlx::query_scalar!("SELECT id FROM authorities WHERE id = ?", signing.id);
    found.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)?;
    if revoked_authorities(write.db()).await?.contains(&signing.id) {
        let why = format!("the certificate of the authority {}, or of one above it, was revoked.", signing.name);
        return Err(IssueError(why).into());
    }
    Ok(())
}

/// The authorities whose newest certificate was revoked, and all below them.
pub(super) async fn revoked_authorities(db: &mut SqliteConnection) -> Result<Vec<AuthorityId>> {
    let ids = sqlx::query_scalar!(
        r#"WITH RECURSIVE gone(id) AS (
               SELECT a.id FROM issued i JOIN authorities a ON a.parent_id = i.authority_id AND a.der = i.der
               WHERE i.revoked_at IS NOT NULL
               UNION SELECT a.id FROM gone g JOIN authorities a ON a.parent_id = g.id)
           SELECT id AS "id!: i64" FROM gone"#
    );
    Ok(ids.fetch_all(db).await?)
}

/// The revoked certificates of an authority that had not expired before `since`.
pub(super) async fn revoked(
    write: &mut Write<'_>,
    authority: AuthorityId,
    since: OffsetDateTime,
) -> Result<Vec<Revoked>> {
    let since = to_millis(since);
    let rows = sqlx::query!(
        r#"SELECT serial, revoked_at AS "revoked_at!", reason AS "reason!" FROM issued
           WHERE authority_id = ? AND revoked_at IS NOT NULL AND not_after >= ? ORDER BY revoked_at, id"#,
        authority,
        since
    );
    let read = rows.fetch_all(write.db()).await?.into_iter().map(|row| {
        let reason = Reason::from_number(row.reason).unwrap_or(Reason::Unspecified);
        Ok(Revoked { serial: row.serial, at: from_millis(row.revoked_at)?, reason })
    });
    read.collect()
}

impl IssuedRow {
    fn read(self) -> Result<Issued> {
        let broken = || StoreError::Internal(format!("issued certificate {} can't be read", self.id));
        let revoked = match (self.revoked_at, self.revoked_by, self.reason) {
            (Some(at), Some(by), Some(reason)) => {
                Some((from_millis(at)?, by, Reason::from_number(reason).ok_or_else(broken)?))
            }
            _ => None,
        };
        Ok(Issued {
            id: self.id,
            authority: self.authority_id,
            kind: IssuedKind::parse(&self.kind).ok_or_else(broken)?,
            authority_name: self.authority_name,
            certificate: X509::parse(&self.der)?,
            issued_at: from_millis(self.issued_at)?,
            issued_by: self.issued_by,
            revoked,
        })
    }
}
