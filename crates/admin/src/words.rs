//! States in the console's words: each with a shape, a tone and a text.

use siteward_core::binding::Place;
use siteward_core::certificate::CertificateFacts;
use siteward_core::site::{Enforcement, Site, SiteState};
use siteward_core::status::{Listening, Status};
use siteward_core::table::SiteTable;
use time::{OffsetDateTime, UtcOffset};

use crate::format;

/// A state, for the macros `status` and `tag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// `ok`, `warn`, `bad` or `idle`.
    pub(crate) tone: &'static str,
    /// The icon's name; empty where the text alone says enough.
    pub(crate) icon: &'static str,
    /// In words.
    pub(crate) text: String,
}

/// From how many days on a certificate is called out.
pub(crate) const SOON_DAYS: i64 = 30;

fn state(tone: &'static str, icon: &'static str, text: impl Into<String>) -> State {
    State { tone, icon, text: text.into() }
}

/// Whether a site runs; closed where it happened rather than where somebody chose it.
pub(crate) fn running(site: &Site, now: OffsetDateTime) -> State {
    match (site.state, site.is_closed(now)) {
        (SiteState::Stopped, _) => state("idle", "stop", "Stopped"),
        (SiteState::Running, true) => state("bad", "closed", "Closed"),
        (SiteState::Running, false) => state("ok", "run", "Running"),
    }
}

/// What plain HTTP gets from a site, by its settings.
pub(crate) fn enforcement(table: &SiteTable, site: &Site, now: OffsetDateTime) -> State {
    match (site.enforcement(table, now), site.state) {
        (Enforcement::Refuses, _) => state("ok", "ok", "Refuses plain HTTP"),
        (Enforcement::Redirects, _) => state("ok", "redirect", "Redirects"),
        (Enforcement::Open, _) => state("bad", "bad", "Open"),
        (Enforcement::Closed, SiteState::Stopped) => state("idle", "closed", "Closed"),
        (Enforcement::Closed, SiteState::Running) => state("bad", "closed", "Closed"),
    }
}

/// How many days are left by the calendar of UTC: none on the last day, negative from the day after.
pub(crate) fn days_left(certificate: &CertificateFacts, now: OffsetDateTime) -> i64 {
    let date = |at: OffsetDateTime| at.to_offset(UtcOffset::UTC).date();
    (date(certificate.not_after) - date(now)).whole_days()
}

/// What is left of a certificate's days.
pub(crate) fn expiry(certificate: &CertificateFacts, now: OffsetDateTime) -> State {
    if now < certificate.not_before {
        return state("warn", "wait", format!("Valid from {}", format::short_date(&certificate.not_before)));
    }
    let days = days_left(certificate, now);
    if certificate.not_after < now {
        let text = if days == 0 { "Expired today".into() } else { format::days_left(days) };
        return state("bad", "bad", text);
    }
    match days {
        days if days < SOON_DAYS => state("warn", "warn", format::days_left(days)),
        days => state("idle", "", format::days_left(days)),
    }
}

/// Whether the port of a binding is open, as the server reports it.
pub(crate) fn port(status: &Status, place: &Place) -> State {
    match status.listening_at(place) {
        Some(Listening::Open) => state("ok", "ok", "Open"),
        Some(Listening::Failed(cause)) => state("bad", "bad", format!("Not open: {cause}")),
        None => state("idle", "wait", "Not reported yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siteward_core::certificate::Fingerprint;
    use siteward_core::status::Reporter;
    use siteward_core::table::Listen;
    use time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    fn until(not_after: OffsetDateTime) -> CertificateFacts {
        CertificateFacts {
            id: 1,
            fingerprint: Fingerprint([0; 32]),
            subject: "shop.example".into(),
            issuer: "Meridian TLS CA 4".into(),
            names: Vec::new(),
            not_before: NOW - Duration::days(100),
            not_after,
        }
    }

    #[test]
    fn a_certificate_is_called_out_in_its_last_30_days_and_after_them() {
        for (left, tone, text) in [
            (Duration::days(163), "idle", "163 days left"),
            (Duration::days(30), "idle", "30 days left"),
            (Duration::days(29), "warn", "29 days left"),
            (Duration::hours(13), "warn", "1 day left"),
            (Duration::hours(11), "warn", "Expires today"),
            (Duration::hours(-1), "bad", "Expired today"),
            (Duration::hours(-13), "bad", "Expired 1 day ago"),
            (Duration::days(-3), "bad", "Expired 3 days ago"),
        ] {
            let state = expiry(&until(NOW + left), NOW);
            assert_eq!((state.tone, state.text.as_str()), (tone, text), "{left}");
        }
    }

    #[test]
    fn a_certificate_of_tomorrow_says_from_when() {
        let certificate = CertificateFacts { not_before: NOW + Duration::DAY, ..until(NOW + Duration::days(90)) };
        assert_eq!(expiry(&certificate, NOW).text, "Valid from 25 Nov 2026");
    }

    #[test]
    fn a_port_open_on_all_addresses_is_open_on_each() {
        let (reporter, status) = Reporter::new();
        let place = Place {
            protocol: siteward_core::binding::Protocol::Http,
            ip: Some([127, 0, 0, 1].into()),
            port: std::num::NonZeroU16::MIN,
            host: siteward_core::host::HostPattern::Any,
        };
        assert_eq!(port(&status, &place).text, "Not reported yet");
        let listen = Listen { ip: None, port: 1, protocol: place.protocol };
        reporter.report(1, [(listen, Listening::Open)].into());
        assert_eq!(port(&status, &place).text, "Open");
        reporter.report(2, [(listen, Listening::Failed("Permission denied.".into()))].into());
        assert_eq!(port(&status, &place).text, "Not open: Permission denied.");
    }
}
