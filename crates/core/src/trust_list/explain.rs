//! What a client certificate would get, place by place, and why.

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::Finding;
use crate::chain::X509;
use crate::site::Site;
use crate::ssl::{
    ClientCertificate, Demands, KeyExchange, RulePath, Strength, TlsFacts, TlsVersion, Transport, Verdict,
};
use crate::table::SiteTable;

/// What a certificate would get at one place of a site, on the strongest connection there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The place of a rule, or the whole site.
    pub path: RulePath,
    /// What is demanded there, and by which rules.
    pub demands: Demands,
    /// What the certificate is worth there; `None` where it is not looked at.
    pub client: Option<ClientCertificate>,
    /// What a request gets.
    pub verdict: Verdict,
    /// Why, in a sentence or two.
    pub why: String,
}

/// What whoever holds the first certificate of `chain` that is not one of a CA would get now from `site`: for the whole
/// site, then for each place with a rule. The other certificates are taken as sent along. Without any, it is told of
/// whoever has none.
pub fn explain(table: &SiteTable, site: &Site, chain: &[X509], now: OffsetDateTime) -> Vec<Explained> {
    let mut sent: Vec<CertificateDer<'_>> = chain.iter().map(|own| CertificateDer::from(own.der.as_slice())).collect();
    if let Some(own) = chain.iter().position(|own| !own.is_ca) {
        sent.swap(0, own);
    }
    let at = |path: &RulePath, demands: Demands| {
        let (client, why) = finding(table, &demands, &sent, now);
        let facts = TlsFacts {
            version: TlsVersion::Tls13,
            strength: Strength::Bits256,
            key_exchange: KeyExchange::PostQuantum,
            client: client.unwrap_or(ClientCertificate::None),
        };
        Explained { path: path.clone(), verdict: demands.verdict(Transport::Tls(facts)), demands, client, why }
    };
    let whole = at(&RulePath::site(), site.rules.site());
    let rules = site.rules.list().iter().filter(|rule| !rule.path.is_site());
    [whole].into_iter().chain(rules.map(|rule| at(&rule.path, site.rules.at(&rule.path)))).collect()
}

fn finding(
    table: &SiteTable,
    demands: &Demands,
    sent: &[CertificateDer<'_>],
    now: OffsetDateTime,
) -> (Option<ClientCertificate>, String) {
    if !demands.looks_at_certificates() {
        return (None, "Certificates are not looked at here.".into());
    }
    let told = |finding: Finding<'_>| (Some(finding.client()), finding.to_string());
    if sent.is_empty() {
        return told(Finding::NoneSent);
    }
    let list = match table.trust_list(demands.trust.value) {
        Ok(list) => list,
        Err(finding) => return told(finding),
    };
    match list.path(sent, now) {
        Ok(path) => told(list.judge(&path, table.own_lists(), now)),
        Err(why) => told(Finding::Untrusted(why)),
    }
}
