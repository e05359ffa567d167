//! Whom settings would refuse, judged by what came: the panel beside the form, before anything is saved.

use std::collections::BTreeMap;

use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::{Refusal, Rules};
use siteward_core::traffic::{Hour, Preview, hour_of};
use time::{Duration, OffsetDateTime};

use crate::error::Failure;
use crate::format;
use crate::session::Session;
use crate::trust_lists::other_lists;

/// How far back is looked.
const DAYS: i64 = 7;

/// User agents that are shown one by one.
const AGENTS: usize = 4;

/// The panel "Before you save", for `sites/preview.html`.
pub(crate) struct Panel {
    pub(crate) site: SiteId,
    /// What would change, in words; empty for the settings that are in force.
    pub(crate) changes: String,
    /// What other trust lists would make of the certificates that came, in words.
    pub(crate) lists: Vec<String>,
    pub(crate) requests: u64,
    /// Those of them of which it can be told what they would have got.
    pub(crate) judged: u64,
    pub(crate) refused: u64,
    pub(crate) refused_then: u64,
    pub(crate) redirected: u64,
    /// Those of which it can't be told, but for the ones below.
    pub(crate) unsure: u64,
    /// Those that depend on a certificate only, which nobody asked for or looked at.
    pub(crate) unasked: u64,
    pub(crate) imported: u64,
    /// `1.3 %`
    pub(crate) share: String,
    /// `In the last 7 days`, or since when there is something to judge by.
    pub(crate) span: String,
    /// `16,000 get 403.4 SSL required`
    pub(crate) reasons: Vec<String>,
    pub(crate) bars: Vec<Bar>,
}

/// The refused requests of one family of user agents.
pub(crate) struct Bar {
    pub(crate) agent: String,
    pub(crate) count: u64,
    /// In percent of the longest.
    pub(crate) width: String,
}

impl Panel {
    /// What `rules` would have made of the last days.
    pub(crate) async fn new(session: &Session, site: &Site, rules: &Rules, changes: String) -> Result<Self, Failure> {
        let first = first_hour(session.now);
        let has_address = site.https_address(&session.table(), None, None).is_some();
        let hours = session.store().list_traffic(site.id, first).await?;
        let preview = Preview::new(rules, &site.rules, has_address, &hours);
        let judged = preview.requests - preview.unsure;
        Ok(Self {
            lists: other_lists(session, &site.rules, rules).await?,
            site: site.id,
            changes,
            requests: preview.requests,
            refused: preview.refused,
            refused_then: preview.refused_then,
            redirected: preview.redirected,
            unsure: preview.unsure - preview.unasked,
            unasked: preview.unasked,
            imported: preview.imported,
            share: match judged {
                0 => "Not known".into(),
                judged => format::share(preview.refused, judged),
            },
            judged,
            span: span(preview.since, first),
            reasons: reasons(&preview.reasons),
            bars: bars(&preview),
        })
    }
}

/// The first hour that is looked at.
pub(crate) fn first_hour(now: OffsetDateTime) -> Hour {
    hour_of(now - Duration::days(DAYS)) + 1
}

/// `In the last 7 days`, or since when there is something to judge by.
pub(crate) fn span(since: Option<Hour>, first: Hour) -> String {
    let begins = since.filter(|since| *since >= first + 24);
    match begins.and_then(|hour| OffsetDateTime::from_unix_timestamp(hour * 3600).ok()) {
        Some(begins) => format!("Since {}, from when there is something to judge by,", format::date_time(&begins)),
        None => format!("In the last {DAYS} days"),
    }
}

/// How many requests get which refusal, in words.
pub(crate) fn reasons(reasons: &BTreeMap<u8, u64>) -> Vec<String> {
    let reason = |(substatus, requests): (&u8, &u64)| {
        let refusal = Refusal::ALL.iter().find(|refusal| refusal.substatus() == *substatus);
        let words = refusal.map_or("", |refusal| refusal.reason());
        format!("{} 403.{substatus} {words}", format::count(*requests, "gets", "get"))
    };
    reasons.iter().map(reason).collect()
}

/// The refused requests by family of user agents.
pub(crate) fn bars(preview: &Preview) -> Vec<Bar> {
    let shown = preview.agents.iter().take(AGENTS);
    let mut bars: Vec<(String, u64)> = shown.map(|(agent, count)| (agent.as_str().to_owned(), *count)).collect();
    let others = preview.refused.saturating_sub(bars.iter().map(|(_, count)| count).sum());
    if others > 0 {
        bars.push(("All others".into(), others));
    }
    let longest = bars.iter().map(|(_, count)| *count).max().unwrap_or(1);
    let bar = |(agent, count): (String, u64)| {
        let width = format::percent(100.0 * count as f64 / longest as f64);
        Bar { agent, count, width }
    };
    bars.into_iter().map(bar).collect()
}
