//! The CA's reply is installed for the request that waits for it.

use super::{Request, RequestId, RequestState, entry, find_pending, state_only};
use crate::certificate::CertificateId;
use crate::chain::{Chain, X509};
use crate::ledger::Author;
use crate::store::certificates::{Install, Served};
use crate::store::renewals::take_the_place;
use crate::store::requests::blocking;
use crate::store::write::Write;
use crate::store::{Result, Store, StoreError};

impl Store {
    /// Installs the CA's reply, and points `switch` (https bindings of any site) at the new certificate, in one change.
    /// With `confirmed`, also one that is expired, not yet valid, or does not cover a binding's host name.
    ///
    /// # Errors
    /// `Gone`, `RequestClosed`, `Install`, `OtherRequest`, `AlreadyInstalled`, `Doubtful`,
    /// `BindingsChanged`.
    pub async fn complete_request(
        &self,
        id: RequestId,
        reply: Vec<X509>,
        switch: &[Served],
        confirmed: bool,
        by: &Author,
    ) -> Result<CertificateId> {
        let key = self.find_request(id).await?.key_id;
        let (mut chain, reply) = blocking(move || Ok((Chain::build(reply.clone(), key), reply))).await?;
        if let Ok(chain) = &mut chain {
            self.fill_chain(chain, by.now).await?;
        }
        let mut write = self.begin(by).await?;
        let request = find_pending(&mut write, id).await?;
        let chain = match chain {
            Ok(chain) => chain,
            Err(error) => return Err(other_request(&mut write, &reply).await?.unwrap_or(error.into())),
        };
        complete(write, request, &chain, switch, confirmed, "completed the request for").await
    }
}

/// Installs `chain` for a pending request and switches bindings to it, in one change.
pub(in crate::store) async fn complete(
    mut write: Write<'_>,
    request: Request,
    chain: &Chain,
    switch: &[Served],
    confirmed: bool,
    verb: &str,
) -> Result<CertificateId> {
    let install = Install { friendly_name: &request.friendly_name, chain, switch, confirmed };
    let installed = install.into(&mut write).await?;
    let certificate = installed.id;
    sqlx::query!("UPDATE requests SET state = 'completed', certificate_id = ? WHERE id = ?", certificate, request.id)
        .execute(write.db())
        .await?;
    if let Some(renewed) = request.renews {
        take_the_place(&mut write, renewed, certificate).await?;
    }
    let summary = format!("{verb} {}", request.friendly_name);
    let mut after = state_only(RequestState::Completed);
    after["certificate"] = chain.leaf.facts(certificate).in_words().into();
    after["switched"] = installed.switched.join("; ").into();
    let before = state_only(RequestState::Pending);
    write.commit(entry(request.id, request.site, summary, Some(before), after, installed.touched)).await?;
    Ok(certificate)
}

/// The pending request that a reply answers instead, as the error to show.
async fn other_request(write: &mut Write<'_>, reply: &[X509]) -> Result<Option<StoreError>> {
    for certificate in reply {
        let key = certificate.key_id.0.as_slice();
        let row = sqlx::query!("SELECT id, friendly_name FROM requests WHERE key_id = ? AND state = 'pending'", key);
        if let Some(row) = row.fetch_optional(write.db()).await? {
            return Ok(Some(StoreError::OtherRequest { id: row.id, friendly_name: row.friendly_name }));
        }
    }
    Ok(None)
}
