//! Who came in clear: browsers, which learn to come over HTTPS by themselves, and others, which never do.

use std::collections::HashMap;

use super::{Agent, Hour, Source, Tally};

/// The requests in clear of some hours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InClear {
    /// All of them.
    pub requests: u64,
    /// Those of browsers.
    pub browsers: u64,
    /// Those of other programs by family, the most frequent first.
    pub programs: Vec<(Agent, u64)>,
    /// Those of clients that ask too rarely to be told apart.
    pub unknown: u64,
}

impl InClear {
    /// Of what came within `hours`.
    pub fn new(hours: &[(Hour, Source, Tally)]) -> Self {
        let (mut came, mut programs) = (Self::default(), HashMap::<Agent, u64>::new());
        for (_, _, tally) in hours {
            for (class, requests) in tally.classes().filter(|(class, _)| !class.facts.is_secure()) {
                let mut unknown = requests;
                for (client, requests) in tally.clients(class) {
                    unknown = unknown.saturating_sub(requests);
                    match client.agent.is_browser() {
                        true => came.browsers += requests,
                        false => *programs.entry(client.agent).or_default() += requests,
                    }
                }
                came.requests += requests;
                came.unknown += unknown;
            }
        }
        came.programs = programs.into_iter().collect();
        came.programs.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        came
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{
        Answer, Cipher, Class, Client, Credentials, Exchange, Facts, Folder, Http, Shown, TlsVersion, Way,
    };

    #[test]
    fn browsers_others_and_those_who_are_not_told_apart_add_up_to_all_that_came_in_clear() {
        let class = |way| {
            let (facts, answer) = (Facts { way, http: Http::Http11 }, Answer { status: 200, substatus: 0 });
            Class { facts, answer, folder: Folder::ELSEWHERE }
        };
        let (version, cipher, exchange) = (TlsVersion::Tls13, Cipher::Aes256, Exchange::X25519);
        let tls = Way::Tls { version, cipher, exchange, shown: Shown::Unknown };
        let client = |agent: &str| Client::new(agent, [10, 0, 0, 1].into());
        let mut tally = Tally::default();
        tally.count(class(tls), client("curl/8.5"), 1_000);
        for (agent, requests) in [
            ("Mozilla/5.0 (X11) Gecko/20100101 Firefox/140.0", 8),
            ("Mozilla/5.0 (Linux; Android 9; wv) Chrome/120.0", 4),
            ("curl/8.5", 2),
            ("Java/1.8.0", 16),
            ("Mozilla/5.0 (compatible; Somebot/2.1)", 1),
        ] {
            tally.count(class(Way::Clear(Credentials::None)), client(agent), requests);
        }
        tally.count(class(Way::Clear(Credentials::Cookie)), Client::OTHERS, 32);
        let came = InClear::new(&[(1, Source::Recorded, tally.clone()), (2, Source::Imported, tally)]);
        assert_eq!((came.requests, came.browsers, came.unknown), (126, 24, 64));
        let programs = [("Java/1.8", 32), ("curl/8.5", 4), ("Somebot", 2)];
        assert_eq!(came.programs, programs.map(|(agent, count)| (Agent::parse(agent).unwrap(), count)));
    }
}
