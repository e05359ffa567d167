use std::path::Path;

use http::Request;
use http_body_util::BodyExt;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use siteward_core::binding::{Binding, Place, parse_port};
use siteward_core::chain::X509;
use siteward_core::host::HostPattern;
use siteward_core::ssl::{
    ClientCertificate, ClientCertificates, KeyExchange, RequireSsl, Rule, RulePath, Rules, Setting, Settings, Strength,
    TlsVersion,
};
use siteward_core::testing_ca::TestCa;
use siteward_core::trust_list::{AllowRule, CaDraft, Checked, Crl, Field, TrustList, WhenStale};
use time::Duration;

use super::*;
use crate::content::Content;
use crate::limits::Limits;

const MODERN: TlsFacts = TlsFacts {
    version: TlsVersion::Tls13,
    strength: Strength::Bits256,
    key_exchange: KeyExchange::PostQuantum,
    client: ClientCertificate::None,
};

fn site(protocol: Protocol, folder: &Path, rules: Rules) -> Site {
    let place = Place { protocol, ip: None, port: parse_port("8000").unwrap(), host: HostPattern::Any };
    Site {
        id: 1,
        name: "Shop".into(),
        folder: folder.into(),
        state: SiteState::Running,
        rules: Arc::new(rules),
        exemptions: Arc::default(),
        pages: Arc::default(),
        hsts: None,
        trials: Arc::default(),
        version: 1,
        bindings: vec![Binding { id: 1, place, certificate: None }],
        proxied: false,
        preloads: false,
        locked: false,
    }
}

fn way(tls: Option<Shaken>) -> Way<'static> {
    Way { local: "192.0.2.1:8000".parse().unwrap(), tls, client: None, secured_to_proxy: None }
}

fn shaken(site: SiteId, policy: TlsPolicy, facts: TlsFacts) -> Option<Shaken> {
    Some(Shaken { site, policy, facts })
}

fn get(target: &str) -> Parts {
    Request::get(target).header("host", "shop.example").body(()).unwrap().into_parts().0
}

fn admitted(site: Site, tls: Option<Shaken>) -> Result<SiteId, Denial> {
    let table = SiteTable::default().with(1, [(1, Some(site))]);
    admit(&table, &way(tls), &get("/"), OffsetDateTime::UNIX_EPOCH, &mut Learnt::default())
        .map(|admitted| admitted.site.id)
}

#[test]
fn a_connection_that_is_older_than_its_port_s_protocol_gets_nothing() {
    let of = |protocol| site(protocol, Path::new("/"), Rules::default());
    let tls = shaken(1, TlsPolicy::default(), MODERN);
    assert_eq!(admitted(of(Protocol::Http), None), Ok(1));
    assert_eq!(admitted(of(Protocol::Https), tls), Ok(1));
    assert_eq!(admitted(of(Protocol::Https), None), Err(Denial::NoSite), "in clear from a port that is https by now");
    assert_eq!(admitted(of(Protocol::Http), tls), Err(Denial::Misdirected));
}

#[test]
fn a_refusal_that_a_new_handshake_may_cure_is_421() {
    let settings = Settings { client_certificates: Some(ClientCertificates::Require), ..Settings::default() };
    let rule = Rule { id: 1, path: RulePath::site(), settings, reason: String::new() };
    let of = || site(Protocol::Https, Path::new("/"), Rules::new([rule.clone()]));
    let never_asked = shaken(1, TlsPolicy::default(), MODERN);
    assert_eq!(admitted(of(), never_asked), Err(Denial::Misdirected));
    let asked = shaken(1, of().rules.tls(), MODERN);
    let refused = admitted(of(), asked);
    assert!(matches!(refused, Err(Denial::Refuse { refusal: Refusal::CertificateRequired, .. })), "{refused:?}");
    let strict = TlsPolicy { min_tls: TlsVersion::Tls13, ..TlsPolicy::default() };
    let bare = site(Protocol::Https, Path::new("/"), Rules::default());
    assert_eq!(admitted(bare, shaken(1, strict, MODERN)), Ok(1), "what is met is met");
}

#[test]
fn what_a_new_handshake_of_a_proxy_s_cannot_cure_is_refused_as_it_is() {
    let settings = |require_ssl| Settings {
        client_certificates: Some(ClientCertificates::Require),
        require_ssl: Some(require_ssl),
        ..Settings::default()
    };
    let refusal = |require_ssl, secured_to_proxy| {
        let rule = Rule { id: 1, path: RulePath::site(), settings: settings(require_ssl), reason: String::new() };
        let table =
            SiteTable::default().with(1, [(1, Some(site(Protocol::Https, Path::new("/"), Rules::new([rule]))))]);
        let never_asked = shaken(1, TlsPolicy::default(), MODERN);
        let way = Way { secured_to_proxy, ..way(never_asked) };
        match admit(&table, &way, &get("/"), OffsetDateTime::UNIX_EPOCH, &mut Learnt::default()) {
            Err(Denial::Refuse { refusal, .. }) => Some(refusal),
            refused => {
                assert_eq!(refused.map(|_| ()), Err(Denial::Misdirected));
                None
            }
        }
    };
    assert_eq!(refusal(RequireSsl::Off, Some(true)), Some(Refusal::CertificateRequired));
    assert_eq!(refusal(RequireSsl::Refuse, Some(false)), Some(Refusal::SslRequired), "whose credential is told of");
    assert_eq!(refusal(RequireSsl::Off, None), None, "TLS may have been passed through");
}

