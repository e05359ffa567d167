//! Trust lists in the console's words: what is known of what their CAs revoked, and what follows from it.

use siteward_core::store::{CrlFacts, CrlSource, Fetched, TrustListView, TrustedCa};
use siteward_core::trust_list::WhenStale;
use time::OffsetDateTime;

use crate::format::{ago, count, date, date_time, short_date, time};
use crate::words::State;

/// How many CAs are named one by one.
const NAMED: usize = 2;

/// What is done without a current revocation list, as a choice.
pub(crate) fn stale(choice: &WhenStale) -> &'static str {
    match choice {
        WhenStale::Closed => "Closed",
        WhenStale::Open => "Open",
    }
}

/// What visitors get under it.
pub(crate) fn stale_consequence(choice: &WhenStale) -> &'static str {
    match choice {
        WhenStale::Closed => "Whoever the missing list could name gets 403.13. Nobody who was revoked comes in.",
        WhenStale::Open => {
            "The last list that is known counts. Whoever was revoked since then comes in, and whoever it is not about."
        }
    }
}

/// What follows where a part of a list can't be read, and what to do.
pub(crate) const UNREADABLE: &str = "Restore the database from a backup; or make a new list, choose it wherever this one is asked, \
                                     and delete this one. The log of the server tells which row it is.";

/// The CAs of a list.
pub(super) fn cas(list: &TrustListView) -> String {
    let mut names: Vec<String> = list.cas.iter().take(NAMED).map(|ca| ca.certificate.subject.clone()).collect();
    match list.cas.len() - names.len() {
        0 if names.is_empty() => return "None: nobody is let in".into(),
        0 => {}
        others => names.push(count(others, "other", "others")),
    }
    crate::format::list(&names)
}

/// Whom it lets in, by the number of its allow rules.
pub(super) fn admitted(list: &TrustListView) -> String {
    match list.allow.len() {
        _ if !list.is_readable => "Nobody, as long as a part of it can’t be read".into(),
        0 => "Everybody whom its CAs vouch for".into(),
        1 => "Whoever meets its rule".into(),
        rules => format!("Whoever meets one of {rules} rules"),
    }
}

/// What is known of what a CA revoked.
pub(crate) fn revocations(ca: &TrustedCa, now: &OffsetDateTime) -> State {
    let state = |tone, icon, text: String| State { tone, icon, text };
    match (&ca.source, &ca.crl) {
        (CrlSource::Never, _) => state("warn", "warn", "Not checked".into()),
        (CrlSource::Fetched(Some(_)), None) if ca.fetched.is_none() => state("idle", "wait", "Not fetched yet".into()),
        (_, None) => state("bad", "bad", "No list".into()),
        (_, Some(crl)) if crl.next_update <= *now => {
            state("bad", "bad", format!("Out of date since {}", short_date(&crl.next_update)))
        }
        (_, Some(crl)) if !crl.is_whole => state("warn", "warn", "About a part of its certificates".into()),
        (CrlSource::Fetched(None), Some(_)) => state("warn", "warn", "Can’t be fetched any more".into()),
        (CrlSource::Own, Some(_)) => state("ok", "ok", "Always current".into()),
        (_, Some(crl)) => state("ok", "ok", format!("Current until {}", short_date(&crl.next_update))),
    }
}

/// The same of a whole list: the worst of its CAs.
pub(super) fn worst(list: &TrustListView, now: OffsetDateTime) -> State {
    if !list.is_readable {
        return State { tone: "bad", icon: "bad", text: "Can’t be read".into() };
    }
    let rank = |state: &State| ["bad", "warn", "idle", "ok"].iter().position(|tone| *tone == state.tone);
    let states = list.cas.iter().map(|ca| revocations(ca, &now));
    states.min_by_key(rank).unwrap_or(State { tone: "idle", icon: "", text: String::new() })
}

/// What follows from it for visitors.
pub(crate) fn consequence(ca: &TrustedCa, when_stale: &WhenStale, now: &OffsetDateTime) -> String {
    match (&ca.source, &ca.crl, when_stale) {
        (CrlSource::Never, ..) => "Whoever it revoked is let in.".into(),
        (_, Some(crl), _) if crl.next_update > *now => facts(crl, when_stale),
        (_, _, WhenStale::Closed) => "Its certificates get 403.13 until a current list is here.".into(),
        (_, Some(crl), WhenStale::Open) => format!("{} Whoever was revoked since is let in.", facts(crl, when_stale)),
        (_, None, WhenStale::Open) => "Whoever it revoked is let in until a list is here.".into(),
    }
}

fn facts(crl: &CrlFacts, when_stale: &WhenStale) -> String {
    let others = match when_stale {
        _ if crl.is_whole => "",
        WhenStale::Closed => " Those that the list is not about get 403.13.",
        WhenStale::Open => " Those that the list is not about are let in, revoked or not.",
    };
    let revoked = count(crl.revoked, "certificate", "certificates");
    format!("{revoked} revoked, as of {}.{others}", date(&crl.this_update))
}

