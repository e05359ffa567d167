//! What a change of trusted proxies would mean, judged by what came: the panel beside the form, before anything is saved.

use std::collections::BTreeSet;

use siteward_core::binding::Protocol;
use siteward_core::proxies::{Networks, Shift, Speech};
use siteward_core::site::{Site, SiteId};
use siteward_core::table::SiteTable;
use siteward_core::traffic::{Preview, Shifted};

use super::{few, speech};
use crate::error::Failure;
use crate::format;
use crate::session::Session;
use crate::traffic::{Bar, bars, first_hour, reasons, span};

/// Hours of sites that are read at most, about half a second's work.
const HOURS: usize = 5_000;

/// Hours of one site that are read.
const HOURS_OF_A_SITE: usize = 7 * 24;

/// Sites that are looked at, where reading all of their traffic may be too much.
const SITES: usize = 200;

/// Sites that are shown one by one.
const SHOWN: usize = 10;

/// What would change, for `listeners/figures.html`.
pub(crate) struct Panel {
    pub(crate) shift: Shift,
    pub(crate) is_https: bool,
    /// Requests over TLS that ended at a trusted proxy, as they would come in clear.
    pub(crate) unbelieved: Preview,
    /// `In the last 7 days`, or since when there is something to judge by.
    pub(crate) span: String,
    /// Requests from networks that are newly believed.
    pub(crate) attributed: u64,
    /// `20 get 403.4 SSL required`
    pub(crate) reasons: Vec<String>,
    pub(crate) bars: Vec<Bar>,
    /// The sites with most of these requests.
    pub(crate) sites: Vec<Concerned>,
    /// How many more there are.
    pub(crate) more: usize,
    /// Sites that are reached at the listener.
    pub(crate) reached: usize,
    /// Those of them whose traffic was looked at.
    pub(crate) looked_at: usize,
}

/// A site to which some of the requests came.
pub(crate) struct Concerned {
    pub(crate) id: SiteId,
    pub(crate) name: String,
    pub(crate) requests: u64,
    /// `20 refused, 3 redirected`
    pub(crate) words: String,
}

impl Panel {
    /// What it means that `then` comes after the table in force; `None` where everybody is believed as now.
    pub(crate) async fn new(session: &Session, then: &SiteTable) -> Result<Option<Self>, Failure> {
        let Some(shift) = session.table().shift(then) else { return Ok(None) };
        let is_https = shift.protocol == Protocol::Https;
        // Of those who are no longer believed over https, nothing is counted.
        let is_counted = !is_https || !shift.gained.is_empty();
        let reached = if is_counted { then.reached_at(shift.listener) } else { BTreeSet::new() };
        let mut panel = Self {
            is_https,
            unbelieved: Preview::default(),
            span: String::new(),
            attributed: 0,
            reasons: Vec::new(),
            bars: Vec::new(),
            sites: Vec::new(),
            more: 0,
            reached: reached.len(),
            looked_at: 0,
            shift,
        };
        let (first, mut hours) = (first_hour(session.now), 0);
        for id in most_first(session, reached).await? {
            let Some(site) = then.site(id).filter(|_| hours < HOURS) else { continue };
            let came = session.store().list_traffic(id, first).await?;
            hours += came.len();
            panel.add(site, &Shifted::new(&panel.shift, then, site, &came));
        }
        panel.span = span(panel.unbelieved.since, first);
        panel.reasons = reasons(&panel.unbelieved.reasons);
        panel.bars = bars(&panel.unbelieved);
        panel.sites.sort_by_key(|site| std::cmp::Reverse(site.requests));
        panel.more = panel.sites.len().saturating_sub(SHOWN);
        panel.sites.truncate(SHOWN);
        Ok(Some(panel))
    }

    fn add(&mut self, site: &Site, shifted: &Shifted) {
        self.looked_at += 1;
        self.unbelieved.add(&shifted.unbelieved);
        self.attributed += shifted.attributed;
        if shifted.requests() > 0 {
            let (name, words) = (site.name.clone(), words(shifted));
            self.sites.push(Concerned { id: site.id, name, requests: shifted.requests(), words });
        }
    }

    /// How many would be refused, or sent back to where they came from, with those of which it can't be told.
    pub(crate) fn turned_away(&self) -> u64 {
        self.unbelieved.refused + self.unbelieved.redirected + self.unbelieved.unsure
    }

    /// Whether somebody is believed who was not in any way.
    pub(crate) fn has_newcomers(&self) -> bool {
        !self.shift.newcomers().is_empty()
    }

    /// How many would get no answer while a proxy doesn't announce them; 0 where that is not known, as of visitors whose proxy
    /// is believed in another way by now.
    pub(crate) fn unanswered(&self) -> u64 {
        let is_known = self.shift.newcomers() == self.shift.gained;
        if is_known { self.attributed } else { 0 }
    }

    /// How those speak who are no longer believed, and who they are.
    pub(crate) fn lost(&self) -> String {
        whom(self.shift.lost_speech, &self.shift.lost)
    }

    /// How those are to speak who are newly believed, and who they are.
    pub(crate) fn gained(&self) -> String {
        whom(self.shift.gained_speech, &self.shift.gained)
    }
}

fn whom(own: Speech, networks: &Networks) -> String {
    format!("{}, by {}", few(networks), speech(own))
}

/// The sites to look at: all, or where they are too many those to which something comes most of the time.
async fn most_first(session: &Session, reached: BTreeSet<SiteId>) -> Result<Vec<SiteId>, Failure> {
    if reached.len() <= HOURS / HOURS_OF_A_SITE {
        return Ok(Vec::from_iter(reached));
    }
    let busy = session.store().list_busy_sites(first_hour(session.now)).await?;
    Ok(busy.into_iter().filter(|id| reached.contains(id)).take(SITES).collect())
}

fn words(shifted: &Shifted) -> String {
    let Preview { requests, refused, redirected, .. } = shifted.unbelieved;
    let told = [
        (requests - refused - redirected, "in clear"),
        (refused, "refused"),
        (redirected, "redirected"),
        (shifted.attributed, "from their networks"),
    ];
    let told = told.iter().filter(|(requests, _)| *requests > 0);
    told.map(|(requests, words)| format!("{} {words}", format::number(*requests))).collect::<Vec<_>>().join(", ")
}
