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
    let made = sqlx::query!(
        r#"SELECT s.binding_id AS "binding_id!", b.id IS NULL AS "is_removed!: bool" FROM switches s
           LEFT JOIN bindings b ON b.id = s.binding_id WHERE s.revision = ?"#,
        change.revision
    );
    let made = made.fetch_all(write.db()).await?;
    let told = change.after.as_ref().and_then(|after| after["switched"].as_str()).unwrap_or_default();
    // Each goes with either of its certificates.
    if made.len() < told.split("; ").count() {
        return Err(StoreError::Final(NO_CERTIFICATE));
    }
    if made.iter().any(|row| row.is_removed) {
        return Err(StoreError::Final("A binding that it switched was removed since."));
    }
    if rows.len() < made.len() {
        let is_left = |id| rows.iter().any(|row| row.binding_id == id);
        let others: Vec<_> = made.iter().map(|row| row.binding_id).filter(|id| !is_left(*id)).collect();
        return Err(write.bindings_since(change, &others).await);
    }
    let (mut touched, mut places, mut doubts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut from, mut to) = (Vec::new(), Vec::new());
    for row in rows {
        let site = write.any_site(row.site_id)?;
        let own = bindings::find(&site.bindings, row.binding_id)?;
        let previous = certificate_facts(write, row.previous_id).await?;
        doubts.extend(chain::doubts(&previous, [&own.place.host], write.by.now));
        bindings::change(write, own, &own.place, Some(&previous)).await?;
        places.push((own.place.to_string(), previous.in_words()));
        touched.push(site.id);
        from.extend(own.certificate.as_ref().map(|now| now.in_words()));
        to.push(previous.in_words());
    }
    if !doubts.is_empty() && !order.confirmed {
        doubts.dedup();
        return Err(StoreError::Doubtful(doubts));
    }
    let (from, to) = (distinct(from), distinct(to));
    let is_one = to.len() == 1;
    // One for each binding, however many certificates a semicolon stands in.
    let told =
        |(place, to): (String, String)| if is_one { place } else { format!("{place}: {}", to.replace("; ", ", ")) };
    let places: Vec<String> = places.into_iter().map(told).collect();
    let before = json!({ "certificate": from.join(" and ") });
    let after = json!({ "certificate": to.join(" and "), "switched": places.join("; ") });
    Ok(Done { before: Some(before), after: Some(after), touched })
}

fn distinct(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words.dedup();
    words
}
