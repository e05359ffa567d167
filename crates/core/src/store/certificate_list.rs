//! The list of certificates: a filter as typed, saved views, and a page of it.

use sqlx::{QueryBuilder, Sqlite};
use time::{Duration, OffsetDateTime};

use super::rows::FactsRow;
use super::{Result, Store, to_millis};
use crate::certificate::CertificateFacts;
use crate::host::HostPattern;

/// From how many days on a certificate counts as one that expires.
const SOON_DAYS: i64 = 30;

/// The most words of a filter that are looked at.
const MAX_WORDS: usize = 20;

/// Which certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CertificateView {
    /// All of them.
    #[default]
    All,
    /// Valid, with fewer than 30 days left.
    Expiring,
    /// Past their last day.
    Expired,
    /// Served by no binding.
    Unused,
    /// Another one took their place.
    Replaced,
}

/// What to look for. Every part of it must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateFilter {
    words: Vec<String>,
    issuers: Vec<String>,
    owners: Vec<String>,
    days: Option<i64>,
    views: Vec<CertificateView>,
}

/// One line of the list of certificates.
#[derive(Debug, Clone)]
pub struct CertificateList {
    /// The leaf's facts.
    pub facts: CertificateFacts,
    /// What the team calls it.
    pub friendly_name: String,
    /// Who looks after it.
    pub owner: Option<String>,
    /// How many bindings serve it.
    pub bindings: i64,
    /// Another one took its place.
    pub replaced: bool,
}

#[derive(sqlx::FromRow)]
struct ListRow {
    id: i64,
    fingerprint: Vec<u8>,
    subject: String,
    issuer: String,
    names: String,
    not_before: i64,
    not_after: i64,
    friendly_name: String,
    owner: Option<String>,
    bindings: i64,
    replaced: bool,
}

impl CertificateView {
    /// Every view, in the order they are offered.
    pub const ALL: [Self; 5] = [Self::All, Self::Expiring, Self::Expired, Self::Unused, Self::Replaced];

    /// The word in the address; empty for all.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Unused => "unused",
            Self::Replaced => "replaced",
        }
    }

    /// Reads what [`CertificateView::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.as_str() == text)
    }
}

impl CertificateFilter {
    /// Reads a filter as typed: words, `days<30`, `issuer:NAME`, `owner:NAME` (in quotes where it has spaces), and the
    /// names of views such as `unused`. What is none of these is a word.
    pub fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for word in words(&text.to_lowercase()).into_iter().take(MAX_WORDS) {
            if let Some(days) = word.strip_prefix("days<").and_then(|days| days.parse::<i32>().ok()) {
                filter.days = Some(filter.days.map_or(days.into(), |own| own.min(days.into())));
            } else if let Some(issuer) = word.strip_prefix("issuer:").filter(|name| !name.is_empty()) {
                filter.issuers.push(issuer.to_owned());
            } else if let Some(owner) = word.strip_prefix("owner:").filter(|name| !name.is_empty()) {
                filter.owners.push(owner.to_owned());
            } else if let Some(view) = CertificateView::parse(&word) {
                filter.views.push(view);
            } else {
                filter.words.push(word);
            }
        }
        filter
    }

    /// The same within a view.
    pub fn within(&self, view: CertificateView) -> Self {
        let mut filter = self.clone();
        filter.views.push(view);
        filter
    }

    fn push_to(&self, query: &mut QueryBuilder<Sqlite>, now: OffsetDateTime) {
        query.push(" WHERE true");
        for word in &self.words {
            // Stored names are in the form of DNS.
            let name = HostPattern::parse(word).map_or(word.clone(), |pattern| pattern.to_string());
            let columns = [("c.subject", word), ("c.issuer", word), ("c.friendly_name", word), ("c.names", &name)];
            query.push(" AND (false");
            for (column, text) in columns {
                query.push(" OR ");
                contains(query, column, text);
            }
            query.push(")");
        }
        for issuer in &self.issuers {
            query.push(" AND ");
            contains(query, "c.issuer", issuer);
        }
        for owner in &self.owners {
            query.push(" AND c.owner_id IN (SELECT id FROM users u WHERE ");
            contains(query, "u.name", owner);
            query.push(")");
        }
        if let Some(days) = self.days {
            query.push(" AND c.not_after < ").push_bind(midnight_in(days, now));
        }
        for view in &self.views {
            let now_millis = to_millis(now);
            match view {
                CertificateView::All => query.push(""),
                CertificateView::Expiring => query
                    .push(" AND c.not_after >= ")
                    .push_bind(now_millis)
                    .push(" AND c.not_after < ")
                    .push_bind(midnight_in(SOON_DAYS, now)),
                CertificateView::Expired => query.push(" AND c.not_after < ").push_bind(now_millis),
                CertificateView::Unused => query.push(" AND ").push(UNUSED),
                CertificateView::Replaced => query.push(" AND ").push(REPLACED),
            };
        }
    }
}

