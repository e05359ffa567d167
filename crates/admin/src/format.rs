//! Dates, numbers and words as people read them. All times are UTC.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime};

type Format = &'static [BorrowedFormatItem<'static>];

const DATE: Format = format_description!("[day padding:none] [month repr:long] [year]");
const SHORT_DATE: Format = format_description!("[day padding:none] [month repr:short] [year]");
const DAY: Format = format_description!("[weekday] [day padding:none] [month repr:long]");
const TIME: Format = format_description!("[hour]:[minute]");
const MACHINE: Format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

fn text(at: OffsetDateTime, format: Format) -> String {
    at.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_default()
}

/// `24 November 2026`.
pub(crate) fn date(at: &OffsetDateTime) -> String {
    text(*at, DATE)
}

/// `24 Nov 2026`.
pub(crate) fn short_date(at: &OffsetDateTime) -> String {
    text(*at, SHORT_DATE)
}

/// `09:31`.
pub(crate) fn time(at: &OffsetDateTime) -> String {
    text(*at, TIME)
}

/// `24 November 2026, 09:31 UTC`.
pub(crate) fn date_time(at: &OffsetDateTime) -> String {
    format!("{}, {} UTC", date(at), time(at))
}

/// `2026-11-24T09:31:00Z`, for the `datetime` of a `time` element.
pub(crate) fn machine(at: &OffsetDateTime) -> String {
    text(*at, MACHINE)
}

/// A day as a heading: `Today, Tuesday 24 November`, and the year where it is another one.
pub(crate) fn day(day: Date, today: Date) -> String {
    let name = text(day.midnight().assume_utc(), DAY);
    match (today - day).whole_days() {
        0 => format!("Today, {name}"),
        1 => format!("Yesterday, {name}"),
        _ if day.year() == today.year() => name,
        _ => format!("{name} {}", day.year()),
    }
}

/// How long ago: by the minute below an hour, then by the time of day, then by the date.
pub(crate) fn ago(at: &OffsetDateTime, now: &OffsetDateTime) -> String {
    let passed = *now - *at;
    if passed < Duration::minutes(1) {
        return "just now".into();
    }
    if passed < Duration::hours(1) {
        return format!("{} ago", count(passed.whole_minutes(), "minute", "minutes"));
    }
    if at.date() == now.date() {
        return format!("at {}", time(at));
    }
    format!("on {}", date(at))
}

/// `1,203,443`.
pub(crate) fn number(value: impl TryInto<i64>) -> String {
    let value = value.try_into().unwrap_or(i64::MAX);
    let digits = value.unsigned_abs().to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|g| str::from_utf8(g).unwrap_or_default()).collect();
    format!("{}{}", if value < 0 { "-" } else { "" }, groups.join(","))
}

/// `1 site`, `1,203 sites`.
pub(crate) fn count(value: impl TryInto<i64>, one: &str, many: &str) -> String {
    let value = value.try_into().unwrap_or(i64::MAX);
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// `999`, `16 k`, `1.2 M`: where there is no room for more.
pub(crate) fn short_number(value: u64) -> String {
    match value {
        0..1_000 => value.to_string(),
        1_000..10_000 => format!("{:.1} k", value as f64 / 1e3),
        10_000..1_000_000 => format!("{} k", value / 1_000),
        1_000_000..10_000_000 => format!("{:.1} M", value as f64 / 1e6),
        _ => format!("{} M", number(value / 1_000_000)),
    }
}

/// `1.3 %`. Nothing but nothing is 0 %, and nothing but all is 100 %.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    match (part, whole) {
        (0, _) => "0 %".into(),
        (part, whole) if part == whole => "100 %".into(),
        _ => format!("{:.1} %", percent.clamp(0.1, 99.9)),
    }
}

/// A position or size in a chart, in percent of its width.
pub(crate) fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [many @ .., last] => format!("{} and {last}", many.join(", ")),
    }
}

/// What is left of a certificate: `9 days left`, `Expires today`, `Expired 3 days ago`.
pub(crate) fn days_left(days: i64) -> String {
    match days {
        0 => "Expires today".into(),
        1.. => format!("{} left", count(days, "day", "days")),
        _ => format!("Expired {} ago", count(-days, "day", "days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    #[test]
    fn dates_are_written_out_in_full_and_short() {
        let at = datetime!(2026-11-04 09:31:05 UTC);
        assert_eq!(super::date(&at), "4 November 2026");
        assert_eq!(short_date(&at), "4 Nov 2026");
        assert_eq!(date_time(&at), "4 November 2026, 09:31 UTC");
        assert_eq!(machine(&at), "2026-11-04T09:31:05Z");
    }

    #[test]
    fn a_day_is_named_by_its_distance_from_today() {
        let today = date!(2026 - 11 - 24);
        assert_eq!(day(today, today), "Today, Tuesday 24 November");
        assert_eq!(day(date!(2026 - 11 - 23), today), "Yesterday, Monday 23 November");
        assert_eq!(day(date!(2026 - 11 - 2), today), "Monday 2 November");
        assert_eq!(day(date!(2025 - 12 - 31), today), "Wednesday 31 December 2025");
    }

    #[test]
    fn what_passed_is_told_in_minutes_below_an_hour_only() {
        let now = datetime!(2026-11-24 09:31 UTC);
        for (at, words) in [
            (datetime!(2026-11-24 09:30:30 UTC), "just now"),
            (datetime!(2026-11-24 09:31:30 UTC), "just now"),
            (datetime!(2026-11-24 09:30 UTC), "1 minute ago"),
            (datetime!(2026-11-24 08:32 UTC), "59 minutes ago"),
            (datetime!(2026-11-24 00:10 UTC), "at 00:10"),
            (datetime!(2026-11-23 17:52 UTC), "on 23 November 2026"),
        ] {
            assert_eq!(ago(&at, &now), words);
        }
    }

    #[test]
    fn numbers_carry_thousands_commas() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_203_443), "1,203,443");
        assert_eq!(number(-1000), "-1,000");
        assert_eq!(number(usize::MAX), number(i64::MAX));
        assert_eq!(count(1, "site", "sites"), "1 site");
        assert_eq!(count(0, "site", "sites"), "0 sites");
    }

    #[test]
    fn a_share_is_rounded_but_never_to_nothing_or_all() {
        assert_eq!(share(16_204, 1_203_443), "1.3 %");
        assert_eq!(share(1, 1_000_000), "0.1 %");
        assert_eq!(share(999_999, 1_000_000), "99.9 %");
        assert_eq!((share(0, 0), share(5, 5)), ("0 %".into(), "100 %".into()));
    }

    #[test]
    fn a_short_number_has_at_most_two_digits_after_its_thousands() {
        for (value, short) in [(0, "0"), (999, "999"), (1_250, "1.2 k"), (16_204, "16 k"), (1_203_443, "1.2 M")] {
            assert_eq!(short_number(value), short);
        }
    }

    #[test]
    fn days_left_turn_into_days_since() {
        assert_eq!(days_left(9), "9 days left");
        assert_eq!(days_left(1), "1 day left");
        assert_eq!(days_left(0), "Expires today");
        assert_eq!(days_left(-1), "Expired 1 day ago");
    }

    #[test]
    fn words_are_joined_as_in_a_sentence() {
        let words = |n: usize| ["a", "b", "c"][..n].iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(list(&words(0)), "");
        assert_eq!(list(&words(1)), "a");
        assert_eq!(list(&words(2)), "a and b");
        assert_eq!(list(&words(3)), "a, b and c");
    }
}
