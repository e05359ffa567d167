//! What is asked about a binding, and what is proposed.

use std::num::NonZeroU16;

use serde::Deserialize;
use siteward_core::binding::{Binding, Place, Protocol, parse_ip, parse_port};
use siteward_core::certificate::CertificateFacts;
use siteward_core::host::HostPattern;
use siteward_core::ledger::Revision;
use siteward_core::site::Site;
use siteward_core::store::{BindingDraft, CertificateList};
use time::OffsetDateTime;

use crate::Ports;
use crate::form::{self, Errors};
use crate::next;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct BindingForm {
    #[serde(default)]
    pub(super) protocol: String,
    #[serde(default)]
    pub(super) ip: String,
    #[serde(default)]
    pub(super) port: String,
    /// One host name; on a new form one on each line.
    #[serde(default)]
    pub(super) host: String,
    /// The certificate's id.
    #[serde(default)]
    pub(super) certificate: String,
    /// `yes` where a doubtful certificate is to be served all the same.
    #[serde(default)]
    pub(super) confirmed: String,
    #[serde(default)]
    pub(super) version: Revision,
    /// The settings in words when the form was opened.
    #[serde(default)]
    pub(super) was: Vec<String>,
}

/// The settings of a binding, as its form names them.
pub(super) const LABELS: [&str; 5] = ["Protocol", "IP address", "Port", "Host name", "Certificate"];

pub(super) fn shown(place: &Place, certificate: Option<&CertificateFacts>) -> Vec<String> {
    let ip = place.ip.map_or("All addresses".into(), |ip| ip.to_string());
    let host = if place.host == HostPattern::Any { "Any host name".into() } else { place.host.unicode() };
    let certificate = certificate.map_or("None".into(), |facts| format!("{} (No. {})", facts.in_words(), facts.id));
    vec![place.protocol.to_string(), ip, place.port.to_string(), host, certificate]
}

pub(super) fn shown_of(binding: &Binding) -> Vec<String> {
    shown(&binding.place, binding.certificate.as_deref())
}

impl BindingForm {
    /// A draft for each host name.
    pub(super) fn parse(&self, proposed: Ports) -> Result<Vec<BindingDraft>, Errors> {
        let mut errors = Errors::default();
        let protocol = Protocol::parse(&self.protocol).ok_or("Choose http or https.");
        let protocol = errors.check("protocol", protocol);
        let ip = errors.check("ip", parse_ip(&self.ip));
        let port = match (self.port.trim(), protocol) {
            ("", Some(protocol)) => NonZeroU16::new(proposed.of(protocol)),
            (typed, _) => errors.check("port", parse_port(typed)),
        };
        let hosts = form::hosts(&self.host, &mut errors);
        let drafts = || {
            let (protocol, ip, port) = (protocol?, ip?, port?);
            let (certificate, confirmed) = (self.certificate.parse().ok(), self.confirmed == "yes");
            let draft = |host| BindingDraft { place: Place { protocol, ip, port, host }, certificate, confirmed };
            Some(hosts?.into_iter().map(draft).collect())
        };
        let drafts = drafts();
        errors.or(drafts)
    }

    /// The only draft of a binding that exists.
    pub(super) fn parse_one(&self, proposed: Ports) -> Result<BindingDraft, Errors> {
        let mut drafts = self.parse(proposed)?;
        match drafts.pop() {
            Some(draft) if drafts.is_empty() => Ok(draft),
            _ => Err(Errors::one("host", "Enter one host name.")),
        }
    }

    pub(super) fn of(binding: &Binding, version: Revision) -> Self {
        let Place { protocol, ip, port, host } = &binding.place;
        Self {
            protocol: protocol.to_string(),
            ip: ip.map(|ip| ip.to_string()).unwrap_or_default(),
            port: port.to_string(),
            host: host.unicode(),
            certificate: binding.certificate.as_ref().map(|facts| facts.id.to_string()).unwrap_or_default(),
            confirmed: String::new(),
            version,
            was: shown_of(binding),
        }
    }

    /// Fills in what is left open on a new form: https, with the certificate that covers most of the host names that
    /// lack it, for those that it covers.
    pub(super) fn propose(&mut self, site: &Site, certificates: &[CertificateList], now: OffsetDateTime) {
        if self.protocol.is_empty() {
            self.protocol = Protocol::Https.to_string();
        }
        if self.protocol != Protocol::Https.as_str() {
            return;
        }
        let typed = form::hosts(&self.host, &mut Errors::default()).filter(|_| !self.host.is_empty());
        let hosts = typed.unwrap_or_else(|| next::without_https(site).into_iter().cloned().collect());
        let covered = |facts: &CertificateFacts| hosts.iter().filter(|host| facts.covers_pattern(host)).count();
        let all = certificates.iter().map(|one| &one.facts);
        let chosen = match self.certificate.as_str() {
            "" => all
                .filter(|facts| facts.valid_at(now) && covered(facts) > 0)
                .max_by_key(|facts| (covered(facts), facts.not_after)),
            id => all.into_iter().find(|facts| facts.id.to_string() == id),
        };
        if let Some(facts) = chosen {
            self.certificate = facts.id.to_string();
        }
        if self.host.is_empty() {
            let fits = |host: &&HostPattern| chosen.is_none_or(|facts| facts.covers_pattern(host));
            self.host = hosts.iter().filter(fits).map(HostPattern::unicode).collect::<Vec<_>>().join("\n");
        }
    }
}
