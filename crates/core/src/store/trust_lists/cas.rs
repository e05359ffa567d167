//! The CAs on a trust list.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::{commit, find, unchanged};
use crate::chain::X509;
use crate::ledger::{Author, Revision};
use crate::store::rows::readable;
use crate::store::write::Write;
use crate::store::{AuthorityId, Result, Store, StoreError};
use crate::trust_list::{CrlAddress, TrustList, TrustListId, TrustedCaId, check_ca};

impl Store {
    /// Puts the CAs of these certificates on a trust list, in one change. Where they revoke is asked nowhere yet.
    ///
    /// # Errors
    /// `Gone`, `NotTrustable`, `CaListed`, `TrustListFull`.
    pub async fn add_trusted_cas(
        &self,
        list: TrustListId,
        certificates: &[X509],
        by: &Author,
    ) -> Result<Vec<TrustedCaId>> {
        certificates.iter().try_for_each(check_ca)?;
        let mut write = self.begin(by).await?;
        let list = find(&mut write, list).await?;
        has_room(&mut write, list.id, certificates.len()).await?;
        let mut ids = Vec::with_capacity(certificates.len());
        for own in certificates {
            ids.push(insert(&mut write, list.id, None, own).await?);
        }
        let added = facts(write.db(), list.id, Some(&ids)).await?;
        let names: Vec<&str> = certificates.iter().map(|own| own.subject.as_str()).collect();
        let summary = format!("put {} on the trust list {}", names.join(", "), list.name);
        commit(write, list.id, summary, None, Some(json!({ "cas": added }))).await?;
        Ok(ids)
    }

    /// Puts one of Siteward's own authorities on a trust list. What it publishes as revoked counts at once and always.
    ///
    /// # Errors
    /// `Gone` for either, `NotTrustable`, `CaListed`, `TrustListFull`.
    pub async fn add_trusted_authority(
        &self,
        list: TrustListId,
        authority: AuthorityId,
        by: &Author,
    ) -> Result<TrustedCaId> {
        let authority = self.find_authority(authority).await?;
        check_ca(&authority.certificate)?;
        let mut write = self.begin(by).await?;
        let list = find(&mut write, list).await?;
        has_room(&mut write, list.id, 1).await?;
        let id = insert_own(&mut write, list.id, None, authority.id).await?;
        let added = facts(write.db(), list.id, Some(&[id])).await?;
        let summary = format!("put the authority {} on the trust list {}", authority.name, list.name);
        commit(write, list.id, summary, None, Some(json!({ "cas": added }))).await?;
        Ok(id)
    }

    /// Takes a CA off a trust list, with what is known of what it revoked, if nobody changed the list since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn remove_trusted_ca(
        &self,
        list: TrustListId,
        version: Revision,
        ca: TrustedCaId,
        by: &Author,
    ) -> Result<()> {
        let mut write = self.begin(by).await?;
        let list = unchanged(&mut write, list, version).await?;
        let removed = facts(write.db(), list.id, Some(&[ca])).await?;
        let name = removed.first().ok_or(StoreError::Gone)?["name"].as_str().unwrap_or_default().to_owned();
        remove(&mut write, ca).await?;
        let summary = format!("took {name} off the trust list {}", list.name);
        commit(write, list.id, summary, Some(json!({ "cas": removed })), None).await
    }

    /// Sets from where the revocation list of an uploaded CA is fetched: the address is asked within a minute, and again
    /// in time before each list runs out. With `None` nothing is asked, and what was known of revocations is forgotten.
    /// Nobody must have changed the list since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `OwnCrl`.
    pub async fn set_crl_address(
        &self,
        list: TrustListId,
        version: Revision,
        ca: TrustedCaId,
        address: Option<&CrlAddress>,
        by: &Author,
    ) -> Result<()> {
        let mut write = self.begin(by).await?;
        let list = unchanged(&mut write, list, version).await?;
        let before = crl_facts(&mut write, list.id, ca).await?;
        fetch_from(&mut write, ca, &address.map(ToString::to_string).unwrap_or_default()).await?;
        let after = crl_facts(&mut write, list.id, ca).await?;
        let name = before["ca"]["name"].as_str().unwrap_or_default().to_owned();
        let summary = format!("changed where the trust list {} learns what {name} revoked", list.name);
        commit(write, list.id, summary, Some(before), Some(after)).await
    }
}

/// Sets from where a revocation list is fetched; from an empty address none is, and what was known is forgotten.
pub(in crate::store) async fn fetch_from(write: &mut Write<'_>, ca: TrustedCaId, address: &str) -> Result<()> {
    let crl = if address.is_empty() { "none" } else { "fetched" };
    sqlx::query!(
        "UPDATE trusted_cas SET crl = ?1, address = ?2, fetched_at = NULL, fetch_due_at = iif(?1 = 'fetched', 0, NULL),
         fetch_failures = 0, fetch_error = NULL WHERE id = ?3",
        crl,
        address,
        ca
    )
    .execute(write.db())
    .await?;
    if address.is_empty() {
        sqlx::query!("DELETE FROM revocation_lists WHERE ca_id = ?", ca).execute(write.db()).await?;
    }
    Ok(())
}

pub(in crate::store) async fn remove(write: &mut Write<'_>, ca: TrustedCaId) -> Result<()> {
    sqlx::query!("DELETE FROM trusted_cas WHERE id = ?", ca).execute(write.db()).await?;
    Ok(())
}

