//! What SSL settings would make of the requests that came.

use std::collections::{BTreeMap, HashMap};

use super::{Agent, Cipher, Class, Credentials, Exchange, Facts, Folder, Hour, Shown, Source, Tally, Way};
use crate::path::{UrlPath, encode};
use crate::ssl::{
    self, ClientCertificate, Demands, KeyExchange, Refusal, Rules, Strength, TlsFacts, Transport, Verdict,
};

/// What settings would have made of the requests of some hours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// All requests.
    pub requests: u64,
    /// Those that would have been refused.
    pub refused: u64,
    /// Those of them that were refused then as well.
    pub refused_then: u64,
    /// Those that would have been sent on to https.
    pub redirected: u64,
    /// Those of which too little is known: where they led in a folder with rules of its own, how they were secured, or what
    /// another trust list makes of their certificates.
    pub unsure: u64,
    /// Those of them that depend on a certificate only, which nobody asked for or looked at.
    pub unasked: u64,
    /// The refused ones by reason.
    pub reasons: BTreeMap<u8, u64>,
    /// The refused ones by family of user agents, the most frequent first. Those of agents that ask rarely are not here.
    pub agents: Vec<(Agent, u64)>,
    /// The first hour from which anything is known.
    pub since: Option<Hour>,
    /// Requests that another server's log told.
    pub imported: u64,
}

/// What one class of requests would have got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Served,
    Redirected,
    Refused(u8),
    Unsure,
    /// It depends on a certificate that nobody asked for or looked at.
    Unasked,
}

impl Preview {
    /// Judges what came within `hours` by `rules`; `has_address` is whether there is an https address to send anybody to.
    /// What certificates were worth is known by the trust lists of the rules `in_force`, and counts where these ask the same.
    pub fn new(rules: &Rules, in_force: &Rules, has_address: bool, hours: &[(Hour, Source, Tally)]) -> Self {
        let mut preview = Self::of([rules, in_force], has_address, hours, |class| Some(*class));
        for (_, source, tally) in hours {
            let told_apart: u64 = tally.classes().map(|(_, requests)| requests).sum();
            let rest = tally.requests() - told_apart;
            preview.requests += rest;
            preview.unsure += rest;
            preview.imported += if *source == Source::Imported { rest } else { 0 };
        }
        preview
    }

    /// Judges what came over TLS that ended at a trusted proxy as what it is to whoever does not believe that: in clear.
    pub(super) fn unbelieved(rules: &Rules, has_address: bool, hours: &[(Hour, Source, Tally)]) -> Self {
        Self::of([rules; 2], has_address, hours, |class| {
            let facts = Facts { way: Way::Clear(Credentials::None), ..class.facts };
            (class.facts.way == Way::Proxied).then_some(Class { facts, ..*class })
        })
    }

    /// Judges the requests of each class as those of the class that is made of it, if any.
    fn of(
        [rules, in_force]: [&Rules; 2],
        has_address: bool,
        hours: &[(Hour, Source, Tally)],
        seen_as: impl Fn(&Class) -> Option<Class>,
    ) -> Self {
        let mut judge = Judge { rules, in_force, has_address, outcomes: HashMap::new(), places: HashMap::new() };
        let (mut preview, mut agents) = (Self::default(), HashMap::<Agent, u64>::new());
        for (_, source, tally) in hours {
            for (class, requests) in tally.classes() {
                let Some(seen) = seen_as(class) else { continue };
                preview.requests += requests;
                preview.imported += if *source == Source::Imported { requests } else { 0 };
                match judge.outcome(&seen) {
                    Outcome::Served => {}
                    Outcome::Redirected => preview.redirected += requests,
                    Outcome::Unsure => preview.unsure += requests,
                    Outcome::Unasked => {
                        preview.unsure += requests;
                        preview.unasked += requests;
                    }
                    Outcome::Refused(substatus) => {
                        preview.refused += requests;
                        preview.refused_then += if class.answer.is_refusal() { requests } else { 0 };
                        *preview.reasons.entry(substatus).or_default() += requests;
                        for (client, requests) in tally.clients(class) {
                            *agents.entry(client.agent).or_default() += requests;
                        }
                    }
                }
            }
        }
        preview.since = hours.iter().map(|(hour, ..)| *hour).min();
        preview.agents = most_first(agents);
        preview
    }

