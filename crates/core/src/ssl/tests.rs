//! Settings × connection → verdict, and which place sets what.

use super::*;
use crate::path::{UrlPath, encode};
use proptest::prelude::*;

/// Every combination finds its answer in the first line that fits it: what is demanded, how the request came, the
/// answer. `*` is anything, `a|b` is a or b.
///
/// Demanded: require SSL, credentials in clear, least TLS, least bits, key exchange, client certificates. Came: over TLS
/// with version, bits, key exchange, client certificate; over TLS that ended at a trusted proxy; or in clear, with or
/// without credentials, reading or writing.
const TABLE: &str = "
    off          *        *   *   *            ignore|accept  | clear *           *            | go
    off          *        *   *   *            require        | clear *           *            | 403.4
    refuse       *        *   *   *            *              | clear *           *            | 403.4
    *            refuse   *   *   *            *              | clear credentials *            | 403.4
    redirect     *        *   *   *            *              | clear *           *            | 308
    redirect-301 *        *   *   *            *              | clear *           reads        | 301
    redirect-301 *        *   *   *            *              | clear *           writes       | 308
    *            *        1.2 128 any          ignore|accept  | proxied                         | go
    *            *        1.2 128 any          require        | proxied                         | 403.7
    *            *        *   *   *            *              | proxied                         | 403.5
    *            *        1.3 *   *            *              | 1.2   *   *            *       | 403.5
    *            *        *   256 *            *              | *     128 *            *       | 403.5
    *            *        *   *   post-quantum *              | *     *   any          *       | 403.5
    *            *        *   *   *            ignore         | *     *   *            *       | go
    *            *        *   *   *            *              | *     *   *            good    | go
    *            *        *   *   *            accept         | *     *   *            none    | go
    *            *        *   *   *            require        | *     *   *            none    | 403.7
    *            *        *   *   *            *              | *     *   *            unwanted  | 403.12
    *            *        *   *   *            *              | *     *   *            revoked   | 403.13
    *            *        *   *   *            *              | *     *   *            untrusted | 403.16
    *            *        *   *   *            *              | *     *   *            outdated  | 403.17
";

const CLIENTS: [(&str, ClientCertificate); 6] = [
    ("none", ClientCertificate::None),
    ("good", ClientCertificate::Good),
    ("unwanted", ClientCertificate::NotAllowed),
    ("revoked", ClientCertificate::Revoked),
    ("untrusted", ClientCertificate::Untrusted),
    ("outdated", ClientCertificate::OutOfDate),
];

fn every_transport() -> Vec<(String, Transport)> {
    let mut transports = vec![("proxied".to_owned(), Transport::Proxied)];
    for (credentials, carried) in [(true, "credentials"), (false, "bare")] {
        for (reads, does) in [(true, "reads"), (false, "writes")] {
            transports.push((format!("clear {carried} {does}"), Transport::Clear { credentials, reads }));
        }
    }
    for &version in TlsVersion::ALL {
        for &strength in Strength::ALL {
            for &key_exchange in KeyExchange::ALL {
                for (name, client) in CLIENTS {
                    let words = [version.as_str(), strength.as_str(), key_exchange.as_str(), name].join(" ");
                    let facts = TlsFacts { version, strength, key_exchange, client };
                    transports.push((words, Transport::Tls(facts)));
                }
            }
        }
    }
    transports
}

fn every_settings() -> Vec<(String, Settings)> {
    let mut all = Vec::new();
    let in_clear = RequireSsl::ALL.iter().flat_map(|ssl| ClearCredentials::ALL.iter().map(move |own| (*ssl, *own)));
    for (require_ssl, clear_credentials) in in_clear {
        for &min_tls in TlsVersion::ALL {
            for &strength in Strength::ALL {
                for &key_exchange in KeyExchange::ALL {
                    for &client in ClientCertificates::ALL {
                        let words = [
                            require_ssl.as_str(),
                            clear_credentials.as_str(),
                            min_tls.as_str(),
                            strength.as_str(),
                            key_exchange.as_str(),
                            client.as_str(),
                        ];
                        let settings = Settings {
                            require_ssl: Some(require_ssl),
                            min_tls: Some(min_tls),
                            strength: Some(strength),
                            key_exchange: Some(key_exchange),
                            client_certificates: Some(client),
                            trust: None, // what it makes of a certificate is the word for the certificate
                            clear_credentials: Some(clear_credentials),
                        };
                        all.push((words.join(" "), settings));
                    }
                }
            }
        }
    }
    all
}