/// Puts an uploaded CA on a list, under the id that it had before where there was one.
async fn insert(write: &mut Write<'_>, list: TrustListId, id: Option<TrustedCaId>, own: &X509) -> Result<TrustedCaId> {
    let fingerprint = own.fingerprint.0.as_slice();
    let known =
        sqlx::query_scalar!("SELECT id FROM trusted_cas WHERE list_id = ? AND fingerprint = ?", list, fingerprint);
    if known.fetch_optional(write.db()).await?.is_some() {
        return Err(StoreError::CaListed(own.subject.clone()));
    }
    let inserted = sqlx::query!(
        "INSERT INTO trusted_cas (id, list_id, der, fingerprint, crl, address) VALUES (?, ?, ?, ?, 'none', '')",
        id,
        list,
        own.der,
        fingerprint
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

/// The same for an authority of Siteward's own.
async fn insert_own(
    write: &mut Write<'_>,
    list: TrustListId,
    id: Option<TrustedCaId>,
    authority: AuthorityId,
) -> Result<TrustedCaId> {
    let name = sqlx::query_scalar!("SELECT name FROM authorities WHERE id = ?", authority);
    let name = name.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)?;
    let known =
        sqlx::query_scalar!("SELECT id FROM trusted_cas WHERE list_id = ? AND authority_id = ?", list, authority);
    if known.fetch_optional(write.db()).await?.is_some() {
        return Err(StoreError::CaListed(name));
    }
    let inserted = sqlx::query!(
        "INSERT INTO trusted_cas (id, list_id, authority_id, crl, address) VALUES (?, ?, ?, 'own', '')",
        id,
        list,
        authority
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

/// Puts a CA back as [`facts`] has it; `None` where that can't be read. A revocation list that was brought is not kept in
/// the ledger, so until it is brought again, it counts as missing.
pub(in crate::store) async fn put_back(write: &mut Write<'_>, list: TrustListId, facts: &Value) -> Result<Option<()>> {
    let (Some(id), Some(crl), Some(address)) = (facts["id"].as_i64(), facts["crl"].as_str(), facts["address"].as_str())
    else {
        return Ok(None);
    };
    has_room(write, list, 1).await?;
    if let Some(authority) = facts["authority"].as_i64() {
        let own = insert_own(write, list, Some(id), authority).await;
        return match own {
            Err(StoreError::Gone) => Err(StoreError::Final("The authority was deleted since.")),
            own => own.map(|_| Some(())),
        };
    }
    let Some(certificate) = facts["certificate"].as_str().and_then(from_pem) else { return Ok(None) };
    check_ca(&certificate)?;
    insert(write, list, Some(id), &certificate).await?;
    match crl {
        "fetched" => fetch_from(write, id, address).await?,
        "uploaded" => {
            sqlx::query!("UPDATE trusted_cas SET crl = 'uploaded' WHERE id = ?", id).execute(write.db()).await?;
        }
        _ => {}
    }
    Ok(Some(()))
}

/// Reads what [`X509::to_pem`] wrote.
fn from_pem(pem: &str) -> Option<X509> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    X509::parse(&BASE64_STANDARD.decode(body).ok()?).ok()
}

async fn has_room(write: &mut Write<'_>, list: TrustListId, more: usize) -> Result<()> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count: i64" FROM trusted_cas WHERE list_id = ?"#, list);
    let count = usize::try_from(count.fetch_one(write.db()).await?).unwrap_or(usize::MAX);
    if count.saturating_add(more) > TrustList::MAX_CAS { Err(StoreError::TrustListFull) } else { Ok(()) }
}

/// CAs of a list as the ledger keeps them: enough to put them there again, but for a certificate that can't be read, which
/// must not keep anybody from deleting the list. All of them where none are chosen.
pub(in crate::store) async fn facts(
    db: &mut SqliteConnection,
    list: TrustListId,
    chosen: Option<&[TrustedCaId]>,
) -> Result<Vec<Value>> {
    let rows = sqlx::query!(
        r#"SELECT c.id, c.authority_id, a.name AS "authority?", c.der, c.crl, c.address FROM trusted_cas c
           LEFT JOIN authorities a ON a.id = c.authority_id WHERE c.list_id = ? ORDER BY c.id"#,
        list
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let wanted = rows.filter(|row| chosen.is_none_or(|chosen| chosen.contains(&row.id)));
    let told = wanted.map(|row| {
        let certificate = row.der.as_deref().and_then(|der| readable(X509::parse(der).map_err(Into::into)));
        json!({
            "name": certificate.as_ref().map(|own| own.subject.clone()).or(row.authority),
            "id": row.id,
            "authority": row.authority_id,
            "certificate": certificate.map(|own| own.to_pem()),
            "crl": row.crl,
            "address": row.address,
        })
    });
    Ok(told.collect())
}

/// Where a CA's revocation list comes from, as the ledger keeps it.
pub(in crate::store) async fn crl_facts(write: &mut Write<'_>, list: TrustListId, ca: TrustedCaId) -> Result<Value> {
    let told = facts(write.db(), list, Some(&[ca])).await?;
    let told = told.first().ok_or(StoreError::Gone)?;
    if told["crl"] == "own" {
        return Err(StoreError::OwnCrl);
    }
    let list = sqlx::query!("SELECT digest, this_update FROM revocation_lists WHERE ca_id = ?", ca);
    let list = list.fetch_optional(write.db()).await?;
    Ok(json!({
        "ca": { "id": ca, "name": told["name"] },
        "crl": told["crl"],
        "crl_address": told["address"],
        "crl_of": list.map(|list| list.this_update),
    }))
}
