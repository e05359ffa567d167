//! Why a visitor got a refusal, by the reference on their page: every step that led to it, who set what decided, and
//! what the same request would get now.

mod words;

use askama::Template;
use askama_web::WebTemplate;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::ledger::{Change, Thing};
use siteward_core::refused::{Cause, Decided, Reference, Refused};
use siteward_core::ssl::{Transport, Trusted};
use siteward_core::table::SiteTable;

use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors};
use crate::format;
use crate::session::Session;
use crate::shell::Shell;
use crate::ssl::form::{TRUST_LABEL, list_name};

#[derive(Debug, Deserialize)]
pub(crate) struct WhyQuery {
    #[serde(default)]
    reference: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "why/show.html")]
struct WhyPage {
    shell: Shell,
    errors: Errors,
    /// As typed.
    reference: String,
    found: Option<Told>,
}

/// What is told of a refused request.
struct Told {
    refused: Refused,
    /// `403.4 SSL required`
    code: String,
    steps: Vec<Step>,
    /// What whoever was refused can do.
    remedy: &'static str,
    today: String,
    /// Where more of that is to be seen: the address, and what the link says.
    more: Option<(&'static str, &'static str)>,
}

/// One step on the way to the answer.
struct Step {
    name: &'static str,
    words: String,
    /// More about it; may be empty.
    more: String,
    /// Where to look at it: the address, and what the link says.
    link: Option<(String, String)>,
}

impl Step {
    fn new(name: &'static str, words: impl Into<String>) -> Self {
        Self { name, words: words.into(), more: String::new(), link: None }
    }
}

/// The form that asks for a reference.
pub(crate) async fn new(session: Session, Asked(query): Asked<WhyQuery>) -> Answer {
    let typed = query.reference.trim().to_owned();
    match Reference::parse(&typed) {
        Some(reference) => Ok(Redirect::to(&address(reference)).into_response()),
        None if typed.is_empty() => Ok(page(&session, typed, Errors::default(), None).await?.into_response()),
        None => {
            let errors = Errors::one("reference", "A reference has ten letters and digits, such as 7KQ2M-9XTPA.");
            Ok((errors.status(), page(&session, typed, errors, None).await?).into_response())
        }
    }
}

/// What is kept under a reference.
pub(crate) async fn show(session: Session, At(typed): At<String>) -> Answer {
    let reference = Reference::parse(&typed).ok_or(Failure::NotFound)?;
    let Some(refused) = session.store().find_refused(reference, session.now).await? else {
        let errors = Errors::one(
            "reference",
            format!(
                "Nothing is kept under {reference}. Compare it with the visitor’s page once more. Each can be \
                 looked up five seconds after its page was shown, for 30 days at most. Some 20,000 are kept, of which 2,000 for no \
                 site; the oldest make room, those of networks that send many first."
            ),
        );
        return Ok((StatusCode::NOT_FOUND, page(&session, reference.to_string(), errors, None).await?).into_response());
    };
    let told = Told::of(&session, refused).await?;
    Ok(page(&session, reference.to_string(), Errors::default(), Some(told)).await?.into_response())
}

/// Where a reference is explained.
pub(crate) fn address(reference: Reference) -> String {
    format!("/why/{reference}")
}

async fn page(session: &Session, reference: String, errors: Errors, found: Option<Told>) -> Result<WhyPage, Failure> {
    Ok(WhyPage { shell: session.shell("/why").await?, errors, reference, found })
}

impl Told {
    async fn of(session: &Session, refused: Refused) -> Result<Self, Failure> {
        let table = session.table();
        let setter = setter(session, &refused).await?;
        let steps = steps(&refused, &table, setter.as_ref());
        let (code, remedy) = (words::code(refused.cause), words::remedy(&refused, &table));
        let again = refused.again(&table, session.now);
        let today = words::today(refused.cause, again);
        let more = words::depends_on_trust(refused.cause, again);
        let more = more.then_some(("/trust-lists/explain", "Explain a certificate"));
        Ok(Self { refused, code, steps, remedy, today, more })
    }

    /// `curl/8.5 in 203.0.113.0/24`
    fn client(&self) -> String {
        format!("{} in {}", self.refused.client.agent.as_str(), self.refused.client.network())
    }
}

