//! What needs somebody: ranked, each with one action.

mod trust_lists;

use std::collections::BTreeMap;
use std::sync::Arc;

use siteward_core::certificate::{CertificateFacts, CertificateId};
use siteward_core::receipt::Cause;
use siteward_core::site::{Enforcement, Site, SiteState};
use siteward_core::status::Listening;
use siteward_core::store::{Leaking, RequestState, TakenBack};
use siteward_core::table::{Listen, SiteTable};
use siteward_core::trial::Trial;
use time::{Duration, OffsetDateTime};

use super::proof;
use crate::error::Failure;
use crate::format;
use crate::next::{self, Stock};
use crate::session::Session;
use crate::words::{self, SOON_DAYS};

/// The most of one kind that are told one by one.
const EACH: usize = 5;

/// How many pending requests are read.
const READ: i64 = 1000;

/// For how long a CA may take without being mentioned.
const PATIENCE: Duration = Duration::days(3);

/// One line of the list.
#[derive(Debug)]
pub(crate) struct Attention {
    pub(crate) tone: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) href: String,
    pub(crate) action: &'static str,
}

/// The worst first.
pub(crate) async fn list(session: &Session) -> Result<Vec<Attention>, Failure> {
    let (table, now) = (session.table(), session.now);
    let stock = Stock::read(session).await?;
    let mut list = Vec::new();
    list.extend(session.store().vault_trouble().as_deref().map(vault));
    list.extend(ports(session, &table));
    list.extend(taken_back(session).await?);
    list.extend(failing(session, &table));
    list.extend(leaks(session, &table).await?);
    list.extend(closed(&table, &stock, now));
    list.extend(trust_lists::list(session, &table).await?);
    list.extend(open(&table, &stock, now));
    list.extend(without_https(&table, now));
    list.extend(expiring(&table, now));
    list.extend(waiting(session).await?);
    list.extend(tried(session, &table).await?);
    Ok(list)
}

fn vault(trouble: &str) -> Attention {
    Attention {
        tone: "bad",
        icon: "bad",
        title: "Private keys can’t be used".into(),
        text: trouble.into(),
        href: "/certificates".into(),
        action: "See certificates",
    }
}

/// Sites that were sent credentials in clear, the newest first.
async fn leaks(session: &Session, table: &SiteTable) -> Result<Vec<Attention>, Failure> {
    let first = session.store().list_leaking_sites(EACH as i64).await?;
    let all = usize::try_from(session.store().count_leaking_sites().await?).unwrap_or_default();
    let more = all.saturating_sub(first.len());
    let line = |(site, leaking): (&Site, Leaking)| Attention {
        tone: "bad",
        icon: "bad",
        title: format!("{} was sent credentials in clear", site.name),
        text: format!(
            "{} with a cookie or a password, the last {}. Nothing was served in clear, but others on the way could read what was sent.",
            format::count(leaking.requests, "request", "requests"),
            format::ago(&leaking.last_at, &session.now)
        ),
        href: format!("/sites/{}/traffic", site.id),
        action: "See who",
    };
    let first = first.into_iter().filter_map(|leaking| Some((table.site(leaking.site)?.as_ref(), leaking)));
    Ok(with_rest(first.map(line).collect(), more, "sites were sent credentials in clear", "/sites"))
}

fn ports(session: &Session, table: &SiteTable) -> Vec<Attention> {
    let failed = |(listen, state): (&Listen, &Listening)| match state {
        Listening::Open => None,
        Listening::Failed(cause) => Some(port(table, listen, cause)),
    };
    let ports: Vec<Attention> = session.console.status.listening().iter().filter_map(failed).collect();
    few(ports.into_iter(), "ports could not be opened", "/listeners", |port| port)
}

fn port(table: &SiteTable, listen: &Listen, cause: &str) -> Attention {
    let site = table.sites().find(|site| site.bindings.iter().any(|binding| binding.place.port.get() == listen.port));
    let (href, action) = match site {
        Some(site) => (format!("/sites/{}", site.id), "See the binding"),
        None => ("/sites".into(), "See the sites"),
    };
    let address = listen.ip.map(|ip| format!(" at {ip}")).unwrap_or_default();
    let title = format!("Port {}{address} could not be opened", listen.port);
    Attention { tone: "bad", icon: "bad", title, text: cause.into(), href, action }
}

/// New certificates that fresh clients refused.
async fn taken_back(session: &Session) -> Result<Vec<Attention>, Failure> {
    let all = session.store().list_taken_back_from(None).await?;
    let line = |back: TakenBack| Attention {
        tone: "bad",
        icon: "bad",
        title: format!("The new certificate {} was taken back", back.friendly_name),
        text: format!("{} The one from before is served again.", back.fault),
        href: format!("/certificates/{}", back.certificate),
        action: "See the certificate",
    };
    Ok(all.into_iter().map(line).collect())
}

