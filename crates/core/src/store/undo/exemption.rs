//! What a site answers CAs in clear.

use super::{Done, unreadable};
use crate::ledger::Change;
use crate::store::write::Write;
use crate::store::{Result, StoreError, exemptions};

pub(super) async fn undo(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let site = write.any_site(change.site.ok_or(StoreError::Gone)?)?;
    let own = site.exemptions.list().iter().find(|own| own.id == change.id);
    let (before, after) = match (own, &change.before) {
        (Some(own), None) => {
            exemptions::remove(write, own.id).await?;
            (Some(exemptions::facts(own)), None)
        }
        (None, Some(then)) => {
            let draft = exemptions::read(then).ok_or_else(|| unreadable(change))?;
            if draft.ends_at.is_some_and(|end| end <= write.by.now) {
                return Err(StoreError::Final("It would have ended by now."));
            }
            exemptions::has_room(&site, &draft)?;
            let own = exemptions::insert(write, site.id, Some(change.id), draft).await?;
            (None, Some(exemptions::facts(&own)))
        }
        _ => return Err(write.changed_since(change).await),
    };
    Ok(Done { before, after, touched: vec![site.id] })
}
