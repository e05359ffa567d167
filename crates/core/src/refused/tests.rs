use std::sync::Arc;

use time::OffsetDateTime;

use super::*;
use crate::binding::{Binding, Place, Protocol, parse_port};
use crate::host::HostPattern;
use crate::path::UrlPath;
use crate::site::{Site, SiteState};
use crate::ssl::{
    ClearCredentials, ClientCertificate, ClientCertificates, KeyExchange, Redirect, Rule, Settings, Strength, TlsFacts,
    TlsVersion,
};
use crate::table::SiteTable;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const CLEAR: Transport = Transport::Clear { credentials: false, reads: true };

fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

fn site(id: SiteId, protocol: Protocol, name: &str, settings: Settings) -> Site {
    let place = Place { protocol, ip: None, port: parse_port("8000").unwrap(), host: HostPattern::Exact(host(name)) };
    let rule = Rule { id: 1, path: RulePath::site(), settings, reason: String::new() };
    Site {
        id,
        name: name.into(),
        folder: "/".into(),
        state: SiteState::Running,
        rules: Arc::new(Rules::new([rule])),
        exemptions: Arc::default(),
        pages: Arc::default(),
        hsts: None,
        trials: Arc::default(),
        version: 1,
        bindings: vec![Binding { id, place, certificate: None }],
        proxied: false,
        preloads: false,
        locked: false,
    }
}

fn table(sites: impl IntoIterator<Item = Site>) -> SiteTable {
    SiteTable::default().with(1, sites.into_iter().map(|site| (site.id, Some(site))))
}

fn refused(cause: Cause, transport: Transport) -> Refused {
    Refused {
        reference: Reference::from_random(7),
        at: NOW,
        listener: "192.0.2.1:8000".parse().unwrap(),
        server_name: None,
        host: Some(host("shop.example")),
        site: Some(1),
        path: "/books/1".into(),
        came: transport.into(),
        cause,
        revision: 1,
        decided: None,
        client: Client::OTHERS,
    }
}

fn facts() -> impl Iterator<Item = TlsFacts> {
    let clients = [
        ClientCertificate::None,
        ClientCertificate::Good,
        ClientCertificate::NotAllowed,
        ClientCertificate::Revoked,
        ClientCertificate::Untrusted,
        ClientCertificate::OutOfDate,
    ];
    TlsVersion::ALL.iter().flat_map(move |&version| {
        Strength::ALL.iter().flat_map(move |&strength| {
            KeyExchange::ALL.iter().flat_map(move |&key_exchange| {
                clients.map(|client| TlsFacts { version, strength, key_exchange, client })
            })
        })
    })
}

fn transports() -> impl Iterator<Item = Transport> {
    let clear = [(false, false), (false, true), (true, false), (true, true)];
    let clear = clear.map(|(credentials, reads)| Transport::Clear { credentials, reads });
    facts().map(Transport::Tls).chain([Transport::Proxied]).chain(clear)
}

#[test]
fn whatever_is_stored_is_read_again() {
    let straight = transports().map(Came::from);
    let unseen = facts().filter(|own| own.client == ClientCertificate::None).map(Transport::Tls).map(Came::from);
    let told_by_a_proxy = [(true, false), (false, true)]
        .map(|(credentials, reads)| Came { is_tls: true, ..Transport::Clear { credentials, reads }.into() });
    for came in straight.chain(unseen.map(|came| Came { is_seen: false, ..came })).chain(told_by_a_proxy) {
        assert_eq!(words::to_came(&words::of_came(came)), Some(came), "{came:?}");
    }
    for twist in [None, Some(Twist::NoAddress), Some(Twist::Credentials), Some(Twist::Conflict)] {
        let (place, setting) = (RulePath::site(), "require_ssl".into());
        let decided = Decided { rule: 1, place, setting, value: "redirect-301".into(), twist };
        assert_eq!(words::to_value(&words::of_value(&decided)), Some((decided.value, twist)));
    }
    for cause in Cause::all() {
        assert_eq!(Cause::parse(cause.as_str()), Some(cause));
    }
    for refusal in Refusal::ALL {
        assert!(Cause::all().any(|cause| cause == Cause::Unmet(*refusal)), "{refusal:?} has a word");
    }
    assert_eq!(words::to_came("tls 1.4 256 any none"), None);
}