/// What became of fetching last.
pub(crate) fn fetched(ca: &TrustedCa, now: &OffsetDateTime) -> String {
    if ca.source == CrlSource::Fetched(None) {
        return "It can’t be fetched, for its address can’t be read: set the address anew.".into();
    }
    let Some(Fetched { at, error, failures, due_at }) = &ca.fetched else {
        return "It is asked within a minute.".into();
    };
    let again = if due_at.date() == now.date() { format!("at {}", time(due_at)) } else { date_time(due_at) };
    match error {
        None => format!("Fetched {}. The next one is looked for {again}.", ago(at, now)),
        Some(error) => {
            let times = if *failures < 2 { String::new() } else { format!(" {failures} times in a row") };
            format!("Fetching failed{times}, last {}: {error} It is tried again {again}.", ago(at, now))
        }
    }
}

#[cfg(test)]
mod tests {
    use siteward_core::chain::X509;
    use siteward_core::store::CaOrigin;
    use siteward_core::testing_ca::TestCa;
    use siteward_core::trust_list::CrlAddress;
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    fn ca(source: CrlSource, next_update: Option<OffsetDateTime>, fetched: Option<Fetched>) -> TrustedCa {
        let this_update = datetime!(2026-11-01 12:00 UTC);
        let crl = next_update.map(|next_update| CrlFacts {
            number: None,
            this_update,
            next_update,
            revoked: 2,
            is_whole: true,
            taken_at: this_update,
        });
        let certificate = X509::parse(TestCa::new().root_der()).unwrap();
        TrustedCa { id: 1, origin: CaOrigin::Uploaded, certificate, source, crl, fetched }
    }

    fn address() -> CrlSource {
        CrlSource::Fetched(Some(CrlAddress::parse("http://pki.example/ca.crl").unwrap()))
    }

    #[test]
    fn what_is_known_of_revocations_is_told_with_what_follows_from_it() {
        let mut of_part = ca(CrlSource::Uploaded, Some(NOW + Duration::DAY), None);
        of_part.crl.as_mut().unwrap().is_whole = false;
        let (unread, part) = (CrlSource::Fetched(None), "About a part of its certificates");
        let (over, left) = (Some(NOW - Duration::DAY), Some(NOW + Duration::DAY));
        for (ca, text, closed, open) in [
            (ca(CrlSource::Never, None, None), "Not checked", "Whoever it revoked is let in.", "it revoked is let in."),
            (ca(CrlSource::Own, left, None), "Always current", "2 certificates revoked, as of 1", "2 certificates"),
            (ca(address(), None, None), "Not fetched yet", "403.13", "is let in until a list is here."),
            (ca(CrlSource::Uploaded, None, None), "No list", "403.13", "until a list is here."),
            (ca(CrlSource::Uploaded, left, None), "Current until 25 Nov 2026", "2 certificates", "2 certificates"),
            (ca(unread.clone(), left, None), "Can’t be fetched any more", "2 certificates", "2 certificates"),
            (ca(unread, None, None), "No list", "403.13", "until a list is here."),
            (of_part, part, "that the list is not about get 403.13.", "not about are let in, revoked or not."),
            (ca(address(), over, None), "Out of date since 23 Nov 2026", "403.13", "revoked since is let in."),
        ] {
            assert_eq!(revocations(&ca, &NOW).text, text);
            let told = |choice| consequence(&ca, &choice, &NOW);
            assert!(told(WhenStale::Closed).contains(closed), "{text}: {}", told(WhenStale::Closed));
            assert!(told(WhenStale::Open).contains(open), "{text}: {}", told(WhenStale::Open));
        }
    }

    #[test]
    fn a_list_of_which_a_part_can_t_be_read_is_told_as_letting_nobody_in() {
        let list = |is_readable| TrustListView {
            id: 1,
            name: "Partners".into(),
            when_stale: WhenStale::Open,
            version: 1,
            cas: Vec::new(),
            allow: Vec::new(),
            is_readable,
        };
        assert_eq!(admitted(&list(true)), "Everybody whom its CAs vouch for");
        assert_eq!(worst(&list(true), NOW).tone, "idle");
        assert!(admitted(&list(false)).starts_with("Nobody"));
        assert_eq!(worst(&list(false), NOW).text, "Can’t be read");
    }

    #[test]
    fn what_became_of_fetching_is_told_with_when_it_is_tried_again() {
        let (at, due_at) = (NOW - Duration::minutes(4), NOW + Duration::HOUR);
        let outcome = |error: Option<&str>, failures| {
            let outcome = Fetched { at, error: error.map(str::to_owned), failures, due_at };
            fetched(&ca(address(), None, Some(outcome)), &NOW)
        };
        assert_eq!(fetched(&ca(address(), None, None), &NOW), "It is asked within a minute.");
        assert!(fetched(&ca(CrlSource::Fetched(None), None, None), &NOW).ends_with("set the address anew."));
        assert_eq!(outcome(None, 0), "Fetched 4 minutes ago. The next one is looked for at 13:00.");
        let failed = outcome(Some("No answer."), 3);
        assert_eq!(
            failed,
            "Fetching failed 3 times in a row, last 4 minutes ago: No answer. It is tried again at 13:00."
        );
        assert!(outcome(Some("No answer."), 1).starts_with("Fetching failed, last"));
    }
}
