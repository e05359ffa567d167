//! Rules on the subject and the alternative names.

use std::collections::HashSet;
use std::net::IpAddr;

use time::OffsetDateTime;

use super::Severity::{Note, Refuse, Warn};
use super::addresses::is_reserved;
use super::rule::{Of, Rule, day};
use crate::host::HostName;
use crate::inspect::{Facts, Name, shortened};

/// The most characters of a name in a reason.
const MAX_NAME: usize = 80;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "organizational-unit",
        title: "Organizational unit",
        section: "CA/Browser Forum BR 7.1.2.7.4 (ballot SC-47)",
        since: day(2022, 9, 1),
        look: organizational_unit,
        what_to_do: "Leave the organizational unit out.",
        ..Rule::BASE
    },
    Rule {
        id: "internal-name",
        title: "Internal name",
        section: "CA/Browser Forum BR 4.2.2 and 7.1.2.7.12",
        since: day(2015, 11, 1),
        look: internal_name,
        what_to_do: "Use a name that exists in the public DNS, or have a private CA sign it.",
        ..Rule::BASE
    },
    Rule {
        id: "reserved-address",
        title: "Reserved IP address",
        section: "CA/Browser Forum BR 4.2.2 and 7.1.2.7.12",
        since: day(2015, 11, 1),
        look: reserved_address,
        what_to_do: "Leave the address out, or have a private CA sign it.",
        ..Rule::BASE
    },
    Rule {
        id: "reverse-zone",
        title: "Reverse zone name",
        section: "CA/Browser Forum BR 4.2.2 (ballot SC-86)",
        since: day(2026, 3, 15),
        look: reverse_zone,
        what_to_do: "Leave out names under in-addr.arpa and ip6.arpa.",
        ..Rule::BASE
    },
    Rule {
        id: "public-address",
        title: "IP address",
        section: "CA/Browser Forum BR 3.2.2.5",
        public: Some(Warn),
        look: public_address,
        what_to_do: "Ask the CA first, or reach the site by a name.",
        ..Rule::BASE
    },
    Rule {
        id: "no-names",
        title: "No alternative names",
        section: "CA/Browser Forum BR 7.1.2.7.12; RFC 9525 §2",
        of: Of::Certificates,
        private: Some(Refuse),
        look: no_names,
        what_to_do: "Ask the CA to put the host names among the alternative names.",
        ..Rule::BASE
    },
    Rule {
        id: "request-nothing-to-name",
        title: "No alternative names",
        section: "CA/Browser Forum BR 7.1.2.7.12; RFC 9525 §2",
        of: Of::Requests,
        private: Some(Warn),
        look: nothing_to_name,
        what_to_do: "Ask again, with the site’s host names as alternative names.",
        ..Rule::BASE
    },
    Rule {
        id: "request-no-names",
        title: "No alternative names",
        section: "CA/Browser Forum BR 7.1.2.7.12; RFC 9525 §2",
        of: Of::Requests,
        public: Some(Warn),
        look: no_names_asked,
        what_to_do: "Name the host among the alternative names too.",
        ..Rule::BASE
    },
    Rule {
        id: "common-name-not-named",
        title: "Common name",
        section: "CA/Browser Forum BR 7.1.4.3",
        of: Of::Certificates,
        private: Some(Note),
        look: common_name_not_named,
        what_to_do: "Ask the CA to put the common name among the alternative names, or to leave it out.",
        ..Rule::BASE
    },
    Rule {
        id: "request-common-name-not-named",
        title: "Common name",
        section: "CA/Browser Forum BR 7.1.4.3",
        of: Of::Requests,
        public: Some(Warn),
        private: Some(Note),
        look: common_name_not_named,
        what_to_do: "Add the common name to the alternative names, or leave it out.",
        ..Rule::BASE
    },
    Rule {
        id: "several-common-names",
        title: "Several common names",
        section: "CA/Browser Forum BR 7.1.4.3 (ballot SC-62)",
        since: day(2023, 9, 15),
        private: Some(Note),
        look: several_common_names,
        what_to_do: "Keep one common name and put the others among the alternative names.",
        ..Rule::BASE
    },
    Rule {
        id: "common-name-too-long",
        title: "Common name",
        section: "RFC 5280 §A.1 (ub-common-name)",
        private: Some(Warn),
        look: common_name_too_long,
        what_to_do: "Take a shorter common name, and put the long one among the alternative names.",
        ..Rule::BASE
    },
    Rule {
        id: "wildcard",
        title: "Wildcard",
        section: "CA/Browser Forum BR 3.2.2.6; RFC 9525 §6.3",
        private: Some(Refuse),
        look: wildcard,
        what_to_do: "Put a star only before the first dot, alone, and before a name with at least two parts.",
        ..Rule::BASE
    },
    Rule {
        id: "underscore",
        title: "Underscore",
        section: "CA/Browser Forum BR 7.1.2.7.12 (ballot SC-12)",
        since: day(2019, 4, 1),
        private: Some(Note),
        look: underscore,
        what_to_do: "Rename the host: host names have letters, digits and hyphens.",
        ..Rule::BASE
    },
    Rule {
        id: "not-a-host-name",
        title: "DNS name",
        section: "RFC 5280 §4.2.1.6; CA/Browser Forum BR 7.1.2.7.12",
        private: Some(Refuse),
        look: not_a_host_name,
        what_to_do: "Write each name as it stands in the DNS; addresses go in as IP addresses, umlauts as xn--.",
        ..Rule::BASE
    },
    Rule {
        id: "unseen-character",
        title: "Unseen character",
        section: "RFC 5280 §4.2.1.6; CVE-2009-2408",
        private: Some(Refuse),
        look: unseen_character,
        what_to_do: "Make it anew, with the name typed and not pasted.",
        ..Rule::BASE
    },
    Rule {
        id: "other-names",
        title: "Other kinds of names",
        section: "CA/Browser Forum BR 7.1.2.7.12",
        since: day(2012, 7, 1),
        look: other_names,
        what_to_do: "Leave only DNS names and IP addresses among the alternative names.",
        ..Rule::BASE
    },
];

