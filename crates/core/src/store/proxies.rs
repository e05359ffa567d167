//! Trusted proxies, listener by listener.

use std::num::NonZeroU16;

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::rows::readable;
use super::write::{Entry, Write};
use super::{Result, Store, StoreError};
use crate::binding::{Protocol, parse_ip};
use crate::ledger::{Author, Revision, Thing};
use crate::proxies::{Listener, Networks, Proxies, Speech};
use crate::table::SiteTable;

/// What a listener's trusted proxies are to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxiesDraft {
    /// How they say who their visitors are.
    pub speech: Speech,
    /// Who they are; nobody where it is empty.
    pub networks: Networks,
}

struct ProxiesRow {
    port: i64,
    ip: String,
    protocol: String,
    speech: String,
    networks: String,
    version: i64,
}

impl Store {
    /// Changes whose word is believed at a listener, if nobody changed it since `version`, which is 0 where nobody ever did.
    ///
    /// # Errors
    /// `Gone` where no binding is at this listener and nobody was ever believed there; `Stale`.
    pub async fn update_proxies(
        &self,
        listener: Listener,
        version: Revision,
        draft: ProxiesDraft,
        by: &Author,
    ) -> Result<()> {
        let mut write = self.begin(by).await?;
        let before = write.table.proxies(listener).cloned();
        if before.is_none() && !write.table.has_listener(listener) {
            return Err(StoreError::Gone);
        }
        write.unchanged(before.as_ref().map_or(0, |before| before.version), version).await?;
        let before = now(&write, listener);
        if facts(listener, draft.speech, &draft.networks) == before && !is_for_another_protocol(&write, listener) {
            return Ok(());
        }
        let id = set(&mut write, listener, &draft).await?;
        let after = facts(listener, draft.speech, &draft.networks);
        let verb = if after.is_some() { "changed the trusted proxies of" } else { "no longer trusts any proxy at" };
        let entry = Entry {
            thing: Thing::Proxies,
            id,
            site: None,
            summary: format!("{verb} {listener}"),
            before,
            after,
            touched: Vec::new(),
        };
        write.commit(entry).await
    }
}

/// Puts down whose word is believed at a listener; the row's id.
pub(super) async fn set(write: &mut Write<'_>, listener: Listener, draft: &ProxiesDraft) -> Result<i64> {
    let (port, ip) = (i64::from(listener.port.get()), ip(listener));
    let (speech, networks) = (draft.speech.as_str(), draft.networks.list().join("\n"));
    let version = write.revision();
    let had = || write.table.proxies(listener).map(|own| own.protocol);
    let protocol = write.table.protocol(listener.port).or_else(had).unwrap_or(Protocol::Http).as_str();
    let id = sqlx::query_scalar!(
        "INSERT INTO proxies (port, ip, protocol, speech, networks, version) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (port, ip) DO UPDATE SET protocol = excluded.protocol, speech = excluded.speech,
             networks = excluded.networks, version = excluded.version
         RETURNING id",
        port,
        ip,
        protocol,
        speech,
        networks,
        version
    );
    Ok(id.fetch_one(write.db()).await?)
}

/// The table with what was changed after the revision `known`.
pub(super) async fn newer(db: &mut SqliteConnection, table: SiteTable, known: Revision) -> Result<SiteTable> {
    let rows = sqlx::query_as!(
        ProxiesRow,
        "SELECT port, ip, protocol, speech, networks, version FROM proxies WHERE version > ?",
        known
    );
    let rows = rows.fetch_all(db).await?;
    Ok(table.with_proxies(rows.into_iter().filter_map(|row| readable(row.read()))))
}

/// Whether the port speaks something else than when its proxies were listed.
fn is_for_another_protocol(write: &Write<'_>, listener: Listener) -> bool {
    let (own, spoken) = (write.table.proxies(listener), write.table.protocol(listener.port));
    own.is_some_and(|own| spoken.is_some_and(|spoken| own.protocol != spoken))
}

/// As stored: empty for all addresses.
fn ip(listener: Listener) -> String {
    listener.ip.map(|ip| ip.to_string()).unwrap_or_default()
}

/// What holds at a listener, for the ledger.
pub(super) fn now(write: &Write<'_>, listener: Listener) -> Option<Value> {
    write.table.proxies(listener).and_then(|own| facts(listener, own.speech, &own.networks))
}

