//! A root that the team trusts.

use super::{Done, unreadable};
use crate::chain::X509;
use crate::ledger::Change;
use crate::store::write::Write;
use crate::store::{Result, roots};

pub(super) async fn undo(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let own = roots::find(write.db(), change.id).await?;
    let (before, after) = match (own, &change.before) {
        (Some(own), None) => {
            roots::remove(write, change.id).await?;
            (Some(roots::facts(&own)), None)
        }
        (None, Some(then)) => {
            let root: X509 = roots::read(then).ok_or_else(|| unreadable(change))?;
            roots::insert(write, Some(change.id), &root).await?;
            (None, Some(roots::facts(&root)))
        }
        _ => return Err(write.changed_since(change).await),
    };
    Ok(Done { before, after, touched: Vec::new() })
}
