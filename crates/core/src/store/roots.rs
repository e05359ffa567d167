//! Whom a fresh client of the team trusts: the system's roots, those the team added, and Siteward's own authorities.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use time::OffsetDateTime;

use super::issued::revoked_authorities;
use super::requests::blocking;
use super::write::{Entry, Write};
use super::{Result, Store, StoreError, from_millis, to_millis};
use crate::chain::X509;
use crate::ledger::{Author, Thing};
use crate::trust::{Anchors, Roots};

/// The row id of a root that the team trusts.
pub type RootId = i64;

/// A root that the team trusts.
#[derive(Debug, Clone)]
pub struct TrustedRoot {
    /// Row id.
    pub id: RootId,
    /// Its certificate.
    pub certificate: X509,
    /// When it was added.
    pub added_at: OffsetDateTime,
    /// By whom.
    pub added_by: String,
}

struct RootRow {
    id: i64,
    der: Vec<u8>,
    added_at: i64,
    added_by: String,
}

impl Store {
    /// Trusts a root beside the system's, from now on.
    ///
    /// # Errors
    /// `NoRoot` where it is not one, `RootTrusted` where the team trusts it already.
    pub async fn create_root(&self, root: &X509, by: &Author) -> Result<RootId> {
        if !root.is_ca || !root.is_self_signed {
            return Err(StoreError::NoRoot(root.subject.clone()));
        }
        let mut write = self.begin(by).await?;
        let id = insert(&mut write, None, root).await?;
        let summary = format!("trusted the root {}", root.subject);
        write.commit(entry(id, summary, None, Some(root))).await?;
        Ok(id)
    }

    /// Every root that the team trusts, oldest first.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_roots(&self) -> Result<Vec<TrustedRoot>> {
        let rows = sqlx::query_as!(RootRow, "SELECT id, der, added_at, added_by FROM trusted_roots ORDER BY id");
        rows.fetch_all(self.reader()).await?.into_iter().map(RootRow::read).collect()
    }

    /// The root with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_root(&self, id: RootId) -> Result<TrustedRoot> {
        let row = sqlx::query_as!(RootRow, "SELECT id, der, added_at, added_by FROM trusted_roots WHERE id = ?", id);
        row.fetch_optional(self.reader()).await?.ok_or(StoreError::Gone)?.read()
    }

    /// No longer trusts a root. Installed certificates stay.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn delete_root(&self, id: RootId, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let root = find(write.db(), id).await?.ok_or(StoreError::Gone)?;
        remove(&mut write, id).await?;
        let summary = format!("no longer trusts the root {}", root.subject);
        write.commit(entry(id, summary, Some(&root), None)).await
    }

    /// Everything that a fresh client of the team trusts now, where it can be read. The system's roots are read once, on
    /// first use, the others once for each revision.
    ///
    /// # Errors
    /// `Database`.
    pub async fn anchors(&self) -> Result<Arc<Anchors>> {
        let revision = self.table().revision();
        if let Some(known) = self.0.anchors.load().as_deref().filter(|known| known.0 == revision) {
            return Ok(known.1.clone());
        }
        let system = self.0.system_roots.get_or_try_init(|| blocking(|| Ok(Arc::new(system_roots())))).await?.clone();
        let team = sqlx::query_scalar!("SELECT der FROM trusted_roots ORDER BY id").fetch_all(self.reader()).await?;
        let own = sqlx::query!("SELECT id, der FROM authorities ORDER BY id").fetch_all(self.reader()).await?;
        let revoked = revoked_authorities(&mut *self.reader().acquire().await?).await?;
        let own = own.iter().filter(|own| !revoked.contains(&own.id)).map(|own| own.der.as_slice());
        let team = Roots::of(team.iter().map(Vec::as_slice));
        let anchors = Arc::new(Anchors { system, team, own: Roots::of(own) });
        self.0.anchors.store(Some(Arc::new((revision, anchors.clone()))));
        Ok(anchors)
    }
}

/// The system's roots, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where these are set.
fn system_roots() -> Roots {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some roots of the system can't be read");
    }
    Roots::of(found.certs.iter().map(|der| der.as_ref()))
}

/// The root with this id, within a change.
pub(super) async fn find(db: &mut SqliteConnection, id: RootId) -> Result<Option<X509>> {
    let der = sqlx::query_scalar!("SELECT der FROM trusted_roots WHERE id = ?", id);
    Ok(der.fetch_optional(db).await?.map(|der| X509::parse(&der)).transpose()?)
}