/// No binding serves it.
const UNUSED: &str = "NOT EXISTS (SELECT 1 FROM bindings b WHERE b.certificate_id = c.id)";

/// Unused, while one that renews it is served.
const REPLACED: &str = "(NOT EXISTS (SELECT 1 FROM bindings b WHERE b.certificate_id = c.id)
    AND EXISTS (SELECT 1 FROM certificates n JOIN bindings b ON b.certificate_id = n.id WHERE n.renews = c.id))";

/// The pieces between spaces, quotes keeping spaces.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// A column holds a text, whatever its case in ASCII.
fn contains(query: &mut QueryBuilder<Sqlite>, column: &str, text: &str) {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    query.push(column).push(" LIKE ").push_bind(format!("%{escaped}%")).push(" ESCAPE '\\'");
}

/// The first moment at which fewer than `days` days of the calendar of UTC would have been left at `now`.
fn midnight_in(days: i64, now: OffsetDateTime) -> i64 {
    let today = now.to_offset(time::UtcOffset::UTC).date().midnight().assume_utc();
    today.checked_add(Duration::days(days)).map_or(i64::MAX, to_millis)
}

impl Store {
    /// Certificates, soonest to expire first, `limit` of them after the first `offset`.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_certificates(&self, offset: i64, limit: i64) -> Result<Vec<CertificateList>> {
        self.list_certificates_with(&CertificateFilter::default(), OffsetDateTime::UNIX_EPOCH, offset, limit).await
    }

    /// The same of those that a filter finds at `now`.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_certificates_with(
        &self,
        filter: &CertificateFilter,
        now: OffsetDateTime,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<CertificateList>> {
        let mut query = QueryBuilder::new(
            "SELECT c.id, c.fingerprint, c.subject, c.issuer, c.names, c.not_before, c.not_after, c.friendly_name,
                    (SELECT name FROM users u WHERE u.id = c.owner_id) AS owner,
                    (SELECT count(*) FROM bindings b WHERE b.certificate_id = c.id) AS bindings, ",
        );
        query.push(REPLACED).push(" AS replaced FROM certificates c");
        filter.push_to(&mut query, now);
        query.push(" ORDER BY c.not_after, c.id LIMIT ").push_bind(limit).push(" OFFSET ").push_bind(offset);
        let rows: Vec<ListRow> = query.build_query_as().fetch_all(self.reader()).await?;
        rows.into_iter().map(ListRow::read).collect()
    }

    /// How many certificates a filter finds.
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_certificates_with(&self, filter: &CertificateFilter, now: OffsetDateTime) -> Result<i64> {
        let mut query = QueryBuilder::new("SELECT count(*) FROM certificates c");
        filter.push_to(&mut query, now);
        Ok(query.build_query_scalar().fetch_one(self.reader()).await?)
    }

    /// How many certificates are installed.
    ///
    /// # Errors
    /// `Database`.
    pub async fn count_certificates(&self) -> Result<i64> {
        Ok(sqlx::query_scalar!("SELECT count(*) FROM certificates").fetch_one(self.reader()).await?)
    }
}

impl ListRow {
    fn read(self) -> Result<CertificateList> {
        let facts = FactsRow {
            id: self.id,
            fingerprint: self.fingerprint,
            subject: self.subject,
            issuer: self.issuer,
            names: self.names,
            not_before: self.not_before,
            not_after: self.not_after,
        };
        Ok(CertificateList {
            facts: facts.read()?,
            friendly_name: self.friendly_name,
            owner: self.owner,
            bindings: self.bindings,
            replaced: self.replaced,
        })
    }
}
