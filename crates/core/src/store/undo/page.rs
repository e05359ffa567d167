//! A page of a site's own.

use super::{Done, unreadable};
use crate::ledger::Change;
use crate::store::write::Write;
use crate::store::{Result, StoreError, pages};

pub(super) async fn undo(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let site = write.any_site(change.site.ok_or(StoreError::Gone)?)?;
    let now = pages::find(&site, change.id).ok().map(|page| pages::facts(&page.draft));
    let then = match (&change.before, &change.after, &now) {
        (Some(then), None, None) => Some(then.clone()),
        (None, Some(left), Some(now)) if left == now => None,
        (Some(_), Some(_), Some(now)) => match change.returned(now.clone()) {
            Some(then) => Some(then),
            None => return Err(write.changed_since(change).await),
        },
        _ => return Err(write.changed_since(change).await),
    };
    match &then {
        None => pages::remove(write, change.id).await?,
        Some(then) => {
            let draft = pages::read(then).ok_or_else(|| unreadable(change))?;
            pages::is_free(&site, draft.answer, Some(change.id))?;
            match now {
                None => pages::insert(write, site.id, Some(change.id), &draft).await.map(drop)?,
                Some(_) => pages::update(write, change.id, &draft).await?,
            }
        }
    }
    Ok(Done { before: now, after: then, touched: vec![site.id] })
}