/// Inserts a root that the team does not trust yet, under the id that it had before where there was one.
pub(super) async fn insert(write: &mut Write<'_>, id: Option<RootId>, root: &X509) -> Result<RootId> {
    let (fingerprint, now, by) = (root.fingerprint.0.as_slice(), to_millis(write.by.now), write.by);
    let known = sqlx::query_scalar!("SELECT id FROM trusted_roots WHERE fingerprint = ?", fingerprint);
    if known.fetch_optional(write.db()).await?.is_some() {
        return Err(StoreError::RootTrusted(root.subject.clone()));
    }
    let inserted = sqlx::query!(
        "INSERT INTO trusted_roots (id, fingerprint, der, added_at, added_by) VALUES (?, ?, ?, ?, ?)",
        id,
        fingerprint,
        root.der,
        now,
        by.name
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

pub(super) async fn remove(write: &mut Write<'_>, id: RootId) -> Result<()> {
    sqlx::query!("DELETE FROM trusted_roots WHERE id = ?", id).execute(write.db()).await?;
    Ok(())
}

pub(super) fn facts(root: &X509) -> Value {
    let der = BASE64_STANDARD.encode(&root.der);
    json!({ "name": root.subject, "fingerprint": root.fingerprint.to_string(), "der": der })
}

/// Reads what [`facts`] wrote.
pub(super) fn read(facts: &Value) -> Option<X509> {
    X509::parse(&BASE64_STANDARD.decode(facts["der"].as_str()?).ok()?).ok()
}

fn entry(id: RootId, summary: String, before: Option<&X509>, after: Option<&X509>) -> Entry {
    Entry {
        thing: Thing::Root,
        id,
        site: None,
        summary,
        before: before.map(facts),
        after: after.map(facts),
        touched: Vec::new(),
    }
}

impl RootRow {
    fn read(self) -> Result<TrustedRoot> {
        Ok(TrustedRoot {
            id: self.id,
            certificate: X509::parse(&self.der)?,
            added_at: from_millis(self.added_at)?,
            added_by: self.added_by,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csr;
    use crate::key::{KeyKind, PrivateKey};
    use crate::subject::{Subject, SubjectAnswers};
    use crate::testing::{TestStore, tester};
    use crate::testing_ca::TestCa;
    use crate::trust::Trust;

    #[tokio::test]
    async fn a_root_of_the_team_is_trusted_from_when_it_is_added_until_it_is_removed() {
        let (test, ca, by) = (TestStore::open().await, TestCa::new(), tester());
        let root = X509::parse(ca.root_der()).unwrap();
        let issuer = [X509::parse(ca.intermediate_der()).unwrap()];
        let answers = SubjectAnswers { common_name: "shop.example".into(), ..SubjectAnswers::default() };
        let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
        let csr = csr::sign(&Subject::parse(&answers).unwrap(), &key).unwrap();
        let leaf = X509::parse(&ca.sign_now(&csr)).unwrap();
        let judge = async || test.store.anchors().await.unwrap().judge(&leaf, &issuer, by.now);
        assert_eq!(judge().await, Trust::Unknown);
        let id = test.store.create_root(&root, &by).await.unwrap();
        assert_eq!(judge().await, Trust::Team("Test Root CA".into()));
        assert!(matches!(test.store.create_root(&root, &by).await, Err(StoreError::RootTrusted(_))));
        assert_eq!(test.store.list_roots().await.unwrap()[0].certificate, root);
        test.store.delete_root(id, &by).await.unwrap();
        assert_eq!(judge().await, Trust::Unknown);
        assert!(matches!(test.store.delete_root(id, &by).await, Err(StoreError::Gone)));
        let last = test.store.list_changes(&Default::default(), 1).await.unwrap().remove(0);
        assert_eq!((last.thing, last.summary.as_str()), (Thing::Root, "no longer trusts the root Test Root CA"));
    }

    #[tokio::test]
    async fn what_is_no_root_is_not_trusted_as_one() {
        let (test, ca) = (TestStore::open().await, TestCa::new());
        let intermediate = X509::parse(ca.intermediate_der()).unwrap();
        assert!(matches!(test.store.create_root(&intermediate, &tester()).await, Err(StoreError::NoRoot(_))));
    }

    #[tokio::test]
    async fn an_authority_of_siteward_is_an_anchor() {
        let test = TestStore::open().await;
        let before = test.store.anchors().await.unwrap().all().count();
        test.store.create_authority("Test CA", KeyKind::EcdsaP256, &tester()).await.unwrap();
        let anchors = test.store.anchors().await.unwrap();
        assert_eq!((anchors.own.len(), anchors.all().count()), (1, before + 1));

        sqlx::query("UPDATE authorities SET der = x'00'").execute(&test.store.0.writer).await.unwrap();
        test.store.create_authority("Other CA", KeyKind::EcdsaP256, &tester()).await.unwrap();
        assert_eq!(test.store.anchors().await.unwrap().own.len(), 1, "one that can't be read costs no other");
    }
}
