//! Whether a fresh client accepts a chain, whatever roots it has: the rules of the path itself (RFC 5280 §6.1).

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::chain::X509;
use crate::trust::unix;

/// Why a client refuses a chain. Each message ends a sentence that begins with the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Name constraints of an issuer exclude a name of the leaf (RFC 5280 §4.2.1.10).
    #[error("an issuer in the chain may not sign for this name, by its name constraints")]
    NameConstraints,
    /// An issuer has more CAs below it than its path length allows (RFC 5280 §4.2.1.9).
    #[error("an issuer in the chain has more issuers below it than its path length allows")]
    PathLength,
    /// An issuer is not a CA.
    #[error("an issuer in the chain is not a CA")]
    NotCa,
    /// Extended key usage leaves servers out, of the leaf or of an issuer.
    #[error("a certificate in the chain is not meant for web servers, by its extended key usage")]
    NotForServers,
    /// A certificate is not valid at this time.
    #[error("a certificate in the chain has expired or is not valid yet")]
    Date,
    /// A signature does not fit, or two certificates do not follow each other.
    #[error("the certificates in the chain do not sign each other")]
    Broken,
    /// Anything else a client may find, in its own words.
    #[error("{0}")]
    Other(String),
}

/// Checks the path from `leaf` over `issuers`, nearest first, as they are sent: signatures, dates, name constraints, path
/// lengths and usages at `now`. The topmost issuer stands for the root, whoever signed it.
///
/// # Errors
/// The first [`Refused`] that a client would give.
pub fn check_path(leaf: &X509, issuers: &[X509], now: OffsetDateTime) -> Result<(), Refused> {
    if [leaf].into_iter().chain(issuers).any(|own| now < own.not_before || own.not_after < now) {
        return Err(Refused::Date);
    }
    let Some((top, below)) = issuers.split_last() else { return Ok(()) };
    check_top(top, below)?;
    let (leaf, top) = (CertificateDer::from(leaf.der.as_slice()), CertificateDer::from(top.der.as_slice()));
    let below: Vec<_> = below.iter().map(|own| CertificateDer::from(own.der.as_slice())).collect();
    let anchors = [anchor_from_trusted_cert(&top).map_err(Refused::from)?];
    let leaf = EndEntityCert::try_from(&leaf).map_err(Refused::from)?;
    let usage = KeyUsage::server_auth();
    let path = leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &below, unix(now), usage, None, None);
    path.map(drop).map_err(Refused::from)
}

/// What a client checks of every issuer but of a root. Name constraints are checked with the path.
fn check_top(top: &X509, below: &[X509]) -> Result<(), Refused> {
    let Ok((_, parsed)) = X509Certificate::from_der(&top.der) else { return Err(Refused::Broken) };
    let constraints = parsed.basic_constraints().ok().flatten().map(|own| own.value);
    let Some(constraints) = constraints.filter(|own| own.ca) else { return Err(Refused::NotCa) };
    if constraints.path_len_constraint.is_some_and(|most| usize::try_from(most).is_ok_and(|most| below.len() > most)) {
        return Err(Refused::PathLength);
    }
    match parsed.extended_key_usage() {
        Ok(Some(usage)) if !usage.value.server_auth && !usage.value.any => Err(Refused::NotForServers),
        _ => Ok(()),
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::NameConstraintViolation => Self::NameConstraints,
            Error::PathLenConstraintViolated => Self::PathLength,
            Error::EndEntityUsedAsCa => Self::NotCa,
            Error::RequiredEkuNotFoundContext(_) => Self::NotForServers,
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } => Self::Date,
            Error::InvalidSignatureForPublicKey | Error::UnknownIssuer => Self::Broken,
            other => Self::Other(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csr;
    use crate::key::{KeyKind, PrivateKey};
    use crate::subject::{Subject, SubjectAnswers};
    use crate::testing_ca::TestCa;

    fn issued(ca: &TestCa) -> (X509, X509) {
        let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
        let answers = SubjectAnswers { common_name: "shop.example".into(), ..SubjectAnswers::default() };
        let csr = csr::sign(&Subject::parse(&answers).unwrap(), &key).unwrap();
        (X509::parse(&ca.sign_now(&csr)).unwrap(), X509::parse(ca.intermediate_der()).unwrap())
    }

    #[test]
    fn what_a_client_refuses_of_a_path_is_named_whoever_signed_it() {
        let now = OffsetDateTime::now_utc();
        let check = |leaf: &X509, issuers: &[&X509]| {
            let issuers: Vec<X509> = issuers.iter().map(|&own| own.clone()).collect();
            check_path(leaf, &issuers, now)
        };
        let (leaf, issuer) = issued(&TestCa::new());
        assert_eq!(check(&leaf, &[&issuer]), Ok(()));
        assert_eq!(check(&leaf, &[]), Ok(()), "of a leaf alone there is nothing more to prove");
        assert_eq!(check_path(&leaf, &[], now + time::Duration::days(91)), Err(Refused::Date));
        assert_eq!(check(&leaf, &[&leaf]), Err(Refused::NotCa));

        let (_, other) = issued(&TestCa::new());
        assert_eq!(check(&leaf, &[&other]), Err(Refused::Broken));
        assert_eq!(check(&leaf, &[&issuer, &other]), Err(Refused::PathLength));

        let (leaf, issuer) = issued(&TestCa::excluding("example"));
        assert_eq!(check(&leaf, &[&issuer]), Err(Refused::NameConstraints));
        let (leaf, issuer) = issued(&TestCa::excluding("other.example"));
        assert_eq!(check(&leaf, &[&issuer]), Ok(()));
    }
}
