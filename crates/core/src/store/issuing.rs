//! Signing: requests, servers, clients, and the console itself.

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use serde_json::json;
use zeroize::Zeroizing;

use super::authorities::{FIRST_AUTHORITY, Signing, internal};
use super::certificates::{Install, certified_key};
use super::issued::{IssuedKind, record};
use super::renewals::covered_bindings;
use super::requests::{RequestId, blocking, complete, find_pending};
use super::write::Entry;
use super::{AuthorityId, IssuedId, Result, Store, StoreError, parse_name};
use crate::authority::{self, Draft, ISSUED_DAYS, Order, Purpose, Requested, Signer};
use crate::certificate::{CertificateId, SubjectName};
use crate::chain::{Chain, X509};
use crate::export::KeyFile;
use crate::key::{KeyKind, PrivateKey};
use crate::ledger::{Author, Thing};

/// A certificate whose key is made here and handed out in a PFX file.
#[derive(Debug)]
pub struct PfxOrder {
    /// What the certificate says.
    pub order: Order,
    /// The key to make.
    pub key: KeyKind,
    /// How the file is written.
    pub file: KeyFile,
    /// What opens the file.
    pub password: Zeroizing<String>,
}

impl Store {
    /// Signs a pending request with an authority and installs the certificate, in one change. Where it renews one, the
    /// bindings that serve that one and are covered switch to it.
    ///
    /// # Errors
    /// `Gone`, `RequestClosed`, `Forbidden`, `Issue`, `Vault`.
    pub async fn sign_request(&self, request: RequestId, authority: AuthorityId, by: &Author) -> Result<CertificateId> {
        let signing = self.signing(authority).await?;
        let mut write = self.begin(by).await?;
        let request = find_pending(&mut write, request).await?;
        let asked = Requested::read(&request.csr)?;
        allowed(&signing, &asked.names)?;
        let der = signing.signer().sign_request(&asked, Purpose::Server, ISSUED_DAYS, by.now)?;
        record(&mut write, &signing, IssuedKind::Server, &der).await?;
        let chain = Chain::build(with_chain(&der, &signing)?, request.key_id)?;
        let switch = covered_bindings(&mut write, request.renews, &chain.leaf.facts(0)).await?;
        complete(write, request, &chain, &switch, false, "signed the request for").await
    }

    /// Makes a key and a certificate for a server, and installs both, in one change.
    ///
    /// # Errors
    /// `Name`, `Gone`, `Forbidden`, `Issue`, `Vault`.
    pub async fn issue_installed(
        &self,
        authority: AuthorityId,
        friendly_name: &str,
        order: Order,
        key: KeyKind,
        by: &Author,
    ) -> Result<CertificateId> {
        let friendly_name = parse_name(friendly_name)?;
        let signing = self.signing(authority).await?;
        allowed(&signing, &order.names)?;
        let (signing, key, der) = issue(signing, order, key, by).await?;
        let chain = Chain::build(with_chain(&der, &signing)?, key.id())?;
        let mut write = self.begin(by).await?;
        self.insert_key(&mut write, &key).await?;
        record(&mut write, &signing, IssuedKind::Server, &der).await?;
        let install = Install { friendly_name: &friendly_name, chain: &chain, switch: &[], confirmed: false };
        let id = install.into(&mut write).await?.id;
        let entry = Entry {
            thing: Thing::Certificate,
            id,
            site: None,
            summary: format!("issued the certificate {friendly_name}"),
            before: None,
            after: Some(json!({
                "friendly_name": friendly_name,
                "certificate": chain.leaf.facts(id).in_words(),
                "authority": signing.name,
            })),
            touched: Vec::new(),
        };
        write.commit(entry).await?;
        Ok(id)
    }

    /// Makes a key and a certificate, and hands both out in a file. The key is not kept.
    ///
    /// # Errors
    /// `Gone`, `Forbidden`, `Issue`, `Vault`.
    pub async fn issue_as_pfx(
        &self,
        authority: AuthorityId,
        new: PfxOrder,
        by: &Author,
    ) -> Result<(IssuedId, Zeroizing<Vec<u8>>)> {
        let signing = self.signing(authority).await?;
        allowed(&signing, &new.order.names)?;
        let (purpose, name) = (new.order.purpose, new.order.common_name.clone());
        let (signing, key, der) = issue(signing, new.order, new.key, by).await?;
        let chain = with_chain(&der, &signing)?;
        let (signing, file) = blocking(move || {
            let file = new.file.write(&chain, &key, &name, &new.password).map_err(internal)?;
            Ok((signing, file))
        })
        .await?;
        Ok((self.hand_out(&signing, purpose, &der, by).await?, file))
    }

