//! What CAs look for in clear. Adding and removing one overwrites nobody's edit, so no version guards it.

use serde_json::{Value, json};

use super::write::Entry;
use super::{Result, Store, StoreError, to_millis};
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
        let taken = |own: &&Exemption| own.kind == draft.kind && own.name == draft.name;
        match site.exemptions.list() {
            list if list.iter().any(|own| taken(&own)) => return Err(StoreError::ExemptionTaken),
            list if list.len() >= Exemptions::MAX => return Err(StoreError::ExemptionsFull),
            _ => {}
        }
        let ExemptionDraft { kind, name, content, ends_at } = draft;
        let (kind_word, end) = (kind.as_str(), ends_at.map(to_millis));
        let inserted = sqlx::query!(
            "INSERT INTO exemptions (site_id, kind, name, content, ends_at) VALUES (?, ?, ?, ?, ?)",
            site.id,
            kind_word,
            name,
            content,
            end
        );
        let id = inserted.execute(write.db()).await?.last_insert_rowid();
        let exemption = Exemption { id, kind, name, content: content.into(), ends_at };
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
        sqlx::query!("DELETE FROM exemptions WHERE id = ?", id).execute(write.db()).await?;
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
    Entry {
        thing: Thing::Exemption,
        id: exemption.id,
        site: Some(site.id),
        summary: format!("{verb} {}", site.name),
        before: None,
        after: None,
        touched: vec![site.id],
    }
}

fn facts(exemption: &Exemption) -> Value {
    json!({
        "path": exemption.path(),
        "valid_until": exemption.ends_at.map(|end| end.to_string()),
        "bytes": exemption.content.len(),
    })
}
