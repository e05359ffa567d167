//! HTTP Strict Transport Security (RFC 6797): what a site tells browsers to remember, and when that may grow.

use std::fmt;

use time::{Duration, OffsetDateTime};

use super::RequireSsl;
use crate::binding::Protocol;
use crate::host::{HostName, HostPattern};
use crate::site::Site;
use crate::table::SiteTable;
use crate::traffic::{Failure, Hour, Source, Tally, hour_of};

/// What a browser is told to remember for how long, step by step, in seconds: 5 minutes, a day, a week, 180 days and two
/// years; and how long each is told before the next.
const RAMP: [(u32, Duration); 5] = [
    (300, Duration::DAY),
    (86_400, Duration::WEEK),
    (604_800, Duration::days(30)),
    (15_552_000, Duration::days(180)),
    (63_072_000, Duration::ZERO),
];

/// At least this is demanded of those who want to be built into browsers, in seconds.
const PRELOAD: u32 = 31_536_000;

/// Of so many secured requests one may have come to grief: there always are scanners.
const TOLERATED: u64 = 1000;

/// How far back traffic is looked at.
const LOOKED_AT: Duration = Duration::WEEK;

/// What becomes of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HstsMode {
    /// It grows by itself while nothing speaks against it.
    Ramp,
    /// It stays.
    Fixed,
    /// It is 0, for as long as browsers may remember what was told before.
    Unwind,
}

impl HstsMode {
    /// As stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ramp => "ramp",
            Self::Fixed => "fixed",
            Self::Unwind => "unwind",
        }
    }

    /// Reads what [`HstsMode::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ramp, Self::Fixed, Self::Unwind].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// What a site tells browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts {
    /// What becomes of the value.
    pub mode: HstsMode,
    /// How long browsers are to remember, in seconds.
    pub max_age: u32,
    /// It holds for all names below the host too.
    pub subdomains: bool,
    /// It agrees to being built into browsers; told only while [`preload_unmet`] names nothing.
    pub preload: bool,
    /// Since when this `max_age` is told.
    pub since: OffsetDateTime,
    /// Until when a browser may remember what was told before `since`.
    pub told_before: OffsetDateTime,
}

/// What a person wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HstsDraft {
    /// Told, and how; or taken back.
    pub order: HstsOrder,
    /// As [`Hsts::subdomains`].
    pub subdomains: bool,
    /// As [`Hsts::preload`].
    pub preload: bool,
}

/// Told, and how; or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HstsOrder {
    /// Browsers are told to forget, as long as they may remember anything.
    Off,
    /// From 5 minutes on, or from where the ramp is already.
    Ramp,
    /// These seconds.
    Fixed(u32),
}

/// What speaks for the next step of the ramp, or against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Whether fresh clients got what was intended; nothing where none has tried the site as it is.
    pub receipt: Option<bool>,
    /// Requests over TLS since the step was taken, of the last week.
    pub secured: u64,
    /// Of these and of the handshakes that failed: whoever was refused, trusted nothing, or had nothing in common.
    pub troubled: u64,
}

/// Why the ramp stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// No ramp, or its last step.
    Done,
    /// Fresh clients have not tried the site as it is.
    NotTried,
    /// Fresh clients did not get what was intended.
    Fault,
    /// No visitor came over TLS since the step was taken.
    NoTraffic,
    /// Too many visitors came to grief.
    Troubled(Evidence),
    /// It has not been told long enough.
    Until(OffsetDateTime),
}

impl Evidence {
    /// What `hours` tell of the time since the step was taken.
    pub fn new(receipt: Option<bool>, hours: &[(Hour, Source, Tally)]) -> Self {
        let mut evidence = Self { receipt, ..Self::default() };
        for (_, _, tally) in hours.iter().filter(|(_, source, _)| *source == Source::Recorded) {
            for (class, requests) in tally.classes().filter(|(class, _)| class.facts.is_secure()) {
                evidence.secured += requests;
                evidence.troubled += if class.answer.is_refusal() { requests } else { 0 };
            }
            let harmful = |failure| matches!(failure, Failure::NothingInCommon | Failure::Rejected | Failure::Closed);
            evidence.troubled += tally.failures().filter(|(own, _)| harmful(*own)).map(|(_, n)| n).sum::<u64>();
        }
        evidence
    }
}

impl Hsts {
    /// Seconds that may be fixed by hand.
    pub const ALLOWED: std::ops::RangeInclusive<u32> = 300..=63_072_000;

    /// The first step of the ramp.
    pub(crate) const FIRST: u32 = RAMP[0].0;

    /// The value of the `Strict-Transport-Security` field that `site` sends over https at `now`.
    pub fn field(&self, site: &Site, now: OffsetDateTime) -> Option<String> {
        if self.mode == HstsMode::Unwind && now >= self.told_before {
            return None;
        }
        let subdomains = if self.subdomains { "; includeSubDomains" } else { "" };
        let preload = self.preload && preload_unmet(site, self.max_age, self.subdomains).is_empty();
        Some(format!("max-age={}{subdomains}{}", self.max_age, if preload { "; preload" } else { "" }))
    }

    /// Until when a browser may remember what it is told up to `now`.
    pub fn remembered_until(&self, now: OffsetDateTime) -> OffsetDateTime {
        match self.mode {
            HstsMode::Unwind => self.told_before,
            _ => self.told_before.max(now + Duration::seconds(self.max_age.into())),
        }
    }