fn fits(patterns: &[&str], words: &str) -> bool {
    let mut words = words.split(' ');
    let fits = |pattern: &&str, word: &str| *pattern == "*" || pattern.split('|').any(|choice| choice == word);
    patterns.iter().all(|pattern| words.next().is_some_and(|word| fits(pattern, word))) && words.next().is_none()
}

fn in_words(verdict: Verdict) -> String {
    match verdict {
        Verdict::Go => "go".into(),
        Verdict::Redirect(redirect) => redirect.status().to_string(),
        Verdict::Refuse(refusal) => format!("403.{}", refusal.substatus()),
    }
}

#[test]
fn every_setting_has_one_verdict_for_every_way_to_come() {
    // Alternatives stand within words without spaces, so the two bars with spaces around them divide a line in three.
    let columns = |line: &'static str| line.split(" | ").map(|words| words.split_whitespace().collect()).collect();
    let lines: Vec<Vec<Vec<&str>>> = TABLE.lines().filter(|line| !line.trim().is_empty()).map(columns).collect();
    let mut used = vec![0; lines.len()];
    for (demanded, settings) in every_settings() {
        let demands = site([("", settings)]).site();
        for (came, transport) in every_transport() {
            let line = lines.iter().position(|line| fits(&line[0], &demanded) && fits(&line[1], &came));
            let line = line.unwrap_or_else(|| panic!("no line for {demanded} | {came}"));
            used[line] += 1;
            assert_eq!(in_words(demands.verdict(transport)), lines[line][2][0], "{demanded} | {came}");
        }
    }
    assert_eq!(used.iter().sum::<usize>(), 192 * 53);
    assert!(used.iter().all(|&count| count > 0), "a line that fits nothing: {used:?}");
}

fn site<'a>(rules: impl IntoIterator<Item = (&'a str, Settings)>) -> Rules {
    let rule = |(id, (path, settings)): (usize, (&str, Settings))| {
        let path = if path.is_empty() { RulePath::site() } else { RulePath::parse(path).unwrap() };
        Rule { id: id as RuleId, path, settings, reason: String::new() }
    };
    Rules::new(rules.into_iter().enumerate().map(rule))
}

fn path(raw: &str) -> UrlPath {
    UrlPath::parse(raw).unwrap()
}

fn require(value: RequireSsl) -> Settings {
    value.into()
}

fn certificates(value: ClientCertificates) -> Settings {
    Settings { client_certificates: Some(value), ..Settings::default() }
}

#[test]
fn each_setting_is_inherited_by_itself_and_tells_where_it_comes_from() {
    let rules = site([
        ("", require(RequireSsl::Refuse)),
        ("/account/", certificates(ClientCertificates::Require)),
        ("/account/help/", require(RequireSsl::Redirect)),
        ("/hooks/stock", require(RequireSsl::Off)),
    ]);
    let told = |raw: &str| {
        let demands = rules.demands(&path(raw));
        let origin = |origin| rules.origin(origin).map_or("built in".into(), |rule| rule.path.to_string());
        let (ssl, client) = (demands.require_ssl, demands.client_certificates);
        [ssl.value.as_str(), &origin(ssl.origin), client.value.as_str(), &origin(client.origin)].join(" ")
    };
    assert_eq!(told("/"), "refuse / ignore built in");
    assert_eq!(told("/accounts/"), "refuse / ignore built in");
    assert_eq!(told("/account"), "refuse / require /account");
    assert_eq!(told("/account/orders/7"), "refuse / require /account");
    assert_eq!(told("//account/./help/%69ndex"), "redirect /account/help require /account");
    assert_eq!(told("/hooks/stock/7"), "off /hooks/stock ignore built in");
    assert_eq!(told("/hooks/"), "refuse / ignore built in");
}

