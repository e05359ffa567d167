//! The CA's reply: read, shown with what it would change, and installed.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::{FromRequest, Multipart};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::binding::BindingId;
use siteward_core::certificate::{CertificateFacts, SubjectName};
use siteward_core::chain::{Chain, Doubt, InstallError, X509, doubts};
use siteward_core::host::HostPattern;
use siteward_core::intake::{self, IntakeError, MAX_CERTIFICATES, MAX_REPLY};
use siteward_core::store::{Request, RequestId, RequestState, StoreError};

use super::page;
use crate::certificates::{Use, uses};
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal};
use crate::format;
use crate::session::Session;
use crate::shell::{Saved, Shell};

/// What was brought: files and pasted text.
#[derive(Debug, Default)]
struct Reply {
    files: Vec<Vec<u8>>,
    text: String,
}

impl Reply {
    /// Nothing where it is too large.
    async fn receive(request: axum::extract::Request) -> Result<Option<Self>, Failure> {
        let Some(request) = crate::fitting(request).await else { return Ok(None) };
        let multipart = Multipart::from_request(request, &()).await.map_err(|_| Failure::Malformed)?;
        match Self::collect(multipart).await {
            Err(Failure::TooLarge) => Ok(None),
            reply => reply.map(Some),
        }
    }

    async fn collect(mut multipart: Multipart) -> Result<Self, Failure> {
        let mut reply = Self::default();
        while let Some(field) = multipart.next_field().await? {
            match field.name() {
                Some("reply") => reply.files.push(field.bytes().await?.to_vec()),
                Some("text") => reply.text = String::from_utf8_lossy(&field.bytes().await?).into_owned(),
                _ => {}
            }
        }
        Ok(reply)
    }

    /// The field that what is wrong with it belongs to.
    fn field(&self) -> &'static str {
        let no_file = self.files.iter().all(|file| file.trim_ascii().is_empty());
        if no_file && !self.text.trim().is_empty() { "text" } else { "reply" }
    }

    /// Every certificate in it. A file input that was left empty arrives as an empty file.
    fn read(&self) -> Result<Vec<X509>, IntakeError> {
        let files = self.files.iter().map(Vec::as_slice);
        let parts: Vec<&[u8]> =
            files.chain([self.text.as_bytes()]).filter(|part| !part.trim_ascii().is_empty()).collect();
        if parts.is_empty() {
            return Err(IntakeError::Empty);
        }
        if parts.iter().map(|part| part.len()).sum::<usize>() > MAX_REPLY {
            return Err(IntakeError::TooLarge);
        }
        let mut certificates = Vec::new();
        for part in parts {
            certificates.extend(intake::read(part)?);
        }
        if certificates.len() > MAX_CERTIFICATES { Err(IntakeError::TooMany) } else { Ok(certificates) }
    }
}

/// A binding that could serve the new certificate.
struct Row {
    used: Use,
    /// Chosen to be switched.
    switch: bool,
}

/// One thing that was looked at.
struct Check {
    good: bool,
    title: &'static str,
    text: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "requests/install.html")]
struct InstallPage {
    shell: Shell,
    errors: Errors,
    request: Request,
    chain: Chain,
    rows: Vec<Row>,
    checks: Vec<Check>,
    doubts: Vec<Doubt>,
    confirmed: bool,
    /// How long the leaf lasts, in days.
    days: i64,
    /// The reply again, for the form that installs it.
    pem: String,
}