    /// The first hour of traffic that speaks of the step it is at.
    pub fn judged_from(&self, now: OffsetDateTime) -> Hour {
        hour_of(self.since.max(now - LOOKED_AT)) + 1
    }

    /// The next value of the ramp, or why it stays.
    ///
    /// # Errors
    /// [`Wait`].
    pub fn next(&self, evidence: Evidence, now: OffsetDateTime) -> Result<u32, Wait> {
        let at = RAMP.iter().position(|(step, _)| *step == self.max_age).ok_or(Wait::Done)?;
        let (next, _) = *RAMP.get(at + 1).filter(|_| self.mode == HstsMode::Ramp).ok_or(Wait::Done)?;
        let due = self.since + RAMP[at].1;
        match evidence {
            Evidence { receipt: None, .. } => Err(Wait::NotTried),
            Evidence { receipt: Some(false), .. } => Err(Wait::Fault),
            Evidence { secured: 0, troubled: 0, .. } => Err(Wait::NoTraffic),
            Evidence { secured, troubled, .. } if troubled * TOLERATED > secured => Err(Wait::Troubled(evidence)),
            _ if now < due => Err(Wait::Until(due)),
            _ => Ok(next),
        }
    }

    /// Whether there is anything to do about it at `now`: a step that may be due, or an end.
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        let step = || RAMP.iter().find(|(step, _)| *step == self.max_age).map(|(_, dwell)| self.since + *dwell);
        match self.mode {
            HstsMode::Fixed => false,
            HstsMode::Unwind => now >= self.told_before,
            HstsMode::Ramp => step().is_some_and(|due| now >= due),
        }
    }
}

/// What is missing before a site may agree to being built into browsers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// Browsers must remember for a year or longer.
    MaxAge,
    /// It must hold for all names below.
    Subdomains,
    /// No https binding names a host.
    NoHost,
    /// This host does not redirect from http to https on itself.
    Redirect(HostName),
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxAge => f.write_str("Browsers must be told to remember for a year or longer."),
            Self::Subdomains => f.write_str("It must hold for all names below too."),
            Self::NoHost => f.write_str("The site needs an https binding with a host name."),
            Self::Redirect(host) => write!(f, "http://{host} must redirect to https on the same name."),
        }
    }
}

/// What is missing before `site` may agree to being built into browsers.
pub fn preload_unmet(site: &Site, max_age: u32, subdomains: bool) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    if max_age < PRELOAD {
        unmet.push(Unmet::MaxAge);
    }
    if !subdomains {
        unmet.push(Unmet::Subdomains);
    }
    let names = |protocol| {
        site.bindings.iter().filter(move |b| b.place.protocol == protocol).filter_map(|b| match &b.place.host {
            HostPattern::Exact(name) => Some(name),
            _ => None,
        })
    };
    if names(Protocol::Https).next().is_none() {
        unmet.push(Unmet::NoHost);
    }
    let redirects = matches!(site.rules.site().in_clear(), RequireSsl::Redirect | RequireSsl::RedirectMoved);
    let same = |name: &HostName| {
        let address = site.https_address(Some(name)).unwrap_or_default();
        address.strip_prefix("https://").and_then(|rest| rest.strip_prefix(name.as_str())).is_some_and(is_port)
    };
    unmet.extend(names(Protocol::Http).filter(|name| !redirects || !same(name)).cloned().map(Unmet::Redirect));
    unmet.dedup();
    unmet
}

fn is_port(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(':')
}

/// The names below those of `site` that other bindings of the team still answer over plain HTTP, each with its site's name:
/// browsers would not go there any more. At most `limit`. Costs what the table holds; for pages only.
pub fn caught_below(table: &SiteTable, site: &Site, limit: usize) -> Vec<(String, String)> {
    let https = site.bindings.iter().filter(|b| b.place.protocol == Protocol::Https);
    let above: Vec<&HostPattern> = https.map(|b| &b.place.host).filter(|host| **host != HostPattern::Any).collect();
    let mut caught: Vec<(String, String)> = Vec::new();
    for other in table.sites().filter(|other| other.rules.site().in_clear() == RequireSsl::Off) {
        for binding in other.bindings.iter().filter(|b| b.place.protocol == Protocol::Http) {
            let name = binding.place.host.unicode();
            if above.iter().any(|above| is_below(&binding.place.host, above)) && !caught.iter().any(|own| own.0 == name)
            {
                caught.push((name, other.name.clone()));
            }
            if caught.len() == limit {
                return caught;
            }
        }
    }
    caught
}

/// Whether a name under `host` can be below one under `above`.
fn is_below(host: &HostPattern, above: &HostPattern) -> bool {
    let is_within = |name: &HostName, top: &HostName| {
        name.as_str().strip_suffix(top.as_str()).is_some_and(|rest| rest.ends_with('.'))
    };
    match (host, above) {
        (
            HostPattern::Exact(name) | HostPattern::Wildcard(name),
            HostPattern::Exact(top) | HostPattern::Wildcard(top),
        ) => is_within(name, top) || matches!(host, HostPattern::Wildcard(_)) && name == top,
        _ => false,
    }
}
