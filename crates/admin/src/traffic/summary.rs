//! The counts of some hours, added up for the page.

use std::collections::HashMap;
use std::hash::Hash;

use siteward_core::traffic::{
    Answer, Cipher, Class, Client, Exchange, Failure, Hour, Http, Shown, Source, Tally, TlsVersion, Way,
};

use crate::format;

/// Clients that are shown one by one.
const CLIENTS: usize = 10;

/// One line: what, how often, and its share of all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) share: String,
}

/// Lines with a sum.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) total: u64,
    pub(crate) lines: Vec<Line>,
}

/// One of those who ask most.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) agent: String,
    pub(crate) network: String,
    pub(crate) count: u64,
    pub(crate) refused: u64,
}

/// Everything that the page tells.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) requests: u64,
    pub(crate) secure: u64,
    pub(crate) imported: u64,
    /// By each property of a connection.
    pub(crate) came: Vec<(&'static str, Group)>,
    pub(crate) refusals: Group,
    pub(crate) failures: Group,
    pub(crate) askers: Vec<Asker>,
    /// Requests of all who are not shown one by one.
    pub(crate) others: u64,
}

impl Summary {
    pub(crate) fn new(hours: &[(Hour, Source, Tally)]) -> Self {
        let (mut classes, mut clients) = (HashMap::<Class, u64>::new(), HashMap::<Client, (u64, u64)>::new());
        let mut failures = HashMap::<Failure, u64>::new();
        let mut summary = Self::default();
        for (_, source, tally) in hours {
            summary.requests += tally.requests();
            summary.imported += if *source == Source::Imported { tally.requests() } else { 0 };
            for (class, count) in tally.classes() {
                *classes.entry(class.elsewhere()).or_default() += count;
                for (client, count) in tally.clients(class) {
                    let asker = clients.entry(*client).or_default();
                    asker.0 += count;
                    asker.1 += if class.answer.is_refusal() { count } else { 0 };
                }
            }
            for (failure, count) in tally.failures() {
                *failures.entry(failure).or_default() += count;
            }
        }
        summary.secure = classes.iter().filter(|(class, _)| class.facts.is_secure()).map(|(_, count)| count).sum();
        summary.came = came(&classes);
        let refused = classes.iter().filter(|(class, _)| class.answer.is_refusal());
        summary.refusals = Group::by(refused, summary.requests, |class| refusal(class.answer));
        let total = failures.values().sum();
        summary.failures = Group::by(failures.iter(), total, |reason| failure(*reason).to_owned());
        summary.rank(clients);
        summary
    }

    /// `98.2 %` of all requests.
    pub(crate) fn secure_share(&self) -> String {
        format::share(self.secure, self.requests)
    }

    fn rank(&mut self, clients: HashMap<Client, (u64, u64)>) {
        let mut ranked: Vec<(Client, (u64, u64))> = clients.into_iter().collect();
        ranked.sort_unstable_by(|(a, asked_a), (b, asked_b)| asked_b.cmp(asked_a).then(a.cmp(b)));
        ranked.truncate(CLIENTS);
        self.others = self.requests - ranked.iter().map(|(_, (count, _))| count).sum::<u64>();
        let asker = |(client, (count, refused)): (Client, (u64, u64))| Asker {
            agent: client.agent.as_str().into(),
            network: client.network(),
            count,
            refused,
        };
        self.askers = ranked.into_iter().map(asker).collect();
    }
}

impl Group {
    /// The most frequent first.
    fn by<'a, K: 'a>(counts: impl Iterator<Item = (&'a K, &'a u64)>, all: u64, name: impl Fn(&K) -> String) -> Self {
        let mut lines = HashMap::<String, u64>::new();
        for (key, count) in counts {
            *lines.entry(name(key)).or_default() += count;
        }
        let total = lines.values().sum();
        let mut lines: Vec<Line> =
            lines.into_iter().map(|(name, count)| Line { name, count, share: format::share(count, all) }).collect();
        lines.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        Self { total, lines }
    }
}

