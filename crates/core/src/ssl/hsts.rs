//! HTTP Strict Transport Security (RFC 6797): what a site tells browsers to remember, and when that may grow.

mod names;
mod secured;

use time::{Duration, OffsetDateTime};

use crate::site::Site;
use crate::traffic::{Class, Failure, Hour, Source, Tally, hour_of};

pub(crate) use names::may_preload;
pub use names::{Caught, Unmet, caught_below, off_port, preload_unmet};

/// What a browser is told to remember for how long, step by step, in seconds: 5 minutes, a day, a week, 180 days and two
/// years; and how long each is told before the next.
const RAMP: [(u32, Duration); 5] = [
    (300, Duration::DAY),
    (86_400, Duration::WEEK),
    (604_800, Duration::days(30)),
    (15_552_000, Duration::days(180)),
    (63_072_000, Duration::ZERO),
];

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
    /// It agrees to being built into browsers; told only while [`Site::preloads`].
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
    /// Whether there is a name whose https is not where browsers would go: [`off_port`].
    pub is_off_port: bool,
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
    /// Browsers would go to a port where the site does not answer: [`off_port`].
    OffPort,
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
    /// What `hours` tell of the time since the step was taken, and `site` by itself.
    pub fn new(site: &Site, receipt: Option<bool>, hours: &[(Hour, Source, Tally)]) -> Self {
        let mut evidence = Self { receipt, is_off_port: !off_port(site).is_empty(), ..Self::default() };
        for (_, _, tally) in hours.iter().filter(|(_, source, _)| *source == Source::Recorded) {
            // 400 and 421 say nothing of the site: no setting of it was asked.
            let speaks = |class: &Class| class.facts.is_secure() && !matches!(class.answer.status, 400 | 421);
            for (class, requests) in tally.classes().filter(|(class, _)| speaks(class)) {
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
        Some(format!("max-age={}{subdomains}{}", self.max_age, if site.preloads { "; preload" } else { "" }))
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
        let (next, due) = self.following().ok_or(Wait::Done)?;
        match evidence {
            Evidence { is_off_port: true, .. } => Err(Wait::OffPort),
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
        match self.mode {
            HstsMode::Fixed => false,
            HstsMode::Unwind => now >= self.told_before,
            HstsMode::Ramp => self.following().is_some_and(|(_, due)| now >= due),
        }
    }

    /// The next step of the ramp, and from when on it may be taken.
    fn following(&self) -> Option<(u32, OffsetDateTime)> {
        let at = RAMP.iter().position(|(step, _)| *step == self.max_age)?;
        let (next, _) = *RAMP.get(at + 1).filter(|_| self.mode == HstsMode::Ramp)?;
        Some((next, self.since + RAMP[at].1))
    }
}
