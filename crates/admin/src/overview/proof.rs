//! How many sites fresh clients have proven to be as intended.

use siteward_core::receipt::Receipt;
use siteward_core::site::{Site, SiteState};
use siteward_core::status::Receipts;
use siteward_core::table::SiteTable;
use time::OffsetDateTime;

use crate::format;

/// What is known of a site as it is now.
pub(super) fn current<'a>(receipts: &'a Receipts, site: &Site) -> Option<&'a Receipt> {
    receipts.get(&site.id).map(|receipt| &**receipt).filter(|receipt| receipt.version == site.version)
}

/// `38 of 41 running sites are proven as intended by real connections on this server, no longer ago than an hour.`
pub(super) fn sentence(table: &SiteTable, receipts: &Receipts, now: OffsetDateTime) -> String {
    let (mut running, mut proven, mut failing) = (0, 0, 0);
    let mut oldest = now;
    for site in
        table.sites().filter(|site| site.state == SiteState::Running && !site.locked && !site.bindings.is_empty())
    {
        running += 1;
        match current(receipts, site) {
            Some(receipt) if receipt.is_good() => {
                proven += 1;
                oldest = oldest.min(receipt.at);
            }
            Some(receipt) if receipt.fault(|_| true).is_some() => failing += 1,
            // Nobody was sent yet, or nothing leads to a binding.
            _ => {}
        }
    }
    let untried = running - proven - failing;
    if running == 0 {
        return "No running site has a binding, so nothing is proven from outside.".into();
    }
    let of = format::count(running, "running site", "running sites");
    let mut sentence =
        format!("{} of {of} proven as intended by real connections on this server", format::number(proven));
    if proven > 0 {
        sentence += &format!(", no longer ago than {}", when(oldest, now));
    }
    sentence += ".";
    if failing > 0 {
        sentence += &format!(" {} not as intended.", be(failing));
    }
    if untried > 0 {
        sentence += &format!(" {} not tried yet.", be(untried));
    }
    sentence
}

fn be(count: usize) -> String {
    format!("{} {}", format::number(count), if count == 1 { "is" } else { "are" })
}

fn when(oldest: OffsetDateTime, now: OffsetDateTime) -> String {
    let passed = now - oldest;
    match passed.whole_minutes() {
        0 => "a minute".into(),
        minutes @ 1..60 => format::count(minutes + 1, "minute", "minutes"),
        _ => format::count(passed.whole_hours() + 1, "hour", "hours"),
    }
}
