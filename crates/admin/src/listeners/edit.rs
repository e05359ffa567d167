//! The form with the trusted proxies of a listener.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::binding::Protocol;
use siteward_core::ledger::Revision;
use siteward_core::proxies::{Listener, Networks, Speech};
use siteward_core::store::{ProxiesDraft, Store};
use siteward_core::table::SiteTable;

use super::{Panel, speech};
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::ssl::PREVIEW;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ProxiesForm {
    /// At a single address [`AS_ON_ALL`], [`NOBODY`] or [`THESE`].
    whom: String,
    /// Addresses and networks, one on each line.
    networks: String,
    speech: String,
    version: Revision,
    /// `preview` where nothing is to be saved yet.
    #[serde(rename = "do")]
    action: String,
    /// The settings in words when the form was opened.
    was: Vec<String>,
}

const AS_ON_ALL: &str = "all";
const NOBODY: &str = "nobody";
const THESE: &str = "these";

#[derive(Template, WebTemplate)]
#[template(path = "listeners/edit.html")]
struct EditPage {
    shell: Shell,
    listener: Listener,
    is_https: bool,
    /// What the port spoke when its proxies were listed, where it speaks something else by now.
    listed_for: Option<Protocol>,
    form: ProxiesForm,
    errors: Errors,
    tried: Tried,
}

/// What came of the button Preview.
enum Tried {
    Not,
    /// Everybody would be believed as now.
    Same,
    Shift(Box<Panel>),
}

const LABELS: [&str; 2] = ["Trusted proxies", "How they say it"];

fn shown(listener: Listener, whom: &ProxiesDraft) -> Vec<String> {
    match whom.networks.is_empty() {
        true if listener.ip.is_some() && !whom.nobody => vec!["As on all addresses".into(), String::new()],
        true => vec!["Nobody".into(), String::new()],
        false => vec![whom.networks.list().join(", "), speech(whom.speech).into()],
    }
}

impl ProxiesForm {
    fn of(table: &SiteTable, listener: Listener) -> Self {
        let own = table.proxies(listener);
        let whom = own.map_or_else(ProxiesDraft::default, |own| ProxiesDraft {
            speech: own.speech,
            networks: own.networks.clone(),
            nobody: own.nobody,
        });
        Self {
            whom: match whom.networks.is_empty() {
                _ if whom.nobody => NOBODY.into(),
                true => AS_ON_ALL.into(),
                false => THESE.into(),
            },
            networks: whom.networks.list().join("\n"),
            speech: whom.speech.as_str().into(),
            version: own.map_or(0, |own| own.version),
            action: String::new(),
            was: shown(listener, &whom),
        }
    }

    fn parse(&self, listener: Listener) -> Result<ProxiesDraft, Errors> {
        let mut errors = Errors::default();
        let networks = errors.check("networks", Networks::parse(&self.networks));
        let speech = Speech::parse(&self.speech).ok_or("Choose how the proxies say who their visitors are.");
        let speech = errors.check("speech", speech);
        let is_listed = networks.as_ref().is_some_and(|networks| !networks.is_empty());
        let whom = if listener.ip.is_none() { "" } else { self.whom.as_str() };
        match whom {
            THESE if networks.is_some() && !is_listed => errors.add("networks", "Enter at least one address."),
            AS_ON_ALL | NOBODY if is_listed => {
                errors.add("networks", "Choose “These” above for the addresses to count, or leave them out.");
            }
            "" | THESE | AS_ON_ALL | NOBODY => {}
            _ => errors.add("whom", "Choose one of these."),
        }
        let draft = networks.zip(speech);
        errors.or(draft.map(|(networks, speech)| ProxiesDraft { speech, networks, nobody: whom == NOBODY }))
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

async fn page(
    session: &Session,
    listener: Listener,
    form: ProxiesForm,
    errors: Errors,
    tried: Tried,
) -> Result<EditPage, Failure> {
    let table = session.table();
    let spoken = table.protocol(listener.port);
    let own = table.proxies(listener).filter(|own| !own.networks.is_empty());
    Ok(EditPage {
        shell: session.shell("/listeners").await?,
        listener,
        is_https: spoken == Some(Protocol::Https),
        listed_for: own.map(|own| own.protocol).filter(|listed_for| spoken.is_some_and(|spoken| spoken != *listed_for)),
        form,
        errors,
        tried,
    })
}

/// The form with the trusted proxies of a listener.
pub(crate) async fn edit(session: Session, At((port, ip)): At<(NonZeroU16, String)>) -> Answer {
    let table = session.table();
    let listener = find(&table, port, &ip)?;
    let form = ProxiesForm::of(&table, listener);
    Ok(page(&session, listener, form, Errors::default(), Tried::Not).await?.into_response())
}

/// Saves them, unless somebody else did meanwhile, or shows what that would mean.
pub(crate) async fn update(
    session: Session,
    At((port, ip)): At<(NonZeroU16, String)>,
    Fields(mut form): Fields<ProxiesForm>,
) -> Answer {
    let listener = find(&session.table(), port, &ip)?;
    let refusal = match form.action == PREVIEW {
        true => match rehearse(&session, listener, &form).await {
            Ok(then) => {
                let tried =
                    Panel::new(&session, &then).await?.map_or(Tried::Same, |panel| Tried::Shift(Box::new(panel)));
                return Ok(page(&session, listener, form, Errors::default(), tried).await?.into_response());
            }
            Err(refusal) => refusal,
        },
        false => match save(&session, listener, &form).await {
            Ok(()) => return Ok(session.saved("/listeners", Saved::Proxies).await),
            Err(refusal) => refusal,
        },
    };
    let mut errors = refusal.errors(session.now)?;
    if errors.conflict().is_some() {
        let saved = ProxiesForm::of(&session.table(), listener);
        let typed = form.parse(listener).map_err(|_| Failure::Malformed)?;
        errors.compare(&LABELS, &form.was, &saved.was, shown(listener, &typed));
        (form.version, form.was) = (saved.version, saved.was);
    }
    Ok((errors.status(), page(&session, listener, form, errors, Tried::Not).await?).into_response())
}

async fn save(session: &Session, listener: Listener, form: &ProxiesForm) -> Result<(), Refusal> {
    let draft = form.parse(listener)?;
    Ok(session.store().update_proxies(listener, form.version, draft, &session.author()).await?)
}

/// The table that saving would put in force.
async fn rehearse(session: &Session, listener: Listener, form: &ProxiesForm) -> Result<Arc<SiteTable>, Refusal> {
    let (draft, version, by) = (form.parse(listener)?, form.version, session.author());
    let change = async move |store: Store| store.update_proxies(listener, version, draft, &by).await;
    Ok(session.store().rehearse(change).await?)
}
