//! Whether a fresh client trusts a chain, and by whose root.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use time::OffsetDateTime;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::chain::X509;
use crate::chain::x509::name_of;

/// By whose root a chain is trusted, with that root's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// One of the system's, as browsers and other clients have them.
    System(String),
    /// One that the team added.
    Team(String),
    /// One of Siteward's own authorities.
    Own(String),
    /// None: the root is not known, or the chain does not lead to one.
    Unknown,
}

/// Roots of one kind.
#[derive(Debug, Default)]
pub struct Roots {
    names: Vec<String>,
    anchors: Vec<TrustAnchor<'static>>,
}

/// Everything that a fresh client of the team trusts.
#[derive(Debug, Default)]
pub struct Anchors {
    /// The system's roots, the same for as long as the process runs.
    pub system: Arc<Roots>,
    /// The team's.
    pub team: Roots,
    /// Siteward's own authorities.
    pub own: Roots,
}

impl Roots {
    /// The roots in these certificates; what can't be read is left out.
    pub fn of<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut roots = Self::default();
        for der in certificates {
            if let (Ok(anchor), Some(name)) = (anchor_from_trusted_cert(&CertificateDer::from(der)), name_of(der)) {
                roots.anchors.push(anchor.to_owned());
                roots.names.push(name);
            }
        }
        roots
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.anchors.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// The name of the root that a server's chain leads to (RFC 5280 §6.1).
    fn verify(&self, leaf: &CertificateDer<'_>, issuers: &[CertificateDer<'_>], now: UnixTime) -> Option<&str> {
        let leaf = EndEntityCert::try_from(leaf).ok()?;
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let path =
            leaf.verify_for_usage(algorithms, &self.anchors, issuers, now, KeyUsage::server_auth(), None, None).ok()?;
        let found = self.anchors.iter().position(|own| own == path.anchor())?;
        Some(&self.names[found])
    }
}

impl Anchors {
    /// By whose root a client trusts `leaf` at `now`, when it gets `issuers` along with it, in any order.
    pub fn judge(&self, leaf: &X509, issuers: &[X509], now: OffsetDateTime) -> Trust {
        let leaf = CertificateDer::from(leaf.der.as_slice());
        let issuers: Vec<_> = issuers.iter().map(|own| CertificateDer::from(own.der.as_slice())).collect();
        let now = unix(now);
        let by = |roots: &Roots| roots.verify(&leaf, &issuers, now).map(str::to_owned);
        let system = || by(&self.system).map(Trust::System);
        let team = || by(&self.team).map(Trust::Team);
        let own = || by(&self.own).map(Trust::Own);
        system().or_else(team).or_else(own).unwrap_or(Trust::Unknown)
    }

    /// All of them, for a client that verifies by itself.
    pub fn all(&self) -> impl Iterator<Item = &TrustAnchor<'static>> {
        [&*self.system, &self.team, &self.own].into_iter().flat_map(|roots| &roots.anchors)
    }
}

/// A time as `webpki` takes it.
pub(crate) fn unix(time: OffsetDateTime) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time.unix_timestamp()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::intake;
    use crate::testing_ca::TestCa;

    /// When the corpus was made.
    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn corpus(file: &str) -> Vec<X509> {
        let path = format!("{}/../../tests/corpus/{file}", env!("CARGO_MANIFEST_DIR"));
        intake::read(&std::fs::read(path).unwrap()).unwrap()
    }

    fn roots(certificates: &[X509]) -> Roots {
        Roots::of(certificates.iter().map(|own| own.der.as_slice()))
    }

    #[test]
    fn a_chain_is_trusted_by_the_first_kind_of_root_that_it_leads_to() {
        let (root, leaf) = (corpus("ca/root.pem"), corpus("delivery/p256/good/leaf.pem").remove(0));
        let issuers = [corpus("ca/int2.pem"), corpus("ca/int1.pem")].concat();
        let name = root[0].subject.clone();
        let mut anchors = Anchors { own: roots(&root), ..Anchors::default() };
        assert_eq!(anchors.judge(&leaf, &issuers, NOW), Trust::Own(name.clone()));
        anchors.team = roots(&root);
        assert_eq!(anchors.judge(&leaf, &issuers, NOW), Trust::Team(name.clone()));
        anchors.system = Arc::new(roots(&root));
        assert_eq!(anchors.judge(&leaf, &issuers, NOW), Trust::System(name));
        assert_eq!(anchors.all().count(), 3);
    }

    #[test]
    fn a_chain_with_a_gap_an_unknown_root_or_other_dates_is_not_trusted() {
        let (root, leaf) = (corpus("ca/root.pem"), corpus("delivery/p256/good/leaf.pem").remove(0));
        let issuers = [corpus("ca/int1.pem"), corpus("ca/int2.pem")].concat();
        let anchors = Anchors { team: roots(&root), ..Anchors::default() };
        assert_eq!(anchors.judge(&leaf, &[], NOW), Trust::Unknown);
        assert_eq!(anchors.judge(&leaf, &issuers[..1], NOW), Trust::Unknown);
        assert_eq!(anchors.judge(&leaf, &issuers, leaf.not_after + time::Duration::DAY), Trust::Unknown);
        let impostor = X509::parse(TestCa::new().root_der()).unwrap();
        let anchors = Anchors { team: roots(&[impostor]), ..Anchors::default() };
        assert_eq!(anchors.judge(&leaf, &issuers, NOW), Trust::Unknown);
    }

    #[test]
    fn a_root_before_version_3_is_trusted_too_where_somebody_chose_it() {
        let old = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/cert/v1.der"));
        let roots = Roots::of([old.as_slice(), b"no certificate"]);
        assert_eq!(roots.len(), 1);
    }
}