#[test]
fn the_setting_that_decides_is_the_one_without_which_the_request_would_not_be_refused_so() {
    let strict = Settings {
        require_ssl: Some(RequireSsl::Refuse),
        min_tls: Some(TlsVersion::Tls13),
        strength: Some(Strength::Bits256),
        key_exchange: Some(KeyExchange::PostQuantum),
        client_certificates: Some(ClientCertificates::Require),
        trust: None,
        clear_credentials: None,
    };
    let rules = |settings| {
        let path = RulePath::parse("/account").unwrap();
        Rules::new([Rule { id: 7, path, settings, reason: String::new() }])
    };
    let demanded = |rules: &Rules| rules.at(&RulePath::parse("/account").unwrap());
    for only_certificates in [false, true] {
        let strict = match only_certificates {
            true => Settings { client_certificates: strict.client_certificates, ..Settings::default() },
            false => strict,
        };
        for transport in transports() {
            let own = rules(strict);
            let Verdict::Refuse(refusal) = demanded(&own).verdict(transport) else {
                assert_eq!(Decided::of(&own, &demanded(&own), transport), None);
                continue;
            };
            let decided = Decided::of(&own, &demanded(&own), transport).unwrap();
            assert_eq!((decided.rule, decided.place.to_string()), (7, "/account".to_owned()));
            let without = match decided.setting.as_str() {
                // Without SSL a certificate can't be required either.
                "require_ssl" => Settings { require_ssl: None, client_certificates: None, ..strict },
                "min_tls" => Settings { min_tls: None, ..strict },
                "strength" => Settings { strength: None, ..strict },
                "key_exchange" => Settings { key_exchange: None, ..strict },
                "client_certificates" => Settings { client_certificates: None, ..strict },
                other => panic!("{other} is no setting"),
            };
            assert_ne!(demanded(&rules(without)).verdict(transport), Verdict::Refuse(refusal), "{transport:?}");
        }
    }
}

#[test]
fn where_a_redirect_refuses_it_is_told_why_and_by_whom() {
    let own = |path: &str, settings| {
        let path = if path.is_empty() { RulePath::site() } else { RulePath::parse(path).unwrap() };
        Rule { id: 1 + path.as_str().len() as RuleId, path, settings, reason: String::new() }
    };
    let redirect = || own("", RequireSsl::Redirect.into());
    let at_account = |clear_credentials| Settings { clear_credentials, ..Settings::default() };
    let refuse = own("/account", at_account(Some(ClearCredentials::Refuse)));
    let decided = |rules: Vec<Rule>, credentials| {
        let rules = Rules::new(rules);
        let demands = rules.at(&RulePath::parse("/account").unwrap());
        let decided = Decided::of(&rules, &demands, Transport::Clear { credentials, reads: true }).unwrap();
        (decided.place.to_string(), decided.setting, decided.twist)
    };
    let told = |place: &str, setting: &str, twist| (place.to_owned(), setting.to_owned(), Some(twist));
    assert_eq!(decided(vec![redirect()], false), told("/", "require_ssl", Twist::NoAddress));
    assert_eq!(decided(vec![redirect()], true), told("/", "require_ssl", Twist::Credentials), "nobody set it");
    assert_eq!(decided(vec![redirect(), refuse], true), told("/account", "clear_credentials", Twist::Credentials));
    let lenient =
        own("", Settings { require_ssl: Some(RequireSsl::Redirect), ..at_account(Some(ClearCredentials::Redirect)) });
    assert_eq!(decided(vec![lenient], true), told("/", "require_ssl", Twist::NoAddress));
}

#[test]
fn where_a_trust_list_decides_the_rule_that_chose_it_is_named() {
    let rule =
        |id, path: &str, settings| Rule { id, path: RulePath::stored(path).unwrap(), settings, reason: String::new() };
    let require = Settings { client_certificates: Some(ClientCertificates::Require), ..Settings::default() };
    let trust = |list| Settings { trust: Some(list), ..Settings::default() };
    let decided = |rules: Vec<Rule>, path: &str, client| {
        let rules = Rules::new(rules);
        let demands = rules.demands(&UrlPath::parse(path).unwrap());
        let facts = TlsFacts { client, ..facts().last().unwrap() };
        let decided = Decided::of(&rules, &demands, Transport::Tls(facts)).unwrap();
        (decided.rule, decided.setting, decided.value, decided.twist)
    };
    let told = |rule, setting: &str, value: &str, twist| (rule, setting.to_owned(), value.to_owned(), twist);
    let rules = || vec![rule(1, "", trust(5)), rule(2, "staff", require)];
    for client in [
        ClientCertificate::NotAllowed,
        ClientCertificate::Revoked,
        ClientCertificate::Untrusted,
        ClientCertificate::OutOfDate,
    ] {
        assert_eq!(decided(rules(), "/staff", client), told(1, "trust_list", "5", None), "{client:?}");
    }
    let none = decided(rules(), "/staff", ClientCertificate::None);
    assert_eq!(none, told(2, "client_certificates", "require", None));
    let no_list = decided(vec![rule(2, "staff", require)], "/staff", ClientCertificate::Untrusted);
    assert_eq!(no_list, told(2, "client_certificates", "require", None));
    let several = [rules(), vec![rule(3, "STAFF", trust(6))]].concat();
    let conflict = decided(several, "/staff", ClientCertificate::Untrusted);
    assert_eq!(conflict, told(3, "trust_list", "6", Some(Twist::Conflict)));
}