/// Endings for private networks or for none at all (RFC 6761, RFC 6762, RFC 8375, and what networks use). `example`
/// stands for a real name in every manual, so it is not among them.
const INTERNAL: [&str; 13] = [
    "corp",
    "domain",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
    "test",
];

fn organizational_unit(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    listed(facts.units.iter().map(String::as_str)).map(|units| format!("It says {units}; public CAs refuse any."))
}

fn internal_name(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let names = listed(all_names(facts).filter(|name| is_internal(name)))?;
    Some(format!("Nobody outside can look up {names}, so no public CA can check whose that is."))
}

/// A single label, or one under an ending that the public DNS does not have.
fn is_internal(name: &str) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let Ok(host) = HostName::parse(name) else { return false };
    let ends = |ending: &&str| host.as_str().strip_suffix(*ending).is_some_and(|rest| rest.ends_with('.'));
    host.parent().is_none() || INTERNAL.iter().any(ends)
}

fn reserved_address(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let reserved: Vec<String> = addresses(facts).filter(|ip| is_reserved(*ip)).map(|ip| ip.to_string()).collect();
    let names = listed(reserved.iter().map(String::as_str))?;
    Some(format!("No public CA can check {names}: many networks use such an address, or none does."))
}

fn public_address(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let public: Vec<String> = addresses(facts).filter(|ip| !is_reserved(*ip)).map(|ip| ip.to_string()).collect();
    let names = listed(public.iter().map(String::as_str))?;
    Some(format!("Few public CAs issue for an IP address, such as {names}."))
}

/// The addresses among the names, and those that stand in the common name's place.
fn addresses(facts: &Facts) -> impl Iterator<Item = IpAddr> {
    let named = facts.names.iter().filter_map(|name| match name {
        Name::Ip(ip) => Some(*ip),
        _ => None,
    });
    let common = facts.common_names.iter().filter_map(|name| name.parse().ok());
    let mut addresses: Vec<IpAddr> = named.chain(common).collect();
    addresses.sort();
    addresses.dedup();
    addresses.into_iter()
}

fn reverse_zone(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let in_zone = |name: &&str| name.to_ascii_lowercase().ends_with(".in-addr.arpa") || name.ends_with(".ip6.arpa");
    listed(all_names(facts).filter(in_zone)).map(|names| format!("Such names only turn addresses into names: {names}."))
}

fn has_no_names(facts: &Facts) -> bool {
    !facts.names.iter().any(|name| matches!(name, Name::Dns(_) | Name::Ip(_)))
}

