use std::collections::BTreeMap;

use siteward_core::binding::Protocol;
use siteward_core::chain::X509;
use siteward_core::ssl::{ClientCertificates, RulePath, Settings};
use siteward_core::status::Listening;
use siteward_core::store::{RuleDraft, TrustListEdit};
use siteward_core::table::Listen;
use siteward_core::testing::tester;
use siteward_core::testing_ca::TestCa;
use siteward_core::trust_list::{CrlAddress, WhenStale};

use super::*;
use crate::testing::Browser;

#[tokio::test]
async fn a_console_without_sites_offers_to_add_one() {
    let mut browser = Browser::signed_in().await;
    let page = browser.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.html.contains("There is no site yet"));
    assert!(page.html.contains("Inga Solberg joined the team"));
}

#[tokio::test]
async fn sites_are_counted_by_what_plain_http_gets_from_them() {
    let mut browser = Browser::signed_in().await;
    browser.site("Open one", "open.example", "off").await;
    browser.site("Without certificate", "closed.example", "refuse").await;
    browser.https_site("Refusing", "refusing.example", "refuse").await;
    browser.https_site("Redirecting", "redirecting.example", "redirect").await;
    let html = browser.get("/").await.html;
    assert!(html.contains("3 of 4 sites let nobody in without HTTPS."), "{html}");
    assert!(html.contains("4 sites: 1 refuses plain HTTP, 1 redirects to HTTPS, 1 is closed, 1 is open"));
    assert!(html.contains("Open one is open"));
    assert!(html.contains("Without certificate is closed"));
    assert!(!html.contains("Refusing is"));
}

#[tokio::test]
async fn a_port_that_could_not_be_opened_is_told_with_its_cause() {
    let mut browser = Browser::signed_in().await;
    let id = browser.site("Shop", "shop.example", "off").await;
    let listen = Listen { ip: None, port: 80, protocol: Protocol::Http };
    browser.reporter.report(i64::MAX, BTreeMap::from([(listen, Listening::Failed("Permission denied.".into()))]));
    let html = browser.get("/").await.html;
    assert!(html.contains("Port 80 could not be opened"));
    assert!(html.contains("Permission denied."));
    assert!(html.contains("1 port could not be opened"), "and at the foot of the navigation");
    assert!(browser.get(&format!("/sites/{id}")).await.html.contains("Not open: Permission denied."));
}

#[tokio::test]
async fn certificates_that_end_soon_or_have_ended_are_told_with_where_they_are_used() {
    let mut browser = Browser::signed_in().await;
    let now = OffsetDateTime::now_utc();
    for (site, host, age, ssl) in [
        ("Fresh", "fresh.example", 0, "refuse"),
        ("Soon", "soon.example", 80, "refuse"),
        ("Open and expired", "expired.example", 95, "off"),
        ("Closed", "closed.example", 95, "refuse"),
    ] {
        let id = browser.site(site, host, ssl).await;
        let certificate = browser.certificate_of(host, now - Duration::days(age)).await;
        browser.bind(id, host, certificate).await;
    }
    let html = browser.get("/").await.html;
    assert!(!html.contains("The certificate of Fresh"));
    assert!(html.contains("The certificate of Soon expires in "), "{html}");
    assert!(html.contains("The certificate of Open and expired has expired"));
    assert!(html.contains("Closed is closed") && html.contains("Its certificate expired on "));
    assert!(!html.contains("The certificate of Closed"), "told once, with the site");
    assert!(html.contains("2 certificates in use expire in the next 200 days"));
}

