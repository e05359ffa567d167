//! Trust lists that sites ask, and that need somebody.

use siteward_core::store::{CrlSource, TrustListView, TrustedCa};
use siteward_core::table::SiteTable;
use time::OffsetDateTime;

use super::{Attention, few};
use crate::error::Failure;
use crate::format;
use crate::session::Session;
use crate::trust_lists::words;

/// Lists that can't be read, and revocation lists that are missing, ran out, fail to be fetched time and again, or are
/// about a part of the certificates of their CA. The worst first, so that it is among those that are told one by one.
pub(super) async fn list(session: &Session, table: &SiteTable) -> Result<Vec<Attention>, Failure> {
    let mut lists = session.store().list_trust_lists().await?;
    lists.retain(|list| table.sites_asking(list.id).next().is_some());
    let unreadable = lists.iter().filter(|list| !list.is_readable).map(|list| Attention {
        tone: "bad",
        icon: "bad",
        title: format!("The trust list {} can’t be read", list.name),
        text: format!("As long as a part of it can’t be, it lets nobody in. {}", words::UNREADABLE),
        href: format!("/trust-lists/{}", list.id),
        action: "See the trust list",
    });
    let stale = lists.iter().flat_map(|list| list.cas.iter().filter_map(|ca| revocation(list, ca, &session.now)));
    let mut all: Vec<Attention> = unreadable.chain(stale).collect();
    all.sort_by_key(|line| line.tone != "bad");
    Ok(few(all.into_iter(), "trust lists or revocation lists need somebody", "/trust-lists", |line| line))
}

fn revocation(list: &TrustListView, ca: &TrustedCa, now: &OffsetDateTime) -> Option<Attention> {
    let failed = ca.fetched.as_ref().is_some_and(|fetched| fetched.failures > 1); // one failure is nothing yet
    let failed = failed || ca.source == CrlSource::Fetched(None);
    let is_stale = words::revocations(ca, now).tone == "bad";
    let happened = match &ca.crl {
        None if is_stale => "is missing".into(),
        Some(crl) if is_stale => format!("ran out on {}", format::date(&crl.next_update)),
        _ if failed => "can’t be fetched".into(),
        Some(crl) if !crl.is_whole => "is about a part of its certificates only".into(),
        _ => return None,
    };
    let why = if failed { format!(" {}", words::fetched(ca, now)) } else { String::new() };
    Some(Attention {
        tone: if is_stale { "bad" } else { "warn" },
        icon: if is_stale { "bad" } else { "warn" },
        title: format!("The revocation list of {} {happened}", ca.certificate.subject),
        text: format!("On the trust list {}. {}{why}", list.name, words::consequence(ca, &list.when_stale, now)),
        href: format!("/trust-lists/{}/cas/{}", list.id, ca.id),
        action: "See the revocation list",
    })
}