/// Which listener an entry of the ledger is about.
pub(super) fn listener(facts: &Value) -> Option<Listener> {
    let port = facts["port"].as_u64().and_then(|port| u16::try_from(port).ok());
    Some(Listener { port: NonZeroU16::new(port?)?, ip: parse_ip(facts["ip"].as_str()?).ok()? })
}

/// Reads one side of an entry of the ledger.
pub(super) fn read(facts: Option<&Value>) -> Option<ProxiesDraft> {
    let Some(facts) = facts else {
        return Some(ProxiesDraft { speech: Speech::default(), networks: Networks::default() });
    };
    let networks: Vec<&str> = facts["networks"].as_array()?.iter().filter_map(Value::as_str).collect();
    let speech = Speech::parse(facts["speech"].as_str()?)?;
    Some(ProxiesDraft { speech, networks: Networks::parse(&networks.join("\n")).ok()? })
}

/// For the ledger; nothing where nobody is believed.
fn facts(listener: Listener, speech: Speech, networks: &Networks) -> Option<Value> {
    let facts = || {
        let (speech, networks) = (speech.as_str(), networks.list());
        json!({ "port": listener.port.get(), "ip": ip(listener), "speech": speech, "networks": networks })
    };
    (!networks.is_empty()).then(facts)
}

