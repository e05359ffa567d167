//! Rows to values: the trust lists of the table.

use std::sync::Arc;

use sqlx::SqliteConnection;

use super::allow_rules;
use crate::chain::X509;
use crate::store::requests::blocking;
use crate::store::rows::{fingerprint, readable};
use crate::store::{Result, StoreError};
use crate::table::SiteTable;
use crate::trust_list::{CaDraft, Checked, Crl, TrustList, TrustListId, TrustedCaId, WhenStale};

/// The table with every trust list that is newer than its own. One that can't be read as a whole is not there, so that
/// nobody is let in by what is left of it.
pub(in crate::store) async fn load(db: &mut SqliteConnection, table: SiteTable) -> Result<SiteTable> {
    let known = table.trust_generation();
    let rows = sqlx::query!(
        "SELECT list_id, generation FROM trust_generations WHERE generation > ? ORDER BY generation",
        known
    );
    let rows = rows.fetch_all(&mut *db).await?;
    let Some(newest) = rows.last().map(|row| row.generation) else { return Ok(table) };
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let before = table.trust_lists().find(|list| list.id == row.list_id).cloned();
        let list = match list(db, row.list_id, before.as_deref()).await {
            Err(error @ StoreError::Database(_)) => return Err(error),
            read => readable(read).flatten(),
        };
        changes.push((row.list_id, list.map(Arc::new)));
    }
    Ok(table.with_trust_lists(newest, changes))
}

/// One list as stored now. Revocation lists that `before` has are not read again.
async fn list(db: &mut SqliteConnection, id: TrustListId, before: Option<&TrustList>) -> Result<Option<TrustList>> {
    let broken = || StoreError::Internal(format!("trust list {id} can't be read"));
    let row = sqlx::query!("SELECT name, when_stale FROM trust_lists WHERE id = ?", id);
    let Some(row) = row.fetch_optional(&mut *db).await? else { return Ok(None) };
    let when_stale = WhenStale::parse(&row.when_stale).ok_or_else(broken)?;
    let rows = sqlx::query!(
        r#"SELECT c.id, coalesce(c.der, a.der) AS "der: Vec<u8>", c.crl, r.digest AS "digest?" FROM trusted_cas c
           LEFT JOIN authorities a ON a.id = c.authority_id LEFT JOIN revocation_lists r ON r.ca_id = c.id
           WHERE c.list_id = ? ORDER BY c.id"#,
        id
    );
    let mut cas = Vec::new();
    for ca in rows.fetch_all(&mut *db).await? {
        let certificate = X509::parse(&ca.der.ok_or_else(broken)?)?;
        let checked = match ca.crl.as_str() {
            "none" => Checked::Never,
            "own" => Checked::Own,
            "uploaded" | "fetched" => Checked::By(match ca.digest {
                Some(digest) => Some(crl(db, ca.id, &digest, before).await?),
                None => None,
            }),
            _ => return Err(broken()),
        };
        cas.push(CaDraft { id: ca.id, certificate, checked });
    }
    let allow = allow_rules(&mut *db, id).await?.into_iter().collect::<Result<_>>()?;
    let known = match cas.iter().all(|ca| ca.certificate.is_self_signed) {
        true => Vec::new(),
        false => authorities(db).await?,
    };
    let list = blocking(move || Ok(TrustList::new((id, row.name, when_stale), cas, allow, &known)?));
    list.await.map(Some)
}

async fn crl(
    db: &mut SqliteConnection,
    ca: TrustedCaId,
    digest: &[u8],
    before: Option<&TrustList>,
) -> Result<Arc<Crl>> {
    let known = before.and_then(|list| list.crl(ca));
    if let Some(known) = known.filter(|known| fingerprint(digest) == Some(known.digest)) {
        return Ok(known.clone());
    }
    let body = sqlx::query_scalar!("SELECT body FROM revocation_lists WHERE ca_id = ?", ca).fetch_one(db).await?;
    blocking(move || Ok(Arc::new(Crl::parse(&body)?))).await
}

/// The certificates of Siteward's own authorities: one of them may stand above a CA of a list.
async fn authorities(db: &mut SqliteConnection) -> Result<Vec<X509>> {
    let rows = sqlx::query_scalar!("SELECT der FROM authorities ORDER BY id").fetch_all(db).await?;
    rows.iter().map(|der| Ok(X509::parse(der)?)).collect()
}
