//! Trust lists: whose client certificates open places of sites. Their version guards edits; what is only added, or newer
//! by its own date, overwrites nobody's.

pub(super) mod cas;
mod crls;
mod load;
#[cfg(test)]
mod tests;
mod view;

use serde_json::{Value, json};
use sqlx::SqliteConnection;

pub use self::crls::DueCrl;
pub(super) use self::load::load;
pub use self::view::{CaOrigin, CrlFacts, CrlSource, Fetched, TrustListView, TrustedCa};
use super::rows::readable;
use super::write::{Entry, Write};
use super::{AuthorityId, Result, Store, StoreError, parse_name};
use crate::ledger::{Author, Revision, Thing};
use crate::trust_list::{AllowRule, Field, TrustList, TrustListId, WhenStale};

/// What a trust list is called and how it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustListEdit {
    /// Unique name.
    pub name: String,
    /// What is done where a revocation list is missing or out of date.
    pub when_stale: WhenStale,
}

/// A trust list within a change.
pub(super) struct Listed {
    pub(super) id: TrustListId,
    name: String,
    pub(super) version: Revision,
    when_stale: String,
}

impl Listed {
    /// What it does where a revocation list is missing or out of date.
    pub(super) fn when_stale(&self) -> Option<WhenStale> {
        WhenStale::parse(&self.when_stale)
    }
}

impl Store {
    /// Makes a trust list without CAs: it trusts nobody yet.
    ///
    /// # Errors
    /// `Name`, `NameTaken`.
    pub async fn create_trust_list(&self, edit: TrustListEdit, by: &Author) -> Result<TrustListId> {
        let name = parse_name(&edit.name)?;
        let mut write = self.begin(by).await?;
        name_is_free(&mut write, &name, None).await?;
        let id = insert(&mut write, None, &name, edit.when_stale).await?;
        let after = Some(facts(&find(&mut write, id).await?));
        commit(write, id, format!("made the trust list {name}"), None, after).await?;
        Ok(id)
    }

    /// Renames a trust list or changes what it does without revocation lists, if nobody changed it since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `Name`, `NameTaken`.
    pub async fn update_trust_list(
        &self,
        id: TrustListId,
        version: Revision,
        edit: TrustListEdit,
        by: &Author,
    ) -> Result<()> {
        let name = parse_name(&edit.name)?;
        let mut write = self.begin(by).await?;
        let list = unchanged(&mut write, id, version).await?;
        name_is_free(&mut write, &name, Some(id)).await?;
        update(&mut write, id, &name, edit.when_stale).await?;
        let (before, after) = (Some(facts(&list)), Some(facts(&find(&mut write, id).await?)));
        commit(write, id, format!("changed the trust list {}", list.name), before, after).await
    }

    /// Deletes a trust list that no place of a site names, if nobody changed it since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `TrustListInUse`, `TrustListTried`.
    pub async fn delete_trust_list(&self, id: TrustListId, version: Revision, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let list = unchanged(&mut write, id, version).await?;
        let before = whole(&mut write, &list).await?;
        remove(&mut write, id).await?;
        commit(write, id, format!("deleted the trust list {}", list.name), Some(before), None).await
    }

    /// Sets whom a trust list lets in: who meets any of `rules`, or everybody whom its CAs vouch for where there are none.
    /// Nobody must have changed it since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `AllowRules`.
    pub async fn set_allow_rules(
        &self,
        id: TrustListId,
        version: Revision,
        rules: Vec<AllowRule>,
        by: &Author,
    ) -> Result<()> {
        let is_twice = |(index, rule): (usize, &AllowRule)| rules[..index].contains(rule);
        if rules.len() > TrustList::MAX_RULES || rules.iter().enumerate().any(is_twice) {
            return Err(StoreError::AllowRules);
        }
        let mut write = self.begin(by).await?;
        let list = unchanged(&mut write, id, version).await?;
        let before = readable_rules(&mut write, id).await?;
        set_rules(&mut write, id, &rules).await?;
        let told = |rules: &[AllowRule]| Some(json!({ "allow": allow_facts(rules) }));
        let summary = format!("changed whom the trust list {} lets in", list.name);
        commit(write, id, summary, told(&before), told(&rules)).await
    }
}

