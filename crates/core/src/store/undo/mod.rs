//! Undoing a change: what it set is put back as it was, by the same ways and under the same checks by which it was set.

mod bindings;
mod certificate;
mod exemption;
mod page;
mod proxies;
mod root;
mod rule;
mod site;
mod switch;
#[cfg(test)]
mod tests;
mod trial;
mod trust_list;

use std::path::PathBuf;

use serde_json::Value;

use super::changes::undone;
use super::write::{Entry, Write};
use super::{Result, Store, StoreError, from_millis};
use crate::ledger::{Author, Change, Revision, Undo};
use crate::site::{Site, SiteId};

/// What undoing a change would do.
#[derive(Debug, Clone)]
pub struct Undoing {
    /// The change to undo.
    pub change: Change,
    /// What it concerns, as it is now.
    pub before: Option<Value>,
    /// The same once it is undone.
    pub after: Option<Value>,
    /// The sites that would be served differently, as they would be; none for one that would be gone.
    pub sites: Vec<Site>,
}

const NO_CERTIFICATE: &str = "The certificate that was served there was removed since.";

/// What was put back, for the ledger.
struct Done {
    before: Option<Value>,
    after: Option<Value>,
    touched: Vec<SiteId>,
}

/// What is undone, and how.
struct Order<'a> {
    change: &'a Change,
    /// The folder to go back to, which was found fit to be served.
    folder: Option<PathBuf>,
    /// Take certificates that are questionable.
    confirmed: bool,
}

impl Store {
    /// Puts back what a change set, as one new change: only where all that it set is still as it left it, and where what
    /// was before may be set today. A certificate that has become questionable is taken only where that is `confirmed`.
    ///
    /// # Errors
    /// `Gone`, `Final`, `Undone`, `ChangedSince`, and whatever setting it by hand is refused with.
    pub async fn undo(&self, revision: Revision, confirmed: bool, by: &Author) -> Result<()> {
        let change = self.find_change(revision).await?;
        let (write, entry) = self.put_back(&change, confirmed, by).await?;
        write.commit(entry).await
    }

    /// What [`Store::undo`] would do now. Nothing is changed.
    ///
    /// # Errors
    /// As it.
    pub async fn try_undo(&self, revision: Revision, confirmed: bool, by: &Author) -> Result<Undoing> {
        let change = self.find_change(revision).await?;
        let (mut write, entry) = self.put_back(&change, confirmed, by).await?;
        let mut sites = Vec::new();
        for id in entry.touched {
            sites.extend(write.site_now(id).await?);
        }
        Ok(Undoing { change, before: entry.before, after: entry.after, sites })
    }

    /// Does everything but commit.
    async fn put_back<'a>(&'a self, change: &Change, confirmed: bool, by: &'a Author) -> Result<(Write<'a>, Entry)> {
        let undo = Undo::of(change).map_err(StoreError::Final)?;
        let folder = match site::folder_of(change).filter(|_| matches!(undo, Undo::Site | Undo::WholeSite)) {
            Some(folder) => Some(self.parse_folder(folder).await?),
            None => None,
        };
        let mut write = self.begin(by).await?;
        if let Some(undone) = undone(write.db(), &[change.revision]).await?.remove(&change.revision) {
            return Err(StoreError::Undone { by: undone.by, at: undone.at });
        }
        let is_site_gone = change.site.is_some_and(|site| write.table.site(site).is_none());
        if is_site_gone && !matches!(undo, Undo::WholeSite | Undo::Switch) {
            return Err(StoreError::Final("The site was deleted since. Undo that first."));
        }
        write.undoes = Some(change.revision);
        let order = Order { change, folder, confirmed };
        let done = match undo {
            Undo::Site => site::edited(&mut write, &order).await,
            Undo::WholeSite => site::whole(&mut write, &order).await,
            Undo::Ssl => rule::of_site(&mut write, change).await,
            Undo::Hsts => site::hsts(&mut write, change).await,
            Undo::Rule => rule::undo(&mut write, change).await,
            Undo::Trial => trial::undo(&mut write, change).await,
            Undo::Exemption => exemption::undo(&mut write, change).await,
            Undo::Page => page::undo(&mut write, change).await,
            Undo::Bindings => bindings::undo(&mut write, &order).await,
            Undo::Switch => switch::undo(&mut write, &order).await,
            Undo::Certificate => certificate::edited(&mut write, change).await,
            Undo::Address => certificate::address(&mut write, change).await,
            Undo::Root => root::undo(&mut write, change).await,
            Undo::TrustList => trust_list::undo(&mut write, change).await,
            Undo::Proxies => proxies::undo(&mut write, change).await,
        };
        let Done { before, after, touched } = done?;
        let (thing, id, site) = (change.thing, change.id, change.site);
        Ok((write, Entry { thing, id, site, summary: summary(change), before, after, touched }))
    }
}

