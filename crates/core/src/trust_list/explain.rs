//! What a client certificate would get, place by place, and why.

use std::collections::HashMap;

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::path::{MAX_SENT, Path, Untrusted};
use super::{Finding, TrustListId};
use crate::chain::{X509, find_issuer};
use crate::site::Site;
use crate::ssl::{
    ClientCertificate, Demands, KeyExchange, RulePath, Strength, TlsFacts, TlsVersion, Transport, Verdict,
};
use crate::table::SiteTable;

/// What a certificate would get at one place of a site, on the strongest connection there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What is demanded there, and by which rules.
    pub demands: Demands,
    /// What the certificate is worth there; `None` where it is not looked at.
    pub client: Option<ClientCertificate>,
    /// What a request gets.
    pub verdict: Verdict,
    /// Why, in a sentence or two.
    pub why: String,
}

/// Explains one certificate. Its path to each trust list is proven once, however many places ask.
#[derive(Debug)]
pub struct Explainer<'a> {
    table: &'a SiteTable,
    sent: Vec<CertificateDer<'a>>,
    now: OffsetDateTime,
    paths: HashMap<TrustListId, Result<Path, Untrusted>>,
}

impl<'a> Explainer<'a> {
    /// For whoever sends these certificates, the own one first; for whoever has none where there are none.
    pub fn new(table: &'a SiteTable, sent: &'a [X509], now: OffsetDateTime) -> Self {
        let sent = sent.iter().map(|own| CertificateDer::from(own.der.as_slice())).collect();
        Self { table, sent, now, paths: HashMap::new() }
    }

    /// What the certificate would get now at the place of a rule, or at the whole site.
    pub fn at(&mut self, site: &Site, path: &RulePath) -> Explained {
        let demands = site.rules.at(path);
        let (client, why) = self.finding(&demands);
        let facts = TlsFacts {
            version: TlsVersion::Tls13,
            strength: Strength::Bits256,
            key_exchange: KeyExchange::PostQuantum,
            client: client.unwrap_or(ClientCertificate::None),
        };
        Explained { verdict: demands.verdict(Transport::Tls(facts)), demands, client, why }
    }

    fn finding(&mut self, demands: &Demands) -> (Option<ClientCertificate>, String) {
        if !demands.looks_at_certificates() {
            return (None, "Certificates are not looked at here.".into());
        }
        let told = |finding: Finding<'_>| (Some(finding.client()), finding.to_string());
        if self.sent.is_empty() {
            return told(Finding::NoneSent);
        }
        let list = match self.table.trust_list(demands.trust.value) {
            Ok(list) => list,
            Err(finding) => return told(finding),
        };
        let path = self.paths.entry(list.id).or_insert_with(|| list.path(&self.sent, self.now));
        match path {
            Ok(path) => told(list.judge(path, self.table.own_lists(), self.now)),
            Err(why) => told(Finding::Untrusted(why.clone())),
        }
    }
}

/// Why it can't be told whose certificate is meant. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOneClient {
    /// There are only CAs.
    #[error("There are only certificates of CAs in this. Bring the one of the person or device.")]
    None,
    /// There are several.
    #[error(
        "There are {0} certificates of persons or devices in this. Bring one at a time, with those of the CAs above it."
    )]
    Several(usize),
}

/// What a client sends that has these certificates: its own, then those of the CAs above it, as far as they are there. Of
/// more than a client may send there is one too many, so that whoever judges them says so.
///
/// # Errors
/// [`NotOneClient`] by name.
pub fn as_sent(brought: &[X509]) -> Result<Vec<X509>, NotOneClient> {
    let mut own: Vec<&X509> = brought.iter().filter(|own| !own.is_ca).collect();
    own.sort_by_key(|own| own.fingerprint);
    own.dedup_by_key(|own| own.fingerprint);
    let [own] = own.as_slice() else {
        return Err(if own.is_empty() { NotOneClient::None } else { NotOneClient::Several(own.len()) });
    };
    let mut sent = vec![(*own).clone()];
    while sent.len() <= MAX_SENT
        && let Some(issuer) = sent.last().and_then(|last| find_issuer(last, brought)).map(|found| &brought[found])
        && !sent.contains(issuer)
    {
        sent.push(issuer.clone());
    }
    Ok(sent)
}
