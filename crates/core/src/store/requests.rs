//! Certificate requests: pending for as long as the CA needs, then completed or withdrawn.

mod completion;
mod view;

use serde_json::{Value, json};
use time::OffsetDateTime;

pub(super) use self::completion::complete;
use self::view::find;
use super::write::{Entry, Write};
use super::{Result, Store, StoreError, parse_name, to_millis};
use crate::certificate::{CertificateId, Fingerprint};
use crate::csr;
use crate::key::{KeyKind, PrivateKey};
use crate::ledger::{Author, Thing};
use crate::site::SiteId;
use crate::subject::Subject;

/// The row id of a request.
pub type RequestId = i64;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestState {
    /// Waiting for the CA's reply.
    Pending,
    /// Its reply is installed.
    Completed,
    /// Given up; its key is destroyed unless something else has it.
    Withdrawn,
}

/// A request to make.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The site it is for.
    pub site: Option<SiteId>,
    /// What the team calls it, 1 to 100 characters.
    pub friendly_name: String,
    /// The answers.
    pub subject: Subject,
    /// The key to make.
    pub key: KeyKind,
}

/// A request as kept.
#[derive(Debug, Clone)]
pub struct Request {
    /// Row id.
    pub id: RequestId,
    /// The site it is for, while that exists.
    pub site: Option<SiteId>,
    /// What the team calls it.
    pub friendly_name: String,
    /// The answers.
    pub subject: Subject,
    /// Its key's kind.
    pub key: KeyKind,
    /// SHA-256 of its public key.
    pub key_id: Fingerprint,
    /// The signed request, DER.
    pub csr: Vec<u8>,
    /// Pending, completed or withdrawn.
    pub state: RequestState,
    /// The certificate that completed it, while that exists.
    pub certificate: Option<CertificateId>,
    /// The certificate whose place its reply takes, while that exists.
    pub renews: Option<CertificateId>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// By whom.
    pub created_by: String,
}

impl RequestState {
    /// `pending`, `completed` or `withdrawn`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads what [`RequestState::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Completed, Self::Withdrawn].into_iter().find(|state| state.as_str() == text)
    }

    /// Why no reply can be installed, as a sentence; `None` while it is pending.
    pub fn closed(self) -> Option<&'static str> {
        match self {
            Self::Pending => None,
            Self::Completed => Some("This request has its certificate already. Nothing was changed."),
            Self::Withdrawn => Some("This request was withdrawn, so it takes no reply any more. Make a new request."),
        }
    }
}

impl Store {
    /// Makes a key and a signed request.
    ///
    /// # Errors
    /// `Name`, `Vault`, `Gone` where the site no longer exists.
    pub async fn create_request(&self, new: NewRequest, by: &Author) -> Result<RequestId> {
        let kind = new.key;
        let generate = move || PrivateKey::generate(kind).map_err(|error| StoreError::Internal(error.to_string()));
        let key = blocking(generate).await?;
        self.insert_request(new, key, None, by).await
    }

    /// Signs a request with `key` and keeps both; `renews` is the certificate whose place the reply takes.
    pub(super) async fn insert_request(
        &self,
        new: NewRequest,
        key: PrivateKey,
        renews: Option<(CertificateId, String)>,
        by: &Author,
    ) -> Result<RequestId> {
        let friendly_name = parse_name(&new.friendly_name)?;
        let csr = csr::sign(&new.subject, &key).map_err(|error| StoreError::Internal(error.to_string()))?;
        let mut write = self.begin(by).await?;
        let site = new.site.map(|id| write.any_site(id)).transpose()?;
        let key_id = self.insert_key(&mut write, &key).await?;
        let waiting =
            sqlx::query_scalar!("SELECT friendly_name FROM requests WHERE key_id = ? AND state = 'pending'", key_id);
        if let Some(name) = waiting.fetch_optional(write.db()).await? {
            let why =
                format!("The request {name} waits for a certificate with this key. Complete or withdraw it first.");
            return Err(StoreError::RequestClosed(why));
        }
        let (renews, old) = renews.unzip();
        let subject = to_json(&new.subject)?;
        let now = to_millis(by.now);
        let inserted = sqlx::query!(
            "INSERT INTO requests (site_id, friendly_name, key_id, subject, csr, state, renews, created_at, created_by)
             VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?)",
            new.site,
            friendly_name,
            key_id,
            subject,
            csr,
            renews,
            now,
            by.name
        );
        let id = inserted.execute(write.db()).await?.last_insert_rowid();
        let verb = if old.is_some() { "requested a renewal" } else { "requested a certificate" };
        let after = json!({
            "friendly_name": friendly_name,
            "site": site.as_ref().map(|site| &site.name),
            "common_name": new.subject.common_name,
            "key": new.key.label(),
            "renews": old,
            "state": RequestState::Pending.as_str(),
        });
        let summary = format!("{verb}, {friendly_name}");
        write.commit(entry(id, new.site, summary, None, after, Vec::new())).await?;
        Ok(id)
    }

    /// Gives a pending request up, and destroys its key unless something else has it.
    ///
    /// # Errors
    /// `Gone`, `RequestClosed`.
    pub async fn withdraw_request(&self, id: RequestId, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let request = find_pending(&mut write, id).await?;
        sqlx::query!("UPDATE requests SET state = 'withdrawn' WHERE id = ?", id).execute(write.db()).await?;
        destroy_unused_key(&mut write, &request.key_id.0).await?;
        let summary = format!("withdrew the request {}", request.friendly_name);
        let (before, after) = (state_only(RequestState::Pending), state_only(RequestState::Withdrawn));
        write.commit(entry(id, request.site, summary, Some(before), after, Vec::new())).await?;
        self.fold_log().await;
        Ok(())
    }
}

/// Empties the seal of a key that neither a certificate nor an authority nor a pending request has.
pub(super) async fn destroy_unused_key(write: &mut Write<'_>, id: &[u8]) -> Result<()> {
    sqlx::query!(
        "UPDATE keys SET sealed = x'' WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM certificates WHERE key_id = ?1)
         AND NOT EXISTS (SELECT 1 FROM authorities WHERE key_id = ?1)
         AND NOT EXISTS (SELECT 1 FROM requests WHERE key_id = ?1 AND state = 'pending')",
        id
    )
    .execute(write.db())
    .await?;
    Ok(())
}

fn entry(
    id: RequestId,
    site: Option<SiteId>,
    summary: String,
    before: Option<Value>,
    after: Value,
    touched: Vec<SiteId>,
) -> Entry {
    Entry { thing: Thing::Request, id, site, summary, before, after: Some(after), touched }
}

fn state_only(state: RequestState) -> Value {
    json!({ "state": state.as_str() })
}

pub(super) async fn find_pending(write: &mut Write<'_>, id: RequestId) -> Result<Request> {
    let request = find(write.db(), id).await?;
    match request.state.closed() {
        None => Ok(request),
        Some(why) => Err(StoreError::RequestClosed(why.into())),
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Internal(error.to_string()))
}

/// Runs `work`, which may take seconds, off the async threads.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Internal(error.to_string()))?
}