/// Running sites where fresh clients did not get what was intended. Ports that are not open and closed sites are told by
/// themselves.
fn failing(session: &Session, table: &SiteTable) -> Vec<Attention> {
    let receipts = session.console.status.receipts();
    let fault = |site: &Site| {
        let receipt = proof::current(&receipts, site)?;
        receipt.fault(|cause| cause != Cause::Port).map(str::to_owned)
    };
    let open = table.sites().filter(|site| !site.is_closed(session.now));
    let failing: Vec<(&Site, String)> = open.filter_map(|site| Some((site.as_ref(), fault(site)?))).collect();
    few(failing.into_iter(), "sites are not as intended", "/sites", |(site, fault)| Attention {
        tone: "bad",
        icon: "bad",
        title: format!("A visitor of {} does not get what is intended", site.name),
        text: fault,
        href: format!("/sites/{}", site.id),
        action: "See what a visitor gets",
    })
}

/// Running sites that let nobody in because their certificate has expired or is missing.
fn closed(table: &SiteTable, stock: &Stock, now: OffsetDateTime) -> Vec<Attention> {
    let sites = table.sites().filter(|site| {
        site.state == SiteState::Running && site.is_closed(now) && !site.bindings.is_empty() && !site.locked // told once for all of them
    });
    few(sites.collect::<Vec<_>>().into_iter(), "sites are closed", "/sites?view=closed", |site| {
        let certificates = site.bindings.iter().filter_map(|binding| binding.certificate.as_ref());
        let expired = certificates.filter(|facts| facts.not_after < now).map(|facts| facts.not_after).max();
        let why = match expired {
            Some(at) => format!("Its certificate expired on {}.", format::date(&at)),
            None if site.has_https() => "No certificate that it serves is valid today.".into(),
            None => "It requires SSL and has no https binding.".into(),
        };
        let next = stock.step(site);
        Attention {
            tone: "bad",
            icon: "closed",
            title: format!("{} is closed", site.name),
            text: format!("{why} The site answers nobody rather than fall back to plain HTTP."),
            href: next.href,
            action: next.action,
        }
    })
}

fn open(table: &SiteTable, stock: &Stock, now: OffsetDateTime) -> Vec<Attention> {
    let sites = table.sites().filter(|site| site.enforcement(table, now) == Enforcement::Open);
    few(sites.collect::<Vec<_>>().into_iter(), "sites are open", "/sites?view=open", |site| {
        let (text, next) = match site.has_https() {
            true => ("It answers plain HTTP, although it has HTTPS.", next::review(site)),
            false => ("It answers plain HTTP only.", stock.step(site)),
        };
        Attention {
            tone: "bad",
            icon: "bad",
            title: format!("{} is open", site.name),
            text: format!("{text} Anyone on the way can read or change what visitors get."),
            href: next.href,
            action: next.action,
        }
    })
}

/// Sites that have HTTPS, but not for each of their host names.
fn without_https(table: &SiteTable, now: OffsetDateTime) -> Vec<Attention> {
    let shut = |site: &Site| matches!(site.enforcement(table, now), Enforcement::Refuses | Enforcement::Redirects);
    let sites = table.sites().filter(|site| shut(site) && !next::without_https(site).is_empty());
    few(sites.collect::<Vec<_>>().into_iter(), "sites have host names without https", "/sites", |site| {
        let hosts = next::without_https(site);
        let have = if hosts.len() == 1 { "has" } else { "have" };
        let next = next::add(site);
        Attention {
            tone: "bad",
            icon: "bad",
            title: format!("{} {have} no https binding", next::names(&hosts)),
            text: format!("{} lets nobody in by that name.", site.name),
            href: next.href,
            action: next.action,
        }
    })
}

/// Each by itself while they are few; one line for the rest.
fn few<T>(
    all: impl ExactSizeIterator<Item = T>,
    rest: &str,
    href: &str,
    line: impl Fn(T) -> Attention,
) -> Vec<Attention> {
    let more = all.len().saturating_sub(EACH);
    with_rest(all.take(EACH).map(line).collect(), more, rest, href)
}

fn with_rest(mut list: Vec<Attention>, more: usize, rest: &str, href: &str) -> Vec<Attention> {
    if let (1.., Some(first)) = (more, list.first()) {
        list.push(Attention {
            tone: first.tone,
            icon: first.icon,
            title: format!("{} more {rest}", format::number(more)),
            text: String::new(),
            href: href.into(),
            action: "See them all",
        });
    }
    list
}

