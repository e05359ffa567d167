use siteward_core::ledger::Author;
use siteward_core::ssl::{RequireSsl, Settings};
use siteward_core::testing::tester;
use siteward_core::traffic::{Tally, hour_of};
use siteward_core::trial::Would;
use time::Duration;

use super::*;
use crate::testing::{Browser, NAME};

fn in_force(browser: &Browser, site: SiteId) -> RequireSsl {
    browser.store.table().site(site).unwrap().rules.site().in_clear()
}

async fn record(browser: &Browser, site: SiteId, trial: TrialId, counts: &[(Would, &str, u64)]) {
    let now = OffsetDateTime::now_utc();
    let mut tally = Tally::default();
    for (would, agent, requests) in counts {
        tally.judge(trial, *would, Client::new(agent, [203, 0, 113, 7].into()), *requests);
    }
    browser.store.record_traffic(hour_of(now), &mut vec![(site, tally)], now).await.unwrap();
}

#[tokio::test]
async fn report_only_saves_nothing_and_tells_who_would_have_been_refused() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl");
    let page = browser.submit(&path, &[("ssl", "refuse"), ("tls", "1.3"), ("do", "report")]).await;
    for part in ["Report only started.", "Nothing came so far.", "Started by Inga Solberg", "and refuses nobody."] {
        assert!(page.html.contains(part), "{part} in {}", page.html);
    }
    assert_eq!(in_force(&browser, id), RequireSsl::Off);

    let counts = [
        (Would::Served, "Firefox", 80),
        (Would::Refused(4), "Java/1.8.0_392", 12),
        (Would::Refused(5), "curl/7.29.0", 3),
        (Would::Already, "x", 4),
        (Would::Unsure, "x", 1),
    ];
    record(&browser, id, 1, &counts).await;
    let page = browser.get(&path).await;
    for part in [
        "Require secure channel (SSL): Refuse plain HTTP. Minimum TLS version: TLS 1.3",
        "15.2 %",
        "15 of 99 requests would have been refused.",
        "12 get 403.4 SSL required",
        "4 others are refused or sent on already.",
        "Of 1 request it can’t be told",
        "Java/1.8 <span class=\"small quiet\">203.0.113.0/24</span></th><td>12</td>",
        "Report only until",
    ] {
        assert!(page.html.contains(part), "{part} in {}", page.html);
    }
    let history = browser.get(&format!("/sites/{id}/history")).await.html;
    assert!(history.contains("started report only for") && history.contains("Tried until"), "{history}");
}

#[tokio::test]
async fn what_was_tried_is_put_in_force_as_if_the_form_were_saved() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl");
    let opened = browser.version(id);
    browser.submit(&path, &[("ssl", "refuse"), ("do", "report")]).await;
    let late = browser.post(&format!("{path}/trials/1/apply"), &[("version", &opened)]).await;
    assert_eq!(late.status, 409, "the page is from before the trial");
    assert!(late.html.contains(&format!("{NAME} changed this just now")), "{}", late.html);
    assert_eq!(in_force(&browser, id), RequireSsl::Off);

    let page = browser.submit(&format!("{path}/trials/1/apply"), &[("version", &browser.version(id))]).await;
    assert!(page.html.contains("SSL settings saved.") && !page.html.contains("Put in force"), "{}", page.html);
    assert_eq!(in_force(&browser, id), RequireSsl::Refuse);
    let gone = browser.get(&format!("{path}/trials/1")).await;
    assert!(gone.html.contains("These settings are in force by now"), "{}", gone.html);
}

#[tokio::test]
async fn what_was_tried_is_not_put_in_force_once_it_would_look_at_certificates_without_a_trust_list() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let path = format!("/sites/{id}/ssl");
    let list = browser.post("/trust-lists/new", &[("name", "Partners"), ("stale", "closed")]).await.location;
    let list = list.trim_start_matches("/trust-lists/").split('?').next().unwrap().to_owned();
    let tried = [("path", "/partners"), ("clients", "require"), ("do", "report")];
    let page = browser.post(&format!("{path}/rules/new"), &tried).await;
    assert_eq!(page.status, 422, "{}", page.html);
    assert!(page.html.contains(r#"id="trust-e""#), "{}", page.html);
    browser.submit(&path, &[("ssl", "refuse"), ("trust", &list), ("version", &browser.version(id))]).await;
    browser.submit(&format!("{path}/rules/new"), &tried).await;
    browser.submit(&path, &[("ssl", "refuse"), ("trust", "none"), ("version", &browser.version(id))]).await;
    let apply = [("version", &*browser.version(id))];
    let page = browser.post(&format!("{path}/trials/1/apply"), &apply).await;
    assert_eq!(page.status, 422);
    assert!(page.html.contains("Choose the trust list that says whose certificates count."), "{}", page.html);
    assert!(!page.html.contains("#trust"), "the page has no such field: {}", page.html);
    assert_eq!(browser.store.table().site(id).unwrap().rules.list().len(), 1);
}

#[tokio::test]
async fn a_trial_is_ended_by_one_button() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl");
    browser.submit(&path, &[("ssl", "refuse"), ("do", "report")]).await;
    let page = browser.submit(&format!("{path}/trials/1/end"), &[]).await;
    assert!(page.html.contains("Report only ended.") && !page.html.contains("Put in force"), "{}", page.html);
    assert_eq!(browser.get(&format!("{path}/trials/1")).await.status, 404);
    assert_eq!(browser.post(&format!("{path}/trials/1/end"), &[]).await.status, 404);
}

