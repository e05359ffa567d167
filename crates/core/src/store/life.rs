//! What the team adds to a certificate, its relatives, and certificates that Siteward signs with their own key.

use serde_json::{Value, json};

use super::certificates::Install;
use super::requests::{RequestId, blocking};
use super::write::{Entry, Write};
use super::{Result, Store, StoreError, parse_name};
use crate::certificate::{CertificateId, SubjectName};
use crate::chain::{Chain, X509};
use crate::key::{KeyKind, PrivateKey};
use crate::ledger::{Author, Revision, Thing, UserId};
use crate::self_signed;

/// The most characters of a note.
pub const MAX_NOTE: usize = 2000;

/// What the team adds to a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEdit {
    /// 1 to 100 characters.
    pub friendly_name: String,
    /// Who looks after it.
    pub owner: Option<UserId>,
    /// At most [`MAX_NOTE`] characters.
    pub note: String,
}

/// A certificate that its own key signs.
#[derive(Debug, Clone)]
pub struct NewSelfSigned {
    /// 1 to 100 characters.
    pub friendly_name: String,
    /// At least one.
    pub names: Vec<SubjectName>,
    /// The key to make.
    pub key: KeyKind,
    /// How long it lasts, in days.
    pub days: u16,
}

/// What came before a certificate and what comes after it; each certificate with its friendly name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relatives {
    /// The certificate whose place it took.
    pub renews: Option<(CertificateId, String)>,
    /// The newest certificate that took its place.
    pub renewed_by: Option<(CertificateId, String)>,
    /// The newest request that waits for a certificate to take its place.
    pub renewal: Option<RequestId>,
}

impl Store {
    /// Changes name, owner and note of a certificate, if nobody changed them since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `Name`, `Note`, `OwnerGone`.
    pub async fn update_certificate(
        &self,
        id: CertificateId,
        version: Revision,
        edit: CertificateEdit,
        by: &Author,
    ) -> Result<()> {
        let (friendly_name, note) = (parse_name(&edit.friendly_name)?, parse_note(&edit.note)?);
        let mut write = self.begin(by).await?;
        let before = facts(&mut write, id).await?;
        let newest = sqlx::query_scalar!("SELECT version FROM certificates WHERE id = ?", id);
        let newest = newest.fetch_one(write.db()).await?;
        write.unchanged(newest, version).await?;
        let owner = owner_name(&mut write, edit.owner).await?;
        update(&mut write, id, &friendly_name, edit.owner, &note).await?;
        let entry = Entry {
            thing: Thing::Certificate,
            id,
            site: None,
            summary: format!("edited the certificate {friendly_name}"),
            before: Some(before),
            after: Some(in_words(&friendly_name, edit.owner.zip(owner.as_deref()), &note)),
            touched: Vec::new(),
        };
        write.commit(entry).await
    }

    /// What came before a certificate and what comes after it.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_relatives(&self, id: CertificateId) -> Result<Relatives> {
        let renews = sqlx::query!(
            "SELECT old.id, old.friendly_name FROM certificates c JOIN certificates old ON old.id = c.renews WHERE c.id = ?",
            id
        );
        let renewed_by =
            sqlx::query!("SELECT id, friendly_name FROM certificates WHERE renews = ? ORDER BY id DESC LIMIT 1", id);
        let renewal = sqlx::query_scalar!(
            "SELECT id FROM requests WHERE renews = ? AND state = 'pending' ORDER BY id DESC LIMIT 1",
            id
        );
        Ok(Relatives {
            renews: renews.fetch_optional(self.reader()).await?.map(|row| (row.id, row.friendly_name)),
            renewed_by: renewed_by.fetch_optional(self.reader()).await?.map(|row| (row.id, row.friendly_name)),
            renewal: renewal.fetch_optional(self.reader()).await?,
        })
    }

    /// Makes a certificate that its own key signs, and installs it.
    ///
    /// # Errors
    /// `Name`, `Vault`, `Internal`.
    pub async fn create_self_signed(&self, new: NewSelfSigned, by: &Author) -> Result<CertificateId> {
        let friendly_name = parse_name(&new.friendly_name)?;
        let now = by.now;
        let (key, chain) = blocking(move || {
            let key = PrivateKey::generate(new.key).map_err(|error| StoreError::Internal(error.to_string()))?;
            let leaf = X509::parse(&self_signed::create(&new.names, &key, new.days, now)?)?;
            let chain = Chain::build(vec![leaf], key.id())?;
            Ok((key, chain))
        })
        .await?;
        let mut write = self.begin(by).await?;
        self.insert_key(&mut write, &key).await?;
        let install = Install { friendly_name: &friendly_name, chain: &chain, switch: &[], confirmed: false };
        let id = install.into(&mut write).await?.id;
        let names: Vec<String> = chain.leaf.names.iter().map(SubjectName::unicode).collect();
        let entry = Entry {
            thing: Thing::Certificate,
            id,
            site: None,
            summary: format!("made a self-signed certificate, {friendly_name}"),
            before: None,
            after: Some(json!({
                "friendly_name": friendly_name, "names": names, "key": key.kind().label(),
                "certificate": chain.leaf.facts(id).in_words(),
            })),
            touched: Vec::new(),
        };
        write.commit(entry).await?;
        Ok(id)
    }
}

/// A note as typed: trimmed, with lines but no other control characters.
fn parse_note(text: &str) -> Result<String> {
    let note = text.trim().replace("\r\n", "\n");
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    if note.chars().count() <= MAX_NOTE && !note.contains(odd) { Ok(note) } else { Err(StoreError::Note) }
}

pub(super) async fn owner_name(write: &mut Write<'_>, owner: Option<UserId>) -> Result<Option<String>> {
    let Some(owner) = owner else { return Ok(None) };
    let name = sqlx::query_scalar!("SELECT name FROM users WHERE id = ?", owner);
    name.fetch_optional(write.db()).await?.ok_or(StoreError::OwnerGone).map(Some)
}

/// Name, owner and note of a certificate, for the ledger.
pub(super) async fn facts(write: &mut Write<'_>, id: CertificateId) -> Result<Value> {
    let row = sqlx::query!(
        r#"SELECT c.friendly_name, c.note, u.id AS "owner_id?: UserId", u.name AS "owner?: String"
           FROM certificates c LEFT JOIN users u ON u.id = c.owner_id WHERE c.id = ?"#,
        id
    );
    let row = row.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)?;
    Ok(in_words(&row.friendly_name, row.owner_id.zip(row.owner.as_deref()), &row.note))
}

pub(super) async fn update(
    write: &mut Write<'_>,
    id: CertificateId,
    friendly_name: &str,
    owner: Option<UserId>,
    note: &str,
) -> Result<()> {
    let revision = write.revision();
    sqlx::query!(
        "UPDATE certificates SET friendly_name = ?, owner_id = ?, note = ?, version = ? WHERE id = ?",
        friendly_name,
        owner,
        note,
        revision,
        id
    )
    .execute(write.db())
    .await?;
    Ok(())
}

fn in_words(friendly_name: &str, owner: Option<(UserId, &str)>, note: &str) -> Value {
    let (owner_id, owner) = owner.unzip();
    json!({ "friendly_name": friendly_name, "owner": owner, "owner_id": owner_id, "text": note })
}