/// How requests came, by each property that SSL settings ask for.
fn came(classes: &HashMap<Class, u64>) -> Vec<(&'static str, Group)> {
    let group = |name: fn(&Class) -> Option<&'static str>| {
        let mut counts = HashMap::new();
        for (class, count) in classes {
            if let Some(name) = name(class) {
                *counts.entry(name).or_default() += *count;
            }
        }
        sums(&counts)
    };
    vec![
        ("Connection", group(|class| Some(connection(class.facts.way)))),
        ("Cipher", group(|class| cipher(class.facts.way))),
        ("Key exchange", group(|class| exchange(class.facts.way))),
        ("Client certificate", group(|class| shown(class.facts.way))),
        ("HTTP", group(|class| Some(http(class.facts.http)))),
    ]
}

fn sums<K: Eq + Hash + Copy + Into<String>>(counts: &HashMap<K, u64>) -> Group {
    Group::by(counts.iter(), counts.values().sum(), |name| (*name).into())
}

fn connection(way: Way) -> &'static str {
    match way {
        Way::Clear(_) => "Plain HTTP",
        Way::Proxied => "TLS that ended at a trusted proxy",
        Way::Tls { version: TlsVersion::Tls12, .. } => "TLS 1.2",
        Way::Tls { version: TlsVersion::Tls13, .. } => "TLS 1.3",
        Way::Tls { version: TlsVersion::Older, .. } => "Older than TLS 1.2",
        Way::Tls { version: TlsVersion::Unknown, .. } => "TLS, version not told",
    }
}

fn cipher(way: Way) -> Option<&'static str> {
    let Way::Tls { cipher, .. } = way else { return None };
    Some(match cipher {
        Cipher::Aes128 => "AES, 128-bit",
        Cipher::Aes256 => "AES, 256-bit",
        Cipher::ChaCha20 => "ChaCha20, 256-bit",
        Cipher::Weak => "Weaker than 128-bit",
        Cipher::Unknown => "Not told",
    })
}

fn exchange(way: Way) -> Option<&'static str> {
    let Way::Tls { exchange, .. } = way else { return None };
    Some(match exchange {
        Exchange::X25519 => "X25519",
        Exchange::P256 => "P-256",
        Exchange::P384 => "P-384",
        Exchange::PostQuantum => "Post-quantum (ML-KEM)",
        Exchange::Other => "Another",
        Exchange::Unknown => "Not told, or resumed without one",
    })
}

fn shown(way: Way) -> Option<&'static str> {
    let Way::Tls { shown, .. } = way else { return None };
    Some(match shown {
        Shown::None => "None, though asked for",
        Shown::Good => "Good",
        Shown::NotAllowed => "Good, its holder not let in",
        Shown::Revoked => "Revoked, or not known whether",
        Shown::Untrusted => "Untrusted or invalid",
        Shown::OutOfDate => "Expired or not yet valid",
        Shown::Unknown => "Not asked for, or not looked at",
    })
}

fn http(http: Http) -> &'static str {
    match http {
        Http::Http10 => "HTTP/1.0",
        Http::Http11 => "HTTP/1.1",
        Http::Http2 => "HTTP/2",
        Http::Http3 => "HTTP/3",
        Http::Unknown => "Not told",
    }
}

/// `403.4 SSL required`
fn refusal(answer: Answer) -> String {
    let words = match (answer.status, answer.substatus) {
        (403, 4) => "SSL required",
        (403, 5) => "stronger encryption required",
        (403, 7) => "client certificate required",
        (403, 12) => "client certificate not allowed here",
        (403, 13) => "client certificate revoked",
        (403, 16) => "client certificate untrusted or invalid",
        (403, 17) => "client certificate expired or not yet valid",
        (421, _) => "connection made for another site, or before the settings changed",
        _ => "refused by the other server",
    };
    format!("{answer} {words}")
}

fn failure(failure: Failure) -> &'static str {
    match failure {
        Failure::UnknownName => "Asked for a name that no site has",
        Failure::NothingInCommon => "No TLS version, cipher or key exchange in common",
        Failure::Rejected => "The client did not trust the certificate",
        Failure::Timeout => "Took too long",
        Failure::NotTls => "Sent something that is not TLS",
        Failure::Closed => "The site was closed",
        Failure::BrokenOff => "The client left in the middle",
    }
}
