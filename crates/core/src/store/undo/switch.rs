//! Bindings that went from one certificate to another: the certificates stay.

use serde_json::json;

use super::{Done, NO_CERTIFICATE, Order};
use crate::chain;
use crate::store::bindings::{self, certificate_facts};
use crate::store::write::Write;
use crate::store::{Result, StoreError};

pub(super) async fn undo(write: &mut Write<'_>, order: &Order<'_>) -> Result<Done> {
    let change = order.change;
    let rows = sqlx::query!(
        "SELECT s.binding_id, s.certificate_id, s.previous_id, b.site_id FROM switches s
         JOIN bindings b ON b.id = s.binding_id AND b.certificate_id = s.certificate_id
         WHERE s.revision = ? ORDER BY s.binding_id",
        change.revision
    );
    let rows = rows.fetch_all(write.db()).await?;
    let made = sqlx::query_scalar!("SELECT count(*) FROM switches WHERE revision = ?", change.revision);
    let made = made.fetch_one(write.db()).await?;
    let told = change.after.as_ref().and_then(|after| after["switched"].as_str()).unwrap_or_default();
    match usize::try_from(made).unwrap_or_default() {
        // Each goes with either of its certificates.
        made if made < told.split("; ").count() => return Err(StoreError::Final(NO_CERTIFICATE)),
        made if rows.len() < made => return Err(write.switched_since(change).await),
        _ => {}
    }
    let (mut touched, mut places, mut doubts, mut certificates) = (Vec::new(), Vec::new(), Vec::new(), None);
    for row in rows {
        let site = write.any_site(row.site_id)?;
        let own = bindings::find(&site.bindings, row.binding_id)?;
        let previous = certificate_facts(write, row.previous_id).await?;
        doubts.extend(chain::doubts(&previous, [&own.place.host], write.by.now));
        bindings::change(write, own, &own.place, Some(&previous)).await?;
        places.push(own.place.to_string());
        touched.push(site.id);
        certificates = own.certificate.clone().map(|now| (now.in_words(), previous.in_words()));
    }
    if !doubts.is_empty() && !order.confirmed {
        doubts.dedup();
        return Err(StoreError::Doubtful(doubts));
    }
    let (now, then) = certificates.ok_or(StoreError::Gone)?;
    let (before, after) =
        (json!({ "certificate": now }), json!({ "certificate": then, "switched": places.join("; ") }));
    Ok(Done { before: Some(before), after: Some(after), touched })
}
