//! The ports of this server: what each speaks, whether it is open, and which proxies are believed there.

use std::net::IpAddr;
use std::num::NonZeroU16;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::binding::{Place, Protocol};
use siteward_core::host::HostPattern;
use siteward_core::ledger::Revision;
use siteward_core::proxies::{Listener, Networks, Proxies, Speech};
use siteward_core::store::ProxiesDraft;
use siteward_core::table::SiteTable;

use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::words::{self, State};

struct Row {
    listener: Listener,
    /// Nothing where no binding is left.
    speaks: Option<(Protocol, State)>,
    /// What its bindings answer to.
    names: usize,
    proxies: Trusted,
}

/// Whose word is believed, in words.
enum Trusted {
    Nobody,
    /// Those of all addresses of the port.
    AsOnAll,
    /// How they say it, and who they are.
    These(&'static str, String),
}

#[derive(Template, WebTemplate)]
#[template(path = "listeners/list.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
}

impl Row {
    fn new(session: &Session, table: &SiteTable, listener: Listener) -> Self {
        // A list holds also where only a binding at all addresses of the port is left.
        let protocol = table
            .protocol(listener.port)
            .filter(|_| table.has_listener(listener) || table.has_listener(Listener { ip: None, ..listener }));
        let place = |protocol| Place { protocol, ip: listener.ip, port: listener.port, host: HostPattern::Any };
        let open = |protocol| words::port(&session.console.status, &place(protocol));
        let spoken = table.protocol(listener.port);
        let is_for_it = |own: &Proxies| spoken.is_none_or(|spoken| own.protocol == spoken);
        let believed = |listener| table.proxies(listener).filter(|own| !own.networks.is_empty() && is_for_it(own));
        let all = Listener { ip: None, ..listener };
        Self {
            listener,
            speaks: protocol.map(|protocol| (protocol, open(protocol))),
            names: table.names_at(listener),
            proxies: match believed(listener) {
                Some(own) => Trusted::These(speech(own.speech), few(&own.networks)),
                None if believed(all).is_some() => Trusted::AsOnAll,
                None => Trusted::Nobody,
            },
        }
    }

    /// All addresses, or one.
    fn address(&self) -> String {
        self.listener.ip.map_or("All addresses".into(), |ip| ip.to_string())
    }

    fn href(&self) -> String {
        href(self.listener)
    }
}

/// The address of the form of a listener.
fn href(listener: Listener) -> String {
    format!("/listeners/{}/{}", listener.port, listener.ip.map_or("all".into(), |ip| ip.to_string()))
}

/// How proxies say who their visitors are.
pub(crate) fn speech(speech: Speech) -> &'static str {
    match speech {
        Speech::XForwarded => "X-Forwarded-For and X-Forwarded-Proto",
        Speech::Forwarded => "Forwarded (RFC 7239)",
        Speech::ProxyProtocol => "PROXY protocol",
    }
}

