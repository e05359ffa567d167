//! The first page: how many sites let nobody in without HTTPS, and what needs attention.

mod attention;
mod proof;
mod weeks;

use std::collections::HashMap;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use siteward_core::site::Enforcement;
use siteward_core::store::ChangeFilter;
use siteward_core::table::SiteTable;
use time::{Duration, OffsetDateTime};

use crate::error::{Answer, Failure};
use crate::format::{self, percent};
use crate::session::Session;
use crate::shell::Shell;
use attention::Attention;
use weeks::Weeks;

/// How many changes the page tells of.
const RECENT: i64 = 7;

/// A part of the bar, and its line in the legend.
struct Segment {
    count: usize,
    /// After the count: `refuse plain HTTP`.
    words: &'static str,
    href: &'static str,
    /// The class that fills it; none for the hatch.
    class: &'static str,
    x: String,
    width: String,
}

struct Recent {
    at: OffsetDateTime,
    when: String,
    words: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "overview/show.html")]
struct OverviewPage {
    shell: Shell,
    headline: String,
    /// What fresh clients say of the sites, in sentences.
    proof: String,
    /// The bar in words.
    bar: String,
    segments: Vec<Segment>,
    attention: Vec<Attention>,
    recent: Vec<Recent>,
    weeks: Weeks,
    /// How many days the chart covers.
    days: i64,
}

/// The overview.
pub(crate) async fn show(session: Session) -> Answer {
    let (table, now) = (session.table(), session.now);
    let mut counts: HashMap<Enforcement, usize> = HashMap::new();
    for site in table.sites() {
        *counts.entry(site.enforcement(&table, now)).or_default() += 1;
    }
    let segments = segments(&counts, table.sites().len());
    let page = OverviewPage {
        headline: headline(table.sites().len(), counts.get(&Enforcement::Open).copied().unwrap_or(0)),
        proof: proof::sentence(&table, &session.console.status.receipts(), now),
        bar: bar(&segments, table.sites().len()),
        segments,
        attention: attention::list(&session).await?,
        recent: recent(&session).await?,
        weeks: Weeks::new(expiries(&table), now),
        days: weeks::DAYS,
        shell: session.shell("/").await?,
    };
    Ok(page.into_response())
}

fn headline(sites: usize, open: usize) -> String {
    let shut = sites - open;
    let lets = match (sites, shut) {
        (1, 0) => return "The only site lets visitors in without HTTPS.".into(),
        (1, _) => return "The only site lets nobody in without HTTPS.".into(),
        (_, 1) => "lets",
        _ => "let",
    };
    format!("{} of {} {lets} nobody in without HTTPS.", format::number(shut), format::count(sites, "site", "sites"))
}

fn bar(segments: &[Segment], sites: usize) -> String {
    let parts: Vec<String> =
        segments.iter().map(|part| format!("{} {}", format::number(part.count), part.words)).collect();
    format!("{}: {}", format::count(sites, "site", "sites"), parts.join(", "))
}

/// In the order of the bar. An empty part keeps its line in the legend.
fn segments(counts: &HashMap<Enforcement, usize>, sites: usize) -> Vec<Segment> {
    const GAP: f64 = 0.22;
    let kinds = [
        (Enforcement::Refuses, ["refuses plain HTTP", "refuse plain HTTP"], "/sites?view=refuses", "f-ok"),
        (Enforcement::Redirects, ["redirects to HTTPS", "redirect to HTTPS"], "/sites?view=redirects", ""),
        (Enforcement::Closed, ["is closed", "are closed"], "/sites?view=closed", "f-idle"),
        (Enforcement::Open, ["is open", "are open"], "/sites?view=open", "f-bad"),
    ];
    let mut x = 0.0;
    let segment = |(kind, [one, many], href, class): (_, [_; 2], _, _)| {
        let count = counts.get(&kind).copied().unwrap_or(0);
        let words = if count == 1 { one } else { many };
        let share = 100.0 * count as f64 / sites.max(1) as f64;
        let segment = Segment { count, words, href, class, x: percent(x), width: percent((share - GAP).max(0.0)) };
        x += share;
        segment
    };
    kinds.into_iter().map(segment).collect()
}

/// The last days of all certificates that a binding serves, each certificate once.
fn expiries(table: &SiteTable) -> impl Iterator<Item = OffsetDateTime> {
    let bindings = table.sites().flat_map(|site| &site.bindings);
    let served: HashMap<_, _> =
        bindings.filter_map(|binding| binding.certificate.as_ref()).map(|facts| (facts.id, facts.not_after)).collect();
    served.into_values()
}

async fn recent(session: &Session) -> Result<Vec<Recent>, Failure> {
    let changes = session.store().list_changes(&ChangeFilter::default(), RECENT).await?;
    let recent = changes.into_iter().map(|change| Recent {
        at: change.at,
        when: moment(change.at, session.now),
        words: format!("{} {}", change.author, change.summary),
    });
    Ok(recent.collect())
}

/// `09:31` today, `Mon` within a week, the date before that.
fn moment(at: OffsetDateTime, now: OffsetDateTime) -> String {
    if at.date() == now.date() {
        return format::time(&at);
    }
    if now - at < Duration::days(6) {
        return at.weekday().to_string().chars().take(3).collect();
    }
    format::short_date(&at)
}

#[cfg(test)]
mod tests;
