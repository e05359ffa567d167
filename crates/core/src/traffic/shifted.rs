//! What a change of trusted proxies would make of the requests that came.
//!
//! Of a request that is counted it is not known to which port it came and by way of which proxy, and of its client no
//! more than a network: what is told here are upper bounds.

use super::{Hour, Preview, Source, Tally, Way};
use crate::binding::Protocol;
use crate::proxies::{Networks, Shift};
use crate::site::{Site, SiteId};
use crate::table::SiteTable;

/// What became of the requests of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shifted {
    /// The site.
    pub site: SiteId,
    /// Requests over TLS that ended at a trusted proxy, as they would come in clear once nobody believes that.
    pub unbelieved: Preview,
    /// Requests from networks that nobody believed before: they would count as their visitors'.
    pub attributed: u64,
}

impl Shifted {
    /// Judges what came to a site of `table` within `hours`.
    pub fn new(shift: &Shift, table: &SiteTable, site: &Site, hours: &[(Hour, Source, Tally)]) -> Self {
        // On a port that speaks https, what Siteward itself agreed on counts, whoever is believed.
        let unbelieved = match shift.protocol {
            Protocol::Http if !shift.lost.is_empty() => {
                Preview::unbelieved(&site.rules, site.https_address(table, None, None).is_some(), hours)
            }
            _ => Preview::default(),
        };
        let newcomers = shift.newcomers();
        let recorded = hours.iter().filter(|(_, source, _)| *source == Source::Recorded);
        let attributed = recorded.map(|(.., tally)| attributed(shift.protocol, &newcomers, tally)).sum();
        Self { site: site.id, unbelieved, attributed }
    }

    /// How many requests would be concerned.
    pub fn requests(&self) -> u64 {
        self.unbelieved.requests.saturating_add(self.attributed)
    }
}

fn attributed(protocol: Protocol, newcomers: &Networks, tally: &Tally) -> u64 {
    let is_such = |way| match protocol {
        Protocol::Http => matches!(way, Way::Clear(_)),
        Protocol::Https => matches!(way, Way::Tls { .. }),
    };
    let classes = tally.classes().map(|(class, _)| class).filter(|class| is_such(class.facts.way));
    let clients = classes.flat_map(|class| tally.clients(class));
    clients.filter(|(client, _)| newcomers.overlap(&client.net())).map(|(_, requests)| requests).sum()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;
    use std::sync::Arc;

    use super::*;
    use crate::proxies::{Listener, Proxies, Speech};
    use crate::ssl::{RequireSsl, Rule, RulePath, Rules};
    use crate::table::tests::{binding, site};
    use crate::traffic::{Answer, Class, Client, Credentials, Facts, Folder, Http, TlsVersion};

    fn shift(protocol: Protocol, before: &str, after: &str) -> Shift {
        let listener = Listener { port: NonZeroU16::MIN, ip: None };
        let of = |networks| Proxies {
            listener,
            protocol,
            speech: Speech::XForwarded,
            networks: Networks::parse(networks).unwrap(),
            nobody: false,
            version: 1,
        };
        Shift::new(listener, protocol, Some(&of(before)), Some(&of(after))).unwrap()
    }

    #[test]
    fn who_is_no_longer_believed_comes_in_clear_and_whose_network_is_newly_believed_is_told() {
        let tls = super::super::class::Facts::parse("tls1.3 aes128 x25519 2").unwrap().way;
        assert!(matches!(tls, Way::Tls { version: TlsVersion::Tls13, .. }));
        let mut tally = Tally::default();
        for (way, address, requests) in [
            (Way::Proxied, "203.0.113.7", 100),
            (Way::Clear(Credentials::Cookie), "10.0.0.9", 20),
            (Way::Clear(Credentials::None), "192.0.2.1", 3),
            (tls, "10.0.0.9", 4),
        ] {
            let class = Class {
                facts: Facts { way, http: Http::Http11 },
                answer: Answer { status: 200, substatus: 0 },
                folder: Folder::of("", true),
            };
            tally.count(class, Client::new("curl/8", address.parse().unwrap()), requests);
        }
        let hours = [(7, Source::Recorded, tally)];
        let told = |shift: &Shift, require_ssl: RequireSsl| {
            let rule = Rule { id: 1, path: RulePath::site(), settings: require_ssl.into(), reason: String::new() };
            let shop = Site {
                rules: Arc::new(Rules::new([rule])),
                ..site(1, vec![binding(Protocol::Https, "", 443, "shop.example")])
            };
            let shifted = Shifted::new(shift, &SiteTable::default(), &shop, &hours);
            let of = &shifted.unbelieved;
            (of.requests, of.refused, of.redirected, shifted.attributed)
        };
        let removed = shift(Protocol::Http, "10.0.0.1", "");
        assert_eq!(told(&removed, RequireSsl::Refuse), (100, 100, 0, 0));
        assert_eq!(told(&removed, RequireSsl::Redirect), (100, 0, 100, 0));
        assert_eq!(told(&removed, RequireSsl::Off), (100, 0, 0, 0));
        let added = shift(Protocol::Http, "", "10.0.0.1");
        assert_eq!(told(&added, RequireSsl::Refuse), (0, 0, 0, 20), "a client is known by its network only");
        assert_eq!(told(&shift(Protocol::Http, "", "10.0.1.0/24"), RequireSsl::Refuse).3, 0);
        assert_eq!(told(&shift(Protocol::Https, "10.0.0.1", "10.0.0.0/8"), RequireSsl::Refuse), (0, 0, 0, 4));
    }
}
