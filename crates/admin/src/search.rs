//! One search over sites, host names and certificates; the reference of a refusal leads to why.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::certificate::CertificateId;
use siteward_core::refused::Reference;
use siteward_core::site::Site;
use siteward_core::store::CertificateList;

use crate::error::{Answer, Failure};
use crate::form::Asked;
use crate::session::Session;
use crate::shell::Shell;
use crate::sites::Row;
use crate::why;
use crate::words::{self, State};

/// The most of each kind that are shown.
const MOST: usize = 50;

/// How many certificates are read at a time.
const BATCH: i64 = 1000;

#[derive(Debug, Deserialize)]
pub(crate) struct SearchQuery {
    #[serde(default)]
    q: String,
}

struct CertificateRow {
    id: CertificateId,
    friendly_name: String,
    names: String,
    expiry: State,
}

#[derive(Template, WebTemplate)]
#[template(path = "search/list.html")]
struct SearchPage {
    shell: Shell,
    query: String,
    sites: Vec<Row>,
    certificates: Vec<CertificateRow>,
}

/// What has the searched text in its name, host names, subject, issuer or fingerprint.
pub(crate) async fn list(session: Session, Asked(query): Asked<SearchQuery>) -> Answer {
    let query = query.q.trim().to_owned();
    let wanted = query.to_lowercase();
    if let Some(reference) = Reference::parse(&query)
        && session.store().find_refused(reference, session.now).await?.is_some()
    {
        return Ok(Redirect::to(&why::address(reference)).into_response());
    }
    let (mut sites, mut certificates) = (Vec::new(), Vec::new());
    if !wanted.is_empty() {
        let table = session.table();
        let found = table.sites().filter(|site| site_has(site, &wanted)).take(MOST);
        sites = found.map(|site| Row::new(&table, site, session.now)).collect();
        certificates = find_certificates(&session, &wanted).await?;
    }
    Ok(SearchPage { shell: session.shell("/search").await?, query, sites, certificates }.into_response())
}

fn site_has(site: &Site, wanted: &str) -> bool {
    let in_host = |host: &&siteward_core::host::HostPattern| {
        host.to_string().contains(wanted) || host.unicode().to_lowercase().contains(wanted)
    };
    site.name.to_lowercase().contains(wanted) || site.hosts().iter().any(in_host)
}

async fn find_certificates(session: &Session, wanted: &str) -> Result<Vec<CertificateRow>, Failure> {
    let mut found = Vec::new();
    let mut offset = 0;
    loop {
        let batch = session.store().list_certificates(offset, BATCH).await?;
        let read = batch.len() as i64;
        let rows = batch.into_iter().filter(|one| certificate_has(one, wanted)).map(|one| CertificateRow {
            id: one.facts.id,
            names: one.facts.names.iter().map(|name| name.unicode()).collect::<Vec<_>>().join(", "),
            expiry: words::expiry(&one.facts, session.now),
            friendly_name: one.friendly_name,
        });
        found.extend(rows.take(MOST - found.len()));
        offset += read;
        if read < BATCH || found.len() == MOST {
            return Ok(found);
        }
    }
}

fn certificate_has(one: &CertificateList, wanted: &str) -> bool {
    let mut text = vec![one.friendly_name.clone(), one.facts.subject.clone(), one.facts.issuer.clone()];
    text.extend(one.facts.names.iter().flat_map(|name| [name.to_string(), name.unicode()]));
    let fingerprint = one.facts.fingerprint.to_string().to_lowercase();
    let digits = wanted.replace([':', ' '], "");
    text.join("\n").to_lowercase().contains(wanted)
        || !digits.is_empty() && fingerprint.replace(' ', "").contains(&digits)
}

#[cfg(test)]
mod tests {
    use crate::testing::Browser;

    #[tokio::test]
    async fn sites_host_names_and_certificates_are_found_by_a_part_of_them() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Bücher", "bücher.example", "refuse").await;
        let fingerprint = browser.store.list_certificates(0, 1).await.unwrap()[0].facts.fingerprint.to_string();
        for (query, site, certificate) in [
            ("b%C3%9CCHER", true, true),
            ("xn--bch", true, true),
            ("Test+CA", false, true),
            (&fingerprint[..9].replace(' ', "%3A"), false, true),
            ("nowhere", false, false),
            ("%3A", false, false),
            ("", false, false),
        ] {
            let html = browser.get(&format!("/search?q={query}")).await.html;
            let (_, main) = html.split_once("<main").unwrap();
            assert_eq!(main.contains(&format!(r#"<a href="/sites/{id}">"#)), site, "{query}");
            assert_eq!(main.contains(r#"<a href="/certificates/"#), certificate, "{query}: {main}");
        }
        assert!(browser.get("/search?q=%3Cscript%3E").await.html.contains("Nothing has this text"));
    }
}
