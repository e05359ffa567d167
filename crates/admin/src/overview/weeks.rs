//! When certificates expire, week by week: a chart whose sizes are percentages, so that its text never scales.

use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, Weekday};

use crate::format::{self, percent};

/// How far the chart looks ahead: as long as a public certificate may last today.
pub(crate) const DAYS: i64 = 200;

/// Room above the axis for a bar and its count, in pixels.
const BAR_ROOM: i64 = 120;
const AXIS: i64 = 140;
/// From how many percent of the width on a label has no room on a phone.
const LATE: f64 = 91.0;
/// The height of one certificate, unless there are many.
const TALLEST_UNIT: i64 = 20;

/// One week that has any.
pub(crate) struct Week {
    pub(crate) monday: String,
    pub(crate) count: i64,
    /// In percent of the width.
    pub(crate) x: String,
    pub(crate) middle: String,
    pub(crate) width: String,
    /// In pixels from the top.
    pub(crate) y: i64,
    pub(crate) height: i64,
    pub(crate) text_y: i64,
}

/// The beginning of a month on the axis.
pub(crate) struct Month {
    pub(crate) x: String,
    pub(crate) label: String,
    /// So far right that its label stands before it.
    pub(crate) late: bool,
}

/// The whole chart.
pub(crate) struct Weeks {
    pub(crate) total: i64,
    pub(crate) weeks: Vec<Week>,
    pub(crate) months: Vec<Month>,
}

impl Weeks {
    /// Counts what expires between now and [`DAYS`] from now.
    pub(crate) fn new(expiries: impl Iterator<Item = OffsetDateTime>, now: OffsetDateTime) -> Self {
        let first = monday(now.date());
        let last = now + Duration::days(DAYS);
        let number = ((monday(last.date()) - first).whole_days() / 7 + 1) as usize;
        let mut counts = vec![0i64; number];
        for at in expiries.filter(|at| now <= *at && *at <= last) {
            counts[((at.date() - first).whole_days() / 7) as usize] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let unit = (BAR_ROOM as f64 / most as f64).min(TALLEST_UNIT as f64);
        let weeks = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(index, &count)| {
            let share = 100.0 / number as f64;
            let height = (unit * count as f64).round().max(2.0) as i64;
            Week {
                monday: format::short_date(&(first + Duration::weeks(index as i64)).midnight().assume_utc()),
                count,
                x: percent((index as f64 + 0.1) * share),
                middle: percent((index as f64 + 0.5) * share),
                width: percent(0.8 * share),
                y: AXIS - 1 - height,
                height,
                text_y: AXIS - 6 - height,
            }
        });
        let weeks = weeks.collect();
        Self { total: counts.iter().sum(), weeks, months: months(first, number as i64 * 7) }
    }
}

fn monday(day: Date) -> Date {
    if day.weekday() == Weekday::Monday { day } else { day.prev_occurrence(Weekday::Monday) }
}

fn months(first: Date, days: i64) -> Vec<Month> {
    let begins = (0..days).map(|day| (day, first + Duration::days(day))).filter(|(_, date)| date.day() == 1);
    let month = |(day, date): (i64, Date)| {
        let format = match date.month() {
            time::Month::January => format_description!("[month repr:short] ’[year repr:last_two]"),
            _ => format_description!("[month repr:short]"),
        };
        let x = 100.0 * day as f64 / days as f64;
        Month { x: percent(x), label: date.format(&format).unwrap_or_default(), late: x > LATE }
    };
    begins.map(month).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-24 09:31 UTC);

    #[test]
    fn certificates_are_counted_in_the_week_they_expire_in() {
        let days = [0, 5, 6, 200].map(|days| NOW + Duration::days(days));
        let weeks = Weeks::new(days.into_iter(), NOW);
        let counted: Vec<_> = weeks.weeks.iter().map(|week| (week.monday.as_str(), week.count)).collect();
        assert_eq!(counted, [("23 Nov 2026", 2), ("30 Nov 2026", 1), ("7 Jun 2027", 1)]);
        assert_eq!(weeks.total, 4);
    }

    #[test]
    fn what_has_expired_or_is_far_away_is_left_out() {
        let far = [NOW - Duration::DAY, NOW + Duration::days(201)];
        assert_eq!(Weeks::new(far.into_iter(), NOW).total, 0);
    }

    #[test]
    fn bars_stay_in_their_room_however_many_there_are() {
        let weeks = Weeks::new(std::iter::repeat_n(NOW, 100_000), NOW);
        assert_eq!((weeks.weeks[0].height, weeks.weeks[0].y), (BAR_ROOM, AXIS - 1 - BAR_ROOM));
    }

    #[test]
    fn january_names_its_year() {
        let labels: Vec<_> = Weeks::new(std::iter::empty(), NOW).months.into_iter().map(|month| month.label).collect();
        assert_eq!(labels, ["Dec", "Jan ’27", "Feb", "Mar", "Apr", "May", "Jun"]);
    }
}
