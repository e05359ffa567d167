//! What the same request would get now.

use time::OffsetDateTime;

use super::{Cause, Refused};
use crate::binding::Protocol;
use crate::host::HostName;
use crate::path::UrlPath;
use crate::site::{Site, SiteState};
use crate::ssl::{Redirect, Refusal, Transport, Verdict};
use crate::table::SiteTable;

/// What the same request would get now, on a connection that is made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It would be refused.
    Refused(Cause),
    /// It would be sent to the https address.
    Redirected(Redirect),
    /// No setting refuses it.
    LetThrough,
    /// That can't be told: not all of its path was kept.
    Unknown,
    /// That can't be told: a client certificate counts now, and nobody looked for one then.
    Unseen,
}

impl Refused {
    /// Judges the request by the table of today, as the server would. Of the client's certificate it is known what it was
    /// worth then.
    pub fn again(&self, table: &SiteTable, now: OffsetDateTime) -> Again {
        match self.cause {
            Cause::BadHost | Cause::BadPath => Again::Refused(self.cause),
            _ if self.path.ends_with('…') => Again::Unknown,
            _ => self.judged(table, now).unwrap_or_else(Again::Refused),
        }
    }

    fn judged(&self, table: &SiteTable, now: OffsetDateTime) -> Result<Again, Cause> {
        let path = UrlPath::parse(&self.path).map_err(|_| Cause::BadPath)?;
        let site = self.site_today(table)?;
        if site.state == SiteState::Stopped || site.locked {
            return Err(Cause::Closed);
        }
        let transport = self.came.transport;
        let is_clear = matches!(transport, Transport::Clear { .. });
        let is_exempt = is_clear && site.exemptions.find(&path, now).is_some();
        let demands = site.rules.demands(&path);
        let is_unseen = matches!(transport, Transport::Tls(_)) && !self.came.is_seen && demands.looks_at_certificates();
        match demands.verdict(transport) {
            Verdict::Go | Verdict::Refuse(Refusal::CertificateRequired) if is_unseen => Ok(Again::Unseen),
            Verdict::Go => Ok(Again::LetThrough),
            _ if is_exempt => Ok(Again::LetThrough),
            Verdict::Redirect(how) if self.https_address(table, site).is_some() => Ok(Again::Redirected(how)),
            Verdict::Redirect(_) => Err(Cause::Unmet(Refusal::SslRequired)),
            Verdict::Refuse(refusal) => Err(Cause::Unmet(refusal)),
        }
    }

    /// Where its host leads, if its server name leads there too.
    fn site_today<'a>(&self, table: &'a SiteTable) -> Result<&'a Site, Cause> {
        let protocol = if self.came.is_tls { Protocol::Https } else { Protocol::Http };
        let find = |host: Option<&HostName>| {
            let found = table.find(self.listener.ip(), self.listener.port(), host)?;
            (found.binding.place.protocol == protocol).then_some(&**found.site)
        };
        let site = find(self.host.as_ref());
        match (site, self.came.is_tls) {
            (Some(site), false) => Ok(site),
            (Some(site), true) if find(self.server_name.as_ref()).is_some_and(|own| own.id == site.id) => Ok(site),
            (_, true) => Err(Cause::OtherSite),
            (None, false) => Err(Cause::NoSite),
        }
    }
}
