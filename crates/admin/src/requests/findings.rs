//! What a public CA of today would refuse in a request, and what would hurt the site's visitors.

use std::net::IpAddr;

use siteward_core::certificate::SubjectName;
use siteward_core::host::{HostName, HostPattern};
use siteward_core::subject::Subject;

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

/// Endings that are for private networks or for none at all (RFC 6761, RFC 6762, RFC 8375, and what networks use).
const PRIVATE: [&str; 12] = [
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localhost",
    "private",
    "test",
    "onion",
];

impl Findings {
    /// Judges `subject` for a site with these host names.
    pub(crate) fn of(subject: &Subject, hosts: &[&HostPattern]) -> Self {
        let mut findings = Self { list: Vec::new(), passed: Vec::new() };
        let unit = subject.organizational_unit.as_ref();
        findings.look(unit.map(organizational_unit), "There is no organizational unit");
        let ips: Vec<String> = subject.names.iter().filter_map(ip).collect();
        findings.look((!ips.is_empty()).then(|| addresses(&ips)), "No IP address is among the names");
        let internal: Vec<String> =
            subject.names.iter().filter(|name| is_internal(name)).map(SubjectName::unicode).collect();
        findings.look((!internal.is_empty()).then(|| internal_names(&internal)), "All host names are public DNS names");
        let missing: Vec<String> = missing(subject, hosts).into_iter().map(HostPattern::unicode).collect();
        findings.look((!missing.is_empty()).then(|| unnamed(&missing)), "Every host name of the site is named");
        findings.passed.push("The common name is among the names");
        findings.passed.push("The key and its signature are accepted by every public CA");
        findings.list.sort_by_key(|finding| !finding.refused);
        findings
    }

    /// The sentence under the answer with this id.
    pub(crate) fn at(&self, answer: &str) -> Option<&Finding> {
        self.list.iter().find(|finding| finding.answer.0 == answer)
    }

    fn look(&mut self, finding: Option<Finding>, otherwise: &'static str) {
        match finding {
            Some(finding) => self.list.push(finding),
            None => self.passed.push(otherwise),
        }
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

fn organizational_unit(unit: &String) -> Finding {
    Finding {
        refused: true,
        answer: ("a-unit", "Organizational unit"),
        sentence: "Public CAs refuse requests that carry one.".into(),
        fix: ("drop-unit", format!("Remove “{unit}”")),
    }
}

fn addresses(ips: &[String]) -> Finding {
    let sentence = match ips.iter().all(|ip| ip.parse().is_ok_and(is_private)) {
        true => format!("{} can’t be checked by a public CA, which refuses it.", format::list(ips)),
        false => format!("Most public CAs issue none for {}.", format::list(ips)),
    };
    Finding {
        refused: true,
        answer: ("a-names", "All names"),
        sentence,
        fix: (Step::Names.as_str(), "Change the names".into()),
    }
}

fn internal_names(names: &[String]) -> Finding {
    let (verb, them) =
        if names.len() == 1 { ("is no public DNS name", "it") } else { ("are no public DNS names", "them") };
    Finding {
        refused: true,
        answer: ("a-names", "All names"),
        sentence: format!("{} {verb}. Only an authority of your own can issue for {them}.", format::list(names)),
        fix: (Step::Names.as_str(), "Change the names".into()),
    }
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

fn ip(name: &SubjectName) -> Option<String> {
    match name {
        SubjectName::Ip(ip) => Some(ip.to_string()),
        SubjectName::Dns(_) => None,
    }
}

fn is_internal(name: &SubjectName) -> bool {
    let SubjectName::Dns(HostPattern::Exact(host) | HostPattern::Wildcard(host)) = name else { return false };
    host.parent().is_none() || PRIVATE.iter().any(|ending| ends_with(host, ending))
}

fn ends_with(host: &HostName, ending: &str) -> bool {
    host.as_str().strip_suffix(ending).is_some_and(|rest| rest.ends_with('.'))
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siteward_core::subject::SubjectAnswers;

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
        let findings = Findings::of(subject, &hosts.iter().collect::<Vec<_>>());
        findings.list.into_iter().map(|finding| finding.sentence).collect()
    }

    #[test]
    fn a_request_that_any_public_ca_takes_has_no_finding() {
        let subject = subject("shop.example", "*.shop.example", "");
        assert_eq!(sentences(&subject, &["shop.example", "www.shop.example", "*.shop.example"]), [""; 0]);
        assert_eq!(Findings::of(&subject, &[]).passed.len(), 6);
    }

    #[test]
    fn what_a_ca_refuses_comes_before_what_warns_visitors() {
        let subject = subject("shop.example", "", "Web team");
        assert_eq!(
            sentences(&subject, &["shop.example", "m.shop.example"]),
            [
                "Public CAs refuse requests that carry one.",
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
                "10.0.0.1 can’t be checked by a public CA, which refuses it.",
                "intranet and db.corp are no public DNS names. Only an authority of your own can issue for them."
            ]
        );
    }
}