#[test]
fn a_rule_holds_in_every_spelling_and_eases_in_its_own_only() {
    let rules = site([
        ("", require(RequireSsl::Redirect)),
        ("/Account", require(RequireSsl::Refuse)),
        ("/hooks", require(RequireSsl::Off)),
        ("/accounting/2026", certificates(ClientCertificates::Require)),
    ]);
    let ssl = |raw: &str| rules.demands(&path(raw)).require_ssl.value;
    for raw in ["/Account/x", "/account/x", "/ACCOUNT./x", "/account%20/x", "/acc%C2%ADount", "/account::$DATA"] {
        assert_eq!(ssl(raw), RequireSsl::Refuse, "{raw}");
    }
    assert_eq!(ssl("/hooks/7"), RequireSsl::Off);
    for raw in ["/Hooks/7", "/hooks./7", "/%68ookS"] {
        assert_eq!(ssl(raw), RequireSsl::Redirect, "{raw}");
    }
    let short = rules.demands(&path("/ACCOUN~1/2026/"));
    assert_eq!(short.require_ssl.value, RequireSsl::Refuse, "FAT may mean any folder by it");
    assert_eq!(short.client_certificates.value, ClientCertificates::Require);
}

#[test]
fn two_spellings_may_have_rules_of_their_own() {
    let rules = site([
        ("/hooks", require(RequireSsl::Off)),
        ("/Hooks", require(RequireSsl::Refuse)),
        ("", require(RequireSsl::Redirect)),
    ]);
    assert_eq!(rules.demands(&path("/Hooks")).in_clear(), RequireSsl::Refuse);
    assert_eq!(rules.demands(&path("/hooks")).in_clear(), RequireSsl::Refuse, "it may be the same folder");
}

#[test]
fn a_folder_demands_what_its_default_document_does() {
    let rules = site([
        ("/account/Index.HTML", require(RequireSsl::Refuse)),
        ("", require(RequireSsl::Redirect)),
        ("/default.htm", require(RequireSsl::Off)),
    ]);
    assert_eq!(rules.demands(&path("/account/")).in_clear(), RequireSsl::Refuse);
    assert_eq!(rules.demands(&path("/account/x")).in_clear(), RequireSsl::Redirect);
    assert_eq!(rules.demands(&path("/default.htm")).in_clear(), RequireSsl::Off);
    assert_eq!(rules.demands(&path("/")).in_clear(), RequireSsl::Redirect, "a document never eases its folder");
    for document in crate::site::DEFAULT_DOCUMENTS {
        assert_eq!(spelling::common(document), document, "they are looked up as they stand");
    }
}

#[test]
fn handshakes_keep_to_what_every_place_demands() {
    let strict = Settings {
        min_tls: Some(TlsVersion::Tls13),
        strength: Some(Strength::Bits256),
        key_exchange: Some(KeyExchange::PostQuantum),
        ..Settings::default()
    };
    let tls = site([("", strict)]).tls();
    assert_eq!(tls.min_tls, TlsVersion::Tls13);
    assert_eq!(tls.strength, Strength::Bits256);
    assert_eq!(tls.key_exchange, KeyExchange::PostQuantum);

    let eased = Settings { strength: Some(Strength::Bits128), ..Settings::default() };
    let tls = site([("", strict), ("/old", eased)]).tls();
    assert_eq!(tls.min_tls, TlsVersion::Tls13, "nobody eases that");
    assert_eq!(tls.strength, Strength::Bits128);
    assert!(!tls.ask_certificate);

    let tls = site([("/partners", certificates(ClientCertificates::Require)), ("/old", eased)]).tls();
    assert!(tls.ask_certificate, "for one folder, everybody is asked");
    assert_eq!(Rules::default().tls(), TlsPolicy::default());
}