    /// Adds what would have been made of the requests of another site.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.refused += other.refused;
        self.refused_then += other.refused_then;
        self.redirected += other.redirected;
        self.unsure += other.unsure;
        self.unasked += other.unasked;
        self.imported += other.imported;
        for (substatus, requests) in &other.reasons {
            *self.reasons.entry(*substatus).or_default() += requests;
        }
        let mut agents: HashMap<Agent, u64> = std::mem::take(&mut self.agents).into_iter().collect();
        for (agent, requests) in &other.agents {
            *agents.entry(*agent).or_default() += requests;
        }
        self.agents = most_first(agents);
        self.since = self.since.into_iter().chain(other.since).min();
    }
}

fn most_first(agents: HashMap<Agent, u64>) -> Vec<(Agent, u64)> {
    let mut agents = Vec::from_iter(agents);
    agents.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    agents
}

/// Judges each class once, however many hours it came in.
struct Judge<'a> {
    rules: &'a Rules,
    in_force: &'a Rules,
    has_address: bool,
    outcomes: HashMap<Class, Outcome>,
    places: HashMap<Folder, Vec<Place>>,
}

/// What is demanded somewhere in a folder.
struct Place {
    demands: Demands,
    /// Another trust list is in force there.
    is_other_list: bool,
}

impl Judge<'_> {
    fn outcome(&mut self, class: &Class) -> Outcome {
        if let Some(outcome) = self.outcomes.get(class) {
            return *outcome;
        }
        let places = self.places.entry(class.folder);
        let places = places.or_insert_with(|| places_in(class.folder, self.rules, self.in_force));
        let outcome = judge(places, self.has_address, class);
        self.outcomes.insert(*class, outcome);
        outcome
    }
}

/// What a class would have got, where all that it may stand for gets the same.
fn judge(places: &[Place], has_address: bool, class: &Class) -> Outcome {
    if matches!(class.answer.status, 400 | 421) {
        return Outcome::Served; // refused before any setting is asked
    }
    let way = class.facts.way;
    let told = |showing| common(places, has_address, showing, !way.hides_certificate());
    match told(way) {
        Outcome::Unsure if way.hides_certificate() => {
            let either = [Shown::None, Shown::Good].map(|shown| told(way.showing(shown)));
            if either.contains(&Outcome::Unsure) { Outcome::Unsure } else { Outcome::Unasked }
        }
        outcome => outcome,
    }
}

/// What all get that came this way, if it is the same for all. What is known of their certificates was told by the trust
/// list in force where it `is_told`, and is assumed otherwise.
fn common(places: &[Place], has_address: bool, way: Way, is_told: bool) -> Outcome {
    let Some(known) = transports(way) else { return Outcome::Refused(Refusal::TlsTooOld.substatus()) };
    let verdicts = places.iter().flat_map(|Place { demands, is_other_list }| {
        let transports = if *is_other_list && is_told { by_another_list(known) } else { known };
        transports.map(|transport| demands.verdict(transport))
    });
    let mut outcomes = verdicts.map(|verdict| of(verdict.settled(|| has_address)));
    let first = outcomes.next().unwrap_or(Outcome::Unsure);
    if outcomes.all(|outcome| outcome == first) { first } else { Outcome::Unsure }
}

fn of(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Go => Outcome::Served,
        Verdict::Redirect(_) => Outcome::Redirected,
        Verdict::Refuse(refusal) => Outcome::Refused(refusal.substatus()),
    }
}

