//! Requests as they are shown.

use sqlx::SqliteConnection;

use super::{Request, RequestId, RequestState};
use crate::certificate::{CertificateId, Fingerprint};
use crate::key::KeyKind;
use crate::store::rows::fingerprint;
use crate::store::{Result, Store, StoreError, from_millis};

struct RequestRow {
    id: i64,
    site_id: Option<i64>,
    friendly_name: String,
    kind: String,
    key_id: Vec<u8>,
    subject: String,
    csr: Vec<u8>,
    state: String,
    certificate_id: Option<i64>,
    renews: Option<i64>,
    created_at: i64,
    created_by: String,
}

impl Store {
    /// The request with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_request(&self, id: RequestId) -> Result<Request> {
        find(&mut *self.reader().acquire().await?, id).await
    }

    /// The newest request for the key with this id: a pending one, else one in any state.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_request_by_key(&self, key_id: Fingerprint) -> Result<Option<Request>> {
        let key_id = key_id.0.as_slice();
        let row = sqlx::query_as!(
            RequestRow,
            "SELECT r.id, r.site_id, r.friendly_name, k.kind, r.key_id, r.subject, r.csr, r.state, r.certificate_id, r.renews,
                    r.created_at, r.created_by
             FROM requests r JOIN keys k ON k.id = r.key_id WHERE r.key_id = ?
             ORDER BY r.state = 'pending' DESC, r.id DESC LIMIT 1",
            key_id
        );
        row.fetch_optional(self.reader()).await?.map(RequestRow::read).transpose()
    }

    /// The request that the certificate with this id answers.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_request_of(&self, certificate: CertificateId) -> Result<Option<Request>> {
        let row = sqlx::query_as!(
            RequestRow,
            "SELECT r.id, r.site_id, r.friendly_name, k.kind, r.key_id, r.subject, r.csr, r.state, r.certificate_id, r.renews,
                    r.created_at, r.created_by
             FROM requests r JOIN keys k ON k.id = r.key_id WHERE r.certificate_id = ?",
            certificate
        );
        row.fetch_optional(self.reader()).await?.map(RequestRow::read).transpose()
    }

    /// All requests in `state` (every state for `None`), newest first, `limit` of them after the first `offset`.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_requests(&self, state: Option<RequestState>, offset: i64, limit: i64) -> Result<Vec<Request>> {
        let state = state.map(RequestState::as_str);
        let rows = sqlx::query_as!(
            RequestRow,
            "SELECT r.id, r.site_id, r.friendly_name, k.kind, r.key_id, r.subject, r.csr, r.state, r.certificate_id, r.renews,
                    r.created_at, r.created_by
             FROM requests r JOIN keys k ON k.id = r.key_id
             WHERE ?1 IS NULL OR r.state = ?1 ORDER BY r.id DESC LIMIT ?2 OFFSET ?3",
            state,
            limit,
            offset
        );
        rows.fetch_all(self.reader()).await?.into_iter().map(RequestRow::read).collect()
    }

    /// How many requests are in `state` (in every state for `None`).
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_requests(&self, state: Option<RequestState>) -> Result<i64> {
        let state = state.map(RequestState::as_str);
        let count = sqlx::query_scalar!("SELECT count(*) FROM requests WHERE ?1 IS NULL OR state = ?1", state);
        Ok(count.fetch_one(self.reader()).await?)
    }
}

pub(super) async fn find(db: &mut SqliteConnection, id: RequestId) -> Result<Request> {
    let row = sqlx::query_as!(
        RequestRow,
        "SELECT r.id, r.site_id, r.friendly_name, k.kind, r.key_id, r.subject, r.csr, r.state, r.certificate_id, r.renews,
                r.created_at, r.created_by
         FROM requests r JOIN keys k ON k.id = r.key_id WHERE r.id = ?",
        id
    );
    row.fetch_optional(db).await?.ok_or(StoreError::Gone)?.read()
}

impl RequestRow {
    fn read(self) -> Result<Request> {
        let broken = || StoreError::Internal(format!("request {} can't be read", self.id));
        Ok(Request {
            id: self.id,
            site: self.site_id,
            key: KeyKind::parse(&self.kind).ok_or_else(broken)?,
            key_id: fingerprint(&self.key_id).ok_or_else(broken)?,
            subject: serde_json::from_str(&self.subject).map_err(|_| broken())?,
            state: RequestState::parse(&self.state).ok_or_else(broken)?,
            friendly_name: self.friendly_name,
            csr: self.csr,
            certificate: self.certificate_id,
            renews: self.renews,
            created_at: from_millis(self.created_at)?,
            created_by: self.created_by,
        })
    }
}
