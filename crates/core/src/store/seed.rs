//! Many certificates at once, in one change, for tests and figures only.

use std::num::NonZeroU16;

use zeroize::Zeroizing;

use super::certificates::Install;
use super::write::Entry;
use super::{Result, Store, StoreError, bindings};
use crate::authority::{self, Draft, ISSUED_DAYS, Order, Purpose, Signer};
use crate::binding::{Place, Protocol};
use crate::certificate::SubjectName;
use crate::chain::{Chain, X509};
use crate::host::HostPattern;
use crate::key::{KeyKind, PrivateKey};
use crate::ledger::{Author, Thing};

impl Store {
    /// Adds `hosts.len()` sites without content, each with an ECDSA key and a certificate from a new authority, and an
    /// https binding on `port`; the authority's root in DER.
    ///
    /// # Errors
    /// As the changes that it stands for.
    pub async fn seed(&self, hosts: &[String], port: NonZeroU16, by: &Author) -> Result<Vec<u8>> {
        let issuer = PrivateKey::generate(KeyKind::EcdsaP256).map_err(internal)?;
        let root = authority::create(&Draft::root("Seed"), &issuer, None, by.now)?;
        let signer = Signer { certificate: &root, key: &issuer, address: None };
        let mut write = self.begin(by).await?;
        let mut touched = Vec::with_capacity(hosts.len());
        for host in hosts {
            let key = PrivateKey::generate(KeyKind::EcdsaP256).map_err(internal)?;
            self.insert_key(&mut write, &key).await?;
            let order = Order {
                purpose: Purpose::Server,
                common_name: host.clone(),
                organization: None,
                names: vec![SubjectName::parse(host).map_err(internal)?],
                mail: None,
                days: ISSUED_DAYS,
            };
            let leaf = signer.issue(&order, &key, by.now)?;
            let chain = Chain::build(vec![X509::parse(&leaf)?], key.id())?;
            let install = Install { friendly_name: host, chain: &chain, switch: &[], confirmed: true };
            let certificate = install.into(&mut write).await?.id;
            let site =
                sqlx::query!("INSERT INTO sites (name, folder, state, version) VALUES (?, 'none', 'running', 0)", host);
            let site = site.execute(write.db()).await?.last_insert_rowid();
            sqlx::query!(
                "INSERT INTO ssl_rules (site_id, path, require_ssl, reason) VALUES (?, '', 'refuse', '')",
                site
            )
            .execute(write.db())
            .await?;
            let host = HostPattern::parse(host).map_err(internal)?;
            let place = Place { protocol: Protocol::Https, ip: None, port, host };
            bindings::insert(&mut write, site, None, &place, Some(certificate)).await?;
            touched.push(site);
        }
        let summary = format!("added {} sites to try things with", hosts.len());
        let entry = Entry { thing: Thing::Site, id: 0, site: None, summary, before: None, after: None, touched };
        write.commit(entry).await?;
        Ok(root)
    }

    /// Every private key in PKCS#8, to look for elsewhere.
    ///
    /// # Errors
    /// `Vault`.
    pub async fn private_keys(&self) -> Result<Vec<Zeroizing<Vec<u8>>>> {
        let ids = sqlx::query_scalar!("SELECT id FROM keys WHERE sealed <> x''").fetch_all(self.reader()).await?;
        let mut keys = Vec::with_capacity(ids.len());
        for id in ids {
            keys.push(self.unseal_key(&id).await?);
        }
        Ok(keys)
    }
}

fn internal(error: impl ToString) -> StoreError {
    StoreError::Internal(error.to_string())
}
