//! Certificate requests: pending for as long as the CA needs, then completed or withdrawn.

use time::OffsetDateTime;

use super::{Result, Store};
use crate::binding::BindingId;
use crate::certificate::{CertificateId, Fingerprint};
use crate::chain::X509;
use crate::key::KeyKind;
use crate::ledger::Author;
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
    /// Given up; its key is destroyed.
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
}

impl Store {
    /// Makes a key and a signed request.
    ///
    /// # Errors
    /// `Name`, `Vault`, `Gone` where the site no longer exists.
    pub async fn create_request(&self, new: NewRequest, by: &Author) -> Result<RequestId> {
        let _ = (new, by);
        todo!()
    }

    /// The request with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_request(&self, id: RequestId) -> Result<Request> {
        let _ = id;
        todo!()
    }

    /// All requests in `state` (every state for `None`), newest first, `limit` of them after the first `offset`.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_requests(&self, state: Option<RequestState>, offset: i64, limit: i64) -> Result<Vec<Request>> {
        let _ = (state, offset, limit);
        todo!()
    }

    /// How many requests are in `state` (in every state for `None`).
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_requests(&self, state: Option<RequestState>) -> Result<i64> {
        let _ = state;
        todo!()
    }

    /// Installs the CA's reply, and points `switch` (https bindings of any site) at the new certificate, in one change.
    /// With `confirmed`, also one that is expired, not yet valid, or does not cover a binding's host name.
    ///
    /// # Errors
    /// `Gone`, `RequestClosed`, `Install`, `OtherRequest`, `AlreadyInstalled`, `Doubtful`.
    pub async fn complete_request(
        &self,
        id: RequestId,
        reply: Vec<X509>,
        switch: &[BindingId],
        confirmed: bool,
        by: &Author,
    ) -> Result<CertificateId> {
        let _ = (id, reply, switch, confirmed, by);
        todo!()
    }

    /// Gives a pending request up and destroys its key.
    ///
    /// # Errors
    /// `Gone`, `RequestClosed`.
    pub async fn withdraw_request(&self, id: RequestId, by: &Author) -> Result<()> {
        let _ = (id, by);
        todo!()
    }
}
