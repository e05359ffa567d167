mod samples;
mod table;

use time::OffsetDateTime;
use time::macros::datetime;

use self::samples::{corpus, leaf, request};
use super::Severity::Refuse;
use super::*;
use crate::inspect::Field;
use crate::subject::{Subject, SubjectAnswers};

/// The day on which all this is written.
const TODAY: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn in_words(finding: &Finding) -> String {
    let Finding { rule, title, section, severity, reason, what_to_do } = finding;
    format!("{severity:?} {rule}: {title}\n  {reason}\n  {what_to_do}\n  {section}\n")
}

#[test]
fn every_field_and_finding_of_the_articles_own_request_is_as_in_the_golden_file() {
    let request = corpus("csr/iis5-seed.txt");
    let fields =
        request.fields.iter().map(|Field { section, name, value, .. }| format!("{section} | {name} | {value}\n"));
    let findings = judge(&request.facts, Profile::PublicCa, TODAY);
    let judged: String = findings.iter().map(in_words).collect();
    let seen = fields.collect::<String>() + "\n" + &judged;
    assert_eq!(seen, include_str!("article.golden.txt"), "the golden file:\n{seen}");
    assert!(findings.iter().filter(|finding| finding.severity == Refuse).count() >= 5);
}

fn found(facts: &Facts, profile: Profile, on: OffsetDateTime) -> Vec<&'static str> {
    judge(facts, profile, on).iter().map(|finding| finding.rule).collect()
}

#[test]
fn what_is_made_by_the_rules_has_no_finding_on_any_day_and_from_any_ca() {
    for year in 2012..=2031 {
        for month in [1, 3, 4, 7, 9, 11] {
            let day = rule::day(year, month, 16).midnight().assume_utc();
            for profile in Profile::ALL {
                assert_eq!(found(&leaf(day, |_| {}), profile, day), [""; 0], "certificate of {day}");
                assert_eq!(found(&request(|_| {}), profile, day), [""; 0], "request of {day}");
            }
        }
    }
}

#[test]
fn a_certificate_is_judged_by_the_day_it_was_issued_unless_browsers_of_today_refuse_it() {
    let issued = datetime!(2015-10-01 0:00 UTC);
    let mut old = leaf(issued, |params| params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "PSS"));
    old.validity = Some((issued, TODAY));
    assert_eq!(found(&old, Profile::PublicCa, TODAY), [""; 0]);
    old.hash = crate::inspect::Hash::Sha1;
    assert_eq!(found(&old, Profile::PublicCa, TODAY), ["sha1"]);
    assert_eq!(found(&old, Profile::PublicCa, issued), [""; 0]);
}

#[test]
fn a_certificate_of_a_ca_is_judged_by_its_key_and_signature_only() {
    let root = corpus("ca/root.pem").facts;
    assert!(root.is_ca && root.is_self_issued);
    assert_eq!(found(&root, Profile::PublicCa, TODAY), [""; 0]);
    let with = |hash, is_self_issued| Facts { hash, is_self_issued, ..root.clone() };
    assert_eq!(found(&with(crate::inspect::Hash::Sha1, true), Profile::PublicCa, TODAY), [""; 0]);
    assert_eq!(found(&with(crate::inspect::Hash::Sha1, false), Profile::PublicCa, TODAY), ["sha1"]);
}

#[test]
fn the_answers_of_the_wizard_are_judged_before_there_is_a_key() {
    let answers = SubjectAnswers {
        common_name: "intranet".into(),
        organizational_unit: "Web team".into(),
        names: "10.0.0.1\nshop.example".into(),
        ..Default::default()
    };
    let facts = Facts::of_answers(&Subject::parse(&answers).unwrap());
    let public = ["organizational-unit", "internal-name", "reserved-address"];
    assert_eq!(found(&facts, Profile::PublicCa, TODAY), public);
    assert_eq!(found(&facts, Profile::PrivateCa, TODAY), [""; 0]);
}

#[test]
fn the_gravest_findings_come_first_and_a_finding_holds_no_line_break() {
    let findings = judge(&corpus("csr/forged-crlf-cn.der").facts, Profile::PublicCa, TODAY);
    assert!(findings.is_sorted_by_key(|finding| finding.severity));
    assert!(!findings.is_empty() && findings.iter().all(|finding| !finding.reason.contains(['\r', '\n'])));
}

#[test]
fn validity_counts_both_ends_and_any_part_of_a_day() {
    let from = datetime!(2026-11-22 0:00 UTC);
    let lasting = |seconds| {
        let mut facts = leaf(from, |_| {});
        facts.validity = Some((from, from + time::Duration::days(200) + time::Duration::seconds(seconds)));
        found(&facts, Profile::PublicCa, TODAY)
    };
    assert_eq!(lasting(-1), [""; 0]);
    assert_eq!(lasting(0), ["validity-200"]);
    assert!(judge(&leaf(from, |_| {}), Profile::PublicCa, TODAY).is_empty());
}
