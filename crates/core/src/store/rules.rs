//! The SSL settings of a site, its folders and files. The site's version guards them.

use serde_json::{Value, json};

use super::write::{Entry, Write};
use super::{Result, Store, StoreError};
use crate::ledger::{Author, Revision, Thing};
use crate::site::{Site, SiteId};
use crate::ssl::{Rule, RuleId, RulePath, Rules, Setting, Settings, Trusted};

/// What a folder or file is to set by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDraft {
    /// The folder or file.
    pub path: RulePath,
    /// What it sets.
    pub settings: Settings,
    /// Why: at most [`RuleDraft::MAX_REASON`] characters, without line breaks; may be empty.
    pub reason: String,
}

impl RuleDraft {
    /// Characters of a reason.
    pub const MAX_REASON: usize = 200;

    pub(super) fn check(&self) -> Result<()> {
        let fits = self.reason.chars().count() <= Self::MAX_REASON && !self.reason.chars().any(char::is_control);
        match () {
            () if !fits => Err(StoreError::Reason),
            () if self.settings.is_empty() => Err(StoreError::RuleEmpty),
            () => Ok(()),
        }
    }
}

impl Store {
    /// Sets what a site demands where no folder or file sets anything else, if nobody changed the site since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `TrustListGone`, `NoTrustList`.
    pub async fn update_ssl(
        &self,
        id: SiteId,
        version: Revision,
        settings: impl Into<Settings>,
        by: &Author,
    ) -> Result<()> {
        let settings = settings.into();
        let mut write = self.begin(by).await?;
        let site = write.site(id, version).await?;
        let rule = site.rules.list().iter().find(|rule| rule.path.is_site()).ok_or(StoreError::Gone)?;
        check_lists(&site, &site.rules.with_site(settings), &rule.path)?;
        update(&mut write, &Rule { settings, ..rule.clone() }).await?;
        let entry = Entry {
            thing: Thing::Site,
            id,
            site: Some(id),
            summary: format!("changed the SSL settings of {}", site.name),
            before: Some(facts(rule.settings)),
            after: Some(facts(settings)),
            touched: vec![id],
        };
        write.commit(entry).await
    }

    /// Lets a folder or file set something by itself, if nobody changed the site since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `RuleTaken`, `RuleEmpty`, `Reason`, `TrustListGone`, `NoTrustList`.
    pub async fn create_rule(&self, site: SiteId, version: Revision, draft: RuleDraft, by: &Author) -> Result<RuleId> {
        draft.check()?;
        let mut write = self.begin(by).await?;
        let site = write.site(site, version).await?;
        place_is_free(&site, &draft.path, None)?;
        check_lists(&site, &site.rules.with(&draft.path, draft.settings), &draft.path)?;
        let id = insert(&mut write, site.id, None, &draft).await?;
        let entry = Entry { before: None, after: Some(facts_of(&draft)), ..entry(&site, id, "added an SSL rule to") };
        write.commit(entry).await?;
        Ok(id)
    }

    /// Changes a rule, if nobody changed the site since `version`.
    ///
    /// # Errors
    /// As [`Store::create_rule`].
    pub async fn update_rule(
        &self,
        site: SiteId,
        id: RuleId,
        version: Revision,
        draft: RuleDraft,
        by: &Author,
    ) -> Result<()> {
        draft.check()?;
        let mut write = self.begin(by).await?;
        let site = write.site(site, version).await?;
        let before = find(&site, id)?;
        place_is_free(&site, &draft.path, Some(id))?;
        check_lists(&site, &site.rules.without(id).with(&draft.path, draft.settings), &draft.path)?;
        let before = Some(facts_of(&before.clone().into()));
        let after = Some(facts_of(&draft));
        let RuleDraft { path, settings, reason } = draft;
        update(&mut write, &Rule { id, path, settings, reason }).await?;
        let entry = Entry { before, after, ..entry(&site, id, "changed an SSL rule of") };
        write.commit(entry).await
    }

    /// Removes a rule, so that its folder or file inherits everything, if nobody changed the site since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `NoTrustList`.
    pub async fn delete_rule(&self, site: SiteId, id: RuleId, version: Revision, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let site = write.site(site, version).await?;
        let before = find(&site, id)?;
        check_lists(&site, &site.rules.without(id), &before.path)?;
        remove(&mut write, id).await?;
        let before = Some(facts_of(&before.clone().into()));
        let entry = Entry { before, after: None, ..entry(&site, id, "removed an SSL rule of") };
        write.commit(entry).await
    }
}

