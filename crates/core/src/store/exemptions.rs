//! What CAs look for in clear. Adding and removing one overwrites nobody's edit, so no version guards it.

use serde_json::{Value, json};

use super::write::{Entry, Write};
use super::{Result, Store, StoreError, from_millis, to_millis};
use crate::exemption::{Exemption, ExemptionDraft, ExemptionId, Exemptions};
use crate::ledger::{Author, Thing};
use crate::site::{Site, SiteId};

impl Store {
    /// Lets a site answer a CA in clear.
    ///
    /// # Errors
    /// `Gone`, `ExemptionTaken`, `ExemptionsFull`.
    pub async fn create_exemption(&self, site: SiteId, draft: ExemptionDraft, by: &Author) -> Result<ExemptionId> {
        let mut write = self.begin(by).await?;
        let site = write.any_site(site)?;
        has_room(&site, &draft)?;
        let exemption = insert(&mut write, site.id, None, draft).await?;
        let id = exemption.id;
        let entry = Entry {
            after: Some(facts(&exemption)),
            ..entry(&site, &exemption, "lets CAs find a validation over plain HTTP on")
        };
        write.commit(entry).await?;
        Ok(id)
    }

    /// Ends an exemption.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn delete_exemption(&self, site: SiteId, id: ExemptionId, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let site = write.any_site(site)?;
        let exemption = site.exemptions.list().iter().find(|own| own.id == id).ok_or(StoreError::Gone)?;
        remove(&mut write, id).await?;
        let entry =
            Entry { before: Some(facts(exemption)), ..entry(&site, exemption, "removed the validation of a CA from") };
        write.commit(entry).await
    }

    /// Removes what has ended; it is not answered any more in any case.
    ///
    /// # Errors
    /// `Database`.
    pub async fn remove_ended_exemptions(&self, by: &Author) -> Result<()> {
        let now = to_millis(by.now);
        let ended = sqlx::query!("SELECT id, site_id FROM exemptions WHERE ends_at <= ?", now);
        for row in ended.fetch_all(self.reader()).await? {
            match self.delete_exemption(row.site_id, row.id, by).await {
                // Somebody else was faster, or the site is not served.
                Ok(()) | Err(StoreError::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn entry(site: &Site, exemption: &Exemption, verb: &str) -> Entry {
    Entry::of_site(site, Thing::Exemption, exemption.id, verb)
}

/// Proves that a site has room for one more, and none that CAs would find at the same path.
pub(super) fn has_room(site: &Site, draft: &ExemptionDraft) -> Result<()> {
    let is_taken = |own: &Exemption| own.kind == draft.kind && own.name == draft.name;
    match site.exemptions.list() {
        list if list.iter().any(is_taken) => Err(StoreError::ExemptionTaken),
        list if list.len() >= Exemptions::MAX => Err(StoreError::ExemptionsFull),
        _ => Ok(()),
    }
}

/// Inserts an exemption, under the id that it had before where there was one.
pub(super) async fn insert(
    write: &mut Write<'_>,
    site: SiteId,
    id: Option<ExemptionId>,
    draft: ExemptionDraft,
) -> Result<Exemption> {
    let ExemptionDraft { kind, name, content, ends_at } = draft;
    let (kind_word, end) = (kind.as_str(), ends_at.map(to_millis));
    let inserted = sqlx::query!(
        "INSERT INTO exemptions (id, site_id, kind, name, content, ends_at) VALUES (?, ?, ?, ?, ?, ?)",
        id,
        site,
        kind_word,
        name,
        content,
        end
    );
    let id = inserted.execute(write.db()).await?.last_insert_rowid();
    Ok(Exemption { id, kind, name, content: content.into(), ends_at })
}

pub(super) async fn remove(write: &mut Write<'_>, id: ExemptionId) -> Result<()> {
    sqlx::query!("DELETE FROM exemptions WHERE id = ?", id).execute(write.db()).await?;
    Ok(())
}

/// What everybody may see of it anyway.
pub(super) fn facts(exemption: &Exemption) -> Value {
    json!({
        "path": exemption.path(),
        "valid_until": exemption.ends_at.map(|end| end.to_string()),
        "bytes": exemption.content.len(),
        "content": &*exemption.content,
        "ends_at": exemption.ends_at.map(to_millis),
    })
}

/// Reads what [`facts`] wrote, as if it were posted.
pub(super) fn read(facts: &Value) -> Option<ExemptionDraft> {
    let ends_at = facts["ends_at"].as_i64().map(from_millis).transpose().ok()?;
    ExemptionDraft::at(facts["path"].as_str()?, facts["content"].as_str()?, ends_at)
}
