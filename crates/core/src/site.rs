//! A site: a name, its bindings, its content and its SSL settings.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::binding::{Binding, Protocol};
use crate::exemption::Exemptions;
use crate::host::{HostName, HostPattern};
use crate::ledger::Revision;
use crate::pages::Pages;
use crate::ssl::{Hsts, RequireSsl, Rules, Transport, Verdict};
use crate::table::SiteTable;
use crate::trial::Trial;

/// The page of a folder: the first of these that it has.
pub const DEFAULT_DOCUMENTS: [&str; 4] = ["index.html", "index.htm", "default.htm", "default.html"];

/// The row id of a site.
pub type SiteId = i64;

/// Whether a site answers at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteState {
    /// Visitors are answered.
    Running,
    /// Its bindings stay reserved, but nobody is answered.
    Stopped,
}

impl SiteState {
    /// `running` or `stopped`, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }

    /// Reads what [`SiteState::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "running" => Some(Self::Running),
            "stopped" => Some(Self::Stopped),
            _ => None,
        }
    }
}

/// One web site as the table holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Row id.
    pub id: SiteId,
    /// What the team calls it; unique, never shown to visitors of another site.
    pub name: String,
    /// The folder its files are served from.
    pub folder: PathBuf,
    /// Running or stopped.
    pub state: SiteState,
    /// What the site, its folders and files demand of a connection.
    pub rules: Arc<Rules>,
    /// What CAs find over plain HTTP although it may require SSL.
    pub exemptions: Arc<Exemptions>,
    /// Files that visitors get instead of the built-in pages.
    pub pages: Arc<Pages>,
    /// What browsers are told to remember; nothing where they need to remember nothing.
    pub hsts: Option<Hsts>,
    /// SSL settings that are judged beside those in force and reported only, by path.
    pub trials: Arc<[Trial]>,
    /// The revision of the last change to this site, carried by forms so that nobody overwrites another's edit.
    pub version: Revision,
    /// By protocol, port and host name.
    pub bindings: Vec<Binding>,
    /// Whether a trusted proxy may bring visitors over https to an http binding of it.
    pub proxied: bool,
    /// Whether browsers are told now that it may be built into them: it agrees, and nothing is missing for that.
    pub preloads: bool,
    /// Whether it has https and its private keys can't be used, because the master key is missing: nobody is answered.
    pub locked: bool,
}

/// What a visitor who comes without HTTPS gets from a site, in the console's four words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// Plain HTTP is answered with 403.4, or there is no http binding at all.
    Refuses,
    /// Plain HTTP is sent on to https.
    Redirects,
    /// Nobody is answered: the site is stopped or locked, or it needs HTTPS, has no certificate that is valid now, and no
    /// trusted proxy brings visitors over https that is good enough.
    Closed,
    /// Plain HTTP is answered with content.
    Open,
}

impl Site {
    /// What plain HTTP gets from this site of `table` at `now`, judged by what it demands where no folder or file sets
    /// anything else, by the dates of its certificates, and by who is trusted to have ended TLS.
    pub fn enforcement(&self, table: &SiteTable, now: OffsetDateTime) -> Enforcement {
        if self.is_closed(now) {
            return Enforcement::Closed;
        }
        let has_http = self.has_http();
        match self.rules.site().in_clear() {
            RequireSsl::Off if has_http => Enforcement::Open,
            // Without a name to redirect to, visitors get 403.4.
            RequireSsl::Redirect | RequireSsl::RedirectMoved
                if has_http && self.https_address(table, None, None).is_some() =>
            {
                Enforcement::Redirects
            }
            _ => Enforcement::Refuses,
        }
    }

    /// Whether nobody is answered at `now`, as [`Enforcement::Closed`] tells.
    pub fn is_closed(&self, now: OffsetDateTime) -> bool {
        let is_open = self.has_http() && self.rules.site().in_clear() == RequireSsl::Off;
        self.state == SiteState::Stopped
            || self.locked
            || !is_open && !self.has_valid_certificate(now) && !self.is_secured_by_proxies()
    }

    /// Whether it has an https binding.
    pub fn has_https(&self) -> bool {
        self.https().next().is_some()
    }

    fn has_http(&self) -> bool {
        self.bindings.iter().any(|b| b.place.protocol == Protocol::Http)
    }

    fn is_secured_by_proxies(&self) -> bool {
        self.proxied && self.rules.site().verdict(Transport::Proxied) == Verdict::Go
    }

    fn has_valid_certificate(&self, now: OffsetDateTime) -> bool {
        self.bindings.iter().filter_map(|b| b.certificate.as_deref()).any(|c| c.valid_at(now))
    }

    /// The exact and wildcard host names of its bindings, each once, in binding order.
    pub fn hosts(&self) -> Vec<&HostPattern> {
        let mut hosts: Vec<&HostPattern> = Vec::new();
        for binding in &self.bindings {
            let host = &binding.place.host;
            if *host != HostPattern::Any && !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    /// How many names that only a certificate tells are asked whether they lead here: each request in clear may ask them.
    const CERTIFIED: usize = 8;

    /// Where a visitor who came for `host` over http, to this machine's address `local`, should go: scheme, host and port of
    /// an https binding.
    ///
    /// Only names of this site are ever given out, whatever a visitor's Host header said, and whatever stands in a
    /// certificate that it shares with a neighbour. It is the first of these that is bound to this site by name, or leads to
    /// no other site of `table`:
    /// 1. `host`, where an https binding names it, exactly or by wildcard;
    /// 2. `host`, where an https binding without host name has a certificate for it;
    /// 3. the exact host names with an https binding;
    /// 4. the first few names without a star in the certificates of https bindings without host name.
    pub fn https_address(&self, table: &SiteTable, local: Option<IpAddr>, host: Option<&HostName>) -> Option<String> {
        let asked = host.into_iter().flat_map(|host| self.https_for(host).map(move |binding| (binding, host)));
        let exact = self.https().filter_map(|binding| match &binding.place.host {
            HostPattern::Exact(name) => Some((binding, name)),
            _ => None,
        });
        let certified = self.https().filter(|binding| binding.place.host == HostPattern::Any).flat_map(|binding| {
            let names = binding.certificate.iter().flat_map(|facts| facts.hosts());
            names.map(move |name| (binding, name))
        });
        let is_own = |(binding, name): &(&Binding, &HostName)| match binding.place.host {
            HostPattern::Exact(_) => true,
            _ => table.leads_only_to(self.id, &binding.place, local, name),
        };
        let few = certified.take(Self::CERTIFIED);
        asked.chain(exact).chain(few).find(is_own).map(|(binding, name)| binding.place.url(name.as_str()))
    }

    /// The https bindings for `host`: those that name it, then those without host name whose certificate does.
    fn https_for<'a>(&'a self, host: &'a HostName) -> impl Iterator<Item = &'a Binding> {
        let named = self.https().filter(|b| b.place.host != HostPattern::Any && b.place.host.covers(host));
        let certified = self.https().filter(|b| {
            b.place.host == HostPattern::Any && b.certificate.as_ref().is_some_and(|facts| facts.covers(host))
        });
        named.chain(certified)
    }

    fn https(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(|binding| binding.place.protocol == Protocol::Https)
    }
}
