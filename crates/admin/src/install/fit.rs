//! Which key on this server, or brought along, the certificates of a delivery are for: found by public key alone.

use std::collections::HashSet;

use siteward_core::certificate::Fingerprint;
use siteward_core::chain::{Chain, InstallError, X509};
use siteward_core::intake::{Found, IntakeError, PairError};
use siteward_core::store::{KeyUse, Request, RequestId, RequestState, StoreError};
use siteward_core::trust::Trust;
use tokio::task::spawn_blocking;

use crate::error::Failure;
use crate::session::Session;

/// The most that are offered to choose from.
pub(super) const MAX_OFFERED: usize = 8;

/// The most that are found: one more, to know that there are more.
const MAX_CANDIDATES: usize = MAX_OFFERED + 1;

/// Whose key a certificate is for.
pub(crate) enum Fit {
    /// That of a pending request.
    Request(Box<Request>),
    /// That of an installed certificate: it was issued anew.
    Kept(KeyUse),
    /// One that came along, by its place in [`Found::keys`].
    Brought(usize),
}

/// What can be installed.
pub(crate) struct Candidate {
    pub(crate) fit: Fit,
    pub(crate) chain: Chain,
    pub(crate) trust: Trust,
}

/// Why nothing of a delivery can be installed.
pub(crate) struct Misfit {
    /// A sentence.
    pub(crate) why: String,
    /// The pending request that it answers instead.
    pub(crate) other: Option<Other>,
}

/// A request that is answered though another one was meant.
pub(crate) struct Other {
    pub(crate) id: RequestId,
    pub(crate) friendly_name: String,
    /// Where what it would change is shown, while the delivery waits.
    pub(crate) preview: Option<String>,
}

impl<E: std::error::Error> From<E> for Misfit {
    fn from(error: E) -> Self {
        Self { why: error.to_string(), other: None }
    }
}

/// What of a delivery can be installed. One that was dropped on the page of a request is first of all for that.
pub(crate) async fn candidates(
    session: &Session,
    found: &Found,
    request: Option<&Request>,
) -> Result<Result<Vec<Candidate>, Misfit>, Failure> {
    let mut candidates = Vec::new();
    let mut misfit: Option<Misfit> = None;
    for leaf in leaves(found, request) {
        let looked = match fit(session, found, request, leaf).await? {
            Ok(_) if candidates.len() == MAX_CANDIDATES => break,
            Ok(fit) => candidate(session, found, fit, leaf.key_id).await?,
            Err(why) => Err(why),
        };
        match looked {
            Ok(candidate) => candidates.push(candidate),
            Err(why) => misfit = misfit.or(Some(why)),
        }
    }
    let Some(wanted) = request else {
        return Ok(if candidates.is_empty() { Err(misfit.unwrap_or_else(|| nothing(found))) } else { Ok(candidates) });
    };
    if found.certificates.iter().any(|own| own.key_id == wanted.key_id) {
        candidates.retain(|own| own.chain.leaf.key_id == wanted.key_id);
    }
    for candidate in &candidates {
        if let Fit::Request(other) = &candidate.fit
            && other.id != wanted.id
        {
            let (id, friendly_name) = (other.id, other.friendly_name.clone());
            let error = StoreError::OtherRequest { id, friendly_name: friendly_name.clone() };
            return Ok(Err(Misfit { why: error.to_string(), other: Some(Other { id, friendly_name, preview: None }) }));
        }
    }
    if !candidates.is_empty() {
        return Ok(Ok(candidates));
    }
    let leaf = found.certificates.iter().find(|own| !own.is_ca && own.key_id != wanted.key_id);
    Ok(Err(match (misfit, leaf) {
        (Some(_), Some(leaf)) if found.certificates.iter().all(|own| own.key_id != wanted.key_id) => {
            InstallError::KeyMismatch { subject: leaf.subject.clone() }.into()
        }
        (Some(misfit), _) => misfit,
        (None, _) => nothing(found),
    }))
}

/// One certificate for each key that it could be installed with: those of sites, and any that is for `request`, which comes
/// first, or for a key that came along.
fn leaves<'a>(found: &'a Found, request: Option<&Request>) -> Vec<&'a X509> {
    let asked = |own: &X509| request.is_some_and(|request| request.key_id == own.key_id);
    let wanted = |own: &&X509| !own.is_ca || asked(own) || found.keys.iter().any(|key| key.id() == own.key_id);
    let mut seen = HashSet::new();
    let mut leaves: Vec<_> = found.certificates.iter().filter(wanted).filter(|own| seen.insert(own.key_id)).collect();
    leaves.sort_by_key(|own| !asked(own));
    leaves
}

/// Where the key of a certificate is; that of `request` before others.
async fn fit(
    session: &Session,
    found: &Found,
    request: Option<&Request>,
    leaf: &X509,
) -> Result<Result<Fit, Misfit>, Failure> {
    if let Some(own) = request.filter(|own| own.key_id == leaf.key_id && own.state == RequestState::Pending) {
        return Ok(Ok(Fit::Request(Box::new(own.clone()))));
    }
    let closed = match session.store().find_request_by_key(leaf.key_id).await? {
        Some(request) if request.state == RequestState::Pending => return Ok(Ok(Fit::Request(Box::new(request)))),
        closed => closed,
    };
    if let Some(place) = found.keys.iter().position(|key| key.id() == leaf.key_id) {
        return Ok(Ok(Fit::Brought(place)));
    }
    if let Some(newest) = session.store().list_certificates_of_key(leaf.key_id).await?.into_iter().next() {
        return Ok(Ok(Fit::Kept(newest)));
    }
    Ok(Err(match closed.and_then(|request| request.state.closed()) {
        Some(why) => Misfit { why: why.into(), other: None },
        None if found.keys.is_empty() => StoreError::NoKey(leaf.subject.clone()).into(),
        None => PairError::KeyMismatch.into(),
    }))
}

/// The chain of the certificate for a key, completed and judged, unless it is installed already.
async fn candidate(
    session: &Session,
    found: &Found,
    fit: Fit,
    key: Fingerprint,
) -> Result<Result<Candidate, Misfit>, Failure> {
    let certificates = found.certificates.clone();
    let built = spawn_blocking(move || Chain::build(certificates, key)).await;
    let mut chain = match built.map_err(|error| Failure::Internal(error.to_string()))? {
        Ok(chain) => chain,
        Err(error) => return Ok(Err(error.into())),
    };
    let kept = session.store().list_certificates_of_key(key).await?;
    if let Some(same) = kept.into_iter().find(|own| own.fingerprint == chain.leaf.fingerprint) {
        return Ok(Err(StoreError::AlreadyInstalled(same.friendly_name).into()));
    }
    let trust = session.store().fill_chain(&mut chain, session.now).await?;
    Ok(Ok(Candidate { fit, chain, trust }))
}

/// Why there is not even a certificate of a site.
fn nothing(found: &Found) -> Misfit {
    use IntakeError::{Empty, NothingFound, Request, WebPage};
    let unread = |reason: &IntakeError| !matches!(reason, Empty | NothingFound | Request | WebPage);
    if let Some(note) = found.notes.iter().find(|note| unread(&note.reason)) {
        return note.reason.clone().into();
    }
    if found.certificates.is_empty() { PairError::NoCertificate.into() } else { InstallError::NoLeaf.into() }
}