/// The change that made it so.
async fn setter(session: &Session, refused: &Refused) -> Result<Option<Change>, Failure> {
    let Some(site) = refused.site else { return Ok(None) };
    let (thing, id, field, value) = match (refused.cause, &refused.decided) {
        (_, Some(own)) if own.place.is_site() => (Thing::Site, site, own.setting.as_str(), own.value.as_str()),
        (_, Some(own)) => (Thing::Rule, own.rule, own.setting.as_str(), own.value.as_str()),
        (Cause::Closed, None) => (Thing::Site, site, "state", "stopped"),
        _ => return Ok(None),
    };
    Ok(session.store().find_setter(thing, id, field, value, refused.revision).await?)
}

fn steps(refused: &Refused, table: &SiteTable, setter: Option<&Change>) -> Vec<Step> {
    let mut steps = vec![listener(refused), server_name(refused, table), site(refused, table)];
    if let Some(decided) = &refused.decided {
        let (words, more) = words::place(decided, &refused.path);
        let link = refused.site.filter(|id| table.site(*id).is_some()).map(|id| {
            let address =
                if decided.place.is_site() { format!("/sites/{id}/ssl") } else { format!("/sites/{id}/ssl#rules") };
            (address, "SSL settings now".to_owned())
        });
        steps.push(Step { more, link, ..Step::new("Folder", words) });
        steps.push(setting(decided, table));
    }
    if let Some(change) = setter {
        let words = format!("{} {}", change.author, change.summary);
        let link = Some((format!("/activity/{}", change.revision), "See the change".into()));
        steps.push(Step { more: format::date_time(&change.at), link, ..Step::new("Set by", words) });
    } else if refused.decided.is_some() {
        steps.push(Step::new("Set by", "Activity does not tell: it was so from the beginning."));
    }
    steps.push(Step { more: words::why(refused).into(), ..Step::new("Answer", words::code(refused.cause)) });
    steps
}

fn setting(decided: &Decided, table: &SiteTable) -> Step {
    let Some(list) = decided.trust_list() else { return Step::new("Setting", words::setting(decided)) };
    let link = table.trust_list(Trusted::List(list)).is_ok();
    let link = link.then(|| (format!("/trust-lists/{list}"), "See the list".to_owned()));
    Step { link, ..Step::new("Setting", format!("{TRUST_LABEL}: {}", list_name(list, table))) }
}

fn listener(refused: &Refused) -> Step {
    let (ip, port) = (refused.listener.ip(), refused.listener.port());
    let protocol = if refused.came.is_tls { "https" } else { "http" };
    Step::new("Port", format!("{protocol} on port {port}, at the address {ip}"))
}

fn server_name(refused: &Refused, table: &SiteTable) -> Step {
    let more = words::came(refused.came);
    if !refused.came.is_tls {
        let words = match refused.came.transport {
            Transport::Proxied => "None here: it came over TLS to a trusted proxy",
            _ => "None: it came in plain HTTP",
        };
        return Step { more, ..Step::new("Handshake", words) };
    }
    let led_to = name_of(refused.site, table);
    let words = match &refused.server_name {
        Some(name) => format!("Asked for {}, which led to {led_to}", name.unicode()),
        None => format!("Asked for no name; the address alone led to {led_to}"),
    };
    Step { more, ..Step::new("Handshake", words) }
}

fn site(refused: &Refused, table: &SiteTable) -> Step {
    let host = refused.host.as_ref().map_or_else(|| "no host name".to_owned(), |host| host.unicode());
    let words = match refused.cause {
        Cause::BadHost => "Which host the request is for can’t be told".to_owned(),
        Cause::BadPath => format!("Asked for {host}; no site was looked for"),
        Cause::NoSite => format!("Asked for {host}, which no site has there"),
        Cause::OtherSite => format!("Asked for {host}, which does not belong to {}", name_of(refused.site, table)),
        _ => format!("Asked for {host}, which led to {}", name_of(refused.site, table)),
    };
    let link = refused.site.filter(|id| table.site(*id).is_some());
    let link = link.map(|id| (format!("/sites/{id}"), "See the site".to_owned()));
    Step { link, ..Step::new("Host", words) }
}

/// A site's name, while it exists.
fn name_of(site: Option<i64>, table: &SiteTable) -> String {
    match site.map(|id| table.site(id)) {
        Some(Some(site)) => site.name.clone(),
        Some(None) => "a site that was deleted since".into(),
        None => "no site".into(),
    }
}

#[cfg(test)]
mod tests;
