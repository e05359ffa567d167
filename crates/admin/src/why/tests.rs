use siteward_core::host::HostName;
use siteward_core::refused::{Cause, Reference, Refused};
use siteward_core::ssl::{RulePath, Transport};
use siteward_core::traffic::Client;
use time::OffsetDateTime;

use crate::testing::Browser;

#[tokio::test]
async fn a_reference_leads_to_every_step_and_to_who_set_what_decided() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    browser.submit(&format!("/sites/{id}/ssl/rules/new"), &[("path", "/account"), ("ssl", "refuse")]).await;
    let set = browser.store.table().revision();
    let rule = browser.store.table().site(id).unwrap().rules.list()[1].id;
    let form = [("path", "/account"), ("ssl", "refuse"), ("reason", "Orders"), ("version", &browser.version(id))];
    browser.submit(&format!("/sites/{id}/ssl/rules/{rule}"), &form).await;
    let place = RulePath::parse("/account").unwrap();
    let reference = browser.refused(id, "/account/orders", place).await;

    let page = browser.get(&format!("/why?reference={}", reference.to_lowercase().replace('-', "+"))).await;
    assert_eq!((page.status, &page.location), (303, &format!("/why/{reference}")));
    let found = browser.get(&format!("/search?q={reference}")).await;
    assert_eq!((found.status, &found.location), (303, &page.location), "the search knows it too");
    let html = browser.get(&page.location).await.html;
    for words in [
        "403.4 SSL required",
        "http on port 80, at the address 192.0.2.1",
        "Asked for shop.example, which led to Shop",
        "The rule of /account decides",
        "for /account/orders",
        "Require secure channel (SSL): Refuse plain HTTP",
        "Inga Solberg added an SSL rule to Shop",
        &format!("/activity/{set}\""),
        "The same request would get the same now.",
        "curl/8.5 in 203.0.113.0/24",
    ] {
        assert!(html.contains(words), "{words} in {html}");
    }
    assert!(!html.contains("203.0.113.7"));
}

#[tokio::test]
async fn what_changed_since_is_said_and_the_change_of_before_is_still_named() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let reference = browser.refused(id, "/", RulePath::site()).await;
    let path = format!("/why/{reference}");
    let html = browser.get(&path).await.html;
    assert!(html.contains("Inga Solberg added the site Shop"), "{html}");
    assert!(html.contains("the whole site’s settings hold"), "{html}");
    let change = async |browser: &mut Browser, ssl| {
        let version = browser.version(id);
        browser.submit(&format!("/sites/{id}/ssl"), &[("ssl", ssl), ("version", &version)]).await;
        browser.get(&path).await.html
    };
    let html = change(&mut browser, "off").await;
    assert!(html.contains("nothing would refuse it now") && html.contains("added the site Shop"), "{html}");
    let html = change(&mut browser, "redirect").await;
    assert!(html.contains("it would be sent to https with 308 now"), "{html}");
    let version = browser.version(id);
    browser.submit(&format!("/sites/{id}/delete"), &[("version", &version)]).await;
    let html = browser.get(&path).await.html;
    assert!(html.contains("a site that was deleted since") && html.contains("404 Not found now"), "{html}");
}

#[tokio::test]
async fn why_a_request_was_not_sent_on_where_others_are_is_told() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "redirect").await;
    let reference = browser.refused(id, "/", RulePath::site()).await;
    let now = OffsetDateTime::now_utc();
    let kept = browser.store.find_refused(Reference::parse(&reference).unwrap(), now).await.unwrap().unwrap();
    for (number, credentials, words) in [(1, true, "others on the way could read"), (2, false, "no https address")] {
        let mut refused = Refused { reference: Reference::from_random(number), ..kept.clone() };
        refused.transport = Transport::Clear { credentials, reads: true };
        refused.decided.as_mut().unwrap().value = "redirect".into();
        browser.store.record_refused(&[refused.clone()]).await.unwrap();
        let html = browser.get(&format!("/why/{}", refused.reference)).await.html;
        assert!(html.contains(words) && html.contains("Redirect to HTTPS"), "{words} in {html}");
    }
}

#[tokio::test]
async fn an_unknown_reference_is_told_kindly_and_nonsense_beside_its_field() {
    let mut browser = Browser::signed_in().await;
    assert_eq!(browser.get("/why").await.status, 200);
    let page = browser.get("/why/7KQ2M-9XTPA").await;
    assert_eq!(page.status, 404);
    assert!(page.html.contains("Nothing is kept under 7KQ2M-9XTPA."), "{}", page.html);
    let page = browser.get("/why?reference=%3Cscript%3E").await;
    assert_eq!(page.status, 422);
    assert!(page.html.contains(r#"id="reference-e""#) && !page.html.contains("<script>"), "{}", page.html);
    assert_eq!(browser.get("/why/nonsense").await.status, 404);
    assert_eq!(browser.get("/search?q=bookstores").await.status, 200, "a word may look like one");
}

#[tokio::test]
async fn every_cause_has_a_page() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    for (number, cause) in (100..).zip(Cause::all()) {
        let reference = Reference::from_random(number);
        let refused = Refused {
            reference,
            at: OffsetDateTime::now_utc(),
            listener: "192.0.2.1:443".parse().unwrap(),
            server_name: HostName::parse("shop.example").ok(),
            host: None,
            site: Some(id),
            path: "/<b>".into(),
            transport: Transport::Clear { credentials: true, reads: true },
            cause,
            revision: browser.store.table().revision(),
            decided: None,
            client: Client::OTHERS,
        };
        browser.store.record_refused(&[refused]).await.unwrap();
        let page = browser.get(&format!("/why/{reference}")).await;
        assert_eq!(page.status, 200, "{cause:?}");
        assert!(page.html.contains(&cause.answer().to_string()), "{cause:?}");
    }
}
