//! Certificates that answer no request: brought with their key, or issued anew for a key that is here.

use serde_json::json;

use super::certificates::{Install, Served};
use super::requests::blocking;
use super::rows::fingerprint;
use super::write::Entry;
use super::{Result, Store, StoreError, parse_name};
use crate::certificate::{CertificateId, Fingerprint};
use crate::chain::{Chain, X509};
use crate::key::PrivateKey;
use crate::ledger::{Author, Thing};

/// Where the key of an imported certificate comes from.
#[derive(Debug, Clone, Copy)]
pub enum ImportKey<'a> {
    /// It came along.
    Brought(&'a PrivateKey),
    /// It is that of a certificate that is installed already.
    Kept(Fingerprint),
}

impl ImportKey<'_> {
    /// SHA-256 of its public key.
    fn id(self) -> Fingerprint {
        match self {
            Self::Brought(key) => key.id(),
            Self::Kept(id) => id,
        }
    }
}

/// An installed certificate by whose key another can be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Its row id.
    pub id: CertificateId,
    /// What the team calls it.
    pub friendly_name: String,
    /// SHA-256 of its leaf.
    pub fingerprint: Fingerprint,
}

impl Store {
    /// Every installed certificate for the key with this id, newest first.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_certificates_of_key(&self, key_id: Fingerprint) -> Result<Vec<KeyUse>> {
        let key_id = key_id.0.as_slice();
        let rows = sqlx::query!(
            "SELECT id, friendly_name, fingerprint FROM certificates WHERE key_id = ? ORDER BY id DESC",
            key_id
        );
        let kept = rows.fetch_all(self.reader()).await?.into_iter().map(|row| {
            let fingerprint = fingerprint(&row.fingerprint)
                .ok_or_else(|| StoreError::Internal(format!("certificate {} can't be read", row.id)))?;
            Ok(KeyUse { id: row.id, friendly_name: row.friendly_name, fingerprint })
        });
        kept.collect()
    }

    /// Installs the certificate for `key` among `certificates` with its issuers, and points `switch` at it, in one change.
    /// With `confirmed`, also one that is expired, not yet valid, or does not cover a binding's host name.
    ///
    /// # Errors
    /// `Name`, `Install`, `NoKey`, `AlreadyInstalled`, `Doubtful`, `Vault`, `BindingsChanged`.
    pub async fn import_certificate(
        &self,
        friendly_name: &str,
        certificates: Vec<X509>,
        key: ImportKey<'_>,
        switch: &[Served],
        confirmed: bool,
        by: &Author,
    ) -> Result<CertificateId> {
        let friendly_name = &parse_name(friendly_name)?;
        let key_id = key.id();
        let mut chain = blocking(move || Ok(Chain::build(certificates, key_id)?)).await?;
        self.fill_chain(&mut chain, by.now).await?;
        let mut write = self.begin(by).await?;
        match key {
            ImportKey::Brought(key) => {
                self.insert_key(&mut write, key).await?;
            }
            ImportKey::Kept(id) => {
                let id = id.0.as_slice();
                // The key of an authority stays where nobody can take it out.
                let row = sqlx::query_scalar!("SELECT id FROM certificates WHERE key_id = ? LIMIT 1", id);
                if row.fetch_optional(write.db()).await?.is_none() {
                    return Err(StoreError::NoKey(chain.leaf.subject));
                }
            }
        }
        let installed = Install { friendly_name, chain: &chain, switch, confirmed }.into(&mut write).await?;
        let entry = Entry {
            thing: Thing::Certificate,
            id: installed.id,
            site: None,
            summary: format!("imported the certificate {friendly_name}"),
            before: None,
            after: Some(json!({
                "friendly_name": friendly_name,
                "certificate": chain.leaf.facts(installed.id).in_words(),
                "key": chain.leaf.key_label,
                "switched": installed.switched.join("; "),
            })),
            touched: installed.touched,
        };
        write.commit(entry).await?;
        Ok(installed.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csr;
    use crate::key::KeyKind;
    use crate::subject::{Subject, SubjectAnswers};
    use crate::testing::{TestStore, tester};
    use crate::testing_ca::TestCa;

    #[tokio::test]
    async fn a_certificate_is_imported_with_its_key_and_never_without() {
        let (test, ca, by) = (TestStore::open().await, TestCa::new(), tester());
        let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
        let answers = SubjectAnswers { common_name: "shop.example".into(), ..SubjectAnswers::default() };
        let csr = csr::sign(&Subject::parse(&answers).unwrap(), &key).unwrap();
        let leaf = || vec![X509::parse(&ca.sign_now(&csr)).unwrap()];
        let import = async |key| test.store.import_certificate(" Shop ", leaf(), key, &[], false, &by).await;

        assert!(
            matches!(import(ImportKey::Kept(key.id())).await, Err(StoreError::NoKey(subject)) if subject == "shop.example")
        );
        assert_eq!(test.store.table().revision(), 0);
        let id = import(ImportKey::Brought(&key)).await.unwrap();
        test.store.certified_key(id).await.expect("the key is here and fits");
        let again = import(ImportKey::Kept(key.id())).await.unwrap();
        let of_key = test.store.list_certificates_of_key(key.id()).await.unwrap();
        assert_eq!(of_key.iter().map(|own| own.id).collect::<Vec<_>>(), [again, id], "newest first");
        assert_eq!(of_key[0].friendly_name, "Shop");

        for id in [id, again] {
            test.store.delete_certificate(id, &by).await.unwrap();
        }
        assert!(matches!(import(ImportKey::Kept(key.id())).await, Err(StoreError::NoKey(_))), "its key is destroyed");
        let authority = test.store.create_authority("Root", KeyKind::EcdsaP256, &by).await.unwrap();
        let key = test.store.signing(authority).await.unwrap().key;
        let csr = csr::sign(&Subject::parse(&answers).unwrap(), &key).unwrap();
        let leaf = vec![X509::parse(&ca.sign_now(&csr)).unwrap()];
        let taken = test.store.import_certificate("Root", leaf, ImportKey::Kept(key.id()), &[], false, &by).await;
        assert!(matches!(taken, Err(StoreError::NoKey(_))), "the key of an authority is no certificate's: {taken:?}");
        let other = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
        assert!(matches!(import(ImportKey::Brought(&other)).await, Err(StoreError::Install(_))));
    }
}