impl InstallPage {
    async fn new(session: &Session, request: Request, chain: Chain, form: &InstallForm) -> Result<Self, Failure> {
        let leaf = chain.leaf.facts(0);
        let served = |site, own: &CertificateFacts| {
            Some(site) == request.site || request.renews == Some(own.id) || same(&own.names, &leaf.names)
        };
        let chosen = |own: &Use| match form.chosen() {
            Some(chosen) => chosen.contains(&own.binding),
            None => leaf.covers_pattern(&own.host),
        };
        let rows: Vec<Row> =
            uses(&session.table(), served).into_iter().map(|used| Row { switch: chosen(&used), used }).collect();
        let hosts: Vec<&HostPattern> = rows.iter().map(|row| &row.used.host).collect();
        let doubts = doubts(&leaf, hosts, session.now);
        Ok(Self {
            shell: session.shell("/requests").await?,
            errors: Errors::default(),
            checks: checks(&request, &chain, &doubts),
            days: (leaf.not_after - leaf.not_before).whole_days(),
            pem: pem(&chain),
            confirmed: !form.confirmed.is_empty(),
            request,
            chain,
            rows,
            doubts,
        })
    }
}

/// Whether two certificates are for the same names, in any order.
fn same(one: &[SubjectName], other: &[SubjectName]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

/// The chain again as text, without what does not belong to it.
fn pem(chain: &Chain) -> String {
    let all = std::iter::once(&chain.leaf).chain(&chain.intermediates).chain(&chain.root);
    all.map(X509::to_pem).collect()
}

fn checks(request: &Request, chain: &Chain, doubts: &[Doubt]) -> Vec<Check> {
    let key = Check {
        good: true,
        title: "Key matches",
        text: format!("Request {}, public key {}", request.id, request.key_id.short()),
    };
    let dated = doubts.iter().find(|doubt| matches!(doubt, Doubt::Expired(_) | Doubt::NotYetValid(_)));
    let dates = Check {
        good: dated.is_none(),
        title: "Dates",
        text: match dated {
            Some(doubt) => doubt.to_string(),
            None => format!("Valid now, until {}", format::date(&chain.leaf.not_after)),
        },
    };
    vec![key, names(request, chain), dates, issuers(chain)]
}

fn names(request: &Request, chain: &Chain) -> Check {
    let left_out = request.subject.names.iter().filter(|name| !chain.leaf.names.contains(name));
    let left_out: Vec<String> = left_out.map(|name| name.unicode()).collect();
    let text = match left_out.as_slice() {
        [] => format!("All {} asked for", format::count(request.subject.names.len(), "name", "names")),
        some => format!("The CA left out {}.", format::list(some)),
    };
    Check { good: left_out.is_empty(), title: "Names covered", text }
}

/// The last certificate that would be sent.
fn top(chain: &Chain) -> &X509 {
    chain.intermediates.last().unwrap_or(&chain.leaf)
}

fn issuers(chain: &Chain) -> Check {
    let top = top(chain);
    let text = match chain.intermediates.len() {
        0 if chain.root.is_some() => format!("Signed by the root {} itself", top.issuer),
        0 => format!(
            "The reply holds no issuer. Visitors who don’t know {} would be warned: ask the CA for its bundle.",
            top.issuer
        ),
        n => format!("{} sent along, up to {}", format::count(n, "issuer is", "issuers are"), top.issuer),
    };
    let good = !chain.intermediates.is_empty() || chain.root.is_some();
    Check { good, title: "Chain complete", text }
}

/// The address that a reply is sent to, typed or loaded again: the reply is no longer there.
pub(crate) async fn show(_: Session, At(id): At<RequestId>) -> Answer {
    Ok(Redirect::to(&format!("/requests/{id}")).into_response())
}

/// Reads a reply and shows what installing it would change.
pub(crate) async fn preview(session: Session, At(id): At<RequestId>, body: axum::extract::Request) -> Answer {
    let request = session.store().find_request(id).await?;
    let Some(reply) = Reply::receive(body).await? else {
        return too_large(&session, request, "reply", String::new()).await;
    };
    let field = reply.field();
    if let Some(why) = request.state.closed() {
        return refuse(&session, request, reply.text, Errors::one(field, why), &[]).await;
    }
    let certificates = match reply.read() {
        Ok(certificates) => certificates,
        Err(IntakeError::TooLarge) => return too_large(&session, request, field, reply.text).await,
        Err(error) => return refuse(&session, request, reply.text, Errors::one(field, error), &[]).await,
    };
    match Chain::build(certificates.clone(), request.key_id) {
        Ok(chain) => {
            let page = InstallPage::new(&session, request, chain, &InstallForm::default()).await?;
            Ok(page.into_response())
        }
        Err(error) => refuse(&session, request, reply.text, Errors::one(field, error), &certificates).await,
    }
}

/// The request's page, which says that the reply is too large.
async fn too_large(session: &Session, request: Request, field: &'static str, text: String) -> Answer {
    let mut response = refuse(session, request, text, Errors::one(field, IntakeError::TooLarge), &[]).await?;
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    Ok(response)
}

/// The request's page with what is wrong with the reply, and the request it answers instead, if there is one.
async fn refuse(session: &Session, request: Request, text: String, errors: Errors, certificates: &[X509]) -> Answer {
    let mut page = page(session, request, text, errors).await?;
    for certificate in certificates {
        let other = session.store().find_request_by_key(certificate.key_id).await?;
        let Some(other) = other.filter(|other| other.state == RequestState::Pending && other.id != page.request.id)
        else {
            continue;
        };
        let field = page.errors.fields().first().map_or("reply", |(field, _)| *field);
        page.errors =
            Errors::one(field, StoreError::OtherRequest { id: other.id, friendly_name: other.friendly_name.clone() });
        page.other = Some((other.id, other.friendly_name));
        break;
    }
    Ok((page.errors.status(), page).into_response())
}

/// The form of the preview.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct InstallForm {
    pem: String,
    /// The ids of the bindings to switch.
    b: Vec<String>,
    confirmed: String,
    /// `switch` or `keep`.
    #[serde(rename = "do")]
    action: String,
}