/// `undid change 31: changed the SSL settings of Bookshop`, also for one that undid another itself.
fn summary(change: &Change) -> String {
    let what = change.undoes.and_then(|_| change.summary.split_once(": ")).map_or(&*change.summary, |(_, what)| what);
    format!("undid change {}: {what}", change.revision)
}

/// What is stored can't be read back.
fn unreadable(change: &Change) -> StoreError {
    StoreError::Internal(format!("what change {} set can't be read", change.revision))
}

impl Write<'_> {
    /// The same where a binding that `change` switched serves something else by now.
    async fn switched_since(&mut self, change: &Change) -> StoreError {
        let later = sqlx::query!(
            "SELECT c.author, c.at FROM switches s JOIN changes c ON c.revision = s.revision
             WHERE s.revision > ?1 AND s.binding_id IN (SELECT binding_id FROM switches WHERE revision = ?1)
             ORDER BY s.revision DESC LIMIT 1",
            change.revision
        );
        match later.fetch_optional(self.db()).await.map_err(StoreError::from) {
            Ok(Some(later)) => {
                from_millis(later.at).map_or_else(|error| error, |at| StoreError::ChangedSince { by: later.author, at })
            }
            Ok(None) => StoreError::Final("A binding that it switched was removed since."),
            Err(error) => error,
        }
    }

    /// The refusal to undo `change` because what it set is no longer so: it names the last one who set any of it again.
    async fn changed_since(&mut self, change: &Change) -> StoreError {
        self.last_since(change).await.unwrap_or_else(|error| error)
    }

    async fn last_since(&mut self, change: &Change) -> Result<StoreError> {
        let thing = change.thing.as_str();
        let rows = sqlx::query!(
            "SELECT author, at, before, after FROM changes WHERE revision > ? AND thing = ? AND thing_id = ?
             ORDER BY revision DESC LIMIT 200",
            change.revision,
            thing,
            change.id
        );
        let side = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        let rows = rows.fetch_all(self.db()).await?.into_iter().map(|row| {
            let later = Change { before: side(row.before), after: side(row.after), ..change.clone() };
            (row.author, row.at, later)
        });
        let rows: Vec<(String, i64, Change)> = rows.collect();
        let again = rows.iter().find(|(.., later)| change.fields().any(|field| later.sets(field)));
        if let Some((by, at, _)) = again.or_else(|| rows.iter().find(|(.., later)| change.is_like(later))) {
            return Ok(StoreError::ChangedSince { by: by.clone(), at: from_millis(*at)? });
        }
        // Whoever changed it did so under another name, such as a certificate's.
        let last = sqlx::query!(
            "SELECT author, at FROM changes WHERE revision = (SELECT max(revision) FROM touched_sites WHERE site_id = ?)
             AND revision > ?",
            change.site,
            change.revision
        );
        let last = last.fetch_optional(self.db()).await?.ok_or(StoreError::Gone)?;
        Ok(StoreError::ChangedSince { by: last.author, at: from_millis(last.at)? })
    }
}