/// Certificates that are served and end within 30 days or have ended, the soonest first. Those of closed sites are told
/// with their sites.
fn expiring(table: &SiteTable, now: OffsetDateTime) -> Vec<Attention> {
    let mut used: BTreeMap<CertificateId, Used<'_>> = BTreeMap::new();
    for site in table.sites().filter(|site| !site.is_closed(now)) {
        for facts in site.bindings.iter().filter_map(|binding| binding.certificate.as_deref()) {
            if words::days_left(facts, now) >= SOON_DAYS {
                continue;
            }
            let used = used.entry(facts.id).or_insert(Used { facts, sites: Vec::new(), bindings: 0 });
            used.bindings += 1;
            if used.sites.last() != Some(&site.name.as_str()) {
                used.sites.push(&site.name);
            }
        }
    }
    let mut used: Vec<Used<'_>> = used.into_values().collect();
    used.sort_by_key(|used| used.facts.not_after);
    few(used.iter(), "certificates in use end soon or have ended", "/certificates", |used| used.line(now))
}

struct Used<'a> {
    facts: &'a CertificateFacts,
    sites: Vec<&'a str>,
    bindings: usize,
}

impl Used<'_> {
    fn line(&self, now: OffsetDateTime) -> Attention {
        let Self { facts, sites, bindings } = self;
        let of = match sites.as_slice() {
            [site] => site.to_string(),
            sites => format::count(sites.len(), "site", "sites"),
        };
        let expired = facts.not_after < now;
        let when = match words::days_left(facts, now) {
            _ if expired => "has expired".into(),
            0 => "expires today".into(),
            days => format!("expires in {}", format::count(days, "day", "days")),
        };
        let used_by = format::count(*bindings, "binding", "bindings");
        Attention {
            tone: if expired { "bad" } else { "warn" },
            icon: if expired { "bad" } else { "warn" },
            title: format!("The certificate of {of} {when}"),
            text: format!("{}, issued by {}, used by {used_by}.", format::date(&facts.not_after), facts.issuer),
            href: format!("/certificates/{}", facts.id),
            action: "See the certificate",
        }
    }
}

/// Settings that were tried to the end, and wait for somebody to decide.
async fn tried(session: &Session, table: &SiteTable) -> Result<Vec<Attention>, Failure> {
    let ended = |trial: &Trial| trial.rules.is_some() && trial.has_ended(session.now);
    let of = |site: &Arc<Site>| site.trials.iter().filter(|trial| ended(trial)).cloned().collect::<Vec<_>>();
    let all = table.sites().filter(|site| !site.trials.is_empty());
    let all: Vec<(&Site, Trial)> =
        all.flat_map(|site| of(site).into_iter().map(|trial| (site.as_ref(), trial))).collect();
    let mut list = Vec::new();
    for (site, trial) in all.iter().take(EACH) {
        let findings = session.store().trial_findings(site.id, trial).await?;
        let place = if trial.path.is_site() { site.name.clone() } else { format!("{} of {}", trial.path, site.name) };
        let requests = format::count(findings.requests, "request", "requests");
        list.push(Attention {
            tone: "warn",
            icon: "wait",
            title: format!("Report only for {place} has ended"),
            text: format!(
                "Of {requests} {} would have been refused. Put the settings in force, or end it.",
                format::number(findings.refused)
            ),
            href: format!("/sites/{}/ssl/trials/{}", site.id, trial.id),
            action: "See the report",
        });
    }
    Ok(with_rest(list, all.len().saturating_sub(EACH), "reports have ended", "/sites"))
}

/// Requests that have waited for their CA for a while, in one line.
async fn waiting(session: &Session) -> Result<Option<Attention>, Failure> {
    let pending = session.store().list_requests(Some(RequestState::Pending), 0, READ).await?;
    let old: Vec<_> = pending.iter().filter(|request| session.now - request.created_at > PATIENCE).collect();
    let Some(oldest) = old.last() else { return Ok(None) };
    let days = format::count((session.now - oldest.created_at).whole_days(), "day", "days");
    let have = if old.len() == 1 { "has waited" } else { "have waited up to" };
    let names: Vec<String> = old.iter().rev().take(EACH).map(|request| request.friendly_name.clone()).collect();
    Ok(Some(Attention {
        tone: "warn",
        icon: "wait",
        title: format!("{} {have} {days}", format::count(old.len(), "certificate request", "certificate requests")),
        text: format!("{}, the oldest made by {}.", names.join(", "), oldest.created_by),
        href: "/requests".into(),
        action: "Open requests",
    }))
}