impl InstallForm {
    /// The bindings chosen; `None` where nothing was asked yet.
    fn chosen(&self) -> Option<Vec<BindingId>> {
        (!self.action.is_empty()).then(|| self.b.iter().filter_map(|id| id.parse().ok()).collect())
    }

    fn switch(&self) -> Vec<BindingId> {
        if self.action == "keep" { Vec::new() } else { self.chosen().unwrap_or_default() }
    }
}

/// Installs a reply, and switches the chosen bindings to it.
pub(crate) async fn install(session: Session, At(id): At<RequestId>, Fields(form): Fields<InstallForm>) -> Answer {
    let request = session.store().find_request(id).await?;
    let certificates = match intake::read(form.pem.as_bytes()) {
        Ok(certificates) => certificates,
        Err(error) => return refuse(&session, request, form.pem, Errors::one("text", error), &[]).await,
    };
    let (switch, confirmed) = (form.switch(), !form.confirmed.is_empty());
    let by = session.author();
    let refusal = match session.store().complete_request(id, certificates.clone(), &switch, confirmed, &by).await {
        Ok(certificate) => {
            let what = if switch.is_empty() { Saved::CertificateInstalled } else { Saved::CertificateSwitched };
            return Ok(session.saved(&format!("/certificates/{certificate}"), what).await);
        }
        Err(refusal) => refusal,
    };
    if matches!(refusal, StoreError::Doubtful(_)) {
        let chain =
            Chain::build(certificates, request.key_id).map_err(|error: InstallError| StoreError::from(error))?;
        let mut page = InstallPage::new(&session, request, chain, &form).await?;
        page.errors = Errors::one("confirmed", format!("{refusal} Tick below to install it all the same."));
        return Ok((page.errors.status(), page).into_response());
    }
    let errors = match refusal {
        StoreError::RequestClosed(why) => Errors::one("text", why),
        refusal => Refusal::from(refusal).errors(session.now)?.at("reply", "text"),
    };
    refuse(&session, request, form.pem, errors, &certificates).await
}
