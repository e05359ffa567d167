//! SSL settings on trial: at most one for each place of a site.
//!
//! They are put in force by saving them at their place as any others; a trial of what is in force judges nothing, and
//! goes on where that is undone.

use serde_json::{Value, json};
use time::Duration;

use super::write::{Entry, Write};
use super::{Result, RuleDraft, Store, StoreError, from_millis, rules, to_millis};
use crate::ledger::{Author, Thing};
use crate::site::{Site, SiteId};
use crate::traffic::{Findings, KEPT_DAYS, hour_of};
use crate::trial::{Trial, TrialId};

impl Store {
    /// Begins to try settings at a place of a site. `replaces` is the trial that stood there when they were chosen.
    ///
    /// # Errors
    /// `Gone`, `RuleEmpty`, `Reason`, `TrialOfNothing`, `TrialsFull`, `NoTrustList`, `TrustListGone`; `Stale` where another
    /// trial stands there by now.
    pub async fn create_trial(
        &self,
        site: SiteId,
        replaces: Option<TrialId>,
        draft: RuleDraft,
        by: &Author,
    ) -> Result<TrialId> {
        draft.check()?;
        let mut write = self.begin(by).await?;
        let site = write.any_site(site)?;
        let RuleDraft { path, settings, reason } = draft;
        let before = site.trials.iter().find(|trial| trial.path == path);
        match before {
            Some(other) if replaces != Some(other.id) => {
                return Err(StoreError::Stale { by: other.author.clone(), at: other.since });
            }
            None if site.trials.len() >= Trial::MOST => return Err(StoreError::TrialsFull),
            _ => {}
        }
        if site.rules.rule_at(&path).is_some_and(|rule| rule.settings == settings) {
            return Err(StoreError::TrialOfNothing);
        }
        rules::check_lists(&site, &site.rules.with(&path, settings), &path)?;
        let (since, until, author) = (by.now, by.now + Trial::LASTS, by.name.clone());
        let new = Trial { id: 0, path, settings, reason, since, until, author, rules: None };
        if let Some(before) = before {
            remove(&mut write, before.id).await?;
        }
        let id = insert(&mut write, site.id, None, &new).await?;
        let (before, after) = (before.map(facts), Some(facts(&Trial { id, ..new })));
        write.commit(Entry { before, after, ..entry(&site, id, "started report only for") }).await?;
        Ok(id)
    }

    /// Ends a trial, and with it what it has come to.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn delete_trial(&self, site: SiteId, id: TrialId, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let site = write.any_site(site)?;
        let trial = site.trials.iter().find(|trial| trial.id == id).ok_or(StoreError::Gone)?;
        remove(&mut write, id).await?;
        let before = Some(facts(trial));
        write.commit(Entry { before, ..entry(&site, id, "ended report only for") }).await
    }

    /// What a trial of a site has come to so far.
    ///
    /// # Errors
    /// `Database`.
    pub async fn trial_findings(&self, site: SiteId, trial: &Trial) -> Result<Findings> {
        Ok(Findings::new(trial.id, &self.list_traffic(site, hour_of(trial.since)).await?))
    }

    /// Removes trials that have ended and say nothing any more: their settings are in force, or the first hours of what
    /// was counted are too old to be kept.
    ///
    /// # Errors
    /// `Database`.
    pub async fn remove_ended_trials(&self, by: &Author) -> Result<()> {
        let oldest_kept = hour_of(by.now - Duration::days(KEPT_DAYS));
        let is_of_no_use =
            |trial: &Trial| trial.has_ended(by.now) && (trial.rules.is_none() || hour_of(trial.since) < oldest_kept);
        for site in self.table().sites() {
            for trial in site.trials.iter().filter(|trial| is_of_no_use(trial)) {
                match self.delete_trial(site.id, trial.id, by).await {
                    Ok(()) | Err(StoreError::Gone) => {} // somebody else was faster
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// What the rule of its place would be.
impl From<&Trial> for RuleDraft {
    fn from(trial: &Trial) -> Self {
        Self { path: trial.path.clone(), settings: trial.settings, reason: trial.reason.clone() }
    }
}

fn entry(site: &Site, id: TrialId, verb: &str) -> Entry {
    Entry::of_site(site, Thing::Trial, id, verb)
}

/// Inserts a trial, under the id that it had before where there was one.
pub(super) async fn insert(write: &mut Write<'_>, site: SiteId, id: Option<TrialId>, trial: &Trial) -> Result<TrialId> {
    rules::trust_list_exists(write, trial.settings).await?;
    let (path, settings) = (trial.path.as_str(), rules::facts(trial.settings).to_string());
    let (since, until) = (to_millis(trial.since), to_millis(trial.until));
    let inserted = sqlx::query!(
        "INSERT INTO trials (id, site_id, path, settings, reason, since, until, author) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        id,
        site,
        path,
        settings,
        trial.reason,
        since,
        until,
        trial.author
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

pub(super) async fn remove(write: &mut Write<'_>, id: TrialId) -> Result<()> {
    sqlx::query!("DELETE FROM trials WHERE id = ?", id).execute(write.db()).await?;
    Ok(())
}

pub(super) fn facts(trial: &Trial) -> Value {
    let mut value = rules::facts_of(&trial.into());
    value["trial"] = json!(trial.id);
    value["tried_since"] = json!(to_millis(trial.since));
    value["tried_until"] = json!(to_millis(trial.until));
    value["tried_by"] = json!(trial.author);
    value
}

/// Reads what [`facts`] wrote, without the rules that it would make.
pub(super) fn read(facts: &Value) -> Option<Trial> {
    let RuleDraft { path, settings, reason } = rules::read(facts)?;
    let time = |field: &str| from_millis(facts[field].as_i64()?).ok();
    let (since, until) = (time("tried_since")?, time("tried_until")?);
    let (id, author) = (facts["trial"].as_i64()?, facts["tried_by"].as_str()?.to_owned());
    Some(Trial { id, path, settings, reason, since, until, author, rules: None })
}

#[cfg(test)]
mod tests;