#[tokio::test]
async fn a_rule_is_tried_before_it_exists_and_as_a_change_of_one() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl");
    let new = [("path", "/partners"), ("ssl", "refuse"), ("reason", "Contracts"), ("do", "report")];
    let page = browser.submit(&format!("{path}/rules/new"), &new).await;
    let link = format!("<a href=\"{path}/trials/1\">/partners</a>");
    assert!(page.html.contains("without a rule so far") && page.html.contains(&link), "{}", page.html);
    let page = browser.get(&format!("{path}/trials/1")).await;
    assert!(page.html.contains("Report only for /partners"), "{}", page.html);
    let page = browser.submit(&format!("{path}/trials/1/apply"), &[("version", &browser.version(id))]).await;
    assert!(page.html.contains("Rule added.") && page.html.contains("Contracts"), "{}", page.html);

    let rule = browser.store.table().site(id).unwrap().rules.list()[1].id;
    let edit = format!("{path}/rules/{rule}");
    let seen = browser.get(&edit).await.value("trial");
    let moved = [("path", "/members"), ("ssl", "redirect"), ("do", "report"), ("trial", &seen)];
    let page = browser.post(&edit, &moved).await;
    assert_eq!(page.status, 422);
    assert!(page.html.contains("Save the other folder first"), "{}", page.html);
    let tried = [("path", "/partners"), ("ssl", "redirect"), ("do", "report"), ("trial", &seen)];
    let page = browser.submit(&edit, &tried).await;
    assert!(page.html.contains("Report only until") && !page.html.contains("without a rule so far"), "{}", page.html);
    assert!(browser.get(&edit).await.html.contains("Report only for /partners"));
    let trial = browser.store.table().site(id).unwrap().trials[0].id;
    let page = browser.submit(&format!("{path}/trials/{trial}/apply"), &[("version", &browser.version(id))]).await;
    assert!(page.html.contains("Rule saved."), "{}", page.html);
    let site = browser.store.table().site(id).unwrap().clone();
    assert_eq!(site.rules.list()[1].settings, RequireSsl::Redirect.into());
}

#[tokio::test]
async fn nobody_ends_another_s_trial_without_having_seen_it() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl");
    for (form, field) in [(&path, ("ssl", "refuse")), (&format!("{path}/rules/new"), ("path", "/partners"))] {
        browser.submit(form, &[field, ("tls", "1.3"), ("do", "report")]).await;
        let again = [field, ("bits", "256"), ("do", "report")];
        let page = browser.post(form, &again).await;
        assert_eq!(page.status, 409, "{form}");
        assert!(page.html.contains(&format!("{NAME} changed this just now")), "{}", page.html);
        let seen = page.value("trial");
        let confirmed = [field, ("bits", "256"), ("do", "report"), ("trial", &seen)];
        assert!(browser.submit(form, &confirmed).await.html.contains("Report only started."), "{form}");
    }
}

#[tokio::test]
async fn what_is_in_force_is_nothing_to_try() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let page = browser.post(&format!("/sites/{id}/ssl"), &[("ssl", "off"), ("do", "report")]).await;
    assert_eq!(page.status, 422);
    assert!(page.html.contains("These settings are in force already."), "{}", page.html);
}

#[tokio::test]
async fn a_trial_that_has_ended_waits_for_a_decision_on_the_overview() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "redirect").await;
    let begun = Author { now: OffsetDateTime::now_utc() - Duration::days(15), ..tester() };
    let settings: Settings = RequireSsl::Refuse.into();
    let draft = RuleDraft { path: RulePath::parse("/partners").unwrap(), settings, reason: String::new() };
    let trial = browser.store.create_trial(id, None, draft, &begun).await.unwrap();
    record(&browser, id, trial, &[(Would::Served, "", 1_000), (Would::Refused(4), "", 7)]).await;
    let page = browser.get("/").await;
    for part in [
        "Report only for /partners of Shop has ended",
        "Of 1,007 requests 7 would have been refused.",
        &format!("/sites/{id}/ssl/trials/{trial}"),
    ] {
        assert!(page.html.contains(part), "{part} in {}", page.html);
    }
    let page = browser.get(&format!("/sites/{id}/ssl/trials/{trial}")).await;
    assert!(page.html.contains("nothing is counted any more") && page.html.contains("Remove the report"));
    browser.submit(&format!("/sites/{id}/ssl/trials/{trial}/end"), &[]).await;
    assert!(!browser.get("/").await.html.contains("has ended"));
}