/// A file system that tells no case and no dots at the end, made of links: whatever the spelling, there is one folder.
fn lay_out(folder: &Path) {
    let mut places = vec![String::new()];
    for depth in 0..3 {
        let here = places.iter().filter(|place| place.matches('/').count() == depth).cloned().collect::<Vec<_>>();
        for place in here {
            for name in ["a", "b"] {
                let made = folder.join(format!("{place}{name}"));
                std::fs::create_dir(&made).unwrap();
                for spelling in [name.to_uppercase(), format!("{name}."), format!("{name} "), format!("{name}~1")] {
                    std::os::unix::fs::symlink(name, folder.join(format!("{place}{spelling}"))).unwrap();
                }
                places.push(format!("{place}{name}/"));
            }
        }
    }
    for place in places {
        for name in ["index.html", "x.txt"] {
            std::fs::write(folder.join(format!("{place}{name}")), format!("{place}{name}")).unwrap();
            std::os::unix::fs::symlink(name, folder.join(format!("{place}{}", name.to_uppercase()))).unwrap();
        }
    }
}

fn settings() -> impl Strategy<Value = Settings> {
    fn kind<T: Setting + std::fmt::Debug>() -> impl Strategy<Value = Option<T>> {
        prop::option::of(prop::sample::select(T::ALL))
    }
    let kinds = (kind(), kind(), kind(), kind(), kind(), kind());
    kinds.prop_map(|(require_ssl, min_tls, strength, key_exchange, client_certificates, clear_credentials)| Settings {
        require_ssl,
        min_tls,
        strength,
        key_exchange,
        client_certificates,
        trust: Some(1),
        clear_credentials,
    })
}

/// Where rules stand: folders and files as they are spelt on the disk, and the site itself.
fn places() -> impl Strategy<Value = Vec<(String, Settings)>> {
    let place = "([ab](/[ab]){0,2}(/index\\.html|/x\\.txt)?)?|index\\.html|x\\.txt";
    prop::collection::btree_map(place, settings(), 0..8).prop_map(|rules| rules.into_iter().collect())
}

fn targets() -> impl Strategy<Value = String> {
    let pieces = &[
        "a",
        "b",
        "a",
        "b",
        "A",
        "B",
        "%61",
        "%42",
        "a.",
        "B%20",
        "a%2e",
        "a~1",
        "B~1",
        "",
        ".",
        "%2e",
        "..",
        "%2E%2e",
        "a%2fb",
        "a%5Cb",
        "a\\b",
        "a;x=1",
        "a%00",
        "a:b",
        "%C2%ADa",
        "x.txt",
        "X.TXT",
        "x.txt",
        "index.html",
        "INDEX.HTML",
        "index.html.",
        "x.txt?q=/../b",
        "",
    ][..];
    let path =
        prop::collection::vec(prop::sample::select(pieces), 0..6).prop_map(|pieces| format!("/{}", pieces.join("/")));
    let form = prop::sample::select(&["", "", "", "http://shop.example", "https://shop.example:80"][..]);
    (form, path).prop_map(|(form, path)| format!("{form}{path}"))
}

fn transports() -> impl Strategy<Value = Option<TlsFacts>> {
    let clients = [ClientCertificate::None, ClientCertificate::Good, ClientCertificate::Revoked];
    let facts = (
        prop::sample::select(TlsVersion::ALL),
        prop::sample::select(Strength::ALL),
        prop::sample::select(KeyExchange::ALL),
        prop::sample::select(clients.to_vec()),
    );
    prop::option::of(facts.prop_map(|(version, strength, key_exchange, client)| TlsFacts {
        version,
        strength,
        key_exchange,
        client,
    }))
}

/// What the very file demands: for each setting, the nearest place on the way that has it.
fn demanded(file: &str, rules: &[(String, Settings)]) -> Settings {
    let on_the_way = |place: &str| place.is_empty() || file == place || file.starts_with(&format!("{place}/"));
    let mut way: Vec<_> = rules.iter().filter(|(place, _)| on_the_way(place)).collect();
    way.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
    Settings {
        require_ssl: way.iter().find_map(|(_, settings)| settings.require_ssl),
        min_tls: way.iter().find_map(|(_, settings)| settings.min_tls),
        strength: way.iter().find_map(|(_, settings)| settings.strength),
        key_exchange: way.iter().find_map(|(_, settings)| settings.key_exchange),
        client_certificates: way.iter().find_map(|(_, settings)| settings.client_certificates),
        trust: None, // what it makes of a certificate is the word for it
        clear_credentials: way.iter().find_map(|(_, settings)| settings.clear_credentials),
    }
}