fn trusting(client: ClientCertificates, list: i64) -> Settings {
    Settings { trust: Some(list), ..certificates(client) }
}

#[test]
fn a_trust_list_is_inherited_by_itself_and_where_two_may_be_meant_nobody_is_trusted() {
    use ClientCertificates::{Ignore, Require};
    let rules = site([
        ("", trusting(Ignore, 1)),
        ("/a", certificates(Require)),
        ("/Partners", trusting(Require, 2)),
        ("/b/index.html", trusting(Require, 3)),
        ("/c", trusting(Require, 1)),
        ("/c/index.html", trusting(Require, 3)),
        ("/d", trusting(Ignore, 3)),
    ]);
    let told = |raw: &str| {
        let demands = rules.demands(&path(raw));
        (demands.client_certificates.value, demands.trust.value)
    };
    assert_eq!(told("/a/x"), (Require, Trusted::List(1)), "inherited from the site");
    assert_eq!(told("/Partners/x"), (Require, Trusted::List(2)));
    assert_eq!(told("/partners/x"), (Require, Trusted::Conflict), "it may be either folder");
    assert_eq!(told("/A/x"), (Require, Trusted::List(1)), "all of them agree");
    assert_eq!(told("/b/"), (Require, Trusted::List(3)), "only its page looks at certificates");
    assert_eq!(told("/b/x"), (Ignore, Trusted::List(1)));
    assert_eq!(told("/c/"), (Require, Trusted::Conflict));
    assert_eq!(told("/PARTNE~1/x"), (Require, Trusted::Conflict), "FAT may mean any folder by it");
    assert_eq!(rules.trust_lists(), [1, 2, 3], "none for a place that looks at no certificate");
    assert_eq!(site([("/x", certificates(Require))]).demands(&path("/x")).trust.value, Trusted::Unset);

    let one = site([("/Partners", trusting(Require, 2)), ("/d", trusting(Ignore, 3))]);
    let short = one.demands(&path("/PARTNE~1/x"));
    assert_eq!((short.client_certificates.value, short.trust.value), (Require, Trusted::List(2)));
    assert_eq!(one.trust_lists(), [2]);
}

#[test]
fn a_rule_s_path_is_read_like_a_visitor_s() {
    for (typed, stored) in [("/account/", "account"), ("account", "account"), ("/a//b%20c/.", "a/b c")] {
        let path = RulePath::parse(typed).unwrap();
        assert_eq!(path.as_str(), stored);
        assert_eq!(RulePath::stored(stored), Ok(path));
    }
    for typed in ["/../x", "/a%2fb", "/a\\b", "/a?b", "/a#b", "/%zz", "/...", "/a/. ."] {
        assert_eq!(RulePath::parse(typed), Err(BadPlace::Unreadable), "{typed}");
    }
    for typed in ["", "/", " // "] {
        assert_eq!(RulePath::parse(typed), Err(BadPlace::WholeSite), "{typed}");
    }
    assert_eq!(RulePath::parse(&"/a".repeat(31)), Err(BadPlace::TooLong));
    assert_eq!(RulePath::parse(&"a".repeat(1_001)), Err(BadPlace::TooLong));
    assert!(RulePath::stored("/account").is_err());
}

fn settings() -> impl Strategy<Value = Settings> {
    fn kind<T: Setting + std::fmt::Debug>() -> impl Strategy<Value = Option<T>> {
        prop::option::of(prop::sample::select(T::ALL))
    }
    let kinds = (kind(), kind(), kind(), kind(), (kind(), prop::option::of(1..4i64)), kind());
    kinds.prop_map(|(require_ssl, min_tls, strength, key_exchange, (client_certificates, trust), clear_credentials)| {
        Settings { require_ssl, min_tls, strength, key_exchange, client_certificates, trust, clear_credentials }
    })
}

