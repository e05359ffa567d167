//! Authorities that Siteward itself runs.

mod deletion;
mod view;

use serde_json::{Value, json};

pub use self::view::Authority;
use super::documents::publish;
use super::issued::{IssuedKind, may_sign, record};
use super::requests::blocking;
use super::write::Entry;
use super::{ChangeFilter, Result, Store, StoreError, parse_name, to_millis, trust_lists};
use crate::authority::{self, Address, Draft, Signer};
use crate::chain::X509;
use crate::intake::IntakeError;
use crate::key::{KeyKind, PrivateKey};
use crate::ledger::{Author, Thing};

/// The row id of an authority.
pub type AuthorityId = i64;

/// An authority to make.
#[derive(Debug, Clone)]
pub struct NewAuthority {
    /// What its certificate says; the common name is its name.
    pub draft: Draft,
    /// The key to make.
    pub key: KeyKind,
    /// Who signs it; `None` for a root.
    pub parent: Option<AuthorityId>,
    /// The authority whose place it takes.
    pub predecessor: Option<AuthorityId>,
    /// Where its documents will be fetched.
    pub address: Option<Address>,
}

/// The longest common name (RFC 5280 appendix A, ub-common-name).
const MAX_NAME: usize = 64;

/// How many authorities may stand above one another.
const MAX_DEPTH: usize = 8;

/// The authority that a first start makes for the console's own certificate.
pub(super) const FIRST_AUTHORITY: &str = "Siteward";

/// An authority with what it signs with.
pub(super) struct Signing {
    pub(super) id: AuthorityId,
    pub(super) name: String,
    /// Its own certificate, then those above it up to the root.
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) key: PrivateKey,
    pub(super) address: Option<Address>,
}

impl Signing {
    pub(super) fn certificate(&self) -> &[u8] {
        self.chain.first().map_or(&[], Vec::as_slice)
    }

    pub(super) fn signer(&self) -> Signer<'_> {
        Signer { certificate: self.certificate(), key: &self.key, address: self.address.as_ref() }
    }
}

impl Store {
    /// Makes a root that signs no further authorities, with a new key.
    ///
    /// # Errors
    /// As [`Store::create_authority_as`].
    pub async fn create_authority(&self, name: &str, key: KeyKind, by: &Author) -> Result<AuthorityId> {
        let draft = Draft::root(name);
        self.create_authority_as(NewAuthority { draft, key, parent: None, predecessor: None, address: None }, by).await
    }

    /// Makes an authority with a new key.
    ///
    /// # Errors
    /// `Name` (at most 64 characters), `NameTaken`, `Gone` and `TooDeep` because of its parent, `Issue`, `Vault`.
    pub async fn create_authority_as(&self, new: NewAuthority, by: &Author) -> Result<AuthorityId> {
        let mut draft = new.draft;
        draft.common_name = parse_name(&draft.common_name)?;
        let name = draft.common_name.clone();
        if name.chars().count() > MAX_NAME {
            return Err(StoreError::Name);
        }
        let parent = match new.parent {
            Some(id) => Some(self.signing(id).await?),
            None => None,
        };
        if let Some(parent) = &parent {
            draft.path_length = below(parent, draft.path_length)?;
        }
        let (words, now) = (in_words(&draft, new.key, parent.as_ref()), by.now);
        let (key, der, parent) = blocking(move || {
            let key = PrivateKey::generate(new.key).map_err(internal)?;
            let signer = parent.as_ref().map(Signing::signer);
            let der = authority::create(&draft, &key, signer.as_ref(), now)?;
            Ok((key, der, parent))
        })
        .await?;
        let mut write = self.begin(by).await?;
        let taken = sqlx::query_scalar!("SELECT name FROM authorities WHERE name = ?", name);
        if let Some(name) = taken.fetch_optional(write.db()).await? {
            return Err(StoreError::NameTaken(name));
        }
        let key_id = self.insert_key(&mut write, &key).await?;
        let (now, address) = (to_millis(by.now), stored(new.address.as_ref()));
        let inserted = sqlx::query!(
            "INSERT INTO authorities (name, key_id, der, parent_id, predecessor_id, address, created_at, created_by)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            name,
            key_id,
            der,
            new.parent,
            new.predecessor,
            address,
            now,
            by.name
        );
        let id = inserted.execute(write.db()).await?.last_insert_rowid();
        let mut chain = vec![der];
        if let Some(parent) = parent {
            record(&mut write, &parent, IssuedKind::Authority, &chain[0]).await?;
            chain.extend(parent.chain);
        }
        let signing = Signing { id, name: name.clone(), chain, key, address: new.address };
        publish(&mut write, &signing).await?;
        write.commit(entry(id, format!("made the authority {name}"), None, Some(words))).await?;
        Ok(id)
    }

