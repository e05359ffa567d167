//! The ledger in words: who changed what, before and after.

pub(crate) mod undo;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::Value;
use siteward_core::ledger::{Change, Revision, Thing, Undo};
use siteward_core::proxies::Speech;
use siteward_core::site::SiteId;
use siteward_core::store::ChangeFilter;
use siteward_core::table::SiteTable;
use time::OffsetDateTime;

use crate::error::{Answer, Failure};
use crate::form::{Asked, address};
use crate::format;
use crate::listeners;
use crate::session::Session;
use crate::shell::Shell;
use crate::ssl;

/// How many changes a page shows.
const PER_PAGE: usize = 25;

/// How many sites the filter suggests while typing.
const SUGGESTED: usize = 200;

/// The changes of one day.
pub(crate) struct Day {
    pub(crate) title: String,
    pub(crate) entries: Vec<Entry>,
}

/// One change, for the macro `log`.
pub(crate) struct Entry {
    pub(crate) revision: Revision,
    pub(crate) at: OffsetDateTime,
    pub(crate) author: String,
    /// The summary up to the site's name, or all of it.
    pub(crate) summary: String,
    /// The site that the summary ends with, while it exists.
    pub(crate) site: Option<(SiteId, String)>,
    pub(crate) rows: Vec<DiffRow>,
    /// It was there before and after.
    pub(crate) edited: bool,
    /// The change that it undid.
    pub(crate) undoes: Option<Revision>,
    pub(crate) standing: Standing,
}

/// Whether a change can be undone.
pub(crate) enum Standing {
    /// It can, as far as can be told without trying.
    Open,
    /// It is.
    Undone {
        revision: Revision,
        /// Who undid it and when, as in `Tomas Reyes 2 minutes ago`.
        by: String,
    },
    /// It can't, and why.
    Final(&'static str),
}

/// One setting before and after; empty where there was or is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DiffRow {
    pub(crate) label: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// Changes as they are listed.
pub(crate) async fn entries(session: &Session, changes: Vec<Change>) -> Result<Vec<Entry>, Failure> {
    let revisions: Vec<Revision> = changes.iter().map(|change| change.revision).collect();
    let mut undone = session.store().list_undone(&revisions).await?;
    let table = session.table();
    let entry = |change: Change| {
        let standing = match (undone.remove(&change.revision), Undo::of(&change)) {
            (Some(undone), _) => Standing::Undone {
                revision: undone.revision,
                by: format!("{} {}", undone.by, format::ago(&undone.at, &session.now)),
            },
            (None, Ok(_)) => Standing::Open,
            (None, Err(why)) => Standing::Final(why),
        };
        Entry::new(change, standing, &table)
    };
    Ok(changes.into_iter().map(entry).collect())
}

impl Entry {
    fn new(change: Change, standing: Standing, table: &SiteTable) -> Self {
        let site = change.site.and_then(|id| table.site(id)).map(|site| (site.id, site.name.clone()));
        let split = site.and_then(|site| Some((change.summary.strip_suffix(&site.1)?.to_owned(), site)));
        let rows = rows(change.before.as_ref(), change.after.as_ref(), table);
        let edited = change.before.is_some() && change.after.is_some();
        let (summary, site) = match split {
            Some((summary, site)) => (summary, Some(site)),
            None => (change.summary.clone(), None),
        };
        let Change { revision, at, author, undoes, .. } = change;
        Self { revision, at, author, summary, site, rows, edited, undoes, standing }
    }
}

/// The settings that differ, with trust lists by their names of today.
fn rows(before: Option<&Value>, after: Option<&Value>, table: &SiteTable) -> Vec<DiffRow> {
    let named = |facts: Option<&Value>| {
        let mut facts = facts?.clone();
        if let Some((list, id)) = facts.get_mut("trust_list").and_then(|list| list.as_i64().map(|id| (list, id))) {
            *list = ssl::form::list_name(id, table).into();
        }
        Some(facts)
    };
    diff(named(before).as_ref(), named(after).as_ref())
}

/// The same as the ledger has them.
fn diff(before: Option<&Value>, after: Option<&Value>) -> Vec<DiffRow> {
    let fields = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
    let (before, after) = (fields(before), fields(after));
    let mut keys: Vec<&String> = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))).collect();
    keys.retain(|key| !UNTOLD.contains(&key.as_str()));
    keys.sort_by_key(|key| place(key));
    let row = |key: &String| {
        let words = |value: Option<&Value>| value.map(|value| words(key, value)).unwrap_or_default();
        DiffRow { label: label(key), before: words(before.get(key)), after: words(after.get(key)) }
    };
    keys.into_iter().map(row).filter(|row| row.before != row.after).collect()
}

