//! How a request that gets no content is answered: with the site's own page or a built-in one, and a reference.

use std::net::IpAddr;

use http::request::Parts;
use siteward_core::path::UrlPath;
use siteward_core::refused::{Came, Cause, Decided, Reference, Refused};
use siteward_core::ssl::Transport;
use siteward_core::table::SiteTable;
use siteward_core::traffic::Answer as Code;
use time::OffsetDateTime;

use super::Visit;
use crate::answer::Answer;
use crate::content::OwnPage;
use crate::guard::{Learnt, Way, transport};
use crate::refusal::{Denial, Language, Told};

/// A request that was denied, and all that was learnt of it.
pub(super) struct Denied<'a> {
    /// What it was judged by.
    pub(super) table: &'a SiteTable,
    pub(super) way: &'a Way<'a>,
    pub(super) request: &'a Parts,
    pub(super) learnt: &'a Learnt,
    /// The visitor's address.
    pub(super) remote: IpAddr,
    pub(super) now: OffsetDateTime,
}

impl Visit {
    /// Answers a request that was denied, and tells the reference that the visitor gets.
    pub(super) async fn deny(&self, denial: Denial, denied: &Denied<'_>) -> (Answer, Option<Reference>) {
        let reference = self.keep(&denial, denied);
        if let Some(page) = self.own_page(&denial, denied.learnt, reference).await {
            return (denial.into_own_page(page), reference);
        }
        let told = Told { language: Language::of(&denied.request.headers), reference };
        (denial.into_answer(told), reference)
    }

    /// The file that the site has for this denial. Its rules are not asked: it is shown to those who meet none of them.
    async fn own_page(&self, denial: &Denial, learnt: &Learnt, reference: Option<Reference>) -> Option<OwnPage> {
        let site = learnt.site.as_ref().filter(|_| denial.is_of_its_site())?;
        let code = Code { status: denial.status().as_u16(), substatus: denial.substatus() };
        self.served.content.own_page(site, site.pages.find(code)?, reference).await
    }

    /// Keeps what somebody may be asked about, under a reference.
    fn keep(&self, denial: &Denial, denied: &Denied<'_>) -> Option<Reference> {
        let Denied { table, way, request, learnt, remote, now } = *denied;
        let cause = denial.cause(learnt.site.is_some())?;
        if !self.is_visitor {
            return None;
        }
        let client = self.served.traffic.client(request, remote);
        let of_connection = way.tls.map(|shaken| shaken.site);
        let transport = transport(way, learnt.certificate, request);
        let came = Came { transport, is_tls: way.tls.is_some(), is_seen: learnt.certificate.is_some() };
        self.served.references.give(client, |reference| Refused {
            reference,
            at: now,
            listener: way.local,
            server_name: self.server_name.clone(),
            host: learnt.host.clone(),
            site: learnt.site.as_ref().map(|site| site.id).or(of_connection),
            path: Refused::short_path(request.uri.path()),
            came,
            cause,
            revision: table.revision(),
            decided: decided(cause, learnt, request, transport),
            client,
        })
    }
}

/// The setting that was not met, where it is one.
fn decided(cause: Cause, learnt: &Learnt, request: &Parts, transport: Transport) -> Option<Decided> {
    if !matches!(cause, Cause::Unmet(_) | Cause::OlderSettings) {
        return None;
    }
    let (site, path) = (learnt.site.as_ref()?, UrlPath::parse(request.uri.path()).ok()?);
    Decided::of(&site.rules, &site.rules.demands(&path), transport)
}

impl Denial {
    /// What is kept of it; nothing of what nobody asks about. `is_of_site` tells whether its site was found.
    fn cause(&self, is_of_site: bool) -> Option<Cause> {
        match self {
            Self::BadHost(_) => Some(Cause::BadHost),
            Self::BadPath => Some(Cause::BadPath),
            Self::Refuse { refusal, .. } => Some(Cause::Unmet(*refusal)),
            Self::NoSite => Some(Cause::NoSite),
            Self::Misdirected if is_of_site => Some(Cause::OlderSettings),
            Self::Misdirected => Some(Cause::OtherSite),
            Self::Unreadable => Some(Cause::Unreadable),
            Self::Stopped => Some(Cause::Closed),
            Self::Redirect { .. } | Self::NoPage | Self::Method | Self::Busy => None,
        }
    }

    /// Whether its site answers for itself. 421 does not: the visitor may have meant another site.
    fn is_of_its_site(&self) -> bool {
        !matches!(self, Self::Redirect { .. } | Self::Misdirected)
    }
}
