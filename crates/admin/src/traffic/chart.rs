//! Requests over time: a chart whose sizes are percentages, so that its text never scales.

use siteward_core::traffic::{Hour, Source, Tally, hour_of};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::format::{self, percent};

/// Room above the axis for a bar and its count, in pixels.
const BAR_ROOM: f64 = 120.0;
const AXIS: f64 = 140.0;

/// How far back the page looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Day,
    Week,
    Quarter,
}

impl Span {
    pub(crate) const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Quarter];

    /// As in the address.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Quarter => "quarter",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.as_str() == text)
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Quarter => "90 days",
        }
    }

    /// How many bars there are, how many hours each covers, and every how manieth is labelled.
    fn bars(self) -> (i64, Hour, i64) {
        match self {
            Self::Day => (12, 2, 2),
            Self::Week => (7, 24, 1),
            Self::Quarter => (15, 6 * 24, 3),
        }
    }

    /// The first hour of the first bar; the last bar has the present hour.
    pub(crate) fn since(self, now: OffsetDateTime) -> Hour {
        let (number, width, _) = self.bars();
        let whole = width.min(24);
        (hour_of(now).div_euclid(whole) + 1) * whole - number * width
    }
}

/// A part of a bar, in pixels from the top.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) y: String,
    pub(crate) height: String,
}

/// The requests of some hours.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) begins: String,
    pub(crate) secure: u64,
    pub(crate) clear: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    /// In percent of the width.
    pub(crate) x: String,
    pub(crate) middle: String,
    pub(crate) width: String,
    pub(crate) secure_part: Part,
    pub(crate) clear_part: Part,
    pub(crate) text_y: String,
    /// On the axis; empty where there is no room.
    pub(crate) label: String,
}

impl Bar {
    /// The count above the bar.
    pub(crate) fn count(&self) -> String {
        format::short_number(self.secure + self.clear)
    }
}

/// The whole chart.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) bars: Vec<Bar>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    secure: u64,
    clear: u64,
    refused: u64,
    failed: u64,
}

impl Sums {
    fn add(&mut self, tally: &Tally) {
        for (class, count) in tally.classes() {
            let sum = if class.facts.is_secure() { &mut self.secure } else { &mut self.clear };
            *sum += count;
            self.refused += if class.answer.is_refusal() { count } else { 0 };
        }
        self.failed += tally.failures().map(|(_, count)| count).sum::<u64>();
    }
}

impl Chart {
    pub(crate) fn new(hours: &[(Hour, Source, Tally)], span: Span, now: OffsetDateTime) -> Self {
        let ((number, width, every), since) = (span.bars(), span.since(now));
        let mut sums = vec![Sums::default(); number as usize];
        for (hour, _, tally) in hours {
            if let Some(sums) = usize::try_from((hour - since).div_euclid(width)).ok().and_then(|i| sums.get_mut(i)) {
                sums.add(tally);
            }
        }
        let most = sums.iter().map(|sums| sums.secure + sums.clear).max().unwrap_or(0).max(1);
        let share = 100.0 / number as f64;
        let bar = |(index, sums): (i64, Sums)| {
            let height = |count: u64| (BAR_ROOM * count as f64 / most as f64).round();
            let (secure, clear) = (height(sums.secure), height(sums.clear));
            let part = |from: f64, height: f64| Part { y: pixels(AXIS - from - height), height: pixels(height) };
            let begins = OffsetDateTime::from_unix_timestamp((since + index * width) * 3600).unwrap_or(now);
            Bar {
                begins: begins_in_words(begins, width),
                secure: sums.secure,
                clear: sums.clear,
                refused: sums.refused,
                failed: sums.failed,
                x: percent((index as f64 + 0.1) * share),
                middle: percent((index as f64 + 0.5) * share),
                width: percent(0.8 * share),
                secure_part: part(0.0, secure),
                clear_part: part(secure, clear),
                text_y: pixels(AXIS - 5.0 - secure - clear),
                label: if index % every == 0 { label(begins, width) } else { String::new() },
            }
        };
        Self { bars: (0..).zip(sums).map(bar).collect() }
    }
}

fn pixels(value: f64) -> String {
    format!("{value}")
}

fn begins_in_words(at: OffsetDateTime, width: Hour) -> String {
    if width < 24 { format::date_time(&at) } else { format::date(&at) }
}

fn label(at: OffsetDateTime, width: Hour) -> String {
    let format = match width {
        ..24 => format_description!("[hour]:[minute]"),
        _ => format_description!("[day padding:none] [month repr:short]"),
    };
    at.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_last_bar_has_the_present_hour_and_all_bars_fit_into_what_is_kept() {
        let now = datetime!(2026-11-24 09:31 UTC);
        for span in Span::ALL {
            let (number, width, _) = span.bars();
            let since = span.since(now);
            assert_eq!((hour_of(now) - since).div_euclid(width), number - 1, "{span:?}");
            assert!(hour_of(now) - since <= 90 * 24, "{span:?}");
        }
    }
}
