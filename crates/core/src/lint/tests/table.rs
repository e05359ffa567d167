//! One sample against each rule, on the days just before and after the rule came into force.

use std::collections::BTreeSet;

use rcgen::{DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType, SerialNumber};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use x509_parser::num_bigint::BigUint;

use super::samples::*;
use crate::inspect::Facts;
use crate::lint::Severity::{self, Note, Refuse, Warn};
use crate::lint::{Profile, dates, judge, key, names, signature, usage};

type Day = OffsetDateTime;

/// What the rule says of a sample made on a day.
struct Case {
    rule: &'static str,
    public: Option<Severity>,
    private: Option<Severity>,
    since: Day,
    until: Day,
    sample: fn(Day) -> Facts,
}

const ALWAYS: Day = datetime!(2000-01-01 0:00 UTC);
const EVER: Day = datetime!(2040-01-01 0:00 UTC);
const BR_1: Day = datetime!(2012-07-01 0:00 UTC);
const SC_62: Day = datetime!(2023-09-15 0:00 UTC);

const DAY: Duration = Duration::days(1);

fn case(rule: &'static str, public: Severity, since: Day, sample: fn(Day) -> Facts) -> Case {
    Case { rule, public: Some(public), private: None, since, until: EVER, sample }
}

impl Case {
    fn private(self, private: Severity) -> Self {
        Self { private: Some(private), ..self }
    }

    fn only_private(self) -> Self {
        Self { private: self.public, public: None, ..self }
    }

    fn until(self, until: Day) -> Self {
        Self { until, ..self }
    }
}

fn named(day: Day, name: &str) -> Facts {
    leaf(day, |params| params.subject_alt_names.push(dns(name)))
}

fn addressed(day: Day, address: &str) -> Facts {
    leaf(day, |params| params.subject_alt_names.push(SanType::IpAddress(address.parse().unwrap())))
}

fn valid_for(day: Day, days: i64) -> Facts {
    leaf(day, |params| params.not_after = params.not_before + Duration::days(days))
}

fn serial(day: Day, serial: &[u8]) -> Facts {
    leaf(day, |params| params.serial_number = Some(SerialNumber::from_slice(serial)))
}

fn used(day: Day, usages: &[KeyUsagePurpose]) -> Facts {
    leaf(day, |params| params.key_usages = usages.to_vec())
}

fn purposes(day: Day, purposes: &[ExtendedKeyUsagePurpose]) -> Facts {
    leaf(day, |params| params.extended_key_usages = purposes.to_vec())
}

/// What another program made on some other day.
fn foreign(file: &str, day: Day) -> Facts {
    let facts = corpus(file).facts;
    Facts { validity: facts.validity.map(|_| (day, day + DAY)), ..facts }
}

fn number(number: u32) -> BigUint {
    BigUint::from(number)
}

fn about_names() -> Vec<Case> {
    vec![
        case("organizational-unit", Refuse, datetime!(2022-09-01 0:00 UTC), |day| {
            leaf(day, |params| params.distinguished_name.push(DnType::OrganizationalUnitName, "Web team"))
        }),
        case("internal-name", Refuse, datetime!(2015-11-01 0:00 UTC), |day| named(day, "mail.corp")),
        case("reserved-address", Refuse, datetime!(2015-11-01 0:00 UTC), |day| addressed(day, "fd00::1")),
        case("reverse-zone", Refuse, datetime!(2026-03-15 0:00 UTC), |day| named(day, "4.3.2.9.in-addr.arpa")),
        case("public-address", Warn, BR_1, |day| addressed(day, "9.9.9.9")),
        case("no-names", Refuse, BR_1, |day| leaf(day, |params| params.subject_alt_names.clear())).private(Refuse),
        case("request-nothing-to-name", Refuse, BR_1, |_| corpus("csr/iis5-seed.txt").facts).private(Warn),
        case("request-no-names", Warn, BR_1, |_| request(|params| params.subject_alt_names.clear())),
        case("common-name-not-named", Refuse, BR_1, |day| {
            leaf(day, |params| params.subject_alt_names = vec![dns("www.shop.example")])
        })
        .private(Note),
        case("request-common-name-not-named", Warn, BR_1, |_| {
            request(|params| params.subject_alt_names = vec![dns("www.shop.example")])
        })
        .private(Note),
        case("several-common-names", Refuse, SC_62, |_| corpus("csr/openssl-multi-rdn.pem").facts).private(Note),
        case("common-name-too-long", Refuse, BR_1, |day| {
            leaf(day, |params| params.distinguished_name.push(DnType::CommonName, "a.".repeat(30) + "example"))
        })
        .private(Warn),
        case("wildcard", Refuse, BR_1, |day| named(day, "*.example")).private(Refuse),
        case("wildcard", Refuse, BR_1, |day| named(day, "w*.shop.example")).private(Refuse),
        case("wildcard", Refuse, BR_1, |day| named(day, "www.*.example")).private(Refuse),
        case("wildcard", Refuse, BR_1, |day| foreign("cert/wildcard-bare.der", day)).private(Refuse),
        case("underscore", Refuse, datetime!(2019-04-01 0:00 UTC), |day| named(day, "my_host.shop.example"))
            .private(Note),
        case("not-a-host-name", Refuse, BR_1, |day| named(day, "shop.example.")).private(Refuse),
        case("not-a-host-name", Refuse, BR_1, |day| named(day, "10.0.0.1")).private(Refuse),
        case("not-a-host-name", Refuse, BR_1, |day| foreign("cert/nul-san.der", day)).private(Refuse),
        case("not-a-host-name", Refuse, BR_1, |day| foreign("cert/idn-ulabel.der", day)).private(Refuse),
        case("unseen-character", Refuse, BR_1, |_| corpus("csr/forged-nul-cn.der").facts).private(Refuse),
        case("unseen-character", Refuse, BR_1, |day| foreign("cert/nul-san.der", day)).private(Refuse),
        case("other-names", Refuse, BR_1, |day| {
            leaf(day, |params| {
                params.subject_alt_names.push(SanType::Rfc822Name("me@shop.example".try_into().unwrap()))
            })
        }),
    ]
}

