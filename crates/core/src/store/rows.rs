//! Rows of the database, and how each is read.

use std::collections::HashMap;
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;

use super::{Result, StoreError, from_millis, rules};
use crate::binding::{Binding, Place, Protocol, parse_ip};
use crate::certificate::{CertificateFacts, CertificateId, Fingerprint};
use crate::exemption::{Exemption, ExemptionKind};
use crate::host::HostPattern;
use crate::site::{Site, SiteState};
use crate::ssl::{Hsts, HstsMode, Rule, RulePath, Rules, Setting, Settings};
use crate::trial::{Trial, TrialId};

pub(super) struct SiteRow {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) folder: String,
    pub(super) state: String,
    pub(super) version: i64,
}

pub(super) struct RuleRow {
    pub(super) id: i64,
    pub(super) site_id: i64,
    pub(super) path: String,
    pub(super) require_ssl: Option<String>,
    pub(super) min_tls: Option<String>,
    pub(super) strength: Option<String>,
    pub(super) key_exchange: Option<String>,
    pub(super) client_certificates: Option<String>,
    pub(super) trust_list_id: Option<i64>,
    pub(super) clear_credentials: Option<String>,
    pub(super) reason: String,
}

pub(super) struct ExemptionRow {
    pub(super) id: i64,
    pub(super) site_id: i64,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) content: String,
    pub(super) ends_at: Option<i64>,
}

pub(super) struct TrialRow {
    pub(super) id: TrialId,
    pub(super) site_id: i64,
    pub(super) path: String,
    pub(super) settings: String,
    pub(super) reason: String,
    pub(super) since: i64,
    pub(super) until: i64,
    pub(super) author: String,
}

pub(super) struct HstsRow {
    pub(super) site_id: i64,
    pub(super) mode: String,
    pub(super) max_age: i64,
    pub(super) subdomains: bool,
    pub(super) preload: bool,
    pub(super) since: i64,
    pub(super) remembered_until: i64,
}

pub(super) struct BindingRow {
    pub(super) id: i64,
    pub(super) site_id: i64,
    pub(super) protocol: String,
    pub(super) ip: String,
    pub(super) port: i64,
    pub(super) host: String,
    pub(super) certificate_id: Option<i64>,
}

/// The columns of `certificates` that [`CertificateFacts`] needs.
pub(super) struct FactsRow {
    pub(super) id: i64,
    pub(super) fingerprint: Vec<u8>,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) names: String,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

pub(super) type Certificates = HashMap<CertificateId, Arc<CertificateFacts>>;

/// A row that can't be understood is not served, and stops nothing else: one site's damage is its own.
pub(super) fn readable<T>(row: Result<T>) -> Option<T> {
    row.inspect_err(|error| tracing::error!(%error, "a row of the database is left out")).ok()
}

/// An unreadable certificate leaves its bindings without one, which closes them.
pub(super) fn read_certificates(rows: Vec<FactsRow>) -> Certificates {
    rows.into_iter().filter_map(|row| readable(row.read())).map(|facts| (facts.id, Arc::new(facts))).collect()
}

/// The trials of a site that has these rules. One that can't be read is left out: it decides on nothing.
pub(super) fn read_trials(rows: Vec<TrialRow>, rules: &Rules) -> Arc<[Trial]> {
    rows.into_iter().filter_map(|row| readable(row.read(rules))).collect()
}

impl SiteRow {
    /// A site of which one rule is missing or unreadable is not served: nobody knows what it demands.
    pub(super) fn read(self, bindings: Vec<Binding>, rules: Vec<RuleRow>, data_dir: &Path) -> Result<Site> {
        let broken = || StoreError::Internal(format!("site {} can't be read", self.id));
        let rules = rules.into_iter().map(RuleRow::read).collect::<Result<Vec<_>>>()?;
        if !rules.iter().any(|rule| rule.path.is_site()) {
            return Err(broken());
        }
        Ok(Site {
            id: self.id,
            state: SiteState::parse(&self.state).ok_or_else(broken)?,
            rules: Arc::new(Rules::new(rules)),
            exemptions: Arc::default(), // read apart, as the next three: none is a part of what is demanded
            pages: Arc::default(),
            hsts: None,
            trials: Arc::default(),
            name: self.name,
            folder: data_dir.join(self.folder), // one of Siteward's own is stored relative to it
            version: self.version,
            bindings,
            proxied: false, // the table knows both
            preloads: false,
            locked: false,
        })
    }
}