fn rule((place, settings): &(String, Settings)) -> Rule {
    Rule { id: 0, path: RulePath::stored(place).unwrap(), settings: *settings, reason: String::new() }
}

/// A table with a trust list, and a real client for everything that a certificate may be worth by it.
fn clients() -> (SiteTable, Vec<(ClientCertificate, Client)>) {
    let (ca, stranger, now) = (TestCa::new(), TestCa::new(), OffsetDateTime::now_utc());
    let [ann, ben, zoe] = ["Ann", "Ben", "Zoe"].map(|name| ca.client_now(name));
    let long_ago = ca.client("Ann", now - Duration::days(9), now - Duration::DAY);
    let crl = Crl::parse(&ca.issuing_crl(&[&ben.serial()], 1, now, now + Duration::DAY)).unwrap();
    let certificate = X509::parse(ca.intermediate_der()).unwrap();
    let cas = vec![CaDraft { id: 1, certificate, checked: Checked::By(Some(Arc::new(crl))) }];
    let allow = ["Ann", "Ben"].map(|name| AllowRule::parse(Field::CommonName, name).unwrap()).to_vec();
    let list = TrustList::new((1, "Partners".into(), WhenStale::Closed), cas, allow, &[]).unwrap();
    let clients = [
        (ClientCertificate::Good, ann),
        (ClientCertificate::Revoked, ben),
        (ClientCertificate::NotAllowed, zoe),
        (ClientCertificate::OutOfDate, long_ago),
        (ClientCertificate::Untrusted, stranger.client_now("Ann")),
    ];
    let shown = clients.map(|(worth, client)| (worth, Client::showing(vec![client.leaf.into()])));
    (SiteTable::default().with_trust_lists(1, [(1, Some(Arc::new(list)))]), shown.into())
}

#[test]
fn no_file_is_served_to_a_connection_that_does_not_meet_what_the_file_demands() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = folder.path().canonicalize().unwrap();
    lay_out(&folder);
    let content = Content::new(data.path(), &Limits::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let served = std::cell::Cell::new([0; 2]);
    let cases = (places(), targets(), transports(), prop::bool::ANY);

    let (trusting, clients) = clients();
    let mut runner = TestRunner::new(Config { cases: 3_000, ..Config::default() });
    let outcome = runner.run(&cases, |(rules, target, facts, has_cookie)| {
        let Ok(request) = Request::get(&target).header("host", "shop.example:80").body(()) else { return Ok(()) };
        let mut request = request.into_parts().0;
        if has_cookie {
            request.headers.insert("cookie", HeaderValue::from_static("a=b"));
        }
        for forged in ["x-forwarded-proto", "x-forwarded-ssl", "front-end-https", "forwarded", "x-arr-ssl"] {
            request.headers.insert(forged, HeaderValue::from_static("proto=https, https, on"));
        }
        let protocol = if facts.is_some() { Protocol::Https } else { Protocol::Http };
        // Each case is a version of its own, so that none finds what another has read.
        let site =
            Site { version: i64::from(served.get()[0]), ..site(protocol, &folder, Rules::new(rules.iter().map(rule))) };
        let table = trusting.clone().with(1, [(1, Some(site))]);
        let policy = table.tls(table.site(1).unwrap());
        let tls = facts.and_then(|facts| shaken(1, policy, facts));
        let client = facts.and_then(|facts| clients.iter().find(|(worth, _)| *worth == facts.client));
        let way = Way { client: client.map(|(_, client)| client), ..way(tls) };
        let now = OffsetDateTime::now_utc();
        let Ok(Admitted { site, path, .. }) = admit(&table, &way, &request, now, &mut Learnt::default()) else {
            return Ok(());
        };
        let remote = Some("192.0.2.9".parse().unwrap());
        let file = runtime.block_on(async {
            let answer = content.answer(&site, path, &request, remote).await.ok()?;
            answer.status().is_success().then_some(answer.into_body())?.collect().await.ok()
        });
        let Some(file) = file else { return Ok(()) };
        let file = String::from_utf8(file.to_bytes().to_vec()).unwrap();
        let [clear, secure] = served.get();
        served.set(if facts.is_none() { [clear + 1, secure] } else { [clear, secure + 1] });

        let alone = Rules::new([Rule {
            id: 0,
            path: RulePath::site(),
            settings: demanded(&file, &rules),
            reason: String::new(),
        }]);
        let verdict = alone.site().verdict(transport(&way, facts.map(|facts| facts.client), &request));
        prop_assert_eq!(verdict, Verdict::Go, "{} was served for {} over {:?}", file, target, facts);
        Ok(())
    });
    outcome.unwrap();
    assert!(served.get().iter().all(|&count| count > 100), "hardly anything was served: {:?}", served.get());
}