fn no_names(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    has_no_names(facts).then(|| "Browsers look at the alternative names only, and there are none.".into())
}

/// Whether a CA can take the common name over as an alternative name.
fn common_name_serves(facts: &Facts) -> bool {
    facts.common_names.iter().any(|name| HostName::parse(name.trim_start_matches("*.")).is_ok() && !is_internal(name))
}

fn nothing_to_name(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let serves = common_name_serves(facts);
    let reason = "Browsers look at the alternative names only. There are none, and no common name that could stand in.";
    (has_no_names(facts) && !serves).then(|| reason.into())
}

fn no_names_asked(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let reason = "Browsers look at the alternative names only. Many CAs copy the common name there, some refuse.";
    (has_no_names(facts) && common_name_serves(facts)).then(|| reason.into())
}

fn common_name_not_named(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    if has_no_names(facts) {
        return None; // which has rules of its own
    }
    let names: HashSet<String> = facts.names.iter().filter_map(written).map(|name| name.to_ascii_lowercase()).collect();
    let missing = |common: &&str| !names.contains(&common.to_ascii_lowercase());
    let missing = listed(facts.common_names.iter().map(String::as_str).filter(missing))?;
    Some(format!("Not among the alternative names: {missing}."))
}

fn several_common_names(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let count = facts.common_names.len();
    (count > 1).then(|| format!("There are {count} common names; one is allowed."))
}

fn common_name_too_long(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let longest = facts.common_names.iter().map(|name| name.chars().count()).max()?;
    (longest > 64).then(|| "It has more than the 64 characters that are allowed.".into())
}

fn wildcard(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let wrong = |name: &&str| {
        let covers = |rest: &str| rest.contains('.') && !rest.contains('*');
        name.contains('*') && !name.strip_prefix("*.").is_some_and(covers)
    };
    let names = listed(all_names(facts).filter(wrong))?;
    Some(format!("CAs don’t issue a pattern like {names}, or browsers don’t follow it."))
}

fn underscore(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let names = listed(dns_names(facts).filter(|name| name.contains('_')))?;
    Some(format!("There is an underscore in {names}."))
}

/// Anything that is neither a host name nor one with a star or an underscore, which have rules of their own.
fn not_a_host_name(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let wrong = |name: &&str| {
        let plain = name.replace(['*', '_'], "a");
        let written_otherwise = !plain.is_ascii() || plain.ends_with('.') || plain.contains(char::is_whitespace);
        written_otherwise || HostName::parse(&plain).is_err()
    };
    listed(dns_names(facts).filter(wrong)).map(|names| format!("No name in the DNS is written like {names}."))
}

/// Facts have U+FFFD in the place of every character that is not seen, or that none is.
fn unseen_character(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let names = listed(all_names(facts).filter(|name| name.contains(char::REPLACEMENT_CHARACTER)))?;
    Some(format!("There is an invisible or impossible character in {names}, with which clients have been deceived."))
}

fn other_names(facts: &Facts, _: OffsetDateTime) -> Option<String> {
    let kinds = facts.names.iter().filter_map(|name| match name {
        Name::Other(kind) => Some(*kind),
        _ => None,
    });
    listed(kinds).map(|kinds| format!("There is {kinds} among the alternative names."))
}

fn dns_names(facts: &Facts) -> impl Iterator<Item = &str> {
    facts.names.iter().filter_map(|name| match name {
        Name::Dns(name) => Some(name.as_str()),
        _ => None,
    })
}

/// The DNS names and the common names, each once.
fn all_names(facts: &Facts) -> impl Iterator<Item = &str> {
    let named: HashSet<&str> = dns_names(facts).collect();
    dns_names(facts).chain(facts.common_names.iter().map(String::as_str).filter(move |common| !named.contains(common)))
}

fn written(name: &Name) -> Option<String> {
    match name {
        Name::Dns(name) => Some(name.clone()),
        Name::Ip(ip) => Some(ip.to_string()),
        Name::Other(_) => None,
    }
}

/// `“a”, “b”, “c” and 4 more`; nothing where there is none.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = names.map(|name| format!("“{}”", shortened(name, MAX_NAME))).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        [first @ .., last] if names.len() <= 3 => Some(format!("{} and {last}", first.join(", "))),
        all => Some(format!("{} and {} more", all[..3].join(", "), all.len() - 3)),
    }
}