/// The first of them, and how many more there are.
fn few(networks: &Networks) -> String {
    const SHOWN: usize = 3;
    let list = networks.list();
    let shown = list.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match list.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Every port, also those that nothing is bound to any more and where somebody is believed still.
pub(crate) async fn list(session: Session) -> Answer {
    let table = session.table();
    let is_shown = |listener: &Listener| {
        table.has_listener(*listener) || table.proxies(*listener).is_some_and(|own| !own.networks.is_empty())
    };
    let listeners = table.listeners().into_iter().filter(is_shown);
    let rows = listeners.map(|listener| Row::new(&session, &table, listener)).collect();
    Ok(ListPage { shell: session.shell("/listeners").await?, rows }.into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ProxiesForm {
    /// Addresses and networks, one on each line.
    networks: String,
    speech: String,
    version: Revision,
    /// The settings in words when the form was opened.
    was: Vec<String>,
}

#[derive(Template, WebTemplate)]
#[template(path = "listeners/edit.html")]
struct EditPage {
    shell: Shell,
    listener: Listener,
    is_https: bool,
    form: ProxiesForm,
    errors: Errors,
}

const LABELS: [&str; 2] = ["Trusted proxies", "How they say it"];

fn shown(networks: &Networks, speaks: Speech) -> Vec<String> {
    match networks.is_empty() {
        true => vec!["Nobody".into(), String::new()],
        false => vec![networks.list().join(", "), speech(speaks).into()],
    }
}

impl ProxiesForm {
    fn of(proxies: Option<&Proxies>) -> Self {
        let nobody = Networks::default();
        let (networks, speech) = proxies.map_or((&nobody, Speech::default()), |own| (&own.networks, own.speech));
        Self {
            networks: networks.list().join("\n"),
            speech: speech.as_str().into(),
            version: proxies.map_or(0, |own| own.version),
            was: shown(networks, speech),
        }
    }

    fn parse(&self) -> Result<ProxiesDraft, Errors> {
        let mut errors = Errors::default();
        let networks = errors.check("networks", Networks::parse(&self.networks));
        let speech = Speech::parse(&self.speech).ok_or("Choose how the proxies say who their visitors are.");
        let speech = errors.check("speech", speech);
        let draft = networks.zip(speech).map(|(networks, speech)| ProxiesDraft { speech, networks });
        errors.or(draft)
    }
}

/// The listener of an address; what nothing is bound to and nobody was ever believed at does not exist.
fn find(table: &SiteTable, port: NonZeroU16, ip: &str) -> Result<Listener, Failure> {
    let ip = match ip {
        "all" => None,
        ip => Some(ip.parse::<IpAddr>().map_err(|_| Failure::NotFound)?.to_canonical()),
    };
    let listener = Listener { port, ip };
    let exists = table.has_listener(listener) || table.proxies(listener).is_some();
    exists.then_some(listener).ok_or(Failure::NotFound)
}

async fn page(session: &Session, listener: Listener, form: ProxiesForm, errors: Errors) -> Result<EditPage, Failure> {
    let is_https = session.table().protocol(listener.port) == Some(Protocol::Https);
    Ok(EditPage { shell: session.shell("/listeners").await?, listener, is_https, form, errors })
}

/// The form with the trusted proxies of a listener.
pub(crate) async fn edit(session: Session, At((port, ip)): At<(NonZeroU16, String)>) -> Answer {
    let table = session.table();
    let listener = find(&table, port, &ip)?;
    let form = ProxiesForm::of(table.proxies(listener).map(AsRef::as_ref));
    Ok(page(&session, listener, form, Errors::default()).await?.into_response())
}

/// Saves them, unless somebody else did meanwhile.
pub(crate) async fn update(
    session: Session,
    At((port, ip)): At<(NonZeroU16, String)>,
    Fields(mut form): Fields<ProxiesForm>,
) -> Answer {
    let listener = find(&session.table(), port, &ip)?;
    match save(&session, listener, &form).await {
        Ok(()) => Ok(session.saved("/listeners", Saved::Proxies).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            if errors.conflict().is_some() {
                let saved = ProxiesForm::of(session.table().proxies(listener).map(AsRef::as_ref));
                let typed = form.parse().map_err(|_| Failure::Malformed)?;
                errors.compare(&LABELS, &form.was, &saved.was, shown(&typed.networks, typed.speech));
                (form.version, form.was) = (saved.version, saved.was);
            }
            Ok((errors.status(), page(&session, listener, form, errors).await?).into_response())
        }
    }
}

async fn save(session: &Session, listener: Listener, form: &ProxiesForm) -> Result<(), Refusal> {
    let draft = form.parse()?;
    Ok(session.store().update_proxies(listener, form.version, draft, &session.author()).await?)
}

#[cfg(test)]
mod tests {
    use siteward_core::status::Listening;
    use siteward_core::table::Listen;

    use super::*;
    use crate::testing::Browser;

    #[tokio::test]
    async fn each_port_is_listed_with_what_it_speaks_whether_it_is_open_and_whom_it_believes() {
        let mut browser = Browser::signed_in().await;
        assert!(browser.get("/listeners").await.html.contains("Nothing listens"));
        browser.https_site("Shop", "shop.example", "refuse").await;
        let listen = |port, protocol| Listen { ip: None, port, protocol };
        let taken = Listening::Failed("Another program already uses port 80.".into());
        let report = [(listen(80, Protocol::Http), taken), (listen(443, Protocol::Https), Listening::Open)];
        browser.reporter.report(i64::MAX, report.into());
        let html = browser.get("/listeners").await.html;
        for words in ["Port 80", "Port 443", "Not open: Another program already uses port 80.", "Nobody is believed"] {
            assert!(html.contains(words), "{words}: {html}");
        }
        let fields =
            [("networks", "10.0.0.1\r\n10.0.0.2\n10.0.0.3\n10.0.0.4"), ("speech", "forwarded"), ("version", "0")];
        let html = browser.submit("/listeners/80/all", &fields).await.html;
        for words in ["Trusted proxies saved.", "10.0.0.1, 10.0.0.2, 10.0.0.3 and 1 more", "Forwarded (RFC 7239)"] {
            assert!(html.contains(words), "{words}: {html}");
        }
        let html = browser.get("/sites/1").await.html;
        assert!(html.contains(r#"href="/listeners""#), "{html}");
        let html = browser.get("/activity?what=proxies").await.html;
        for words in ["changed the trusted proxies of port 80", "<td>10.0.0.1, 10.0.0.2", "<td>Forwarded (RFC 7239)"] {
            assert!(html.contains(words), "{words}: {html}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_believed_comes_back_with_a_sentence_beside_its_field() {
        let mut browser = Browser::signed_in().await;
        browser.site("Shop", "shop.example", "off").await;
        for (networks, speech, field, sentence) in [
            ("10.0.0.7\n<b>", "forwarded", "networks", "“&#60;b&#62;” is neither an address nor a network"),
            ("0.0.0.0/0", "forwarded", "networks", "takes in strangers"),
            ("10.0.0.7/8", "forwarded", "networks", "Enter 10.0.0.0/8 for all of it"),
            ("10.0.0.7", "", "speech", "Choose how the proxies say"),
        ] {
            let fields = [("networks", networks), ("speech", speech), ("version", "0")];
            let page = browser.post("/listeners/80/all", &fields).await;
            assert_eq!(page.status, 422, "{networks}");
            assert!(page.html.contains(&format!("id=\"{field}-e\"")) && page.html.contains(sentence), "{}", page.html);
            assert!(page.html.contains(networks.split('\n').next().unwrap()), "what was typed is kept");
        }
        for nowhere in ["/listeners/81/all", "/listeners/80/10.0.0.1", "/listeners/80/every", "/listeners/0/all"] {
            assert_eq!(browser.get(nowhere).await.status, 404, "{nowhere}");
            assert_eq!(browser.post(nowhere, &[("speech", "forwarded")]).await.status, 404, "{nowhere}");
        }
    }

    #[tokio::test]
    async fn what_a_visitor_gets_by_way_of_a_trusted_proxy_is_explained_where_there_is_one() {
        let mut browser = Browser::signed_in().await;
        browser.https_site("Shop", "shop.example", "refuse").await;
        browser.post("/sites/1/ssl/rules/new", &[("path", "/vault"), ("tls", "1.3")]).await;
        let way = "https:// that ends at a trusted proxy";
        assert!(!browser.get("/sites/1/ssl?path=/").await.html.contains(way));
        browser
            .submit("/listeners/80/all", &[("networks", "10.0.0.1"), ("speech", "forwarded"), ("version", "0")])
            .await;
        assert!(browser.get("/sites/1/ssl?path=/").await.html.contains(way));
        let html = browser.get("/sites/1/ssl?path=/vault/").await.html;
        assert!(html.contains("403.5 Stronger encryption required. What was agreed on with the proxy"), "{html}");
    }

    #[tokio::test]
    async fn who_was_faster_is_named_and_compared_with() {
        let mut browser = Browser::signed_in().await;
        browser.site("Shop", "shop.example", "off").await;
        let page = browser.get("/listeners/80/all").await;
        let (version, was) = (page.value("version"), page.value("was"));
        assert_eq!((version.as_str(), was.as_str()), ("0", "Nobody"));
        browser
            .submit("/listeners/80/all", &[("networks", "10.0.0.1"), ("speech", "forwarded"), ("version", "0")])
            .await;
        let mine =
            [("networks", "10.0.0.2"), ("speech", "proxy-protocol"), ("version", "0"), ("was", "Nobody"), ("was", "")];
        let page = browser.post("/listeners/80/all", &mine).await;
        assert_eq!(page.status, 409);
        for words in
            ["<td>10.0.0.1</td><td><ins>10.0.0.2</ins></td>", "<ins>PROXY protocol</ins>", "10.0.0.2</textarea>"]
        {
            assert!(page.html.contains(words), "{words}: {}", page.html);
        }
        let version = page.value("version");
        let again = [("networks", "10.0.0.2"), ("speech", "proxy-protocol"), ("version", version.as_str())];
        assert!(browser.submit("/listeners/80/all", &again).await.html.contains("PROXY protocol"));
    }
}