impl ProxiesRow {
    /// What can't be read believes nobody, also where somebody was believed before.
    fn read(self) -> Result<Proxies> {
        let broken = || StoreError::Internal(format!("the trusted proxies of port {} can't be read", self.port));
        let port = u16::try_from(self.port).ok().and_then(NonZeroU16::new).ok_or_else(broken)?;
        let listener = Listener { port, ip: parse_ip(&self.ip).map_err(|_| broken())? };
        let whom = || {
            let (protocol, speech) = (Protocol::parse(&self.protocol)?, Speech::parse(&self.speech)?);
            Some((protocol, speech, Networks::parse(&self.networks).ok()?))
        };
        let (protocol, speech, networks) = whom().unwrap_or_else(|| {
            tracing::error!("{}: nobody is believed there", broken());
            (Protocol::Http, Speech::default(), Networks::default())
        });
        Ok(Proxies { listener, protocol, speech, networks, version: self.version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::{Place, Protocol, parse_port};
    use crate::host::HostPattern;
    use crate::ssl::RequireSsl;
    use crate::store::{Folder, NewSite};
    use crate::testing::{TestStore, tester};

    fn listener(port: &str) -> Listener {
        Listener { port: parse_port(port).unwrap(), ip: None }
    }

    fn draft(speech: Speech, networks: &str) -> ProxiesDraft {
        ProxiesDraft { speech, networks: Networks::parse(networks).unwrap() }
    }

    /// A store with a site on port 80.
    async fn bound() -> TestStore {
        let test = TestStore::open().await;
        let place =
            Place { protocol: Protocol::Http, ip: None, port: parse_port("80").unwrap(), host: HostPattern::Any };
        let new =
            NewSite { name: "Shop".into(), folder: Folder::Own, bindings: vec![place], require_ssl: RequireSsl::Off };
        test.store.create_site(new, &tester()).await.unwrap();
        test
    }

    #[tokio::test]
    async fn whom_a_listener_believes_is_in_force_at_once_after_a_restart_and_in_another_process() {
        let test = bound().await;
        let (store, by) = (&test.store, tester());
        let other = Store::open(test.folder.path()).await.unwrap();
        let mut followed = other.sites();
        store.update_proxies(listener("80"), 0, draft(Speech::Forwarded, "10.0.0.0/8\n::1"), &by).await.unwrap();
        let believed = store.table().proxies_at([192, 0, 2, 1].into(), 80).unwrap().clone();
        assert_eq!(
            (believed.speech, believed.networks.list()),
            (Speech::Forwarded, vec!["10.0.0.0/8".into(), "::1".into()])
        );
        assert_eq!(believed.version, store.table().revision());
        let table = followed.changed().await.unwrap();
        assert_eq!(table.proxies(listener("80")), Some(&believed));
        let again = Store::open(test.folder.path()).await.unwrap();
        assert_eq!(again.table().proxies(listener("80")), Some(&believed));
    }

    #[tokio::test]
    async fn each_change_is_one_entry_from_which_it_can_be_undone_and_overwrites_nobody_s() {
        let test = bound().await;
        let (store, by) = (&test.store, tester());
        let tomas = Author { name: "Tomas Reyes".into(), ..tester() };
        store.update_proxies(listener("80"), 0, draft(Speech::XForwarded, "10.0.0.1"), &tomas).await.unwrap();
        let version = store.table().revision();
        let late = store.update_proxies(listener("80"), 0, draft(Speech::ProxyProtocol, "10.0.0.2"), &by).await;
        assert!(matches!(late, Err(StoreError::Stale { by, .. }) if by == "Tomas Reyes"));
        store.update_proxies(listener("80"), version, draft(Speech::ProxyProtocol, ""), &by).await.unwrap();
        assert_eq!(store.table().proxies_at([127, 0, 0, 1].into(), 80), None);
        let again = store.update_proxies(listener("80"), 0, draft(Speech::XForwarded, "10.0.0.1"), &by).await;
        assert!(matches!(again, Err(StoreError::Stale { .. })), "nobody is believed, and somebody decided so");

        let facts = json!({ "port": 80, "ip": "", "speech": "x-forwarded", "networks": ["10.0.0.1"] });
        let entries = store.list_changes(&Default::default(), 2).await.unwrap();
        let told = entries.iter().map(|entry| (entry.thing, entry.summary.as_str(), &entry.before, &entry.after));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (Thing::Proxies, "no longer trusts any proxy at port 80", &Some(facts.clone()), &None),
                (Thing::Proxies, "changed the trusted proxies of port 80", &None, &Some(facts)),
            ]
        );
    }

    #[tokio::test]
    async fn what_was_believed_before_is_put_back_unless_somebody_changed_it_since() {
        let test = bound().await;
        let (store, by) = (&test.store, tester());
        let tomas = Author { name: "Tomas Reyes".into(), ..tester() };
        let change = async |version, speech, networks, by: &Author| {
            store.update_proxies(listener("80"), version, draft(speech, networks), by).await.unwrap();
            store.table().revision()
        };
        let believed = || {
            let table = store.table();
            table.proxies_at([127, 0, 0, 1].into(), 80).map(|own| (own.speech, own.networks.list().join(" ")))
        };
        let first = change(0, Speech::XForwarded, "10.0.0.1", &by).await;
        let second = change(first, Speech::XForwarded, "10.0.0.2", &by).await;
        let third = change(second, Speech::Forwarded, "10.0.0.2", &tomas).await;
        let since = store.undo(first, false, &by).await;
        assert!(matches!(since, Err(StoreError::ChangedSince { .. })), "{since:?}");
        store.undo(second, false, &by).await.unwrap();
        assert_eq!(believed(), Some((Speech::Forwarded, "10.0.0.1".into())), "what was set later stays");
        store.undo(third, false, &by).await.unwrap();
        assert_eq!(believed(), Some((Speech::XForwarded, "10.0.0.1".into())));
        store.undo(first, false, &by).await.unwrap();
        assert_eq!(believed(), None);
        store.undo(store.table().revision(), false, &by).await.unwrap();
        assert_eq!(believed(), Some((Speech::XForwarded, "10.0.0.1".into())));

        let version = store.table().revision();
        let nobody = change(version, Speech::XForwarded, "", &tomas).await;
        assert_eq!(
            change(nobody, Speech::Forwarded, " ", &tomas).await,
            nobody,
            "nothing changes, and nothing is told"
        );
        store.undo(nobody, false, &by).await.unwrap();
        assert_eq!(believed(), Some((Speech::XForwarded, "10.0.0.1".into())));
    }

    #[tokio::test]
    async fn nobody_is_believed_where_nothing_listens_and_what_cannot_be_read_believes_nobody() {
        let test = bound().await;
        let (store, by) = (&test.store, tester());
        let nowhere = store.update_proxies(listener("81"), 0, draft(Speech::XForwarded, "10.0.0.1"), &by).await;
        assert!(matches!(nowhere, Err(StoreError::Gone)));
        store.update_proxies(listener("80"), 0, draft(Speech::XForwarded, "10.0.0.1"), &by).await.unwrap();
        sqlx::query("UPDATE proxies SET networks = '0.0.0.0/0'").execute(&store.0.writer).await.unwrap();
        let again = Store::open(test.folder.path()).await.unwrap();
        assert_eq!(again.table().proxies_at([127, 0, 0, 1].into(), 80), None);
        assert_eq!(again.table().sites().len(), 1, "and costs nobody a site");
    }
}
