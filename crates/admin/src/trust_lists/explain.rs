//! The explainer: what a client certificate opens, and why, for every site that asks for one.

use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::binding::Protocol;
use siteward_core::chain::X509;
use siteward_core::intake::IntakeError;
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::{RulePath, Verdict};
use siteward_core::store::{IssuedId, StoreError};
use siteward_core::table::SiteTable;
use siteward_core::trust_list::{Explained, Explainer, as_sent};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::SECTION;
use crate::App;
use crate::brought::Brought;
use crate::error::{Answer, Failure};
use crate::form::{Asked, Errors};
use crate::pager::Pager;
use crate::session::Session;
use crate::shell::Shell;
use crate::ssl::explain::closed;
use crate::words::State as Told;

const PATH: &str = "/trust-lists/explain";

/// What is said where a file is encrypted and came without its password.
const LOCKED: &str =
    "This is encrypted. Enter its password, or bring the certificate alone. Its private key is not looked at.";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ExplainQuery {
    /// A certificate that one of Siteward's own authorities signed.
    issued: String,
    page: String,
    per: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/explain.html")]
struct ExplainPage {
    shell: Shell,
    told: Option<Explanation>,
    text: String,
    errors: Errors,
    now: OffsetDateTime,
}

/// What one certificate opens.
struct Explanation {
    certificate: X509,
    /// How many CAs above it came along.
    above: usize,
    /// What was brought once more, to turn pages with; empty where the address says it.
    pem: String,
    places: Vec<Place>,
    pager: Pager,
    /// How many sites ask for no certificate.
    open: usize,
}

/// A place of a site, and what the certificate gets there.
struct Place {
    site: SiteId,
    name: String,
    path: String,
    /// The trust list that is asked there.
    list: String,
    gets: Told,
    why: String,
}

impl Explanation {
    fn new(table: &SiteTable, sent: &[X509], page: &str, per: &str, now: OffsetDateTime) -> Option<Self> {
        let (certificate, above) = sent.split_first()?;
        let whole = RulePath::site();
        let asking = || table.sites().filter(|site| site.rules.tls().ask_certificate);
        let places = || asking().flat_map(|site| places(site, &whole).map(move |path| (site, path)));
        let pager = Pager::new(PATH, places().count(), page, per);
        let mut explainer = Explainer::new(table, sent, now);
        let shown = places().skip(pager.offset()).take(pager.limit());
        let shown = shown.map(|(site, path)| match closed(site, Protocol::Https, now) {
            Some(why) => Place::closed(site, path, why),
            None => Place::new(table, site, path, explainer.at(site, path)),
        });
        Some(Self {
            certificate: certificate.clone(),
            above: above.len(),
            pem: String::new(),
            places: shown.collect(),
            pager,
            open: table.sites().len() - asking().count(),
        })
    }
}

/// The whole site, then each place with a rule.
fn places<'a>(site: &'a Site, whole: &'a RulePath) -> impl Iterator<Item = &'a RulePath> {
    let rules = site.rules.list().iter().map(|rule| &rule.path);
    [whole].into_iter().chain(rules.filter(|path| !path.is_site()))
}

impl Place {
    fn new(table: &SiteTable, site: &Site, path: &RulePath, told: Explained) -> Self {
        let list = told.demands.trust.value;
        let list = table.trust_list(list).ok().filter(|_| told.client.is_some());
        Self {
            site: site.id,
            name: site.name.clone(),
            path: path.to_string(),
            list: list.map(|list| list.name.clone()).unwrap_or_default(),
            gets: gets(told.verdict),
            why: told.why,
        }
    }

    /// At a site that nobody gets into over https, whatever they show.
    fn closed(site: &Site, path: &RulePath, why: &str) -> Self {
        let (text, why) = why.split_once(". ").unwrap_or((why, ""));
        Self {
            site: site.id,
            name: site.name.clone(),
            path: path.to_string(),
            list: String::new(),
            gets: Told { tone: "bad", icon: "closed", text: text.into() },
            why: why.into(),
        }
    }
}

fn gets(verdict: Verdict) -> Told {
    match verdict {
        Verdict::Go | Verdict::Redirect(_) => Told { tone: "ok", icon: "ok", text: "The page".into() },
        Verdict::Refuse(refusal) => {
            let text = format!("403.{} {}", refusal.substatus(), refusal.reason());
            Told { tone: "bad", icon: "bad", text }
        }
    }
}

/// The page to bring a certificate to; or the explanation of one that an authority here signed.
pub(crate) async fn new(session: Session, Asked(query): Asked<ExplainQuery>) -> Answer {
    let told = match query.issued.parse::<IssuedId>() {
        Ok(id) => explain_issued(&session, id, &query).await?,
        Err(_) => None,
    };
    page(&session, told, String::new(), Errors::default()).await
}

async fn explain_issued(
    session: &Session,
    id: IssuedId,
    query: &ExplainQuery,
) -> Result<Option<Explanation>, StoreError> {
    let issued = session.store().find_issued(id).await?;
    let mut sent = vec![issued.certificate];
    sent.extend(session.store().authority_chain(issued.authority).await?);
    let told = Explanation::new(&session.table(), &sent, &query.page, &query.per, session.now);
    Ok(told.map(|told| Explanation { pager: told.pager.keeping("issued", &query.issued), ..told }))
}

async fn page(session: &Session, told: Option<Explanation>, text: String, errors: Errors) -> Answer {
    let shell = session.shell(SECTION).await?;
    Ok((errors.status(), ExplainPage { shell, told, text, errors, now: session.now }).into_response())
}

/// Explains what was brought. Nothing of it is kept.
pub(crate) async fn show(session: Session, State(app): State<App>, body: axum::extract::Request) -> Answer {
    let brought = Arc::new(Brought::receive(body).await?.ok_or(Failure::TooLarge)?);
    match read(&app, &brought).await? {
        Ok(sent) => {
            let (number, per) = (brought.answer("page"), brought.answer("per"));
            let told = Explanation::new(&session.table(), &sent, number, per, session.now);
            let pem = sent.iter().map(X509::to_pem).collect();
            page(&session, told.map(|told| Explanation { pem, ..told }), String::new(), Errors::default()).await
        }
        Err(errors) => page(&session, None, brought.text(), errors).await,
    }
}

/// The certificate with those above it, as a client would send them.
async fn read(app: &App, brought: &Arc<Brought>) -> Result<Result<Vec<X509>, Errors>, Failure> {
    let password = Zeroizing::new(brought.answer("password").to_owned());
    let found = app.staging.open(brought.clone(), password).await?;
    let sent = found.map(|found| as_sent(&found.certificates));
    Ok(match sent {
        Ok(Ok(sent)) => Ok(sent),
        Ok(Err(which)) => Err(Errors::one(brought.field(), which)),
        Err(IntakeError::PasswordNeeded) => Err(Errors::one("password", LOCKED)),
        Err(error @ IntakeError::WrongPassword) => Err(Errors::one("password", error)),
        Err(error) => Err(Errors::one(brought.field(), error)),
    })
}