impl RuleRow {
    pub(super) fn read(self) -> Result<Rule> {
        let broken = || StoreError::Internal(format!("SSL rule {} can't be read", self.id));
        fn setting<T: Setting>(column: Option<&str>) -> Option<Option<T>> {
            column.map_or(Some(None), |text| T::parse(text).map(Some))
        }
        let settings = Settings {
            require_ssl: setting(self.require_ssl.as_deref()).ok_or_else(broken)?,
            min_tls: setting(self.min_tls.as_deref()).ok_or_else(broken)?,
            strength: setting(self.strength.as_deref()).ok_or_else(broken)?,
            key_exchange: setting(self.key_exchange.as_deref()).ok_or_else(broken)?,
            client_certificates: setting(self.client_certificates.as_deref()).ok_or_else(broken)?,
            trust: self.trust_list_id,
            clear_credentials: setting(self.clear_credentials.as_deref()).ok_or_else(broken)?,
        };
        let path = RulePath::stored(&self.path).map_err(|_| broken())?;
        Ok(Rule { id: self.id, path, settings, reason: self.reason })
    }
}

impl ExemptionRow {
    pub(super) fn read(self) -> Result<Exemption> {
        let broken = || StoreError::Internal(format!("exemption {} can't be read", self.id));
        Ok(Exemption {
            id: self.id,
            kind: ExemptionKind::parse(&self.kind).ok_or_else(broken)?,
            ends_at: self.ends_at.map(from_millis).transpose()?,
            name: self.name,
            content: self.content.into(),
        })
    }
}

impl TrialRow {
    pub(super) fn read(self, in_force: &Rules) -> Result<Trial> {
        let broken = || StoreError::Internal(format!("trial {} of site {} can't be read", self.id, self.site_id));
        let path = RulePath::stored(&self.path).map_err(|_| broken())?;
        let facts = serde_json::from_str(&self.settings).map_err(|_| broken())?;
        let settings = rules::read_settings(&facts).ok_or_else(broken)?;
        let is_in_force = in_force.rule_at(&path).is_some_and(|rule| rule.settings == settings);
        Ok(Trial {
            rules: (!is_in_force).then(|| in_force.with(&path, settings)),
            since: from_millis(self.since)?,
            until: from_millis(self.until)?,
            id: self.id,
            path,
            settings,
            reason: self.reason,
            author: self.author,
        })
    }
}

impl HstsRow {
    pub(super) fn read(self) -> Result<Hsts> {
        let broken = || StoreError::Internal(format!("HSTS of site {} can't be read", self.site_id));
        Ok(Hsts {
            mode: HstsMode::parse(&self.mode).ok_or_else(broken)?,
            max_age: u32::try_from(self.max_age).map_err(|_| broken())?,
            subdomains: self.subdomains,
            preload: self.preload,
            since: from_millis(self.since)?,
            told_before: from_millis(self.remembered_until)?,
        })
    }
}

impl BindingRow {
    pub(super) fn read(self, certificates: &Certificates) -> Result<Binding> {
        let broken = || StoreError::Internal(format!("binding {} can't be read", self.id));
        let port = u16::try_from(self.port).ok().and_then(NonZeroU16::new).ok_or_else(broken)?;
        let place = Place {
            protocol: Protocol::parse(&self.protocol).ok_or_else(broken)?,
            ip: parse_ip(&self.ip).map_err(|_| broken())?,
            port,
            host: HostPattern::parse(&self.host).map_err(|_| broken())?,
        };
        let certificate = self.certificate_id.and_then(|id| certificates.get(&id).cloned());
        Ok(Binding { id: self.id, place, certificate })
    }
}

impl FactsRow {
    pub(super) fn read(self) -> Result<CertificateFacts> {
        let broken = || StoreError::Internal(format!("certificate {} can't be read", self.id));
        Ok(CertificateFacts {
            id: self.id,
            fingerprint: fingerprint(&self.fingerprint).ok_or_else(broken)?,
            names: serde_json::from_str(&self.names).map_err(|_| broken())?,
            subject: self.subject,
            issuer: self.issuer,
            not_before: from_millis(self.not_before)?,
            not_after: from_millis(self.not_after)?,
        })
    }
}

/// A digest column.
pub(super) fn fingerprint(bytes: &[u8]) -> Option<Fingerprint> {
    bytes.try_into().ok().map(Fingerprint)
}
