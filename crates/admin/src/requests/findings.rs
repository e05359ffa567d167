//! What a public CA of today would refuse in a request, and what would hurt the site's visitors.

use siteward_core::certificate::SubjectName;
use siteward_core::host::HostPattern;
use siteward_core::inspect::Facts;
use siteward_core::lint::{self, Profile, Severity};
use siteward_core::subject::Subject;
use time::OffsetDateTime;

use super::answers::Step;
use crate::format;

/// One thing to look at again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// A CA refuses it, rather than a visitor being warned.
    pub(crate) refused: bool,
    /// The answer it concerns: the id of its line, and its name.
    pub(crate) answer: (&'static str, &'static str),
    /// Why.
    pub(crate) sentence: String,
    /// What the button posts as `go`, and its words.
    pub(crate) fix: (&'static str, String),
}

/// The findings, and what was looked at without one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Refusals first.
    pub(crate) list: Vec<Finding>,
    /// Each a sentence.
    pub(crate) passed: Vec<&'static str>,
}

/// What a rule that found nothing lets one say.
const PASSED: [(&str, &str); 5] = [
    ("organizational-unit", "There is no organizational unit"),
    ("internal-name", "All host names are public DNS names"),
    ("reserved-address", "No IP address of a private network is among the names"),
    ("public-address", "No other IP address is among the names"),
    ("request-common-name-not-named", "The common name is among the names"),
];

impl Findings {
    /// Judges `subject` for a site with these host names by the rules in force at `now`.
    pub(crate) fn of(subject: &Subject, hosts: &[&HostPattern], now: OffsetDateTime) -> Self {
        let judged = lint::judge(&Facts::of_answers(subject), Profile::PublicCa, now);
        let holds = |(rule, sentence)| (!judged.iter().any(|own| own.rule == rule)).then_some(sentence);
        let mut passed: Vec<&str> = PASSED.into_iter().filter_map(holds).collect();
        passed.push("The key and its signature are accepted by every public CA");
        let mut list: Vec<Finding> = judged.into_iter().map(|own| finding(own, subject)).collect();
        let missing: Vec<String> = missing(subject, hosts).into_iter().map(HostPattern::unicode).collect();
        match missing.as_slice() {
            [] => passed.push("Every host name of the site is named"),
            missing => list.push(unnamed(missing)),
        }
        list.sort_by_key(|finding| !finding.refused);
        Self { list, passed }
    }

    /// The sentence under the answer with this id.
    pub(crate) fn at(&self, answer: &str) -> Option<&Finding> {
        self.list.iter().find(|finding| finding.answer.0 == answer)
    }
}

/// The site's host names that no name of the subject covers.
pub(crate) fn missing<'a>(subject: &Subject, hosts: &[&'a HostPattern]) -> Vec<&'a HostPattern> {
    let covers = |name: &SubjectName, host: &HostPattern| match (name, host) {
        (SubjectName::Dns(own), HostPattern::Exact(host)) => own.covers(host),
        (SubjectName::Dns(own), host) => own == host,
        (SubjectName::Ip(_), _) => false,
    };
    hosts.iter().filter(|host| !subject.names.iter().any(|name| covers(name, host))).copied().collect()
}

/// A finding beside the answer that mends it.
fn finding(judged: lint::Finding, subject: &Subject) -> Finding {
    let (answer, fix) = match (judged.rule, &subject.organizational_unit) {
        ("organizational-unit", Some(unit)) => {
            (("a-unit", "Organizational unit"), ("drop-unit", format!("Remove “{unit}”")))
        }
        _ => (("a-names", "All names"), (Step::Names.as_str(), "Change the names".into())),
    };
    Finding { refused: judged.severity == Severity::Refuse, answer, sentence: judged.reason, fix }
}

fn unnamed(hosts: &[String]) -> Finding {
    let (verb, add) = match hosts {
        [host] => ("is a binding of this site. Its visitors", format!("Add {host}")),
        hosts => (
            "are bindings of this site. Their visitors",
            format!("Add {}", format::count(hosts.len(), "name", "names")),
        ),
    };
    Finding {
        refused: false,
        answer: ("a-names", "All names"),
        sentence: format!("{} {verb} would see a certificate warning.", format::list(hosts)),
        fix: ("add-hosts", add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siteward_core::subject::SubjectAnswers;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn subject(common_name: &str, names: &str, unit: &str) -> Subject {
        let answers = SubjectAnswers {
            common_name: common_name.into(),
            names: names.into(),
            organizational_unit: unit.into(),
            ..Default::default()
        };
        Subject::parse(&answers).unwrap()
    }

    fn sentences(subject: &Subject, hosts: &[&str]) -> Vec<String> {
        let hosts: Vec<HostPattern> = hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect();
        let findings = Findings::of(subject, &hosts.iter().collect::<Vec<_>>(), NOW);
        findings.list.into_iter().map(|finding| finding.sentence).collect()
    }

    #[test]
    fn a_request_that_any_public_ca_takes_has_no_finding() {
        let subject = subject("shop.example", "*.shop.example", "");
        assert_eq!(sentences(&subject, &["shop.example", "www.shop.example", "*.shop.example"]), [""; 0]);
        assert_eq!(Findings::of(&subject, &[], NOW).passed.len(), 7);
    }

    #[test]
    fn what_a_ca_refuses_comes_before_what_warns_visitors() {
        let subject = subject("shop.example", "", "Web team");
        assert_eq!(
            sentences(&subject, &["shop.example", "m.shop.example"]),
            [
                "It says “Web team”; public CAs refuse any.",
                "m.shop.example is a binding of this site. Its visitors would see a certificate warning."
            ]
        );
    }

    #[test]
    fn names_of_private_networks_and_addresses_are_no_matter_for_a_public_ca() {
        let subject = subject("intranet", "db.corp\nlocalhost.example\n10.0.0.1", "");
        assert_eq!(
            sentences(&subject, &[]),
            [
                "Nobody outside can look up “intranet” and “db.corp”, so no public CA can check whose that is.",
                "No public CA can check “10.0.0.1”: many networks use such an address, or none does."
            ]
        );
    }
}