fn about_keys() -> Vec<Case> {
    vec![
        case("rsa-size", Refuse, datetime!(2014-01-01 0:00 UTC), |day| {
            leaf_for(day, &rsa(&((modulus() >> 1024) | number(1)), &number(65_537)))
        })
        .private(Refuse),
        case("rsa-size-multiple", Refuse, datetime!(2017-02-28 0:00 UTC), |day| {
            leaf_for(day, &rsa(&(modulus() << 1), &number(65_537)))
        })
        .private(Note),
        case("rsa-exponent", Refuse, datetime!(2013-02-21 0:00 UTC), |day| leaf_for(day, &rsa(&modulus(), &number(1))))
            .private(Refuse),
        case("rsa-exponent", Refuse, datetime!(2013-02-21 0:00 UTC), |day| {
            leaf_for(day, &rsa(&modulus(), &number(65_536)))
        })
        .private(Refuse),
        case("rsa-exponent-range", Warn, datetime!(2013-02-21 0:00 UTC), |day| {
            leaf_for(day, &rsa(&modulus(), &number(3)))
        })
        .private(Note),
        case("rsa-small-factor", Warn, datetime!(2013-02-21 0:00 UTC), |day| {
            leaf_for(day, &rsa(&(modulus() * number(751)), &number(65_537)))
        })
        .private(Warn),
        case("roca", Refuse, datetime!(2017-10-16 0:00 UTC), |day| {
            leaf_for(day, &rsa(&number(65_537).pow(127), &number(65_537)))
        })
        .private(Refuse),
        case("close-primes", Refuse, datetime!(2024-11-15 0:00 UTC), |day| {
            let near = number(3).pow(646);
            leaf_for(day, &rsa(&(&near * (&near + number(1_000_000))), &number(65_537)))
        })
        .private(Refuse),
        case("rsa-pss-key", Refuse, datetime!(2020-08-20 0:00 UTC), |_| corpus("csr/openssl-rsapss2048.pem").facts)
            .private(Warn),
        case("curve", Refuse, BR_1, |_| by_openssl(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]))
            .private(Refuse),
        case("p-521", Warn, datetime!(2017-02-28 0:00 UTC), |_| corpus("csr/openssl-p-521.pem").facts).private(Warn),
        case("edwards-curve", Refuse, BR_1, |day| leaf_for(day, &KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()))
            .private(Warn),
        // The number of Ed25519 becomes that of X25519, with which nothing can be signed.
        case("other-key", Refuse, BR_1, |day| forged(day, &[0x2b, 0x65, 0x70], &[0x2b, 0x65, 0x6e])).private(Refuse),
    ]
}

/// sha256WithRSAEncryption becomes another of its sisters.
fn rsa_with(day: Day, last: u8) -> Facts {
    let family = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    forged(day, &[&family[..], &[0x0b]].concat(), &[&family[..], &[last]].concat())
}

fn about_signatures() -> Vec<Case> {
    vec![
        case("md5", Refuse, BR_1, |day| rsa_with(day, 4)).private(Refuse),
        case("md5", Refuse, BR_1, |_| corpus("csr/openssl-md5.pem").facts).private(Refuse),
        case("sha1", Refuse, datetime!(2016-01-01 0:00 UTC), |day| rsa_with(day, 5)).private(Refuse),
        case("signature-broken", Refuse, BR_1, |_| corpus("csr/forged-badsig.der").facts).private(Refuse),
        case("version", Refuse, BR_1, |day| foreign("cert/v1.der", day)).private(Refuse),
        case("serial-not-positive", Refuse, BR_1, |day| serial(day, &[0])).private(Warn),
        case("serial-too-long", Refuse, BR_1, |day| foreign("cert/serial-21.der", day)).private(Warn),
        case("serial-entropy", Warn, datetime!(2016-09-30 0:00 UTC), |day| serial(day, &[0x4a; 7])),
    ]
}

