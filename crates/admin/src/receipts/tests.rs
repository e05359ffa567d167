use std::collections::BTreeSet;

use siteward_core::receipt::Secured;
use siteward_core::store::BindingDraft;
use siteward_core::testing::tester;
use tokio::task::JoinHandle;

use super::*;
use crate::testing::Browser;

/// What fresh clients would report of a site: each binding with this verdict.
fn report(browser: &Browser, id: SiteId, https: Verdict) {
    let table = browser.store.table();
    let site = table.site(id).unwrap();
    let bindings = site.bindings.iter().map(|binding| {
        let facts = binding.certificate.as_ref();
        let secured = facts.map(|facts| Secured {
            version: "TLS 1.3",
            group: "X25519MLKEM768".into(),
            fingerprint: facts.fingerprint,
        });
        let attempt = Attempt {
            client: if facts.is_some() { Client::Tls13 } else { Client::Plain },
            address: "127.0.0.1:443".parse().unwrap(),
            secured,
            status: Some(if facts.is_some() { "200 OK".into() } else { "403.4 SSL required".into() }),
            verdict: if facts.is_some() { https.clone() } else { Verdict::Good("Nothing was served.".into()) },
        };
        BindingReceipt { binding: binding.id, attempts: vec![attempt] }
    });
    let at = OffsetDateTime::now_utc();
    let receipt = Receipt { version: site.version, at, bindings: bindings.collect() };
    browser.reporter.receipt(id, receipt);
}

/// The server's side of `Check again`.
fn report_when_asked(browser: &Browser, id: SiteId) -> JoinHandle<BTreeSet<SiteId>> {
    let server = browser.clone();
    tokio::spawn(async move {
        let asked = server.reporter.asked().await;
        report(&server, id, good());
        asked
    })
}

fn good() -> Verdict {
    Verdict::Good("Accepted.".into())
}

#[tokio::test]
async fn a_site_shows_what_was_measured_and_never_what_was_not() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let path = format!("/sites/{id}/ssl");
    let html = browser.get(&path).await.html;
    assert!(html.contains("Nobody was sent there yet"), "{html}");

    report(&browser, id, good());
    let html = browser.get(&path).await.html;
    for shown in ["by a real handshake on this server", "403.4 SSL required", "TLS 1.3 with X25519MLKEM768.", "200 OK"]
    {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert!(browser.get("/").await.html.contains("1 of 1 running site proven as intended"));

    let version = browser.version(id);
    browser.submit(&path, &[("ssl", "redirect"), ("version", &version)]).await;
    let html = browser.get(&path).await.html;
    assert!(html.contains("Nobody was sent there yet") && !html.contains("403.4 SSL required</strong>"), "{html}");
    assert!(browser.get("/").await.html.contains("1 is not tried yet."));
    browser.reporter.set_out(id, None);
    assert!(browser.get(&path).await.html.contains("Fresh clients are on their way."));
}

#[tokio::test]
async fn a_fault_stands_on_the_site_the_certificate_and_the_overview() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    report(&browser, id, Verdict::Bad(Cause::Certificate, "A fresh client refuses the <chain>.".into()));
    for path in [format!("/sites/{id}"), "/certificates/1".into(), "/".into()] {
        let html = browser.get(&path).await.html;
        assert!(html.contains("A fresh client refuses the &#60;chain&#62;."), "{path}: {html}");
    }
    assert!(browser.get("/").await.html.contains("1 is not as intended."));
}

#[tokio::test]
async fn a_certificate_that_was_taken_back_is_told_with_the_reason() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let new = browser.certificate("shop.example").await;
    let site = browser.store.table().site(id).unwrap().clone();
    let binding = site.bindings.iter().find(|binding| binding.certificate.is_some()).unwrap();
    let draft = BindingDraft { place: binding.place.clone(), certificate: Some(new), confirmed: false };
    browser.store.update_binding(id, binding.id, site.version, draft, &tester()).await.unwrap();
    let switch = browser.store.list_open_switches(id).await.unwrap().remove(0);
    assert!(browser.store.take_back(switch.revision, "It was refused.", &tester()).await.unwrap());
    for path in [format!("/sites/{id}"), format!("/certificates/{new}"), "/".into()] {
        let html = browser.get(&path).await.html;
        assert!(html.contains("taken back") && html.contains("It was refused."), "{path}: {html}");
    }
}

#[tokio::test]
async fn check_again_asks_the_server_and_goes_back_to_the_page_that_asked() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let answering = report_when_asked(&browser, id);
    let page = browser.post(&format!("/sites/{id}/check"), &[("tab", "/ssl")]).await;
    assert_eq!((page.status, page.location), (303, format!("/sites/{id}/ssl")));
    assert_eq!(answering.await.unwrap(), [id].into());
    assert!(browser.get(&format!("/sites/{id}")).await.html.contains("just now"));
    assert_eq!(browser.post("/sites/99/check", &[]).await.status, 404);
}

#[tokio::test]
async fn nobody_is_led_elsewhere_by_a_tab() {
    let mut browser = Browser::signed_in().await;
    let id = browser.site("Shop", "shop.example", "off").await;
    for tab in ["//evil.example", "/../../team", "?x"] {
        report_when_asked(&browser, id);
        let page = browser.post(&format!("/sites/{id}/check"), &[("tab", tab)]).await;
        assert_eq!((page.status, page.location), (303, format!("/sites/{id}")), "{tab}");
    }
}