/// What the ledger keeps for undoing a change, beside the same in words or too long to be told.
const UNTOLD: &[&str] = &["certificate_id", "content", "der", "ends_at", "owner_id", "requests", "told", "trial"];

/// The fields of the ledger as forms name them, in the order in which they are told.
const LABELS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("friendly_name", "Friendly name"),
    ("owner", "Owner"),
    ("text", "Note"),
    ("note", "For"),
    ("mail", "E-mail address"),
    ("site", "Site"),
    ("common_name", "Common name"),
    ("subject", "Subject"),
    ("names", "Names"),
    ("issuer", "Issuer"),
    ("key", "Key"),
    ("authority", "Authority"),
    ("serial", "Serial number"),
    ("reason", "Reason"),
    ("permitted", "Only these names"),
    ("excluded", "Not these names"),
    ("address", "Address for revocation lists"),
    ("valid_until", "Valid until"),
    ("protocol", "Protocol"),
    ("ip", "IP address"),
    ("port", "Port"),
    ("host", "Host name"),
    ("certificate", "Certificate"),
    ("switched", "Switched bindings"),
    ("fingerprint", "Fingerprint, SHA-256"),
    ("renews", "Takes the place of"),
    ("form", "As"),
    ("kind", "Kind"),
    ("may_export_keys", "May export private keys"),
    ("bindings", "Bindings"),
    ("rules", "Folder rules"),
    ("exemptions", "Answers to CAs"),
    ("trials", "Report only for"),
    ("pages", "Own pages"),
    ("folder", "Content folder"),
    ("path", "Folder or file"),
    ("bytes", "Bytes"),
    ("shown_for", "Shown for"),
    ("file", "File"),
    ("hsts", "HSTS"),
    ("max_age", "Remembered for"),
    ("subdomains", "Names below too"),
    ("preload", "Built into browsers"),
    ("require_ssl", "Require secure channel (SSL)"),
    ("min_tls", "Minimum TLS version"),
    ("strength", "Encryption strength"),
    ("key_exchange", "Key exchange"),
    ("client_certificates", "Client certificates"),
    ("trust_list", "Trust list"),
    ("when_stale", "Without a current revocation list"),
    ("cas", "CAs"),
    ("ca", "CA"),
    ("crl", "Revocation list"),
    ("crl_address", "Fetched from"),
    ("crl_of", "Made"),
    ("allow", "Lets in"),
    ("clear_credentials", "Credentials over plain HTTP"),
    ("networks", "Trusted proxies"),
    ("speech", "How they say it"),
    ("tried_since", "Tried since"),
    ("tried_until", "Tried until"),
    ("tried_by", "Tried by"),
    ("state", "State"),
    ("imported_requests", "Requests"),
    ("leaked_requests", "Requests with credentials in clear"),
];

/// An unknown field comes last and as it is.
fn place(key: &str) -> usize {
    LABELS.iter().position(|(own, _)| *own == key).unwrap_or(LABELS.len())
}

pub(crate) fn label(key: &str) -> String {
    LABELS.get(place(key)).map_or(key, |(_, label)| label).to_owned()
}

pub(crate) fn words(key: &str, value: &Value) -> String {
    match (key, value) {
        (_, Value::Null) => String::new(),
        ("ip", Value::String(ip)) if ip.is_empty() => "All addresses".into(),
        ("host", Value::String(host)) if host.is_empty() => "Any host name".into(),
        (kind, Value::String(value)) if let Some(words) = ssl::words::stored(kind, value) => words.into(),
        ("hsts", Value::String(mode)) if let Some(words) = ssl::hsts::mode(mode) => words.into(),
        ("max_age", Value::Number(seconds)) => seconds.as_u64().map(ssl::hsts::age).unwrap_or_default(),
        ("speech", Value::String(stored)) if let Some(speech) = Speech::parse(stored) => {
            listeners::speech(speech).into()
        }
        ("state" | "when_stale" | "crl", Value::String(word)) => capitalised(word),
        ("tried_since" | "tried_until" | "crl_of", Value::Number(millis)) => {
            millis.as_i64().map(moment).unwrap_or_default()
        }
        ("networks", Value::Array(networks)) if networks.is_empty() => "Nobody".into(),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Bool(true)) => "Yes".into(),
        (_, Value::Bool(false)) => "No".into(),
        (_, Value::Array(values)) if values.iter().all(Value::is_object) => {
            values.iter().filter_map(thing).collect::<Vec<_>>().join("; ")
        }
        (_, Value::Object(_)) => thing(value).unwrap_or_else(|| value.to_string()),
        (_, Value::Array(values)) => values.iter().map(|value| words(key, value)).collect::<Vec<_>>().join(", "),
        (_, other) => other.to_string(),
    }
}

