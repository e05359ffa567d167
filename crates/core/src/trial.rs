//! SSL settings on trial: each request is judged by them too, and they decide on none.

use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::path::UrlPath;
use crate::ssl::{Demands, Refusal, RulePath, Rules, Settings, Transport, Trusted, Verdict};
use crate::trust_list::TrustListId;

/// The row id of a trial.
pub type TrialId = i64;

/// Settings that are tried at one place of a site: the whole site, a folder or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Row id. Another trial at the same place has another one.
    pub id: TrialId,
    /// Where they would hold, and below.
    pub path: RulePath,
    /// What the place would set.
    pub settings: Settings,
    /// The reason that the rule of the place would have; empty for the whole site.
    pub reason: String,
    /// When it began.
    pub since: OffsetDateTime,
    /// From then on nothing is judged any more.
    pub until: OffsetDateTime,
    /// Who began it.
    pub author: String,
    /// All rules of the site as they would be; nothing while the very settings are in force, so that there is nothing to try.
    pub rules: Option<Rules>,
}

/// A request that was judged by the rules in force.
#[derive(Clone, Copy)]
pub struct Judged<'a> {
    /// What it asked for.
    pub path: &'a UrlPath,
    /// How it came, with what the client's certificate is worth to whom demands this.
    pub transport: &'a dyn Fn(&Demands) -> Transport,
    /// The trust lists of which the handshake asked for a client certificate; nothing where it asked for none.
    pub asked: Option<&'a [TrustListId]>,
    /// Whether there is an https address to send it to.
    pub has_address: &'a dyn Fn() -> bool,
    /// What the rules in force made of it.
    pub verdict: Verdict,
}

/// What settings on trial would make of a request, beside what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Would {
    /// Serve it.
    Served,
    /// Refuse it or send it on, as happens to it already.
    Already,
    /// It depends on a client certificate that nobody asked for: for none at all, or for none of the CAs that would count.
    Unsure,
    /// Send it on to https, as does not happen to it now.
    Redirected,
    /// Refuse it with this substatus of 403, although it is let through, or sent on, now.
    Refused(u8),
}

impl Judged<'_> {
    /// Whether somebody with a certificate that counts by `trusted` could have known it: the handshake tells of which CAs.
    fn was_asked_by(&self, trusted: Trusted) -> bool {
        self.asked.is_some_and(|lists| trusted.list().is_none_or(|list| lists.contains(&list)))
    }
}

impl Trial {
    /// How long settings are tried.
    pub const LASTS: Duration = Duration::days(14);

    /// How many of a site are tried at the same time.
    pub const MOST: usize = 8;

    /// Whether it has ended at `now`.
    pub fn has_ended(&self, now: OffsetDateTime) -> bool {
        now >= self.until
    }

    /// What it would make of a request at `now`; nothing where it judges none.
    pub fn would(&self, request: &Judged<'_>, now: OffsetDateTime) -> Option<Would> {
        let rules = self.rules.as_ref().filter(|_| !self.has_ended(now))?;
        let demands = rules.demands(request.path);
        let transport = (request.transport)(&demands);
        let then = demands.verdict(transport).settled(request.has_address);
        Some(match (request.verdict.settled(request.has_address), then) {
            (_, Verdict::Go) => Would::Served,
            (Verdict::Refuse(_), Verdict::Refuse(_)) | (Verdict::Redirect(_), Verdict::Redirect(_)) => Would::Already,
            (_, Verdict::Redirect(_)) => Would::Redirected,
            // Whoever was not asked may have one, beside what was shown. Through a proxy, none ever comes.
            (_, Verdict::Refuse(Refusal::CertificateRequired | Refusal::CertificateUntrusted))
                if matches!(transport, Transport::Tls(_)) && !request.was_asked_by(demands.trust.value) =>
            {
                Would::Unsure
            }
            (_, Verdict::Refuse(refusal)) => Would::Refused(refusal.substatus()),
        })
    }
}

impl Would {
    /// Whether the request would get something else than it gets, and worse.
    pub fn is_worse(self) -> bool {
        matches!(self, Self::Redirected | Self::Refused(_))
    }

    /// Reads what is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        let refused = || Refusal::ALL.iter().map(|refusal| Self::Refused(refusal.substatus()));
        let all = [Self::Served, Self::Already, Self::Unsure, Self::Redirected];
        all.into_iter().chain(refused()).find(|would| would.to_string() == text)
    }
}

/// As stored, and in the access log: `403.4`.
impl fmt::Display for Would {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Served => f.write_str("served"),
            Self::Already => f.write_str("already"),
            Self::Unsure => f.write_str("unsure"),
            Self::Redirected => f.write_str("redirected"),
            Self::Refused(substatus) => write!(f, "403.{substatus}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssl::{
        ClientCertificate, ClientCertificates, KeyExchange, RequireSsl, Rule, Strength, TlsFacts, TlsVersion,
    };

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const CLEAR: Transport = Transport::Clear { credentials: false, reads: true };
    const TLS12: Transport = Transport::Tls(TlsFacts {
        version: TlsVersion::Tls12,
        strength: Strength::Bits256,
        key_exchange: KeyExchange::Any,
        client: ClientCertificate::None,
    });

