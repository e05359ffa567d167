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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxiesDraft {
    /// How they say who their visitors are.
    pub speech: Speech,
    /// Who they are. Where it is empty, those of all addresses of the port are believed, or nobody.
    pub networks: Networks,
    /// Nobody is believed here, whoever is at all addresses of the port.
    pub nobody: bool,
}

/// In the place of networks where nobody is believed.
const NOBODY: &str = "nobody";

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
        let protocol = spoken(&write, listener);
        let (before, after) = (now(&write, listener), facts(listener, protocol, &draft));
        if before == after {
            return Ok(());
        }
        let id = set(&mut write, listener, protocol, &draft).await?;
        let verb = match draft.networks.is_empty() {
            true if listener.ip.is_some() && !draft.nobody => "no longer lists trusted proxies for",
            true => "no longer trusts any proxy at",
            false => "changed the trusted proxies of",
        };
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

/// Puts down whose word is believed at a listener while its port speaks `protocol`; the row's id.
pub(super) async fn set(
    write: &mut Write<'_>,
    listener: Listener,
    protocol: Protocol,
    draft: &ProxiesDraft,
) -> Result<i64> {
    let (port, ip) = (i64::from(listener.port.get()), ip(listener));
    let (protocol, speech) = (protocol.as_str(), draft.speech.as_str());
    let networks = if draft.nobody { NOBODY.into() } else { draft.networks.list().join("\n") };
    let version = write.revision();
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

/// What the port speaks, or spoke when its proxies were listed.
pub(super) fn spoken(write: &Write<'_>, listener: Listener) -> Protocol {
    let had = || write.table.proxies(listener).map(|own| own.protocol);
    write.table.protocol(listener.port).or_else(had).unwrap_or(Protocol::Http)
}

/// As stored: empty for all addresses.
fn ip(listener: Listener) -> String {
    listener.ip.map(|ip| ip.to_string()).unwrap_or_default()
}

/// What holds at a listener, for the ledger.
pub(super) fn now(write: &Write<'_>, listener: Listener) -> Option<Value> {
    write.table.proxies(listener).and_then(|own| {
        let draft = ProxiesDraft { speech: own.speech, networks: own.networks.clone(), nobody: own.nobody };
        facts(listener, own.protocol, &draft)
    })
}

/// Which listener an entry of the ledger is about.
pub(super) fn listener(facts: &Value) -> Option<Listener> {
    let port = facts["port"].as_u64().and_then(|port| u16::try_from(port).ok());
    Some(Listener { port: NonZeroU16::new(port?)?, ip: parse_ip(facts["ip"].as_str()?).ok()? })
}

/// Reads one side of an entry of the ledger.
pub(super) fn read(facts: Option<&Value>) -> Option<ProxiesDraft> {
    let Some(facts) = facts else {
        return Some(ProxiesDraft::default());
    };
    let networks: Vec<&str> = facts["networks"].as_array()?.iter().filter_map(Value::as_str).collect();
    let speech = Speech::parse(facts["speech"].as_str()?)?;
    let networks = Networks::parse(&networks.join("\n")).ok()?;
    Some(ProxiesDraft { speech, nobody: networks.is_empty(), networks })
}

/// The protocol that one side of an entry of the ledger is for.
pub(super) fn protocol(facts: &Value) -> Option<Protocol> {
    facts["protocol"].as_str().and_then(Protocol::parse)
}

/// The same with this protocol, which the ledger did not always keep.
pub(super) fn completed(facts: Option<&Value>, protocol: Protocol) -> Option<Value> {
    let mut facts = facts?.clone();
    facts.as_object_mut()?.entry("protocol").or_insert_with(|| protocol.as_str().into());
    Some(facts)
}

/// For the ledger; nothing where those of all addresses are believed, or nobody as there is no list at all.
fn facts(listener: Listener, protocol: Protocol, draft: &ProxiesDraft) -> Option<Value> {
    let facts = || {
        let (protocol, speech, networks) = (protocol.as_str(), draft.speech.as_str(), draft.networks.list());
        let (port, ip) = (listener.port.get(), ip(listener));
        json!({ "port": port, "ip": ip, "protocol": protocol, "speech": speech, "networks": networks })
    };
    (draft.nobody || !draft.networks.is_empty()).then(facts)
}

impl ProxiesRow {
    /// What can't be read believes nobody, also where somebody was believed before.
    fn read(self) -> Result<Proxies> {
        let broken = || StoreError::Internal(format!("the trusted proxies of port {} can't be read", self.port));
        let port = u16::try_from(self.port).ok().and_then(NonZeroU16::new).ok_or_else(broken)?;
        let listener = Listener { port, ip: parse_ip(&self.ip).map_err(|_| broken())? };
        let whom = || {
            let (protocol, speech) = (Protocol::parse(&self.protocol)?, Speech::parse(&self.speech)?);
            let nobody = self.networks == NOBODY;
            let networks = if nobody { Networks::default() } else { Networks::parse(&self.networks).ok()? };
            Some(Proxies { listener, protocol, speech, networks, nobody, version: self.version })
        };
        Ok(whom().unwrap_or_else(|| {
            tracing::error!("{}: nobody is believed there", broken());
            let (protocol, speech, networks) = (Protocol::Http, Speech::default(), Networks::default());
            Proxies { listener, protocol, speech, networks, nobody: true, version: self.version }
        }))
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
        ProxiesDraft { speech, networks: Networks::parse(networks).unwrap(), nobody: false }
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

        let facts =
            json!({ "port": 80, "ip": "", "protocol": "http", "speech": "x-forwarded", "networks": ["10.0.0.1"] });
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
    async fn proxies_listed_for_another_protocol_go_back_to_it_and_are_believed_by_nobody_s_undoing() {
        let test = bound().await;
        let (store, by) = (&test.store, tester());
        store.update_proxies(listener("80"), 0, draft(Speech::XForwarded, "10.0.0.1"), &by).await.unwrap();
        let first = store.table().revision();
        store.update_proxies(listener("80"), first, draft(Speech::XForwarded, "10.0.0.2"), &by).await.unwrap();
        let second = store.table().revision();
        sqlx::query("UPDATE proxies SET protocol = 'https'").execute(&store.0.writer).await.unwrap();
        // As the ledger was before it kept the protocol.
        let forget = "UPDATE changes SET before = json_remove(before, '$.protocol'),
             after = json_remove(after, '$.protocol') WHERE revision = ?";
        let store = Store::open(test.folder.path()).await.unwrap();
        let believed = || store.table().proxies_at([127, 0, 0, 1].into(), 80).map(|own| own.networks.list().remove(0));
        assert_eq!(believed(), None, "listed while the port spoke https");

        store.undo(second, false, &by).await.unwrap();
        let own = store.table().proxies(listener("80")).unwrap().clone();
        assert_eq!((own.networks.list().remove(0).as_str(), own.protocol), ("10.0.0.1", Protocol::Https));
        assert_eq!(believed(), None, "nobody decided so for http");
        store.update_proxies(listener("80"), own.version, draft(Speech::XForwarded, "10.0.0.1"), &by).await.unwrap();
        assert_eq!(believed().as_deref(), Some("10.0.0.1"));
        let entry = store.list_changes(&Default::default(), 1).await.unwrap().remove(0);
        let told = |side: &Option<Value>| side.as_ref().unwrap()["protocol"].as_str().map(str::to_owned);
        assert_eq!((told(&entry.before).as_deref(), told(&entry.after).as_deref()), (Some("https"), Some("http")));
        store.undo(entry.revision, false, &by).await.unwrap();
        assert_eq!(believed(), None, "which undoes it");
        store.undo(store.table().revision(), false, &by).await.unwrap();

        sqlx::query(forget).bind(first).execute(&store.0.writer).await.unwrap();
        store.undo(first, false, &by).await.unwrap();
        assert_eq!(believed(), None, "an older entry is undone as well");
        let version = store.table().proxies(listener("80")).unwrap().version;
        sqlx::query(forget).bind(version).execute(&store.0.writer).await.unwrap();
        store.undo(version, false, &by).await.unwrap();
        assert_eq!(believed().as_deref(), Some("10.0.0.1"), "and put back for what the port speaks now");
    }

    #[tokio::test]
    async fn one_address_may_believe_nobody_while_all_others_believe_somebody() {
        let test = bound().await;
        let (store, by) = (&test.store, tester());
        let here = Listener { ip: Some([127, 0, 0, 1].into()), ..listener("80") };
        let place = Place { protocol: Protocol::Http, ip: here.ip, port: here.port, host: HostPattern::Any };
        let new =
            NewSite { name: "Office".into(), folder: Folder::Own, bindings: vec![place], require_ssl: RequireSsl::Off };
        store.create_site(new, &by).await.unwrap();
        store.update_proxies(listener("80"), 0, draft(Speech::XForwarded, "10.0.0.1"), &by).await.unwrap();
        let is_believed = |store: &Store| store.table().proxies_at([127, 0, 0, 1].into(), 80).is_some();
        assert!(is_believed(store));
        let nobody = ProxiesDraft { nobody: true, ..draft(Speech::XForwarded, "") };
        store.update_proxies(here, 0, nobody, &by).await.unwrap();
        assert!(!is_believed(store));
        assert!(!is_believed(&Store::open(test.folder.path()).await.unwrap()), "also after a restart");
        let entry = store.list_changes(&Default::default(), 1).await.unwrap().remove(0);
        assert_eq!(entry.summary, "no longer trusts any proxy at port 80 at 127.0.0.1");
        assert_eq!((entry.before, entry.after.unwrap()["networks"].clone()), (None, json!([])));
        store.undo(entry.revision, false, &by).await.unwrap();
        assert!(is_believed(store), "as at all addresses again");
        store.undo(store.table().revision(), false, &by).await.unwrap();
        assert!(!is_believed(store));
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
        assert!(again.table().proxies(listener("80")).unwrap().nobody, "at whatever address");
        assert_eq!(again.table().sites().len(), 1, "and costs nobody a site");
    }
}