impl From<Rule> for RuleDraft {
    fn from(rule: Rule) -> Self {
        Self { path: rule.path, settings: rule.settings, reason: rule.reason }
    }
}

/// A rule of a folder or file; that of the whole site is changed by [`Store::update_ssl`] and stays.
pub(super) fn find(site: &Site, id: RuleId) -> Result<&Rule> {
    site.rules.rule(id).filter(|rule| !rule.path.is_site()).ok_or(StoreError::Gone)
}

pub(super) fn place_is_free(site: &Site, path: &RulePath, except: Option<RuleId>) -> Result<()> {
    match site.rules.list().iter().find(|rule| rule.path == *path && Some(rule.id) != except) {
        Some(_) => Err(StoreError::RuleTaken(path.to_string())),
        None => Ok(()),
    }
}

/// Refuses rules by which a place would look at certificates without a trust list, where it does not do so now: `here` or
/// another place, which inherits from it.
pub(super) fn check_lists(site: &Site, then: &Rules, here: &RulePath) -> Result<()> {
    let lacks = |rules: &Rules, path: &RulePath| {
        let demands = rules.at(path);
        demands.looks_at_certificates() && demands.trust.value == Trusted::Unset
    };
    let mut places = [here].into_iter().chain(then.list().iter().map(|rule| &rule.path));
    match places.find(|path| lacks(then, path) && !lacks(&site.rules, path)) {
        None => Ok(()),
        Some(path) if path == here => Err(StoreError::NoTrustList),
        Some(path) => Err(StoreError::NoTrustListAt(path.to_string())),
    }
}

fn entry(site: &Site, id: RuleId, verb: &str) -> Entry {
    Entry::of_site(site, Thing::Rule, id, verb)
}