proptest! {
    /// The nearest rule on the way decides, found here by looking at all of them.
    #[test]
    fn among_rules_of_distinct_names_the_nearest_on_the_way_decides(
        rules in prop::collection::btree_map("[a-c](/[a-c]){0,3}", settings(), 0..12),
        asked in "[a-d](/[a-d]){0,4}",
    ) {
        let table = site(rules.iter().map(|(path, settings)| (path.as_str(), *settings)));
        let demands = table.demands(&path(&format!("/{asked}")));
        let mut way: Vec<_> =
            rules.iter().filter(|(path, _)| asked == **path || asked.starts_with(&format!("{path}/"))).collect();
        way.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        let nearest = way.iter().find_map(|(_, settings)| settings.require_ssl).unwrap_or_default();
        prop_assert_eq!(demands.require_ssl.value, nearest);
        let nearest = way.iter().find_map(|(_, settings)| settings.client_certificates).unwrap_or_default();
        prop_assert_eq!(demands.client_certificates.value, nearest);
        let nearest = way.iter().find_map(|(_, settings)| settings.trust);
        prop_assert_eq!(demands.trust.value, nearest.map_or(Trusted::Unset, Trusted::List));
    }

    /// However a path is spelt, it is never easier to have than in the spelling of the rules.
    #[test]
    fn no_spelling_is_easier_than_the_one_of_the_rules(
        rules in prop::collection::btree_map("[a-b](/[a-b]){0,2}", settings(), 0..8),
        asked in "[a-b](/[a-b]){0,3}",
        upper in any::<u64>(),
        tails in prop::collection::vec(prop::sample::select(&["", "", ".", " ", "::$DATA", "\u{ad}"][..]), 4),
    ) {
        let table = site(rules.iter().map(|(path, settings)| (path.as_str(), *settings)));
        let spelt: Vec<String> = asked.split('/').zip(&tails).enumerate().map(|(i, (name, tail))| {
            let name = if upper >> i & 1 == 1 { name.to_uppercase() } else { name.to_owned() };
            encode(&format!("{name}{tail}"))
        }).collect();
        let own = table.demands(&path(&format!("/{asked}")));
        let other = table.demands(&path(&format!("/{}", spelt.join("/"))));
        prop_assert!(other.require_ssl.value >= own.require_ssl.value, "{:?}", spelt);
        prop_assert!(other.min_tls.value >= own.min_tls.value);
        prop_assert!(other.strength.value >= own.strength.value);
        prop_assert!(other.key_exchange.value >= own.key_exchange.value);
        prop_assert!(other.client_certificates.value >= own.client_certificates.value);
        let trusts_nobody = other.trust.value.list().is_none();
        prop_assert!(!own.looks_at_certificates() || other.trust.value == own.trust.value || trusts_nobody);
        prop_assert!(other.clear_credentials.value >= own.clear_credentials.value);
    }

    /// What a handshake insists on, every place insists on.
    #[test]
    fn a_handshake_never_shuts_out_whom_a_place_would_let_in(
        rules in prop::collection::btree_map("[a-b](/[a-b]){0,2}", settings(), 0..8),
        asked in "([a-c](/[a-c]){0,3})?/?",
    ) {
        let table = site(rules.iter().map(|(path, settings)| (path.as_str(), *settings)));
        let (tls, demands) = (table.tls(), table.demands(&path(&format!("/{asked}"))));
        prop_assert!(tls.min_tls <= demands.min_tls.value);
        prop_assert!(tls.strength <= demands.strength.value);
        prop_assert!(tls.key_exchange <= demands.key_exchange.value);
        prop_assert!(tls.ask_certificate || !demands.looks_at_certificates());
        let asked = demands.trust.value.list().filter(|_| demands.looks_at_certificates());
        prop_assert!(asked.is_none_or(|list| table.trust_lists().contains(&list)), "its CAs are hinted at");
    }
}
