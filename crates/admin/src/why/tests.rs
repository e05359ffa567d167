use siteward_core::host::HostName;
use siteward_core::refused::{Came, Cause, Decided, Reference, Refused, Twist};
use siteward_core::ssl::{
    ClientCertificate, KeyExchange, Refusal, RulePath, Strength, TlsFacts, TlsVersion, Transport,
};
use siteward_core::traffic::Client;
use time::OffsetDateTime;

use crate::testing::Browser;

impl Browser {
    /// What is kept under a reference.
    async fn kept(&self, reference: &str) -> Refused {
        let reference = Reference::parse(reference).unwrap();
        self.store.find_refused(reference, OffsetDateTime::now_utc()).await.unwrap().unwrap()
    }

    /// Keeps this, and opens its page.
    async fn explained(&mut self, refused: &Refused) -> String {
        self.store.record_refused(std::slice::from_ref(refused)).await.unwrap();
        self.get(&format!("/why/{}", refused.reference)).await.html
    }
}

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
    let kept = browser.kept(&reference).await;
    let whom = [(Twist::Credentials, "others on the way could read"), (Twist::NoAddress, "There was no https address")];
    for (number, (twist, words)) in (1..).zip(whom) {
        let mut refused = Refused { reference: Reference::from_random(number), ..kept.clone() };
        let decided = refused.decided.as_mut().unwrap();
        (decided.value, decided.twist) = ("redirect".into(), Some(twist));
        let html = browser.explained(&refused).await;
        assert!(html.contains(words) && html.contains("Redirect to HTTPS"), "{words} in {html}");
        assert!(html.contains("Open the address with https://"), "{html}");
    }
    let binding =
        browser.store.table().site(id).unwrap().bindings.iter().find(|own| own.certificate.is_some()).unwrap().id;
    let version = browser.version(id);
    browser.submit(&format!("/sites/{id}/bindings/{binding}/delete"), &[("version", &version)]).await;
    let html = browser.get(&format!("/why/{}", kept.reference)).await.html;
    assert!(html.contains("the site has no https address yet") && !html.contains("Open the address"), "{html}");
    let shared = browser.certificate("shop.example").await;
    browser.bind(id, "", shared).await;
    let neighbour = browser.site("Maps", "maps.example", "off").await;
    browser.bind(neighbour, "shop.example", shared).await;
    let html = browser.get(&format!("/why/{}", kept.reference)).await.html;
    assert!(html.contains("none of the site’s https names leads to this site alone"), "{html}");
}

#[tokio::test]
async fn where_a_trust_list_decided_it_is_named_and_who_chose_it() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let page = browser.post("/trust-lists/new", &[("name", "Staff <1>"), ("stale", "closed")]).await;
    let list = page.location.trim_start_matches("/trust-lists/").split('?').next().unwrap().to_owned();
    let rule = [("path", "/staff"), ("clients", "require"), ("trust", list.as_str())];
    browser.submit(&format!("/sites/{id}/ssl/rules/new"), &rule).await;
    let (set, rule) = (browser.store.table().revision(), browser.store.table().site(id).unwrap().rules.list()[1].id);
    browser
        .submit(
            "/sites/new",
            &[("name", "Maps"), ("host", "maps.example"), ("port", "80"), ("place", "own"), ("ssl", "off")],
        )
        .await;
    let place = RulePath::parse("/staff").unwrap();
    let facts = TlsFacts {
        version: TlsVersion::Tls13,
        strength: Strength::Bits256,
        key_exchange: KeyExchange::Any,
        client: ClientCertificate::Revoked,
    };
    let reference = browser.refused(id, "/staff/list", place.clone()).await;
    let kept = browser.kept(&reference).await;
    let revision = browser.store.table().revision();
    let of = |number, twist| Refused {
        reference: Reference::from_random(number),
        listener: "192.0.2.1:443".parse().unwrap(),
        server_name: HostName::parse("shop.example").ok(),
        came: Transport::Tls(facts).into(),
        cause: Cause::Unmet(Refusal::CertificateRevoked),
        revision,
        decided: Some(Decided { rule, place: place.clone(), setting: "trust_list".into(), value: list.clone(), twist }),
        ..kept.clone()
    };
    let (one, several) = (of(1, None), of(2, Some(Twist::Conflict)));
    let html = browser.explained(&one).await;
    for words in [
        "Trust list: Staff &#60;1&#62;",
        &format!("href=\"/trust-lists/{list}\""),
        "Inga Solberg added an SSL rule to Shop",
        &format!("/activity/{set}\""),
        "If it was revoked",
        "The settings would refuse such a certificate again.",
        "href=\"/trust-lists/explain\"",
        "a revoked client certificate",
    ] {
        assert!(html.contains(words), "{words} in {html}");
    }
    let untrusted = |refused| Refused { cause: Cause::Unmet(Refusal::CertificateUntrusted), ..refused };
    let html = browser.explained(&untrusted(several)).await;
    assert!(html.contains("More than one trust list, or a list and none, may be meant by this path"), "{html}");
    let (mut unset, mut gone) = (untrusted(of(3, None)), untrusted(of(4, None)));
    let decided = unset.decided.as_mut().unwrap();
    (decided.setting, decided.value) = ("client_certificates".into(), "require".into());
    gone.decided.as_mut().unwrap().value = "99".into();
    for (refused, helps) in [
        (untrusted(of(5, Some(Twist::Conflict))), false),
        (unset, false),
        (gone, false),
        (untrusted(of(6, None)), true),
    ] {
        let html = browser.explained(&refused).await;
        assert_eq!(html.contains("Choose a certificate"), helps, "{html}");
        assert_eq!(html.contains("no certificate helps. Somebody of your team has to say which"), !helps, "{html}");
    }
}

#[tokio::test]
async fn how_it_came_is_told_also_of_visitors_of_a_proxy() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let reference = browser.refused(id, "/", RulePath::site()).await;
    let kept = browser.kept(&reference).await;
    let clear = Transport::Clear { credentials: false, reads: true };
    let over_tls = Refused {
        reference: Reference::from_random(1),
        listener: "192.0.2.1:443".parse().unwrap(),
        server_name: HostName::parse("shop.example").ok(),
        came: Came { is_tls: true, ..clear.into() },
        ..kept.clone()
    };
    let html = browser.explained(&over_tls).await;
    for words in [
        "https on port 443",
        "Asked for shop.example, which led to Shop",
        "its visitor came in plain HTTP",
        "The same request would get the same now.",
    ] {
        assert!(html.contains(words), "{words} in {html}");
    }
    let proxied = Refused { reference: Reference::from_random(2), came: Transport::Proxied.into(), ..kept.clone() };
    let html = browser.explained(&proxied).await;
    assert!(html.contains("it came over TLS to a trusted proxy") && !html.contains("it came in plain HTTP"), "{html}");
    let facts = TlsFacts {
        version: TlsVersion::Tls12,
        strength: Strength::Bits256,
        key_exchange: KeyExchange::Any,
        client: ClientCertificate::None,
    };
    let unseen = Came { is_seen: false, ..Transport::Tls(facts).into() };
    for (number, came, told) in [(3, Transport::Tls(facts).into(), true), (4, unseen, false)] {
        let html =
            browser.explained(&Refused { reference: Reference::from_random(number), came, ..over_tls.clone() }).await;
        assert!(html.contains("TLS 1.2, 256-bit"), "{html}");
        assert_eq!(html.contains("no client certificate"), told, "{html}");
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
            came: Transport::Clear { credentials: true, reads: true }.into(),
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
