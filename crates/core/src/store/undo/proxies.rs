//! Whose word is believed at a listener.

use super::{Done, unreadable};
use crate::ledger::Change;
use crate::store::write::Write;
use crate::store::{Result, proxies};

pub(super) async fn undo(write: &mut Write<'_>, change: &Change) -> Result<Done> {
    let told = change.before.as_ref().or(change.after.as_ref());
    let listener = told.and_then(proxies::listener).ok_or_else(|| unreadable(change))?;
    let (before, spoken) = (proxies::now(write, listener), proxies::spoken(write, listener));
    let listed_for = before.as_ref().and_then(proxies::protocol).unwrap_or(spoken);
    let after = match &before {
        Some(now) if change.before.is_some() && change.after.is_some() => change.returned(now.clone()).map(Some),
        now => (*now == proxies::completed(change.after.as_ref(), listed_for))
            .then(|| proxies::completed(change.before.as_ref(), spoken)),
    };
    let Some(after) = after else { return Err(write.changed_since(change).await) };
    let draft = proxies::read(after.as_ref()).ok_or_else(|| unreadable(change))?;
    let protocol = after.as_ref().and_then(proxies::protocol).unwrap_or(spoken);
    proxies::set(write, listener, protocol, &draft).await?;
    Ok(Done { before, after, touched: Vec::new() })
}