    /// Sets where an authority's documents are fetched, if that is still at `shown`, as a form had it; empty is nowhere.
    /// Certificates made before go on saying what they say.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn update_authority_address(
        &self,
        id: AuthorityId,
        shown: &str,
        address: Option<&Address>,
        by: &Author,
    ) -> Result<()> {
        let mut write = self.begin(by).await?;
        let row = sqlx::query!("SELECT name, address FROM authorities WHERE id = ?", id);
        let row = row.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)?;
        if row.address != shown {
            drop(write);
            let filter = ChangeFilter { thing: Some(Thing::Authority), thing_id: Some(id), ..ChangeFilter::default() };
            let last = self.list_changes(&filter, 1).await?.pop().ok_or(StoreError::Gone)?;
            return Err(StoreError::Stale { by: last.author, at: last.at });
        }
        let after = stored(address);
        sqlx::query!("UPDATE authorities SET address = ? WHERE id = ?", after, id).execute(write.db()).await?;
        let summary = format!("changed the address of the authority {}", row.name);
        write.commit(entry(id, summary, Some(address_facts(&row.address)), Some(address_facts(&after)))).await
    }

    /// Makes a new certificate for an authority with the same key and name, for `days`. The earlier one stays valid.
    ///
    /// # Errors
    /// `Gone`, `Issue`, `Vault`.
    pub async fn renew_authority(&self, id: AuthorityId, days: i64, by: &Author) -> Result<()> {
        let authority = self.find_authority(id).await?;
        let signing = self.signing(id).await?;
        let parent = match authority.parent {
            Some(parent) => Some(self.signing(parent).await?),
            None => None,
        };
        let draft = Draft { days, ..Draft::of(&authority.certificate.der)? };
        let der = authority::create(&draft, &signing.key, parent.as_ref().map(Signing::signer).as_ref(), by.now)?;
        let mut write = self.begin(by).await?;
        may_sign(&mut write, &signing).await?;
        let (replaced_at, old) = (to_millis(by.now), &authority.certificate.der);
        let replaced = sqlx::query!("UPDATE authorities SET der = ? WHERE id = ? AND der = ?", der, id, old);
        if replaced.execute(write.db()).await?.rows_affected() == 0 {
            return Err(StoreError::Gone);
        }
        sqlx::query!(
            "INSERT INTO former_certificates (authority_id, replaced_at, der) VALUES (?, ?, ?)",
            id,
            replaced_at,
            old
        )
        .execute(write.db())
        .await?;
        if let Some(parent) = &parent {
            record(&mut write, parent, IssuedKind::Authority, &der).await?;
        }
        let until = |der: &[u8]| X509::parse(der).map(|own| json!({ "valid_until": own.not_after.date().to_string() }));
        let (before, after) = (until(old)?, until(&der)?);
        publish(&mut write, &signing).await?;
        trust_lists::renew_with_authority(&mut write, id).await?;
        let summary = format!("renewed the authority {}", authority.name);
        write.commit(entry(id, summary, Some(before), Some(after))).await
    }

    /// What an authority signs with.
    pub(super) async fn signing(&self, id: AuthorityId) -> Result<Signing> {
        let row = sqlx::query!("SELECT name, address, key_id FROM authorities WHERE id = ?", id);
        let row = row.fetch_optional(self.reader()).await?.ok_or(StoreError::Gone)?;
        let pkcs8 = self.unseal_key(&row.key_id).await?;
        Ok(Signing {
            id,
            name: row.name,
            chain: self.authority_chain(id).await?.into_iter().map(|own| own.der).collect(),
            key: PrivateKey::from_pkcs8(pkcs8).map_err(internal)?,
            address: Address::parse(&row.address).map_err(internal)?,
        })
    }
}

/// How many levels an authority below `parent` may have, where `wanted` are.
fn below(parent: &Signing, wanted: Option<u8>) -> Result<Option<u8>> {
    let too_deep = || StoreError::TooDeep(parent.name.clone());
    if parent.chain.len() >= MAX_DEPTH {
        return Err(too_deep());
    }
    let most = Draft::of(parent.certificate())?.path_length;
    match (most.map(|most| most.checked_sub(1)), wanted) {
        (None, wanted) => Ok(wanted),
        (Some(Some(most)), None) => Ok(Some(most)),
        (Some(Some(most)), Some(wanted)) if wanted <= most => Ok(Some(wanted)),
        _ => Err(too_deep()),
    }
}

fn stored(address: Option<&Address>) -> String {
    address.map(Address::to_string).unwrap_or_default()
}

fn in_words(draft: &Draft, key: KeyKind, parent: Option<&Signing>) -> Value {
    let list = |trees: &[authority::Subtree]| trees.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    json!({
        "name": draft.common_name,
        "key": key.label(),
        "issuer": parent.map(|parent| parent.name.clone()),
        "permitted": list(&draft.constraints.permitted),
        "excluded": list(&draft.constraints.excluded),
    })
}

pub(super) fn address_facts(address: &str) -> Value {
    json!({ "address": address })
}

fn entry(id: AuthorityId, summary: String, before: Option<Value>, after: Option<Value>) -> Entry {
    Entry { thing: Thing::Authority, id, site: None, summary, before, after, touched: Vec::new() }
}

pub(super) fn internal(error: impl ToString) -> StoreError {
    StoreError::Internal(error.to_string())
}

/// Siteward's own certificates are read back with the reader for strangers' ones.
impl From<IntakeError> for StoreError {
    fn from(error: IntakeError) -> Self {
        internal(error)
    }
}
