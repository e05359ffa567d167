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

use serde_json::{Value, json};

use super::changes::undone;
use super::write::{Entry, Write};
use super::{Result, Store, StoreError, from_millis};
use crate::binding::BindingId;
use crate::ledger::{Author, Change, Revision, Thing, Undo};
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
const SET_SINCE: &str = "What it set was set otherwise since. Change it by hand.";
const TAKEN_BACK: &str =
    "Fresh clients did not accept what it put there, so Siteward gave it back what was served before.";

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
    /// Take certificates that are questionable, and CAs of which it is not known what they revoked.
    confirmed: bool,
}

impl Store {
    /// Puts back what a change set, as one new change: only where all that it set is still as it left it, and where what
    /// was before may be set today. A certificate that has become questionable is taken only where that is `confirmed`, and
    /// so is a CA of an open trust list of which it is no longer known what it revoked.
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
            Undo::TrustList => trust_list::undo(&mut write, &order).await,
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
    /// The refusal to undo `change` because what it set is no longer so: it names the last one who set any of it again.
    async fn changed_since(&mut self, change: &Change) -> StoreError {
        let refusal = match Undo::of(change) {
            Ok(Undo::WholeSite) => self.touched_since(change).await,
            _ => self.set_since(change, change.thing, &[change.id]).await,
        };
        refusal.unwrap_or_else(|error| error)
    }

    /// The same where these bindings are not as `change` left them.
    async fn bindings_since(&mut self, change: &Change, bindings: &[BindingId]) -> StoreError {
        let refusal = match self.taken_back(change, bindings).await {
            Ok(None) => self.set_since(change, Thing::Binding, bindings).await,
            taken_back => taken_back.map(|refusal| refusal.unwrap_or(StoreError::Gone)),
        };
        refusal.unwrap_or_else(|error| error)
    }

    /// Siteward gave some of these bindings back what they served before `change`.
    async fn taken_back(&mut self, change: &Change, bindings: &[BindingId]) -> Result<Option<StoreError>> {
        let list = json!(bindings).to_string();
        let taken_back = sqlx::query_scalar!(
            "SELECT count(*) FROM switches s JOIN bindings b ON b.id = s.binding_id AND b.certificate_id = s.previous_id
             WHERE s.revision = ? AND s.taken_back_at IS NOT NULL AND s.binding_id IN (SELECT value FROM json_each(?))",
            change.revision,
            list
        );
        let is_any = taken_back.fetch_one(self.db()).await? > 0;
        Ok(is_any.then_some(StoreError::Final(TAKEN_BACK)))
    }

    /// Whoever touched the site last.
    async fn touched_since(&mut self, change: &Change) -> Result<StoreError> {
        let last = sqlx::query!(
            "SELECT author, at FROM changes WHERE revision = (SELECT max(revision) FROM touched_sites WHERE site_id = ?)
             AND revision > ?",
            change.id,
            change.revision
        );
        match last.fetch_optional(self.db()).await? {
            Some(last) => Ok(StoreError::ChangedSince { by: last.author, at: from_millis(last.at)? }),
            None => Ok(StoreError::Final(SET_SINCE)),
        }
    }

    /// Whoever set any of it on these things last. Where the ledger does not tell for certain, nobody is named.
    async fn set_since(&mut self, change: &Change, thing: Thing, ids: &[i64]) -> Result<StoreError> {
        let (kind, list) = (thing.as_str(), json!(ids).to_string());
        let rows = sqlx::query!(
            "SELECT revision, author, at, before, after FROM changes
             WHERE revision > ? AND thing = ? AND thing_id IN (SELECT value FROM json_each(?))
             ORDER BY revision DESC LIMIT 200",
            change.revision,
            kind,
            list
        );
        let side = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        let rows = rows.fetch_all(self.db()).await?.into_iter().map(|row| {
            let later = Change { thing, before: side(row.before), after: side(row.after), ..change.clone() };
            (row.revision, row.author, row.at, later)
        });
        let rows: Vec<(Revision, String, i64, Change)> = rows.collect();
        let again = rows.iter().find(|(.., later)| change.fields().any(|field| later.sets(field)));
        let again = again.or_else(|| rows.iter().find(|(.., later)| change.is_like(later)));
        let again = again.map(|(revision, by, at, _)| (*revision, by.clone(), *at));
        let switched = match thing {
            Thing::Binding if change.concerns_certificates() => self.switched_since(change, &list).await?,
            _ => None,
        };
        // A switch is told under the name of its certificate.
        match again.max(switched) {
            Some((_, by, at)) => Ok(StoreError::ChangedSince { by, at: from_millis(at)? }),
            None => Ok(StoreError::Final(SET_SINCE)),
        }
    }

    /// Whoever last switched any of these bindings, as a JSON array.
    async fn switched_since(&mut self, change: &Change, bindings: &str) -> Result<Option<(Revision, String, i64)>> {
        let last = sqlx::query!(
            "SELECT c.revision, c.author, c.at FROM switches s JOIN changes c ON c.revision = s.revision
             WHERE s.revision > ? AND s.binding_id IN (SELECT value FROM json_each(?))
             ORDER BY s.revision DESC LIMIT 1",
            change.revision,
            bindings
        );
        Ok(last.fetch_optional(self.db()).await?.map(|last| (last.revision, last.author, last.at)))
    }
}