/// The weakest and the strongest connection that is meant; `None` where Siteward never makes one so weak.
fn transports(way: Way) -> Option<[Transport; 2]> {
    let (version, cipher, exchange, shown) = match way {
        Way::Tls { version, cipher, exchange, shown } => (version, cipher, exchange, shown),
        Way::Proxied => return Some([Transport::Proxied; 2]),
        Way::Clear(credentials) => {
            return Some([Transport::Clear { credentials: credentials != Credentials::None, reads: true }; 2]);
        }
    };
    let versions = match version {
        super::TlsVersion::Older => return None,
        super::TlsVersion::Tls12 => [ssl::TlsVersion::Tls12; 2],
        super::TlsVersion::Tls13 => [ssl::TlsVersion::Tls13; 2],
        super::TlsVersion::Unknown => [ssl::TlsVersion::Tls12, ssl::TlsVersion::Tls13],
    };
    let strengths = match cipher {
        Cipher::Weak => return None,
        Cipher::Aes128 => [Strength::Bits128; 2],
        Cipher::Aes256 | Cipher::ChaCha20 => [Strength::Bits256; 2],
        Cipher::Unknown => [Strength::Bits128, Strength::Bits256],
    };
    let exchanges = match exchange {
        Exchange::PostQuantum => [KeyExchange::PostQuantum; 2],
        // Only TLS 1.3 knows post-quantum groups.
        Exchange::Unknown if version != super::TlsVersion::Tls12 => [KeyExchange::Any, KeyExchange::PostQuantum],
        _ => [KeyExchange::Any; 2],
    };
    let clients = match shown {
        Shown::None => [ClientCertificate::None; 2],
        Shown::Good => [ClientCertificate::Good; 2],
        Shown::NotAllowed => [ClientCertificate::NotAllowed; 2],
        Shown::Revoked => [ClientCertificate::Revoked; 2],
        Shown::Untrusted => [ClientCertificate::Untrusted; 2],
        Shown::OutOfDate => [ClientCertificate::OutOfDate; 2],
        // Who was never asked may have one, or not.
        Shown::Unknown => [ClientCertificate::None, ClientCertificate::Good],
    };
    Some([0, 1].map(|i| {
        let (version, strength, key_exchange) = (versions[i], strengths[i], exchanges[i]);
        Transport::Tls(TlsFacts { version, strength, key_exchange, client: clients[i] })
    }))
}

/// The same where another trust list judges: it may let in whoever shows a certificate, or not know them.
fn by_another_list([weakest, strongest]: [Transport; 2]) -> [Transport; 2] {
    let showing = |transport, client| match transport {
        Transport::Tls(facts) if facts.client != ClientCertificate::None => {
            Transport::Tls(TlsFacts { client, ..facts })
        }
        other => other,
    };
    [showing(weakest, ClientCertificate::Untrusted), showing(strongest, ClientCertificate::Good)]
}