    /// Signs any request. The certificate is given out; Siteward has no key for it.
    ///
    /// # Errors
    /// `Gone`, `Forbidden`, `Issue`, `Vault`.
    pub async fn issue_for_request(
        &self,
        authority: AuthorityId,
        request: &Requested,
        purpose: Purpose,
        days: i64,
        by: &Author,
    ) -> Result<IssuedId> {
        let signing = self.signing(authority).await?;
        allowed(&signing, &request.names)?;
        let der = signing.signer().sign_request(request, purpose, days, by.now)?;
        self.hand_out(&signing, purpose, &der, by).await
    }

    async fn hand_out(&self, signing: &Signing, purpose: Purpose, der: &[u8], by: &Author) -> Result<IssuedId> {
        let mut write = self.begin(by).await?;
        let kind = match purpose {
            Purpose::Server => IssuedKind::Server,
            Purpose::Client => IssuedKind::Client,
        };
        let id = record(&mut write, signing, kind, der).await?;
        let certificate = X509::parse(der)?;
        let entry = Entry {
            thing: Thing::Authority,
            id: signing.id,
            site: None,
            summary: format!("issued a certificate to {}, signed by {}", certificate.subject, signing.name),
            before: None,
            after: Some(json!({
                "certificate": certificate.facts(0).in_words(),
                "kind": kind.as_str(),
                "serial": certificate.serial,
            })),
            touched: Vec::new(),
        };
        write.commit(entry).await?;
        Ok(id)
    }

    /// A fresh certificate for the console from the first authority, which is made where there is none.
    ///
    /// With a closed vault it comes from an authority that lives no longer than this process: the console must be
    /// reachable to say what is wrong.
    ///
    /// # Errors
    /// `Database`, `Internal`.
    pub async fn console_certificate(&self, names: &[SubjectName], by: &Author) -> Result<Arc<CertifiedKey>> {
        let common_name = names.iter().map(ToString::to_string).find(|name| name.len() <= 64);
        let order = Order {
            purpose: Purpose::Server,
            common_name: common_name.unwrap_or_else(|| "Siteward".into()),
            organization: None,
            names: names.to_vec(),
            mail: None,
            days: ISSUED_DAYS,
        };
        let leaf_key = PrivateKey::generate(KeyKind::EcdsaP256).map_err(internal)?;
        if self.vault_trouble().is_some() {
            let key = PrivateKey::generate(KeyKind::EcdsaP256).map_err(internal)?;
            let root = authority::create(&Draft::root(FIRST_AUTHORITY), &key, None, by.now)?;
            let signer = Signer { certificate: &root, key: &key, address: None };
            return certified_key(vec![signer.issue(&order, &leaf_key, by.now)?], leaf_key.pkcs8());
        }
        let first = self.list_authorities().await?.first().map(|authority| authority.id);
        let first = match first {
            Some(id) => id,
            None => self.create_authority(FIRST_AUTHORITY, KeyKind::EcdsaP256, by).await?,
        };
        let signing = self.signing(first).await?;
        let leaf = signing.signer().issue(&order, &leaf_key, by.now)?;
        let mut write = self.begin(by).await?;
        record(&mut write, &signing, IssuedKind::Console, &leaf).await?;
        write.commit_upkeep().await?;
        certified_key(vec![leaf], leaf_key.pkcs8())
    }
}

/// Makes a key and signs a certificate for it, off the async threads.
async fn issue(signing: Signing, order: Order, kind: KeyKind, by: &Author) -> Result<(Signing, PrivateKey, Vec<u8>)> {
    let now = by.now;
    blocking(move || {
        let key = PrivateKey::generate(kind).map_err(internal)?;
        let der = signing.signer().issue(&order, &key, now)?;
        Ok((signing, key, der))
    })
    .await
}

/// No name that an authority of the chain may not sign for: clients would refuse the certificate.
fn allowed(signing: &Signing, names: &[SubjectName]) -> Result<()> {
    match authority::forbidden(&signing.chain, names) {
        None => Ok(()),
        Some((name, authority)) => Err(StoreError::Forbidden { name: name.unicode(), authority }),
    }
}

/// A leaf and everything above it.
fn with_chain(leaf: &[u8], signing: &Signing) -> Result<Vec<X509>> {
    let whole = std::iter::once(leaf).chain(signing.chain.iter().map(Vec::as_slice));
    whole.map(|der| Ok(X509::parse(der)?)).collect()
}

#[cfg(test)]
mod tests;