    fn rules(settings: impl Into<Settings>) -> Rules {
        Rules::new([Rule { id: 1, path: RulePath::site(), settings: settings.into(), reason: String::new() }])
    }

    fn trial(rules: Rules) -> Trial {
        let (path, settings, rules) = (RulePath::site(), rules.own(), Some(rules));
        let (reason, author) = (String::new(), "Inga".into());
        Trial { id: 1, path, settings, reason, since: NOW, until: NOW + Trial::LASTS, author, rules }
    }

    /// What a request gets now and would get, where no handshake asked for a certificate.
    fn would(in_force: &Rules, trial: &Trial, transport: Transport, has_address: bool) -> Option<Would> {
        let path = UrlPath::parse("/account/").unwrap();
        let verdict = in_force.demands(&path).verdict(transport);
        let has_address = &|| has_address;
        trial.would(&Judged { path: &path, transport: &|_| transport, asked: None, has_address, verdict }, NOW)
    }

    #[test]
    fn what_a_trial_says_depends_on_what_happens_to_a_request_already() {
        let (off, redirect, refuse) = (rules(RequireSsl::Off), rules(RequireSsl::Redirect), rules(RequireSsl::Refuse));
        let tls13 = rules(Settings { min_tls: Some(TlsVersion::Tls13), ..Settings::default() });
        let client = rules(Settings { client_certificates: Some(ClientCertificates::Require), ..Settings::default() });
        for (in_force, tried, transport, has_address, expected) in [
            (&off, &refuse, CLEAR, true, Would::Refused(4)),
            (&off, &refuse, TLS12, true, Would::Served),
            (&off, &redirect, CLEAR, true, Would::Redirected),
            (&off, &redirect, CLEAR, false, Would::Refused(4)),
            (&redirect, &refuse, CLEAR, true, Would::Refused(4)),
            (&redirect, &refuse, CLEAR, false, Would::Already),
            (&redirect, &redirect, CLEAR, true, Would::Already),
            (&refuse, &redirect, CLEAR, true, Would::Redirected),
            (&refuse, &off, CLEAR, true, Would::Served),
            (&off, &tls13, TLS12, true, Would::Refused(5)),
            (&off, &client, TLS12, true, Would::Unsure),
            (&off, &client, CLEAR, true, Would::Refused(4)),
            (&off, &client, Transport::Proxied, true, Would::Refused(7)),
        ] {
            let told = would(in_force, &trial(tried.clone()), transport, has_address);
            assert_eq!(told, Some(expected), "{in_force:?} {tried:?} {transport:?}");
        }
    }

    #[test]
    fn who_was_asked_for_a_certificate_and_sent_none_would_be_refused() {
        let client = rules(Settings { client_certificates: Some(ClientCertificates::Require), ..Settings::default() });
        let path = UrlPath::parse("/").unwrap();
        let verdict = Verdict::Go;
        let request = Judged {
            path: &path,
            transport: &|_| TLS12,
            asked: Some(&[]),
            has_address: &|| panic!("nothing redirects"),
            verdict,
        };
        assert_eq!(trial(client).would(&request, NOW), Some(Would::Refused(7)));
    }

    #[test]
    fn who_was_asked_for_certificates_of_other_cas_only_may_have_a_good_one() {
        let client = Some(ClientCertificates::Require);
        let tried = trial(rules(Settings { client_certificates: client, trust: Some(2), ..Settings::default() }));
        let path = UrlPath::parse("/").unwrap();
        for (client, asked, would) in [
            (ClientCertificate::None, Some(&[1][..]), Would::Unsure),
            (ClientCertificate::None, Some(&[1, 2]), Would::Refused(7)),
            (ClientCertificate::None, None, Would::Unsure),
            (ClientCertificate::Untrusted, Some(&[1]), Would::Unsure),
            (ClientCertificate::Untrusted, Some(&[2]), Would::Refused(16)),
            (ClientCertificate::NotAllowed, Some(&[1]), Would::Refused(12)),
            (ClientCertificate::Good, Some(&[1]), Would::Served),
        ] {
            let Transport::Tls(facts) = TLS12 else { unreachable!() };
            let transport = |_: &Demands| Transport::Tls(TlsFacts { client, ..facts });
            let verdict = Verdict::Go;
            let request = Judged { path: &path, transport: &transport, asked, has_address: &|| true, verdict };
            assert_eq!(tried.would(&request, NOW), Some(would), "{client:?} {asked:?}");
        }
    }

    #[test]
    fn a_trial_that_has_ended_or_is_in_force_judges_nothing() {
        let (off, refuse) = (rules(RequireSsl::Off), rules(RequireSsl::Refuse));
        let in_force = Trial { rules: None, ..trial(refuse.clone()) };
        assert_eq!(would(&off, &in_force, CLEAR, true), None);
        let ended = Trial { until: NOW, ..trial(refuse) };
        assert_eq!(would(&off, &ended, CLEAR, true), None);
    }

    #[test]
    fn every_outcome_is_read_as_it_was_written() {
        let refused = Refusal::ALL.iter().map(|refusal| Would::Refused(refusal.substatus()));
        for would in [Would::Served, Would::Already, Would::Unsure, Would::Redirected].into_iter().chain(refused) {
            assert_eq!(Would::parse(&would.to_string()), Some(would));
        }
        assert_eq!(Would::parse("403.8"), None);
    }
}