#[test]
fn the_same_request_is_judged_by_the_table_of_today() {
    let in_clear = refused(Cause::Unmet(Refusal::SslRequired), CLEAR);
    let of = |require_ssl: RequireSsl| table([site(1, Protocol::Http, "shop.example", require_ssl.into())]);
    assert_eq!(in_clear.again(&of(RequireSsl::Refuse), NOW), Again::Refused(in_clear.cause));
    assert_eq!(in_clear.again(&of(RequireSsl::Off), NOW), Again::LetThrough);
    let nowhere_to_go = in_clear.again(&of(RequireSsl::Redirect), NOW);
    assert_eq!(nowhere_to_go, Again::Refused(in_clear.cause), "there is no https address to go to");
    let stopped = Site { state: SiteState::Stopped, ..site(1, Protocol::Http, "shop.example", RequireSsl::Off.into()) };
    assert_eq!(in_clear.again(&table([stopped]), NOW), Again::Refused(Cause::Closed));
    assert_eq!(in_clear.again(&table([]), NOW), Again::Refused(Cause::NoSite));
    let cut = Refused { path: Refused::short_path(&format!("/{}", "a".repeat(999))), ..in_clear };
    assert_eq!(cut.again(&of(RequireSsl::Off), NOW), Again::Unknown);
}

#[test]
fn a_server_name_and_a_host_are_looked_up_again_each() {
    let facts = facts().next().unwrap();
    let other = refused(Cause::OtherSite, Transport::Tls(facts));
    let other = Refused { server_name: Some(host("maps.example")), ..other };
    let own = |id, name| site(id, Protocol::Https, name, Settings::default());
    let apart = table([own(1, "maps.example"), own(2, "shop.example")]);
    assert_eq!(other.again(&apart, NOW), Again::Refused(Cause::OtherSite));
    let mut one = own(1, "maps.example");
    one.bindings.extend(own(2, "shop.example").bindings);
    assert_eq!(other.again(&table([one]), NOW), Again::LetThrough);
}

#[test]
fn a_visitor_who_came_in_clear_to_a_proxy_is_judged_at_the_same_https_port() {
    let came = Came { is_tls: true, ..CLEAR.into() };
    let refused =
        Refused { server_name: Some(host("shop.example")), came, ..refused(Cause::Unmet(Refusal::SslRequired), CLEAR) };
    let of = |require_ssl: RequireSsl| table([site(1, Protocol::Https, "shop.example", require_ssl.into())]);
    assert_eq!(refused.again(&of(RequireSsl::Refuse), NOW), Again::Refused(refused.cause));
    assert_eq!(refused.again(&of(RequireSsl::Redirect), NOW), Again::Redirected(Redirect::Permanent));
}

#[test]
fn what_a_certificate_nobody_looked_at_gets_is_not_guessed() {
    let old = TlsFacts { client: ClientCertificate::None, ..facts().next().unwrap() };
    let came = Came { is_seen: false, ..Transport::Tls(old).into() };
    let refused = refused(Cause::Unmet(Refusal::TlsTooOld), Transport::Tls(old));
    let refused = Refused { server_name: Some(host("shop.example")), came, ..refused };
    let of = |settings| refused.again(&table([site(1, Protocol::Https, "shop.example", settings)]), NOW);
    for client_certificates in [ClientCertificates::Accept, ClientCertificates::Require] {
        let settings = Settings { client_certificates: Some(client_certificates), ..Settings::default() };
        assert_eq!(of(settings), Again::Unseen);
    }
    assert_eq!(of(Settings::default()), Again::LetThrough);
}

#[test]
fn a_long_path_is_cut_between_characters() {
    let path = format!("/{}", "ü".repeat(400));
    let short = Refused::short_path(&path);
    assert!(short.len() <= Refused::PATH + '…'.len_utf8() && short.ends_with("ü…"), "{short}");
    assert_eq!(Refused::short_path("/books"), "/books");
}
