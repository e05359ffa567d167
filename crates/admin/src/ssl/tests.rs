use siteward_core::ssl::{KeyExchange, Strength};
use siteward_core::traffic::{self, Class, Client, Credentials, Facts, Folder, Http, Tally, Way, hour_of};
use time::OffsetDateTime;

use super::*;
use crate::testing::Browser;

fn text(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for character in html.chars() {
        in_tag = (in_tag || character == '<') && character != '>';
        if !in_tag && character != '>' {
            text.push(character);
        } else if !text.ends_with(' ') {
            text.push(' ');
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn each_setting_is_saved_and_the_page_shows_it() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl");
    for (ssl, setting) in [
        ("refuse", RequireSsl::Refuse),
        ("redirect", RequireSsl::Redirect),
        ("redirect-301", RequireSsl::RedirectMoved),
        ("off", RequireSsl::Off),
    ] {
        let version = browser.version(id);
        let page = browser.submit(&path, &[("ssl", ssl), ("version", &version)]).await;
        assert!(page.html.contains("SSL settings saved."));
        let chosen = format!(r#"value="{ssl}" id="ssl" checked"#);
        assert!(page.html.contains(&chosen) || page.html.contains(&chosen.replace(r#" id="ssl""#, "")), "{ssl}");
        assert_eq!(browser.store.table().site(id).unwrap().rules.site().in_clear(), setting);
    }
    let version = browser.version(id);
    let form = [("ssl", "off"), ("tls", "1.3"), ("bits", "256"), ("keys", "post-quantum"), ("version", &version)];
    let page = browser.submit(&path, &form).await;
    for chosen in [r#"value="1.3" checked"#, r#"value="256" checked"#, r#"value="post-quantum" checked"#] {
        assert!(page.html.contains(chosen), "{chosen}: {}", page.html);
    }
    let demands = browser.store.table().site(id).unwrap().rules.site();
    assert_eq!((demands.strength.value, demands.key_exchange.value), (Strength::Bits256, KeyExchange::PostQuantum));
    let history = browser.get(&format!("/sites/{id}/history")).await.html;
    assert!(history.contains("<del>128-bit</del>") || history.contains("<ins>256-bit</ins>"), "{history}");
}

#[tokio::test]
async fn a_site_without_a_valid_certificate_is_warned_before_it_is_closed() {
    let mut browser = Browser::signed_in().await;
    let plain = browser.site("Plain", "plain.example", "off").await;
    let page = browser.get(&format!("/sites/{plain}/ssl")).await;
    assert!(page.html.contains("nobody would be let in at all"));
    let shop = browser.https_site("Shop", "shop.example", "off").await;
    let page = browser.get(&format!("/sites/{shop}/ssl")).await;
    assert!(!page.html.contains("nobody would be let in at all"));
}

#[tokio::test]
async fn credentials_in_clear_are_redirected_only_where_the_site_chose_so() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "redirect").await;
    let path = format!("/sites/{id}/ssl");
    let explained = async |browser: &mut Browser| text(&browser.get(&format!("{path}?path=/")).await.html);
    let told = explained(&mut browser).await;
    assert!(told.contains("http:// with a cookie or a password gets 403.4 SSL required."), "{told}");
    let version = browser.version(id);
    let page = browser.post(&path, &[("credentials", "redirect"), ("version", &version), ("do", "preview")]).await;
    assert!(page.html.contains("Credentials over plain HTTP: Redirect like the others"), "{}", page.html);
    let page = browser.submit(&path, &[("credentials", "redirect"), ("version", &version)]).await;
    assert!(page.html.contains(r#"name="credentials" value="redirect" checked"#), "{}", page.html);
    let told = explained(&mut browser).await;
    assert!(!told.contains("or a password gets 403.4 SSL"), "{told}");
    assert!(told.contains("Credentials over plain HTTP Redirect like the others set for the whole site"), "{told}");
    let history = text(&browser.get(&format!("/sites/{id}/history")).await.html);
    assert!(history.contains("Credentials over plain HTTP None Redirect like the others"), "{history}");
    let version = browser.version(id);
    let page = browser.post(&path, &[("credentials", "hide"), ("version", &version)]).await;
    assert_eq!(page.status, 422);
    assert!(page.html.contains(r#"id="credentials-e""#), "{}", page.html);
    let rule = [("path", "/old"), ("ssl", "off"), ("credentials", "refuse")];
    browser.submit(&format!("{path}/rules/new"), &rule).await;
    let site = browser.store.table().site(id).unwrap().clone();
    assert_eq!(site.rules.list()[1].settings.clear_credentials, None, "a folder is not asked");
}

#[tokio::test]
async fn no_choice_and_an_old_page_are_refused() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl");
    let opened = browser.version(id);
    for (field, value) in [("ssl", ""), ("ssl", "maybe"), ("tls", "1.1"), ("bits", "40"), ("keys", "rsa")] {
        let page = browser.post(&path, &[(field, value), ("version", &opened)]).await;
        assert_eq!(page.status, 422, "{field}");
        assert!(page.html.contains("Choose one of these."), "{field}");
    }
    browser.submit(&path, &[("ssl", "refuse"), ("version", &opened)]).await;
    let page = browser.post(&path, &[("ssl", "redirect"), ("version", &opened)]).await;
    assert_eq!(page.status, 409);
    assert!(page.html.contains("<td>Refuse plain HTTP</td><td><ins>Redirect to HTTPS</ins></td>"), "{}", page.html);
    assert!(text(&page.html).contains("Redirect to HTTPS Not saved, was Refuse plain HTTP"), "{}", page.html);
    assert_eq!(browser.store.table().site(id).unwrap().rules.site().in_clear(), RequireSsl::Refuse);
}

#[tokio::test]
async fn a_folder_rule_is_added_changed_and_removed_and_the_page_tells_what_is_inherited_from_where() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let path = format!("/sites/{id}/ssl");
    let new = [("path", "/hooks//stock/"), ("ssl", "off"), ("bits", "256"), ("reason", " Old tills ")];
    let page = browser.submit(&format!("{path}/rules/new"), &new).await;
    assert!(page.html.contains("Rule added."));
    let told = text(&page.html);
    assert!(told.contains("/ the whole site Refuse plain HTTP set here TLS 1.2 built in"), "{told}");
    assert!(
        told.contains(
            "/hooks/stock Off set here TLS 1.2 built in 256-bit set here Any built in Ignore built in Old tills"
        ),
        "{told}"
    );

    let site = browser.store.table().site(id).unwrap().clone();
    let rule = site.rules.list().iter().find(|rule| !rule.path.is_site()).unwrap().id;
    let edit = format!("{path}/rules/{rule}");
    let page = browser.get(&edit).await;
    assert!(text(&page.html).contains("Inherited: Refuse plain HTTP, from /"), "{}", page.html);
    assert!(page.html.contains(r#"<option value="off" selected>"#));
    let version = browser.version(id);
    let changed = [("path", "/hooks/stock"), ("ssl", ""), ("tls", "1.3"), ("version", version.as_str())];
    let told = text(&browser.submit(&edit, &changed).await.html);
    assert!(
        told.contains("/hooks/stock Refuse plain HTTP inherited from / TLS 1.3 set here 128-bit built in"),
        "{told}"
    );

    let history = text(&browser.get(&format!("/sites/{id}/history")).await.html);
    assert!(history.contains("changed an SSL rule of Shop"), "{history}");
    assert!(history.contains("Reason Old tills"), "{history}");
    let version = browser.version(id);
    let page = browser.get(&format!("{edit}/delete")).await;
    assert!(text(&page.html).contains("Refuse plain HTTP inherited from /"), "{}", page.html);
    let page = browser.submit(&format!("{edit}/delete"), &[("version", &version)]).await;
    assert!(!page.html.contains("/hooks/stock"));
    assert_eq!(browser.get(&edit).await.status, 404);
}

#[tokio::test]
async fn a_rule_that_cannot_stand_is_refused_beside_its_field_with_the_answers_kept() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl/rules/new");
    browser.submit(&path, &[("path", "/account"), ("ssl", "refuse")]).await;
    let long = "x".repeat(201);
    for (form, sentence) in [
        ([("path", "/../x"), ("ssl", "refuse")], "Enter a folder or file as in an address"),
        ([("path", "/"), ("ssl", "refuse")], "What holds for the whole site is set above."),
        ([("path", "account/"), ("ssl", "redirect")], "There already is a rule for /account."),
        ([("path", "/books"), ("ssl", "")], "Choose at least one setting."),
        ([("path", "/books"), ("ssl", "sometimes")], "Choose one of these."),
    ] {
        let page = browser.post(&path, &form).await;
        assert_eq!(page.status, 422, "{form:?}");
        assert!(page.html.contains(sentence), "{form:?}: {}", page.html);
        assert!(page.html.contains(&format!(r#"value="{}""#, form[0].1)), "{form:?}");
    }
    let page = browser.post(&path, &[("path", "/books"), ("ssl", "refuse"), ("reason", &long)]).await;
    assert!(page.html.contains("Enter a reason of at most 200 characters"));
}

#[tokio::test]
async fn an_old_page_of_a_rule_gets_a_comparison_and_the_site_s_own_rule_is_none_to_remove() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    browser.submit(&format!("/sites/{id}/ssl/rules/new"), &[("path", "/account"), ("ssl", "refuse")]).await;
    let site = browser.store.table().site(id).unwrap().clone();
    let [whole, rule] = [0, 1].map(|n| site.rules.list()[n].id);
    let (edit, opened) = (format!("/sites/{id}/ssl/rules/{rule}"), browser.version(id));
    browser.submit(&edit, &[("path", "/account"), ("ssl", "redirect"), ("version", &opened)]).await;
    let page = browser.post(&edit, &[("path", "/account"), ("ssl", "off"), ("version", &opened)]).await;
    assert_eq!(page.status, 409);
    assert!(page.html.contains("<td>Redirect to HTTPS</td><td><ins>Off</ins></td>"), "{}", page.html);
    let version = browser.version(id);
    let page = browser.post(&format!("/sites/{id}/ssl/rules/{whole}/delete"), &[("version", &version)]).await;
    assert_eq!(page.status, 404);
}

#[tokio::test]
async fn any_address_is_explained_with_what_it_demands_from_where_and_what_it_gets() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "redirect").await;
    let rules = format!("/sites/{id}/ssl/rules/new");
    browser.submit(&rules, &[("path", "/partners"), ("ssl", "refuse"), ("tls", "1.3")]).await;
    browser.submit(&rules, &[("path", "/hooks"), ("ssl", "off")]).await;
    let mut explain = async |path: &str| {
        let page = browser.get(&crate::form::address(&format!("/sites/{id}/ssl"), &[("path", path)])).await;
        let told = text(&page.html);
        let told = told.split("Explain").nth(1).unwrap_or_default();
        told[..told.len().min(900)].to_owned()
    };
    let told = explain("https://shop.example/partners//%72eport.pdf?x=1").await;
    assert!(told.contains("Read as /partners/report.pdf"), "{told}");
    assert!(told.contains("Refuse plain HTTP set for /partners"), "{told}");
    assert!(told.contains("http:// gets 403.4 SSL required."), "{told}");
    assert!(told.contains("https:// gets The page, over TLS 1.3. A weaker connection gets 403.5"), "{told}");
    let told = explain("/").await;
    assert!(told.contains("Redirect to HTTPS set for the whole site"), "{told}");
    assert!(told.contains("http:// gets 308 to the same page over https."), "{told}");
    assert!(told.contains("with a cookie or a password gets 403.4 SSL required."), "{told}");
    assert!(explain("/hooks/7").await.contains("http:// gets The page, in clear."));
    assert!(explain("/a%2f..").await.contains("400 Bad request"));

    let version = browser.version(id);
    browser.submit(&format!("/sites/{id}/stop"), &[("version", &version)]).await;
    let bare = browser.site("News", "news.example", "redirect").await;
    for (id, http, https) in [
        (id, "503 Service unavailable. The site is stopped.", "No connection. The site is stopped."),
        (bare, "403.4 SSL required.", "Nothing. The site has no https binding."),
    ] {
        let told = text(&browser.get(&format!("/sites/{id}/ssl?path=/")).await.html);
        assert!(told.contains(&format!("http:// gets {http}")), "{told}");
        assert!(told.contains(&format!("https:// gets {https}")), "{told}");
    }
}

/// Counts requests to a site within this hour: in clear, with a user agent, to a folder.
async fn record(browser: &Browser, site: SiteId, came: &[(&str, &str, u64)]) {
    let (now, mut tally) = (OffsetDateTime::now_utc(), Tally::default());
    for (agent, folder, requests) in came {
        let facts = Facts { way: Way::Clear(Credentials::None), http: Http::Http11 };
        let answer = traffic::Answer { status: 200, substatus: 0 };
        let class = Class { facts, answer, folder: Folder::parse(folder).unwrap() };
        tally.count(class, Client::new(agent, [203, 0, 113, 7].into()), *requests);
    }
    browser.store.record_traffic(hour_of(now), &mut vec![(site, tally)], now).await.unwrap();
}

#[tokio::test]
async fn whom_a_folder_rule_would_refuse_is_shown_before_it_is_added_changed_or_removed() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    record(&browser, id, &[("Java/1.8.0_392", "/account/", 20), ("curl/8.5", "/books/", 60)]).await;
    let new = format!("/sites/{id}/ssl/rules/new");
    let revision = browser.store.table().revision();
    let told = text(&browser.get(&new).await.html);
    assert!(told.contains("With the settings that are in force 0 %"), "{told}");
    let page = browser.post(&new, &[("path", "/account"), ("ssl", "refuse"), ("do", "preview")]).await;
    assert_eq!(page.status, 200);
    let told = text(&page.html);
    assert!(told.contains("For /account: Require secure channel (SSL): Refuse plain HTTP"), "{told}");
    assert!(told.contains("20 of 80 requests would have been refused"), "{told}");
    assert!(told.contains("20 get 403.4 SSL required") && told.contains("Java/1.8 20"), "{told}");
    assert!(page.html.contains(r#"name="path" type="text" value="/account""#), "{}", page.html);
    let page = browser.post(&new, &[("path", "/account/orders"), ("ssl", "refuse"), ("do", "preview")]).await;
    let told = text(&page.html);
    assert!(told.contains("0 of 60 requests would have been refused"), "{told}");
    assert!(told.contains("Of 20 requests it can’t be told"), "{told}");
    let page = browser.post(&new, &[("path", "/a%2fb"), ("ssl", "refuse"), ("do", "preview")]).await;
    assert_eq!(page.status, 422);
    assert!(text(&page.html).contains("With the settings that are in force"), "{}", page.html);
    assert_eq!(browser.store.table().revision(), revision, "nothing was saved");

    browser.submit(&new, &[("path", "/account"), ("ssl", "refuse")]).await;
    let rule = browser.store.table().site(id).unwrap().rules.list()[1].id;
    let edit = format!("/sites/{id}/ssl/rules/{rule}");
    let told = text(&browser.get(&edit).await.html);
    assert!(told.contains("With the settings that are in force") && told.contains("20 of 80"), "{told}");
    let told = text(&browser.post(&edit, &[("path", "/books"), ("ssl", "refuse"), ("do", "preview")]).await.html);
    assert!(told.contains("For /books:") && told.contains("60 of 80 requests would have been refused"), "{told}");
    let told = text(&browser.get(&format!("{edit}/delete")).await.html);
    assert!(told.contains("Without the rule for /account") && told.contains("0 of 80"), "{told}");
}

#[tokio::test]
async fn hsts_says_what_it_means_to_those_who_still_come_in_clear() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    let path = format!("/sites/{id}/ssl/hsts");
    let told = text(&browser.get(&path).await.html);
    assert!(told.contains("Nobody in the last 7 days."), "{told}");
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    record(&browser, id, &[(firefox, "/", 1_500), ("curl/8.5", "/", 60)]).await;
    let told = text(&browser.get(&path).await.html);
    assert!(told.contains("1,560 requests in the last 7 days."), "{told}");
    assert!(told.contains("1,500 came from browsers. A browser comes over plain HTTP until"), "{told}");
    assert!(told.contains("60 came from other programs, such as curl/8.5. These do not remember"), "{told}");
}

#[tokio::test]
async fn a_site_with_many_rules_shows_them_in_pages() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "off").await;
    for n in 0..30 {
        let form = [("path", format!("/folder-{n:02}")), ("ssl", "refuse".to_owned())];
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post(&format!("/sites/{id}/ssl/rules/new"), &form).await;
    }
    let first = browser.get(&format!("/sites/{id}/ssl")).await.html;
    assert!(first.contains("/folder-23") && !first.contains("/folder-24"));
    let second = browser.get(&format!("/sites/{id}/ssl?page=2")).await.html;
    assert!(second.contains("/folder-24") && second.contains("/folder-29") && !second.contains("/folder-23"));
}

/// Makes a trust list; its id as forms send it.
async fn trust_list(browser: &mut Browser, name: &str) -> String {
    let page = browser.post("/trust-lists/new", &[("name", name), ("stale", "closed")]).await;
    page.location.trim_start_matches("/trust-lists/").split('?').next().unwrap().to_owned()
}

#[tokio::test]
async fn client_certificates_are_asked_for_by_a_trust_list_which_each_place_chooses_or_inherits() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let (partners, staff) = (trust_list(&mut browser, "Partners").await, trust_list(&mut browser, "staff").await);
    let path = format!("/sites/{id}/ssl");
    let told = text(&browser.get(&path).await.html);
    assert!(told.contains("TLS 1.3 can’t ask again later"), "said where the choice is made: {told}");
    assert!(told.contains("None Partners (no CA yet, lets nobody in) staff"), "by name: {told}");

    let version = browser.version(id);
    let form = [("clients", "accept"), ("trust", partners.as_str()), ("version", version.as_str())];
    let page = browser.submit(&path, &form).await;
    assert!(page.html.contains(r#"value="accept" checked"#), "{}", page.html);
    assert!(page.html.contains(&format!(r#"<option value="{partners}" selected>Partners"#)), "{}", page.html);
    let rule = [("path", "/staff"), ("clients", "require"), ("trust", staff.as_str())];
    browser.submit(&format!("{path}/rules/new"), &rule).await;
    let told = text(&browser.submit(&format!("{path}/rules/new"), &[("path", "/staff/a"), ("tls", "1.3")]).await.html);
    assert!(told.contains("/ the whole site") && told.contains("Accept: Partners set here"), "{told}");
    assert!(told.contains("Require: staff set here"), "{told}");
    assert!(told.contains("Require: staff inherited from /staff"), "{told}");
    let history = text(&browser.get(&format!("/sites/{id}/history")).await.html);
    assert!(history.contains("Client certificates Require Trust list staff"), "{history}");

    let site = browser.store.table().site(id).unwrap().clone();
    let rule = site.rules.list()[1].id;
    let edit = format!("{path}/rules/{rule}");
    let told = text(&browser.get(&edit).await.html);
    assert!(told.contains("Inherited: Accept, from /") && told.contains("Inherited: Partners, from /"), "{told}");
    let version = browser.version(id);
    let inheriting = [("path", "/staff"), ("clients", "require"), ("trust", ""), ("version", version.as_str())];
    let told = text(&browser.submit(&edit, &inheriting).await.html);
    assert!(told.contains("Require: Partners inherited from /staff"), "{told}");
    for (asked, words) in [
        ("/staff/x", "Without a client certificate: 403.7. One that the trust list Partners does not let in: 403.12"),
        ("/", "A client certificate may be left out. One that the trust list Partners"),
        ("/staff/x", "Trust list Partners set for the whole site"),
    ] {
        let told = text(&browser.get(&format!("{path}?path={asked}")).await.html);
        assert!(told.contains(words), "{asked}: {told}");
    }

    let version = browser.version(id);
    let none = [("clients", "ignore"), ("trust", "none"), ("version", version.as_str())];
    let page = browser.post(&path, &none).await;
    assert_eq!(page.status, 422);
    assert!(page.html.contains("/staff looks at client certificates and would have no trust list."), "{}", page.html);
    let untouched = [("tls", "1.3"), ("version", version.as_str())];
    browser.submit(&path, &untouched).await;
    let demands = browser.store.table().site(id).unwrap().rules.site();
    assert_eq!(demands.trust.value.list(), partners.parse().ok(), "what was not asked stays");
}

#[tokio::test]
async fn certificates_are_not_asked_for_without_a_trust_list_to_judge_them_by() {
    let mut browser = Browser::signed_in().await;
    let id = browser.https_site("Shop", "shop.example", "refuse").await;
    let path = format!("/sites/{id}/ssl");
    let version = browser.version(id);
    for (clients, trust, sentence) in [
        ("require", "", "Choose the trust list that says whose certificates count."),
        ("accept", "", "Choose the trust list that says whose certificates count."),
        ("require", "99", "This trust list no longer exists."),
        ("accept", "x", "Choose one of these."),
    ] {
        let rule = [("path", "/partners"), ("clients", clients), ("trust", trust)];
        let none = if trust.is_empty() { "none" } else { trust };
        let whole = [("clients", clients), ("trust", none), ("version", version.as_str())];
        for (form, answers) in [(&path, whole), (&format!("{path}/rules/new"), rule)] {
            let page = browser.post(form, &answers).await;
            assert_eq!(page.status, 422, "{form}: {clients} {trust}");
            let beside = page.html.split_once(r#"id="trust-e""#).map(|(_, rest)| &rest[..200.min(rest.len())]);
            assert!(page.html.contains(sentence) && beside.is_some(), "{form}: {}", page.html);
            let kept = [format!(r#"value="{clients}" checked"#), format!(r#"value="{clients}" selected"#)];
            assert!(kept.iter().any(|kept| page.html.contains(kept)), "{form}: {}", page.html);
        }
    }
    assert!(browser.store.table().site(id).unwrap().rules.list().len() == 1);
}