/// Inserts a rule, under the id that it had before where there was one.
pub(super) async fn insert(
    write: &mut Write<'_>,
    site: SiteId,
    id: Option<RuleId>,
    draft: &RuleDraft,
) -> Result<RuleId> {
    trust_list_exists(write, draft.settings).await?;
    let (path, settings, reason) = (draft.path.as_str(), Columns::of(draft.settings), draft.reason.as_str());
    let inserted = sqlx::query!(
        "INSERT INTO ssl_rules (id, site_id, path, require_ssl, min_tls, strength, key_exchange, client_certificates,
                                trust_list_id, clear_credentials, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        id,
        site,
        path,
        settings.require_ssl,
        settings.min_tls,
        settings.strength,
        settings.key_exchange,
        settings.client_certificates,
        draft.settings.trust,
        settings.clear_credentials,
        reason
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

pub(super) async fn remove(write: &mut Write<'_>, id: RuleId) -> Result<()> {
    sqlx::query!("DELETE FROM ssl_rules WHERE id = ?", id).execute(write.db()).await?;
    Ok(())
}

pub(super) async fn update(write: &mut Write<'_>, rule: &Rule) -> Result<()> {
    trust_list_exists(write, rule.settings).await?;
    let (path, settings) = (rule.path.as_str(), Columns::of(rule.settings));
    sqlx::query!(
        "UPDATE ssl_rules SET path = ?, require_ssl = ?, min_tls = ?, strength = ?, key_exchange = ?,
         client_certificates = ?, trust_list_id = ?, clear_credentials = ?, reason = ? WHERE id = ?",
        path,
        settings.require_ssl,
        settings.min_tls,
        settings.strength,
        settings.key_exchange,
        settings.client_certificates,
        rule.settings.trust,
        settings.clear_credentials,
        rule.reason,
        rule.id
    )
    .execute(write.db())
    .await?;
    Ok(())
}

/// Proves that the trust list that a place is to ask still exists.
pub(super) async fn trust_list_exists(write: &mut Write<'_>, settings: Settings) -> Result<()> {
    let Some(id) = settings.trust else { return Ok(()) };
    let found = sqlx::query_scalar!("SELECT id FROM trust_lists WHERE id = ?", id).fetch_optional(write.db()).await?;
    found.map(drop).ok_or(StoreError::TrustListGone)
}

/// Settings as stored.
struct Columns {
    require_ssl: Option<&'static str>,
    min_tls: Option<&'static str>,
    strength: Option<&'static str>,
    key_exchange: Option<&'static str>,
    client_certificates: Option<&'static str>,
    clear_credentials: Option<&'static str>,
}

impl Columns {
    fn of(settings: Settings) -> Self {
        Self {
            require_ssl: settings.require_ssl.map(Setting::as_str),
            min_tls: settings.min_tls.map(Setting::as_str),
            strength: settings.strength.map(Setting::as_str),
            key_exchange: settings.key_exchange.map(Setting::as_str),
            client_certificates: settings.client_certificates.map(Setting::as_str),
            clear_credentials: settings.clear_credentials.map(Setting::as_str),
        }
    }
}

pub(super) fn facts(settings: Settings) -> Value {
    let columns = Columns::of(settings);
    json!({
        "require_ssl": columns.require_ssl,
        "min_tls": columns.min_tls,
        "strength": columns.strength,
        "key_exchange": columns.key_exchange,
        "client_certificates": columns.client_certificates,
        "trust_list": settings.trust,
        "clear_credentials": columns.clear_credentials,
    })
}

pub(super) fn facts_of(draft: &RuleDraft) -> Value {
    let mut value = facts(draft.settings);
    value["path"] = draft.path.to_string().into();
    value["reason"] = draft.reason.clone().into();
    value
}

/// Reads what [`facts`] wrote. A kind of setting that the ledger did not know then was inherited.
pub(super) fn read_settings(facts: &Value) -> Option<Settings> {
    fn setting<T: Setting>(facts: &Value, kind: &str) -> Option<Option<T>> {
        match &facts[kind] {
            Value::Null => Some(None),
            value => value.as_str().and_then(T::parse).map(Some),
        }
    }
    Some(Settings {
        require_ssl: setting(facts, "require_ssl")?,
        min_tls: setting(facts, "min_tls")?,
        strength: setting(facts, "strength")?,
        key_exchange: setting(facts, "key_exchange")?,
        client_certificates: setting(facts, "client_certificates")?,
        trust: match &facts["trust_list"] {
            Value::Null => None,
            id => Some(id.as_i64()?),
        },
        clear_credentials: setting(facts, "clear_credentials")?,
    })
}

/// Reads what [`facts_of`] wrote.
pub(super) fn read(facts: &Value) -> Option<RuleDraft> {
    let path = RulePath::stored(facts["path"].as_str()?.strip_prefix('/')?).ok()?;
    Some(RuleDraft { path, settings: read_settings(facts)?, reason: facts["reason"].as_str()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssl::{ClientCertificates, RequireSsl, Strength};
    use crate::store::{ChangeFilter, Folder, NewSite, TrustListEdit};
    use crate::testing::{TestStore, tester};
    use crate::trust_list::WhenStale;

    async fn site(store: &Store) -> SiteId {
        let new =
            NewSite { name: "Shop".into(), folder: Folder::Own, bindings: Vec::new(), require_ssl: RequireSsl::Refuse };
        store.create_site(new, &tester()).await.unwrap()
    }

    fn version(store: &Store, site: SiteId) -> Revision {
        store.table().site(site).unwrap().version
    }

    fn draft(path: &str, settings: impl Into<Settings>) -> RuleDraft {
        RuleDraft { path: RulePath::parse(path).unwrap(), settings: settings.into(), reason: "Old tills".into() }
    }

    #[tokio::test]
    async fn a_rule_is_in_force_and_in_the_ledger_with_before_and_after_when_it_is_saved() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        let opened = version(store, id);
        let rule = store.create_rule(id, opened, draft("/hooks", RequireSsl::Off), &tester()).await.unwrap();
        let demanded =
            |path: &str| store.table().site(id).unwrap().rules.at(&RulePath::parse(path).unwrap()).in_clear();
        assert_eq!((demanded("/hooks/x"), demanded("/books")), (RequireSsl::Off, RequireSsl::Refuse));

        let late = store.update_rule(id, rule, opened, draft("/hooks", RequireSsl::Redirect), &tester()).await;
        assert!(matches!(late, Err(StoreError::Stale { .. })));
        let changed = draft("/hooks/stock", RequireSsl::Redirect);
        store.update_rule(id, rule, version(store, id), changed, &tester()).await.unwrap();
        assert_eq!((demanded("/hooks/stock"), demanded("/hooks")), (RequireSsl::Redirect, RequireSsl::Refuse));
        let change = store.list_changes(&ChangeFilter::default(), 1).await.unwrap().remove(0);
        let told = |value: Option<Value>, key: &str| value.unwrap()[key].as_str().unwrap().to_owned();
        assert_eq!((change.thing, change.id, change.site), (Thing::Rule, rule, Some(id)));
        assert_eq!(told(change.before.clone(), "require_ssl"), "off");
        assert_eq!((told(change.before, "path"), told(change.after, "path")), ("/hooks".into(), "/hooks/stock".into()));

        let again = Store::open(test.folder.path()).await.unwrap();
        assert_eq!(again.table().site(id), store.table().site(id), "a restart reads the same");
        store.delete_rule(id, rule, version(store, id), &tester()).await.unwrap();
        assert_eq!(demanded("/hooks/stock"), RequireSsl::Refuse);
        store.delete_site(id, version(store, id), &tester()).await.unwrap();
        let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM ssl_rules").fetch_one(store.reader());
        assert_eq!(left.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_rule_that_sets_nothing_or_stands_where_another_does_is_refused() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        let strong = Settings { strength: Some(Strength::Bits256), ..Settings::default() };
        store.create_rule(id, version(store, id), draft("/vault", strong), &tester()).await.unwrap();
        let revision = store.table().revision();
        let create = async |draft| store.create_rule(id, revision, draft, &tester()).await;
        assert!(matches!(create(draft("vault/", strong)).await, Err(StoreError::RuleTaken(path)) if path == "/vault"));
        assert!(matches!(create(draft("/books", Settings::default())).await, Err(StoreError::RuleEmpty)));
        let lines = RuleDraft { reason: "a\nb".into(), ..draft("/books", strong) };
        assert!(matches!(create(lines).await, Err(StoreError::Reason)));
        let whole = store.table().site(id).unwrap().rules.list()[0].id;
        assert!(matches!(store.delete_rule(id, whole, revision, &tester()).await, Err(StoreError::Gone)));
        assert_eq!(store.table().revision(), revision);
    }

    #[tokio::test]
    async fn no_place_comes_to_look_at_certificates_without_a_trust_list_by_a_change_or_by_undoing_one() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        let edit = TrustListEdit { name: "Partners".into(), when_stale: WhenStale::Closed };
        let list = store.create_trust_list(edit, &tester()).await.unwrap();
        let accept = Settings { client_certificates: Some(ClientCertificates::Accept), ..Settings::default() };
        let trusting = Settings { trust: Some(list), ..accept };
        let create =
            async |path, settings| store.create_rule(id, version(store, id), draft(path, settings), &tester()).await;
        let whole = async |settings: Settings| store.update_ssl(id, version(store, id), settings, &tester()).await;
        let newest = || store.table().revision();
        assert!(matches!(whole(accept).await, Err(StoreError::NoTrustList)));
        assert!(matches!(create("/members", accept).await, Err(StoreError::NoTrustList)));
        let tried = store.create_trial(id, None, draft("/members", accept), &tester()).await;
        assert!(matches!(tried, Err(StoreError::NoTrustList)));

        let folder = create("/partners", Settings { client_certificates: None, ..trusting }).await.unwrap();
        let inherits = create("/partners/in", accept).await.unwrap();
        let at = |path: &str| {
            format!("{path} looks at client certificates and would have no trust list. Choose one there first.")
        };
        let removed = store.delete_rule(id, folder, version(store, id), &tester()).await;
        assert_eq!(removed.unwrap_err().to_string(), at("/partners/in"));
        let moved = store.update_rule(id, folder, version(store, id), draft("/others", trusting), &tester()).await;
        assert_eq!(moved.unwrap_err().to_string(), at("/partners/in"));

        store.delete_rule(id, inherits, version(store, id), &tester()).await.unwrap();
        let gone = newest();
        store.delete_rule(id, folder, version(store, id), &tester()).await.unwrap();
        assert!(matches!(store.undo(gone, false, &tester()).await, Err(StoreError::NoTrustList)));
        whole(trusting).await.unwrap();
        let trusts = newest();
        store.undo(gone, false, &tester()).await.unwrap();
        let undone = store.undo(trusts, false, &tester()).await;
        assert_eq!(undone.unwrap_err().to_string(), at("/partners/in"));
    }

    #[tokio::test]
    async fn a_site_of_which_one_rule_cannot_be_read_is_not_served_at_all() {
        for damage in [
            "UPDATE ssl_rules SET require_ssl = 'maybe' WHERE path = ''",
            "UPDATE ssl_rules SET strength = '40' WHERE path = 'vault'",
            "UPDATE ssl_rules SET path = '../vault' WHERE path = 'vault'",
            "DELETE FROM ssl_rules WHERE path = ''",
        ] {
            let test = TestStore::open().await;
            let store = &test.store;
            let id = site(store).await;
            let rule = draft("/vault", RequireSsl::Refuse);
            store.create_rule(id, version(store, id), rule, &tester()).await.unwrap();
            sqlx::query(damage).execute(&store.0.writer).await.unwrap();
            let again = Store::open(test.folder.path()).await.unwrap();
            assert!(again.table().site(id).is_none(), "{damage}");
        }
    }
}