#[tokio::test]
async fn what_is_too_much_to_tell_one_by_one_is_counted_and_linked() {
    let mut browser = Browser::signed_in().await;
    let failed = || Listening::Failed("Permission denied.".into());
    let ports = (1..=7).map(|port| (Listen { ip: None, port, protocol: Protocol::Http }, failed()));
    browser.reporter.report(i64::MAX, ports.collect());
    let old = OffsetDateTime::now_utc() - Duration::days(80);
    for n in 0..6 {
        let host = format!("s{n}.example");
        let id = browser.site(&host, &host, "refuse").await;
        let certificate = browser.certificate_of(&host, old).await;
        browser.bind(id, &host, certificate).await;
    }
    let html = browser.get("/").await.html;
    assert!(html.contains("2 more ports could not be opened"), "{html}");
    assert!(html.contains("1 more certificates in use end soon or have ended"), "{html}");
    assert!(html.contains(r#"href="/certificates">See them all"#), "{html}");
}

#[tokio::test]
async fn requests_that_a_ca_has_had_for_long_are_told_in_one_line() {
    let mut browser = Browser::signed_in().await;
    let now = OffsetDateTime::now_utc();
    browser.request("today.example", now).await;
    assert!(!browser.get("/").await.html.contains("has waited"));
    browser.request("press.example", now - Duration::days(6)).await;
    let html = browser.get("/").await.html;
    assert!(html.contains("1 certificate request has waited 6 days"), "{html}");
    assert!(html.contains("press.example, the oldest made by Test."));
}

#[test]
fn the_headline_counts_what_is_shut() {
    assert_eq!(headline(41, 4), "37 of 41 sites let nobody in without HTTPS.");
    assert_eq!(headline(1, 0), "The only site lets nobody in without HTTPS.");
    assert_eq!(headline(1, 1), "The only site lets visitors in without HTTPS.");
    assert_eq!(headline(2, 1), "1 of 2 sites lets nobody in without HTTPS.");
    assert_eq!(headline(2, 2), "0 of 2 sites let nobody in without HTTPS.");
}

#[test]
fn a_moment_is_the_time_today_the_weekday_this_week_and_else_the_date() {
    let now = time::macros::datetime!(2026-11-24 09:31 UTC);
    assert_eq!(moment(now, now), "09:31");
    assert_eq!(moment(now - Duration::DAY, now), "Mon");
    assert_eq!(moment(now - Duration::days(7), now), "17 Nov 2026");
}

#[tokio::test]
async fn a_revocation_list_that_ran_out_or_can_t_be_fetched_is_told_where_a_site_asks_it() {
    let (mut browser, ca) = (Browser::signed_in().await, TestCa::new());
    let site = browser.https_site("Shop", "shop.example", "refuse").await;
    let (store, by) = (browser.store.clone(), tester());
    let edit = TrustListEdit { name: "Partners".into(), when_stale: WhenStale::Closed };
    let list = store.create_trust_list(edit, &by).await.unwrap();
    let cas = [ca.intermediate_der(), ca.root_der()].map(|der| X509::parse(der).unwrap());
    let cas = store.add_trusted_cas(list, &cas, &by).await.unwrap();
    let [issuing, root] = cas[..] else { panic!("two CAs") };
    let crl = |until| ca.root_crl(&[], 1, by.now - Duration::days(9), until);
    store.upload_crl(list, root, crl(by.now - Duration::DAY), &by).await.unwrap();
    assert!(!browser.get("/").await.html.contains("The revocation list of"), "nobody asks it");

    let settings =
        Settings { client_certificates: Some(ClientCertificates::Require), trust: Some(list), ..Settings::default() };
    let draft = RuleDraft { path: RulePath::parse("/partners").unwrap(), settings, reason: String::new() };
    let version = store.table().site(site).unwrap().version;
    store.create_rule(site, version, draft, &by).await.unwrap();
    let html = browser.get("/").await.html;
    assert!(html.contains("The revocation list of Test Root CA ran out on "), "{html}");
    assert!(html.contains("On the trust list Partners. Its certificates get 403.13"), "{html}");
    assert!(html.contains(&format!("href=\"/trust-lists/{list}/cas/{root}\"")), "{html}");
    assert!(!html.contains("list of Test Issuing CA"), "that one is not checked, as the team chose");

    let version = store.find_trust_list(list).await.unwrap().version;
    let address = CrlAddress::parse("http://pki.example/ca.crl").unwrap();
    store.set_crl_address(list, version, issuing, Some(&address), &by).await.unwrap();
    let due = store.list_due_crls(by.now, 1).await.unwrap().remove(0);
    let current = ca.issuing_crl(&[], 1, by.now - Duration::DAY, by.now + Duration::DAY);
    for fetched in [Ok(current), Err("No answer.".to_owned())] {
        store.keep_fetched_crl(&due, fetched, &by).await.unwrap();
        assert!(!browser.get("/").await.html.contains("list of Test Issuing CA"), "one failure is nothing yet");
    }
    store.keep_fetched_crl(&due, Err("No answer.".into()), &by).await.unwrap();
    let html = browser.get("/").await.html;
    assert!(html.contains("Fetching failed 2 times in a row, last just now: No answer."), "{html}");
    let (before, after) = html.split_once("The revocation list of Test Issuing CA can’t be fetched").unwrap();
    assert!(
        before.contains("Test Root CA ran out") && !after.contains("Test Root CA ran out"),
        "the worst first: {html}"
    );

    let version = store.find_trust_list(list).await.unwrap().version;
    store.set_crl_address(list, version, issuing, None, &by).await.unwrap();
    let part = ca.issuing_crl_about("http://pki.example/1.crl", &[], by.now + Duration::DAY);
    store.upload_crl(list, issuing, part, &by).await.unwrap();
    let html = browser.get("/").await.html;
    assert!(html.contains("The revocation list of Test Issuing CA is about a part of its certificates only"), "{html}");
    assert!(html.contains("Those that the list is not about get 403.13."), "{html}");
    let html = browser.get(&format!("/trust-lists/{list}")).await.html;
    assert!(html.contains("About a part of its certificates"), "{html}");
}