fn about_dates() -> Vec<Case> {
    let (y2018, y2020) = (datetime!(2018-03-01 0:00 UTC), datetime!(2020-09-01 0:00 UTC));
    let (y2026, y2027) = (datetime!(2026-03-15 0:00 UTC), datetime!(2027-03-15 0:00 UTC));
    let y2029 = datetime!(2029-03-15 0:00 UTC);
    vec![
        case("validity-825", Refuse, y2018, |day| valid_for(day, 825)).until(y2020),
        case("validity-398", Refuse, y2020, |day| valid_for(day, 398)).until(y2026),
        case("validity-200", Refuse, y2026, |day| valid_for(day, 200)).until(y2027),
        case("validity-100", Refuse, y2027, |day| valid_for(day, 100)).until(y2029),
        case("validity-47", Refuse, y2029, |day| valid_for(day, 47)),
        case("validity-apple", Warn, datetime!(2019-07-02 0:00 UTC), |day| valid_for(day, 825)).only_private(),
        case("dates-reversed", Refuse, ALWAYS, |day| valid_for(day, -1)).private(Refuse),
        case("expired", Refuse, ALWAYS, |day| leaf(day - 41 * DAY, |_| {})).private(Refuse),
        case("not-yet-valid", Warn, ALWAYS, |day| leaf(day + DAY, |_| {})).private(Warn),
    ]
}

fn about_usage() -> Vec<Case> {
    use ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
    use KeyUsagePurpose::{DataEncipherment, DigitalSignature, KeyAgreement, KeyEncipherment};
    let tls_1_3 = datetime!(2018-08-01 0:00 UTC);
    let (y2026, y2027) = (datetime!(2026-06-15 0:00 UTC), datetime!(2027-03-15 0:00 UTC));
    vec![
        case("key-usage", Refuse, SC_62, |day| used(day, &[DigitalSignature, KeyEncipherment])).private(Note),
        case("request-key-usage", Note, SC_62, |_| request(|params| params.key_usages.push(KeyEncipherment))),
        case("data-encipherment", Note, SC_62, |day| {
            let key_usage = used(day, &[DigitalSignature, DataEncipherment]).key_usage;
            Facts { key_usage, ..leaf_for(day, &rsa(&modulus(), &number(65_537))) }
        }),
        case("no-digital-signature", Refuse, tls_1_3, |day| used(day, &[KeyAgreement])).private(Refuse),
        case("request-no-digital-signature", Warn, tls_1_3, |_| {
            request(|params| params.key_usages = vec![KeyAgreement])
        })
        .private(Warn),
        case("no-purpose", Refuse, datetime!(2020-07-01 0:00 UTC), |day| purposes(day, &[])),
        case("no-purpose-apple", Warn, datetime!(2019-07-02 0:00 UTC), |day| purposes(day, &[])).only_private(),
        case("not-for-servers", Refuse, BR_1, |day| purposes(day, &[ClientAuth])).private(Refuse),
        case("request-not-for-servers", Warn, BR_1, |_| {
            request(|params| params.extended_key_usages = vec![ClientAuth])
        })
        .private(Warn),
        case("other-purposes", Refuse, SC_62, |day| purposes(day, &[ServerAuth, CodeSigning])),
        case("client-authentication", Refuse, y2027, |day| purposes(day, &[ServerAuth, ClientAuth])),
        case("client-authentication-soon", Warn, y2026, |day| purposes(day, &[ServerAuth, ClientAuth])).until(y2027),
        case("request-client-authentication", Warn, y2026, |_| {
            request(|params| params.extended_key_usages.push(ClientAuth))
        }),
        case("must-staple", Note, datetime!(2015-10-01 0:00 UTC), |day| {
            leaf(day, |params| params.custom_extensions.push(must_staple()))
        })
        .private(Note),
    ]
}

fn cases() -> Vec<Case> {
    [about_names(), about_keys(), about_signatures(), about_dates(), about_usage()].into_iter().flatten().collect()
}

#[test]
fn each_rule_finds_its_sample_from_its_first_day_to_its_last() {
    for Case { rule, public, private, since, until, sample } in cases() {
        for (day, in_force) in
            [(since - DAY, since == ALWAYS), (since, true), (until - DAY, true), (until, until == EVER)]
        {
            let facts = sample(day);
            for (profile, severity) in [(Profile::PublicCa, public), (Profile::PrivateCa, private)] {
                let findings = judge(&facts, profile, day);
                let found = findings.iter().find(|finding| finding.rule == rule).map(|finding| finding.severity);
                assert_eq!(found, severity.filter(|_| in_force), "{rule}, {profile:?}, on {day}: {findings:?}");
            }
        }
    }
}

#[test]
fn every_rule_has_a_sample_and_says_all_it_has_to() {
    let rules = [names::RULES, key::RULES, signature::RULES, dates::RULES, usage::RULES].concat();
    let tested: BTreeSet<&str> = cases().iter().map(|case| case.rule).collect();
    assert_eq!(rules.iter().map(|rule| rule.id).collect::<BTreeSet<_>>(), tested);
    assert_eq!(rules.len(), tested.len(), "each name once");
    for rule in rules {
        let sentences = rule.what_to_do.ends_with('.') && !rule.title.ends_with('.');
        assert!(sentences && !rule.title.is_empty() && !rule.section.is_empty(), "{}", rule.id);
    }
}