/// Ends a change of a trust list: it gets a generation and a version of its own, and every site that asks it goes by it
/// from now on.
async fn commit(
    mut write: Write<'_>,
    id: TrustListId,
    summary: String,
    before: Option<Value>,
    after: Option<Value>,
) -> Result<()> {
    mark(&mut write, id).await?;
    let (thing, touched) = (Thing::TrustList, Vec::new());
    write.commit(Entry { thing, id, site: None, summary, before, after, touched }).await
}

/// Gives a trust list the version of this change, and makes every process read it anew.
pub(super) async fn mark(write: &mut Write<'_>, id: TrustListId) -> Result<()> {
    let revision = write.revision();
    sqlx::query!("UPDATE trust_lists SET version = ? WHERE id = ?", revision, id).execute(write.db()).await?;
    renew(write, id).await
}

/// Inserts a list without CAs, under the id that it had before where there was one.
pub(super) async fn insert(
    write: &mut Write<'_>,
    id: Option<TrustListId>,
    name: &str,
    when_stale: WhenStale,
) -> Result<TrustListId> {
    let when_stale = when_stale.as_str();
    let inserted = sqlx::query!(
        "INSERT INTO trust_lists (id, name, when_stale, version) VALUES (?, ?, ?, 0)",
        id,
        name,
        when_stale
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

pub(super) async fn update(write: &mut Write<'_>, id: TrustListId, name: &str, when_stale: WhenStale) -> Result<()> {
    let when_stale = when_stale.as_str();
    sqlx::query!("UPDATE trust_lists SET name = ?, when_stale = ? WHERE id = ?", name, when_stale, id)
        .execute(write.db())
        .await?;
    Ok(())
}

/// Deletes a list that no place of a site names, also where settings are only tried.
pub(super) async fn remove(write: &mut Write<'_>, id: TrustListId) -> Result<()> {
    let asking = sqlx::query!(
        "SELECT s.name, r.path FROM ssl_rules r JOIN sites s ON s.id = r.site_id WHERE r.trust_list_id = ?
         ORDER BY s.name, r.path LIMIT 1",
        id
    );
    let told = |name: String, path: &str| if path.is_empty() { name } else { format!("{name}, at /{path}") };
    if let Some(place) = asking.fetch_optional(write.db()).await? {
        return Err(StoreError::TrustListInUse(told(place.name, &place.path)));
    }
    let trying = sqlx::query!(
        "SELECT s.name, t.path FROM trials t JOIN sites s ON s.id = t.site_id
         WHERE json_extract(t.settings, '$.trust_list') = ? ORDER BY s.name, t.path LIMIT 1",
        id
    );
    if let Some(place) = trying.fetch_optional(write.db()).await? {
        return Err(StoreError::TrustListTried(told(place.name, &place.path)));
    }
    sqlx::query!("DELETE FROM trust_lists WHERE id = ?", id).execute(write.db()).await?;
    Ok(())
}

/// What a list is called and how it decides, for the ledger.
pub(super) fn facts(list: &Listed) -> Value {
    json!({ "name": list.name, "when_stale": list.when_stale })
}

/// A list with its CAs and whom it lets in.
pub(super) async fn whole(write: &mut Write<'_>, list: &Listed) -> Result<Value> {
    let mut value = facts(list);
    value["cas"] = cas::facts(write.db(), list.id, None).await?.into();
    value["allow"] = allow_of(write, list.id).await?.into();
    Ok(value)
}

/// Whom a list lets in.
pub(super) async fn allow_of(write: &mut Write<'_>, id: TrustListId) -> Result<Vec<Value>> {
    Ok(allow_facts(&readable_rules(write, id).await?))
}

/// Sets whom a list lets in as `allow` of what the ledger has; `None` where that can't be read.
pub(super) async fn put_allow(write: &mut Write<'_>, id: TrustListId, then: &Value) -> Result<Option<()>> {
    let rule =
        |facts: &Value| AllowRule::parse(Field::parse(facts["field"].as_str()?)?, facts["pattern"].as_str()?).ok();
    let rules = then["allow"].as_array().and_then(|rules| rules.iter().map(rule).collect::<Option<Vec<_>>>());
    match rules {
        Some(rules) => set_rules(write, id, &rules).await.map(Some),
        None => Ok(None),
    }
}

async fn set_rules(write: &mut Write<'_>, id: TrustListId, rules: &[AllowRule]) -> Result<()> {
    sqlx::query!("DELETE FROM allow_rules WHERE list_id = ?", id).execute(write.db()).await?;
    for rule in rules {
        let (field, pattern) = (rule.field.as_str(), rule.pattern());
        sqlx::query!("INSERT INTO allow_rules (list_id, field, pattern) VALUES (?, ?, ?)", id, field, pattern)
            .execute(write.db())
            .await?;
    }
    Ok(())
}

/// Makes every process read a trust list anew.
async fn renew(write: &mut Write<'_>, id: TrustListId) -> Result<()> {
    sqlx::query!(
        "INSERT OR REPLACE INTO trust_generations (list_id, generation)
         VALUES (?, (SELECT coalesce(max(generation), 0) + 1 FROM trust_generations))",
        id
    )
    .execute(write.db())
    .await?;
    Ok(())
}

/// The same for the lists that an authority is on, whose certificate is a new one.
pub(super) async fn renew_with_authority(write: &mut Write<'_>, authority: AuthorityId) -> Result<()> {
    let lists = sqlx::query_scalar!("SELECT list_id FROM trusted_cas WHERE authority_id = ?", authority);
    for id in lists.fetch_all(write.db()).await? {
        renew(write, id).await?;
    }
    Ok(())
}

pub(super) async fn find(write: &mut Write<'_>, id: TrustListId) -> Result<Listed> {
    let row = sqlx::query_as!(Listed, "SELECT id, name, version, when_stale FROM trust_lists WHERE id = ?", id);
    row.fetch_optional(write.db()).await?.ok_or(StoreError::Gone)
}

/// The list, if it still exists and nobody changed it since `version`.
async fn unchanged(write: &mut Write<'_>, id: TrustListId, version: Revision) -> Result<Listed> {
    let list = find(write, id).await?;
    write.unchanged(list.version, version).await?;
    Ok(list)
}

pub(super) async fn name_is_free(write: &mut Write<'_>, name: &str, except: Option<TrustListId>) -> Result<()> {
    let taken = sqlx::query!("SELECT id, name FROM trust_lists WHERE name = ?", name);
    match taken.fetch_optional(write.db()).await? {
        Some(row) if Some(row.id) != except => Err(StoreError::NameTaken(row.name)),
        _ => Ok(()),
    }
}

/// The allow rules of a list but for those that can't be read, which nobody has to know to delete or replace them.
async fn readable_rules(write: &mut Write<'_>, id: TrustListId) -> Result<Vec<AllowRule>> {
    Ok(allow_rules(write.db(), id).await?.into_iter().filter_map(readable).collect())
}

/// The allow rules of a list, each as far as it can be read.
async fn allow_rules(db: &mut SqliteConnection, id: TrustListId) -> Result<Vec<Result<AllowRule>>> {
    let rows = sqlx::query!("SELECT id, field, pattern FROM allow_rules WHERE list_id = ? ORDER BY id", id);
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| allow_rule(row.id, &row.field, &row.pattern)).collect())
}

fn allow_rule(id: i64, field: &str, pattern: &str) -> Result<AllowRule> {
    let rule = Field::parse(field).and_then(|field| AllowRule::parse(field, pattern).ok());
    rule.ok_or_else(|| StoreError::Internal(format!("allow rule {id} can't be read")))
}

fn allow_facts(rules: &[AllowRule]) -> Vec<Value> {
    let told =
        |rule: &AllowRule| json!({ "name": rule.to_string(), "field": rule.field.as_str(), "pattern": rule.pattern() });
    rules.iter().map(told).collect()
}
