//! One binding or several of a site.

use std::sync::Arc;

use serde_json::Value;

use super::{Done, NO_CERTIFICATE, Order, unreadable};
use crate::binding::{Binding, BindingId, Place};
use crate::certificate::CertificateFacts;
use crate::ledger::Change;
use crate::site::{Site, SiteId};
use crate::store::bindings::{self, BindingDraft};
use crate::store::write::Write;
use crate::store::{Result, StoreError};

pub(super) async fn undo(write: &mut Write<'_>, order: &Order<'_>) -> Result<Done> {
    let change = order.change;
    let site = write.any_site(change.site.ok_or(StoreError::Gone)?)?;
    let (before, after) = match (&change.before, &change.after) {
        (None, Some(left)) => {
            for (id, left) in each(change, left) {
                let is_left =
                    find(&site, id).is_some_and(|own| bindings::read(&bindings::facts_of(own)) == bindings::read(left));
                if !is_left {
                    return Err(write.bindings_since(change, &[id]).await);
                }
                bindings::remove(write, id).await?;
            }
            (Some(left.clone()), None)
        }
        (Some(then), None) => {
            let mut doubts = Vec::new();
            for (id, then) in each(change, then) {
                match put(write, site.id, id, then, order).await {
                    Err(StoreError::Doubtful(more)) => doubts.extend(more),
                    done => done?,
                }
            }
            if !doubts.is_empty() {
                doubts.dedup();
                return Err(StoreError::Doubtful(doubts));
            }
            (None, Some(then.clone()))
        }
        (Some(_), Some(_)) => {
            let own = find(&site, change.id);
            let Some((own, then)) = own.and_then(|own| Some((own, change.returned(bindings::facts_of(own))?))) else {
                return Err(write.bindings_since(change, &[change.id]).await);
            };
            let (place, certificate) = prove(write, own.id, &then, order).await?;
            bindings::change(write, own, &place, certificate.as_ref()).await?;
            let certificate = certificate.map(Arc::new);
            let after = Binding { id: own.id, place, certificate };
            (Some(bindings::facts_of(own)), Some(bindings::facts_of(&after)))
        }
        (None, None) => return Err(unreadable(change)),
    };
    Ok(Done { before, after, touched: vec![site.id] })
}

/// Every binding that one side of a change is about.
fn each<'a>(change: &Change, side: &'a Value) -> Vec<(BindingId, &'a Value)> {
    match side["bindings"].as_array() {
        Some(several) => several.iter().map(|own| (own["id"].as_i64().unwrap_or_default(), own)).collect(),
        None => vec![(change.id, side)],
    }
}

/// Puts a binding back that was removed.
pub(super) async fn put(
    write: &mut Write<'_>,
    site: SiteId,
    id: BindingId,
    then: &Value,
    order: &Order<'_>,
) -> Result<()> {
    let (place, certificate) = prove(write, id, then, order).await?;
    bindings::insert(write, site, Some(id), &place, certificate.map(|own| own.id)).await?;
    Ok(())
}

/// What a binding was, where it may be so today.
async fn prove(
    write: &mut Write<'_>,
    id: BindingId,
    then: &Value,
    order: &Order<'_>,
) -> Result<(Place, Option<CertificateFacts>)> {
    let (place, certificate) = bindings::read(then).ok_or_else(|| unreadable(order.change))?;
    let draft = BindingDraft { place, certificate, confirmed: order.confirmed };
    bindings::place_is_free(write, &draft.place, Some(id)).await?;
    match bindings::certificate(write, &draft).await {
        Ok(certificate) => Ok((draft.place, certificate)),
        Err(StoreError::CertificateNeeded) => Err(StoreError::Final(NO_CERTIFICATE)),
        Err(error) => Err(error),
    }
}

fn find(site: &Site, id: BindingId) -> Option<&Binding> {
    bindings::find(&site.bindings, id).ok()
}
