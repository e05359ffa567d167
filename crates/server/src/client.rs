//! What a client showed at its handshake, and what it is worth at each request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::CommonState;
use rustls::pki_types::CertificateDer;
use siteward_core::certificate::Fingerprint;
use siteward_core::ssl::{ClientCertificate, Trusted};
use siteward_core::table::SiteTable;
use siteward_core::trust_list::{Finding, Path, Seen, TrustList, TrustListId, Untrusted, subject};
use time::{Date, OffsetDateTime};

/// What became of looking for a path to a CA of one trust list.
type Proven = Result<Arc<Path>, Untrusted>;

/// A client's certificate, with those it sent along. Signatures are proven once for each trust list; dates and revocation
/// count anew at every request.
#[derive(Debug)]
pub(crate) struct Client {
    sent: Arc<[CertificateDer<'static>]>,
    /// Whose it says it is, for the log.
    pub(crate) subject: Arc<str>,
    paths: Mutex<Vec<Known>>,
}

/// What is remembered of one trust list.
#[derive(Debug)]
struct Known {
    list: TrustListId,
    identity: Fingerprint,
    proven: Proven,
    /// When it was asked last.
    asked_on: Date,
    /// The day for which it was told that this certificate came.
    told_on: Option<Date>,
}

impl Client {
    /// The client of a connection; `None` where it showed nothing. A session that was resumed brings what was shown when
    /// it began.
    pub(crate) fn of(connection: &CommonState) -> Option<Self> {
        connection.peer_certificates().filter(|sent| !sent.is_empty()).map(|sent| Self::showing(sent.to_vec()))
    }

    /// One that showed these certificates, its own first.
    pub(crate) fn showing(sent: Vec<CertificateDer<'static>>) -> Self {
        let subject = sent.first().map(subject).unwrap_or_default().into();
        Self { sent: sent.into(), subject, paths: Mutex::default() }
    }

    /// What it is worth at a place that trusts `trusted`, by the table in force.
    pub(crate) fn worth(&self, table: &SiteTable, trusted: Trusted, now: OffsetDateTime) -> ClientCertificate {
        let list = match table.trust_list(trusted) {
            Ok(list) => list,
            Err(finding) => return finding.client(),
        };
        match self.path(table, list, now) {
            Ok(path) => list.judge(&path, table.own_lists(), now).client(),
            Err(why) => Finding::Untrusted(why).client(),
        }
    }

    /// The trust lists to a CA of which a path was proven, where that was not told yet on the day they were asked last.
    pub(crate) fn to_tell(&self) -> Vec<TrustListId> {
        let mut paths = self.paths();
        let new = paths.iter_mut().filter(|known| known.proven.is_ok() && known.told_on != Some(known.asked_on));
        new.map(|known| {
            known.told_on = Some(known.asked_on);
            known.list
        })
        .collect()
    }

    /// That it came to a place that asks `list`.
    pub(crate) fn seen(&self, list: TrustListId, at: OffsetDateTime) -> Seen {
        Seen { list, sent: self.sent.clone(), subject: self.subject.clone(), at }
    }

    /// The lock is held while a path is proven, so that many requests at once on one connection prove it once. What came of
    /// it is kept for every list there is, or whoever asks for places of many would have it proven all the time.
    fn path(&self, table: &SiteTable, list: &TrustList, now: OffsetDateTime) -> Proven {
        let mut paths = self.paths();
        let asked_on = now.date();
        if let Some(known) = paths.iter_mut().find(|known| known.identity == list.identity()) {
            known.asked_on = asked_on;
            return known.proven.clone();
        }
        let proven = list.path(&self.sent, now).map(Arc::new);
        paths.retain(|known| table.trust_lists().any(|own| own.identity() == known.identity));
        let (identity, told_on) = (list.identity(), None);
        paths.push(Known { list: list.id, identity, proven: proven.clone(), asked_on, told_on });
        proven
    }

    fn paths(&self) -> MutexGuard<'_, Vec<Known>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