/// A binding, a rule, an exemption, a page or whatever has a name, among several. The rule of the whole site is told by
/// itself.
fn thing(facts: &Value) -> Option<String> {
    let text = |field: &str| facts[field].as_str();
    if let Some(name) = text("name") {
        return Some(name.to_owned()); // the rest of it is for undoing
    }
    if let Some(path) = text("path") {
        return (path != "/").then(|| path.to_owned());
    }
    if let Some(file) = text("file") {
        return Some(format!("{file} for {}", text("shown_for")?));
    }
    let host = words("host", &facts["host"]);
    let at = text("ip").filter(|ip| !ip.is_empty()).map(|ip| format!(", at {ip}")).unwrap_or_default();
    Some(format!("{} on port {}, {host}{at}", text("protocol")?, facts["port"]))
}

/// A time as the ledger has it, in milliseconds since 1970.
fn moment(millis: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
    at.map(|at| format::date_time(&at)).unwrap_or_default()
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A page of changes by day, newest first, and where the older ones begin.
pub(crate) async fn days(session: &Session, filter: &ChangeFilter) -> Result<(Vec<Day>, Option<Revision>), Failure> {
    let mut changes = session.store().list_changes(filter, PER_PAGE as i64 + 1).await?;
    let more = changes.len() > PER_PAGE;
    changes.truncate(PER_PAGE);
    let older = changes.last().filter(|_| more).map(|change| change.revision);

    let today = session.now.date();
    let mut days: Vec<Day> = Vec::new();
    for entry in entries(session, changes).await? {
        let title = format::day(entry.at.date(), today);
        match days.last_mut() {
            Some(day) if day.title == title => day.entries.push(entry),
            _ => days.push(Day { title, entries: vec![entry] }),
        }
    }
    Ok((days, older))
}

#[derive(Debug, Deserialize)]
pub(crate) struct ActivityQuery {
    #[serde(default)]
    who: String,
    #[serde(default)]
    what: String,
    #[serde(default)]
    site: String,
    before: Option<Revision>,
}

#[derive(Template, WebTemplate)]
#[template(path = "activity/list.html")]
struct ActivityPage {
    shell: Shell,
    query: ActivityQuery,
    authors: Vec<String>,
    sites: Vec<String>,
    days: Vec<Day>,
    total: i64,
    older: String,
    /// The site asked for is not known.
    unknown_site: bool,
}

/// What changes are about, in the filter.
pub(crate) const THINGS: [(&str, &str); 12] = [
    ("site", "Sites and SSL settings"),
    ("binding", "Bindings"),
    ("rule", "SSL rules of folders and files"),
    ("trial", "SSL settings on trial"),
    ("exemption", "Answers to CAs over plain HTTP"),
    ("page", "Own pages of sites"),
    ("request", "Certificate requests"),
    ("certificate", "Certificates"),
    ("authority", "Authorities"),
    ("trust-list", "Trust lists"),
    ("proxies", "Trusted proxies"),
    ("user", "Team"),
];

/// Every change, newest first.
pub(crate) async fn list(session: Session, Asked(query): Asked<ActivityQuery>) -> Answer {
    let table = session.table();
    let wanted = query.site.trim().to_lowercase();
    let site = table.sites().find(|site| site.name.to_lowercase() == wanted);
    let unknown_site = !wanted.is_empty() && site.is_none();
    let filter = ChangeFilter {
        author: Some(query.who.clone()).filter(|who| !who.is_empty()),
        thing: Thing::parse(&query.what),
        site: site.map(|site| site.id),
        ..ChangeFilter::default()
    };
    let total = session.store().count_changes(&filter).await?;
    let (days, next) = days(&session, &ChangeFilter { before: query.before, ..filter }).await?;
    let older = next.map(|before| {
        let before = before.to_string();
        let fields = [("who", &query.who), ("what", &query.what), ("site", &query.site), ("before", &before)];
        address("/activity", &fields.map(|(name, value)| (name, value.as_str())))
    });
    Ok(ActivityPage {
        shell: session.shell("/activity").await?,
        authors: session.store().list_authors().await?,
        sites: table.sites().take(SUGGESTED).map(|site| site.name.clone()).collect(),
        days,
        total,
        older: older.unwrap_or_default(),
        unknown_site,
        query,
    }
    .into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Browser;
    use serde_json::json;

    fn row(label: &str, before: &str, after: &str) -> DiffRow {
        DiffRow { label: label.into(), before: before.into(), after: after.into() }
    }

    #[test]
    fn only_what_differs_is_told_in_the_words_of_the_forms() {
        let before = json!({ "name": "Shop", "require_ssl": "off", "state": "running" });
        let after = json!({ "name": "Shop", "require_ssl": "redirect", "state": "stopped" });
        let rows = diff(Some(&before), Some(&after));
        let ssl = row("Require secure channel (SSL)", "Off", "Redirect to HTTPS");
        assert_eq!(rows, [ssl, row("State", "Running", "Stopped")]);
    }

    #[test]
    fn what_is_new_or_gone_has_nothing_on_the_other_side() {
        let place = json!({ "protocol": "https", "ip": "", "port": 443, "host": "", "certificate": null });
        let rows = diff(None, Some(&place));
        assert_eq!(rows.len(), 4, "no certificate is no row: {rows:?}");
        assert!(rows.contains(&row("IP address", "", "All addresses")));
        assert!(rows.contains(&row("Host name", "", "Any host name")));
        assert!(diff(Some(&place), None).contains(&row("Port", "443", "")));
    }

    #[test]
    fn when_a_revocation_list_was_made_is_told_as_people_write_it_also_where_the_ledger_has_a_text() {
        let (before, after) =
            (json!({ "crl_of": "2026-11-01 12:00:00.0 +00:00:00" }), json!({ "crl_of": 1_793_534_400_000_i64 }));
        let rows = diff(Some(&before), Some(&after));
        assert_eq!(rows, [row("Made", "2026-11-01 12:00:00.0 +00:00:00", "1 November 2026, 12:00 UTC")]);
    }

    #[test]
    fn unknown_fields_and_shapes_are_shown_as_they_are() {
        let after = json!({ "hsts_days": 7, "strict": true, "names": ["a.example", "b.example"] });
        let rows = diff(None, Some(&after));
        assert!(rows.contains(&row("hsts_days", "", "7")));
        assert!(rows.contains(&row("strict", "", "Yes")));
        assert!(rows.contains(&row("Names", "", "a.example, b.example")));
        assert_eq!(diff(Some(&json!("odd")), Some(&json!([1]))), []);
    }

    #[tokio::test]
    async fn every_change_stands_under_its_day_with_its_author_before_and_after() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "off").await;
        let version = browser.version(id);
        browser.submit(&format!("/sites/{id}/ssl"), &[("ssl", "refuse"), ("version", &version)]).await;
        let html = browser.get("/activity").await.html;
        assert!(html.contains("Today, "));
        assert!(html.contains("<b>Inga Solberg</b>"));
        assert!(html.contains("<td><del>Off</del></td><td><ins>Refuse plain HTTP</ins></td>"), "{html}");
        assert!(
            html.contains(r#"<tr><th scope="row">Port</th><td>443</td></tr>"#),
            "what is new has no other side: {html}"
        );
        assert!(html.contains(&format!(r#"<a href="/sites/{id}">Shop</a>"#)));
        let of_site = browser.get(&format!("/sites/{id}/history")).await.html;
        assert!(of_site.contains("<ins>Refuse plain HTTP</ins>") && !of_site.contains("joined the team"));
    }

    #[tokio::test]
    async fn changes_are_found_by_who_what_and_site() {
        let mut browser = Browser::signed_in().await;
        browser.site("Shop", "shop.example", "off").await;
        browser.site("Archive", "archive.example", "off").await;
        for (query, shop, archive, joined) in [
            ("", true, true, true),
            ("?who=Inga+Solberg", true, true, true),
            ("?who=Nobody", false, false, false),
            ("?what=site", true, true, false),
            ("?what=user", false, false, true),
            ("?site=shop", true, false, false),
            ("?what=nonsense&who=&site=", true, true, true),
        ] {
            let html = browser.get(&format!("/activity{query}")).await.html;
            let said = |words: &str| html.contains(words);
            let found = (
                said("<td>http on port 80, shop.example"),
                said("<td>http on port 80, archive.example"),
                said("joined the team"),
            );
            assert_eq!(found, (shop, archive, joined), "{query}: {html}");
        }
        assert!(browser.get("/activity?site=gone").await.html.contains("There is no site of this name now."));
    }

    #[tokio::test]
    async fn older_changes_are_one_link_away() {
        let mut browser = Browser::signed_in().await;
        for n in 0..PER_PAGE {
            browser.site(&format!("Site {n}"), &format!("s{n}.example"), "off").await;
        }
        let first = browser.get("/activity?what=").await.html;
        let (_, older) = first.split_once(r#"href="/activity?before="#).expect("a link to older changes");
        let before = older.split('"').next().unwrap();
        assert!(!first.contains("joined the team"));
        assert!(browser.get(&format!("/activity?before={before}")).await.html.contains("joined the team"));
    }
}
