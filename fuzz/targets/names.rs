//! Host names, patterns, addresses, constraints and the answers of the request wizard, as typed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siteward_core::authority::{Address, Constraints};
use siteward_core::certificate::SubjectName;
use siteward_core::host::{HostName, HostPattern};
use siteward_core::subject::{Subject, SubjectAnswers};

fuzz_target!(|text: &str| {
    if let Ok(host) = HostName::parse(text) {
        assert!(host.as_str().len() <= HostName::MAX_LEN && host.as_str().is_ascii());
        assert_eq!(HostName::parse(host.as_str()).as_ref(), Ok(&host), "one spelling is read as itself");
        assert_eq!(HostName::parse(&host.unicode()).as_ref(), Ok(&host), "and so is the one for people");
    }
    if let Ok(pattern) = HostPattern::parse(text) {
        assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern));
    }
    if let Ok(name) = SubjectName::parse(text) {
        assert_eq!(SubjectName::parse(&name.to_string()), Ok(name));
    }
    if let Ok(Some(address)) = Address::parse(text) {
        assert_eq!(Address::parse(&address.to_string()), Ok(Some(address)));
    }
    if let Ok(trees) = Constraints::parse_list(text) {
        let written: Vec<String> = trees.iter().map(ToString::to_string).collect();
        assert_eq!(Constraints::parse_list(&written.join("\n")), Ok(trees));
    }
    let mut lines = text.splitn(7, '\n').map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    let answers = SubjectAnswers {
        common_name: next(),
        organization: next(),
        organizational_unit: next(),
        locality: next(),
        state: next(),
        country: next(),
        names: next(),
    };
    match Subject::parse(&answers) {
        Ok(subject) => assert!((1..=Subject::MAX_NAMES).contains(&subject.names.len())),
        Err(errors) => assert!(errors.iter().all(|error| error.message.ends_with(['.', '”']))),
    }
});
