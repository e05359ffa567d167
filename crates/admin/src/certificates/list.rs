//! The list of certificates, with its filter and saved views.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::store::{CertificateFilter, CertificateList, CertificateView};
use time::OffsetDateTime;

use crate::error::Answer;
use crate::form::{Asked, address};
use crate::pager::Pager;
use crate::session::Session;
use crate::shell::Shell;
use crate::words;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ListQuery {
    f: String,
    view: String,
    page: String,
    per: String,
}

struct View {
    label: &'static str,
    href: String,
    count: i64,
    current: bool,
}

#[derive(Template, WebTemplate)]
#[template(path = "certificates/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    views: Vec<View>,
    rows: Vec<CertificateList>,
    pager: Pager,
    now: OffsetDateTime,
}

/// The certificates that a filter finds, soonest to expire first.
pub(crate) async fn list(session: Session, Asked(query): Asked<ListQuery>) -> Answer {
    let (store, now) = (session.store(), session.now);
    let filter = CertificateFilter::parse(&query.f);
    let chosen = CertificateView::parse(&query.view).unwrap_or_default();
    let (mut views, mut total) = (Vec::new(), 0);
    for view in CertificateView::ALL {
        let count = store.count_certificates_with(&filter.within(view), now).await?;
        let href = address("/certificates", &[("f", &query.f), ("view", view.as_str())]);
        let current = view == chosen;
        total = if current { count } else { total };
        views.push(View { label: label(view), href, count, current });
    }
    let pager = Pager::new("/certificates", usize::try_from(total).unwrap_or(0), &query.page, &query.per)
        .keeping("f", &query.f)
        .keeping("view", chosen.as_str());
    let (offset, limit) = pager.window();
    let rows = store.list_certificates_with(&filter.within(chosen), now, offset, limit).await?;
    let shell = session.shell("/certificates").await?;
    Ok(ListPage { shell, query, views, rows, pager, now }.into_response())
}

fn label(view: CertificateView) -> &'static str {
    match view {
        CertificateView::All => "All",
        CertificateView::Expiring => "Expiring",
        CertificateView::Expired => "Expired",
        CertificateView::Unused => "Unused",
        CertificateView::Replaced => "Replaced",
    }
}

#[cfg(test)]
mod tests {
    use siteward_core::ledger::Author;
    use siteward_core::store::CertificateEdit;
    use siteward_core::testing::tester;
    use time::{Duration, OffsetDateTime};

    use crate::testing::{Browser, NAME};

    /// The subjects in the list at `path`, in order.
    async fn subjects(browser: &mut Browser, path: &str) -> Vec<String> {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let rows = page.html.split(r#"<a href="/certificates/"#).skip(1);
        let subjects = rows.filter_map(|row| Some(row.split_once('>')?.1.split_once('<')?.0.to_owned()));
        subjects.filter(|subject| subject.contains('.')).collect()
    }

    #[tokio::test]
    async fn a_filter_understands_words_days_issuer_owner_and_unused() {
        let mut browser = Browser::signed_in().await;
        let now = OffsetDateTime::now_utc();
        browser.https_site("Bookshop", "shop.example", "off").await;
        let spare = browser.certificate_of("spare.example", now - Duration::days(70)).await;
        browser.certificate_of("bücher.example", now - Duration::days(100)).await;
        let owner = browser.store.list_users().await.unwrap()[0].id;
        let edit = CertificateEdit { friendly_name: "Spare one".into(), owner: Some(owner), note: String::new() };
        browser.store.update_certificate(spare, 0, edit, &Author { now, ..tester() }).await.unwrap();

        let bucher = "xn--bcher-kva.example";
        for (filter, found) in [
            ("", vec![bucher, "spare.example", "shop.example"]),
            ("?f=SHOP", vec!["shop.example"]),
            ("?f=b%C3%BCcher.example", vec![bucher]),
            ("?f=spare+one", vec!["spare.example"]),
            ("?f=days%3C30", vec![bucher, "spare.example"]),
            ("?f=days%3C30+spare", vec!["spare.example"]),
            ("?f=issuer%3Atest", vec![bucher, "spare.example", "shop.example"]),
            ("?f=issuer%3A%22Test+CA%22+unused", vec![bucher, "spare.example"]),
            ("?f=issuer%3Aother", vec![]),
            ("?f=owner%3Ainga", vec!["spare.example"]),
            ("?f=%25", vec![]),
            ("?f=_", vec![]),
            ("?view=expiring", vec!["spare.example"]),
            ("?view=expired", vec![bucher]),
            ("?view=unused", vec![bucher, "spare.example"]),
            ("?view=replaced", vec![]),
        ] {
            assert_eq!(subjects(&mut browser, &format!("/certificates{filter}")).await, found, "{filter}");
        }
        let page = browser.get("/certificates").await;
        for text in ["All 3", "Expiring 1", "Expired 1", "Unused 2", "Replaced 0", NAME] {
            assert!(page.html.contains(text), "no {text:?} in {}", page.html);
        }
        assert!(browser.get("/certificates?f=nowhere").await.html.contains("No certificate fits"));
    }
}