/// Everything that is demanded anywhere in a folder, each once.
fn places_in(folder: Folder, rules: &Rules, in_force: &Rules) -> Vec<Place> {
    let mut all: Vec<Place> = Vec::new();
    let mut add = |of: &dyn Fn(&Rules) -> Demands| {
        let demands = of(rules);
        let is_other_list = demands.trust.value != of(in_force).trust.value;
        if !all.iter().any(|known| known.demands.is_same(&demands) && known.is_other_list == is_other_list) {
            all.push(Place { demands, is_other_list });
        }
    };
    let name = folder.as_str().trim_matches('/');
    match UrlPath::parse(&format!("/{}/", encode(name))) {
        Ok(path) => add(&|rules| rules.demands(&path)),
        Err(_) => add(&Rules::site),
    }
    let within = rules.list().iter().chain(in_force.list()).filter(|rule| match rule.path.as_str().split_once('/') {
        _ if folder == Folder::ELSEWHERE => true,
        Some((first, _)) => ssl::is_one_name(first, name),
        None => name.is_empty() && rule.path.as_str().contains('.'), // a file, by its ending
    });
    within.for_each(|rule| add(&|rules| rules.at(&rule.path)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssl::{ClearCredentials, ClientCertificates, RequireSsl, Rule, RulePath, Settings};
    use crate::traffic::{Answer, Client, Http, TlsVersion};

    const CLEAR: Way = Way::Clear(Credentials::None);
    const TLS12: Way =
        Way::Tls { version: TlsVersion::Tls12, cipher: Cipher::Aes128, exchange: Exchange::P256, shown: Shown::None };
    const TLS13: Way = Way::Tls {
        version: TlsVersion::Tls13,
        cipher: Cipher::Aes256,
        exchange: Exchange::PostQuantum,
        shown: Shown::None,
    };
    const IMPORTED: Way = Way::Tls {
        version: TlsVersion::Unknown,
        cipher: Cipher::Unknown,
        exchange: Exchange::Unknown,
        shown: Shown::Unknown,
    };

    fn class(way: Way, folder: &str) -> Class {
        let (facts, answer) = (Facts { way, http: Http::Http11 }, Answer { status: 200, substatus: 0 });
        Class { facts, answer, folder: Folder::parse(folder).unwrap() }
    }

    fn rules(list: &[(&str, Settings)]) -> Rules {
        Rules::new(list.iter().zip(1..).map(|((path, settings), id)| {
            let path = if path.is_empty() { RulePath::site() } else { RulePath::parse(path).unwrap() };
            Rule { id, path, settings: *settings, reason: String::new() }
        }))
    }

    fn hours(counts: &[(Class, u64)]) -> [(Hour, Source, Tally); 1] {
        let mut tally = Tally::default();
        for (class, requests) in counts {
            tally.count(*class, Client::new("Java/1.8.0", [10, 0, 0, 1].into()), *requests);
        }
        [(7, Source::Recorded, tally)]
    }

    fn preview(rules: &Rules, counts: &[(Class, u64)]) -> Preview {
        Preview::new(rules, rules, true, &hours(counts))
    }

    #[test]
    fn each_setting_refuses_those_who_do_not_meet_it() {
        let came = [(class(CLEAR, "/"), 1), (class(TLS12, "/"), 10), (class(TLS13, "/"), 100)];
        let refuse = Settings::from(RequireSsl::Refuse);
        let tls13 = Settings { min_tls: Some(ssl::TlsVersion::Tls13), ..refuse };
        let strong = Settings { strength: Some(Strength::Bits256), ..Settings::default() };
        let quantum = Settings { key_exchange: Some(KeyExchange::PostQuantum), ..Settings::default() };
        let client = Settings { client_certificates: Some(ClientCertificates::Require), ..Settings::default() };
        for (settings, reasons) in [
            (Settings::default(), vec![]),
            (refuse, vec![(4, 1)]),
            (tls13, vec![(4, 1), (5, 10)]),
            (strong, vec![(5, 10)]),
            (quantum, vec![(5, 10)]),
            (client, vec![(4, 1), (7, 110)]),
        ] {
            let preview = preview(&rules(&[("", settings)]), &came);
            assert_eq!(preview.reasons.into_iter().collect::<Vec<_>>(), reasons, "{settings:?}");
            assert_eq!((preview.requests, preview.unsure), (111, 0));
        }
    }

    #[test]
    fn tls_that_ended_at_a_trusted_proxy_meets_no_more_than_that() {
        let came = [(class(Way::Proxied, "/"), 3)];
        let reasons = |settings| preview(&rules(&[("", settings)]), &came).reasons.into_iter().collect::<Vec<_>>();
        assert_eq!(reasons(RequireSsl::Refuse.into()), []);
        assert_eq!(reasons(Settings { min_tls: Some(ssl::TlsVersion::Tls13), ..Settings::default() }), [(5, 3)]);
        let required = Some(ClientCertificates::Require);
        assert_eq!(reasons(Settings { client_certificates: required, ..Settings::default() }), [(7, 3)]);
    }

    #[test]
    fn who_would_be_refused_is_told_by_family_and_what_was_refused_then_apart() {
        let refused = Class { answer: Answer { status: 403, substatus: 4 }, ..class(CLEAR, "/") };
        let leaking = class(Way::Clear(Credentials::Cookie), "/");
        let redirect = rules(&[("", RequireSsl::Redirect.into())]);
        let preview = preview(&redirect, &[(refused, 3), (leaking, 2), (class(CLEAR, "/"), 5)]);
        assert_eq!((preview.refused, preview.redirected, preview.refused_then), (2, 8, 0));
        assert_eq!(preview.agents, [(Agent::of("Java/1.8.0"), 2)]);
        assert_eq!(preview.since, Some(7));

        let lenient = Settings { clear_credentials: Some(ClearCredentials::Redirect), ..RequireSsl::Redirect.into() };
        let lenient = rules(&[("", lenient)]);
        let told = Preview::new(&lenient, &lenient, true, &hours(&[(leaking, 2), (class(CLEAR, "/"), 5)]));
        assert_eq!((told.refused, told.redirected), (0, 7));
    }

    #[test]
    fn without_an_https_address_to_send_anybody_to_a_redirect_is_a_refusal() {
        let redirect = rules(&[("", RequireSsl::Redirect.into())]);
        let told = Preview::new(&redirect, &redirect, false, &hours(&[(class(CLEAR, "/"), 3), (class(TLS13, "/"), 5)]));
        assert_eq!((told.redirected, Vec::from_iter(told.reasons)), (0, vec![(4, 3)]));
    }

    #[test]
    fn a_folder_s_own_rule_counts_for_the_requests_that_went_there() {
        let rules = rules(&[("", RequireSsl::Off.into()), ("Account", RequireSsl::Refuse.into())]);
        let preview =
            preview(&rules, &[(class(CLEAR, "/account/"), 4), (class(CLEAR, "/books/"), 8), (class(CLEAR, "/"), 16)]);
        assert_eq!((preview.refused, preview.unsure), (4, 0));
    }

    #[test]
    fn whoever_is_known_to_come_without_a_good_certificate_would_be_refused_and_who_was_never_asked_is_unsure() {
        let settings = |client| Settings { client_certificates: Some(client), ..Settings::default() };
        let came = [Shown::None, Shown::Good, Shown::NotAllowed, Shown::Revoked, Shown::Untrusted, Shown::OutOfDate];
        let counts = came.iter().zip([1, 2, 4, 8, 16, 32]).map(|(shown, n)| (class(TLS13.showing(*shown), "/"), n));
        let counts: Vec<_> = counts.chain([(class(TLS13.showing(Shown::Unknown), "/"), 64)]).collect();
        let told = |client| preview(&rules(&[("", settings(client))]), &counts);
        let required = told(ClientCertificates::Require);
        assert_eq!(Vec::from_iter(required.reasons), [(7, 1), (12, 4), (13, 8), (16, 16), (17, 32)]);
        assert_eq!((required.refused, required.unsure, required.unasked), (61, 64, 64));
        let accepted = told(ClientCertificates::Accept);
        assert_eq!((accepted.refused, accepted.unsure), (60, 0));
        assert_eq!(told(ClientCertificates::Ignore).refused, 0);
    }

    #[test]
    fn what_a_certificate_was_worth_says_nothing_where_another_trust_list_is_asked() {
        let settings =
            |client, list| Settings { client_certificates: Some(client), trust: Some(list), ..Settings::default() };
        let asking = |client, list| rules(&[("", settings(client, list))]);
        let came = [Shown::None, Shown::Good, Shown::NotAllowed, Shown::Untrusted, Shown::Unknown];
        let counts = came.iter().zip([1, 2, 4, 8, 16]).map(|(shown, n)| (class(TLS13.showing(*shown), "/"), n));
        let hours = hours(&counts.collect::<Vec<_>>());
        let in_force = asking(ClientCertificates::Require, 1);
        let told = |then: &Rules, in_force: &Rules| {
            let told = Preview::new(then, in_force, true, &hours);
            (told.refused, told.unsure)
        };
        assert_eq!(told(&in_force, &in_force), (13, 16));
        assert_eq!(told(&asking(ClientCertificates::Require, 2), &in_force), (1, 30), "who had none is known");
        assert_eq!(told(&asking(ClientCertificates::Accept, 2), &in_force), (0, 14));
        assert_eq!(told(&asking(ClientCertificates::Ignore, 2), &in_force), (0, 0), "nobody looks at them");
        let deep =
            rules(&[("", settings(ClientCertificates::Require, 1)), ("a/b", settings(ClientCertificates::Require, 2))]);
        let in_a = [(class(TLS13.showing(Shown::Good), "/a/"), 3)];
        let then = Preview::new(&in_force, &deep, true, &super::tests::hours(&in_a));
        assert_eq!((then.refused, then.unsure), (0, 3), "below it, another list is in force");
    }

    #[test]
    fn what_is_not_known_well_enough_is_called_unsure() {
        let deep = rules(&[("books/secret", RequireSsl::Refuse.into())]);
        let told = preview(&deep, &[(class(CLEAR, "/books/"), 4), (class(CLEAR, "/news/"), 2), (class(CLEAR, ""), 1)]);
        assert_eq!((told.refused, told.unsure, told.unasked), (0, 5, 0));
        let file = rules(&[("private.html", RequireSsl::Refuse.into())]);
        assert_eq!(preview(&file, &[(class(CLEAR, "/"), 3)]).unsure, 3);
        let strict = rules(&[("", Settings { min_tls: Some(ssl::TlsVersion::Tls13), ..Settings::default() })]);
        assert_eq!(preview(&strict, &[(class(IMPORTED, "/"), 9)]).unsure, 9);
        assert_eq!(preview(&rules(&[]), &[(class(IMPORTED, "/"), 9)]).unsure, 0);
        let required = Settings { client_certificates: Some(ClientCertificates::Require), ..Settings::default() };
        let told = preview(&rules(&[("books/secret", required)]), &[(class(IMPORTED, "/books/"), 9)]);
        assert_eq!((told.unsure, told.unasked), (9, 0), "a rule deeper in the folder decides as well");
    }
}
