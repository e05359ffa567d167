//! Asking for a client's certificate: whoever shows one proves to hold its key, and is let through whatever it is worth.
//! That is judged at each request, where its place is known.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use siteward_core::site::Site;
use siteward_core::table::SiteTable;
use siteward_core::trust_list::is_bounded;

/// The most bytes of hints: what is longer is left out as a whole, and clients then choose among all they have.
const MAX_HINTS: usize = 16 * 1024;

/// Asks, and never insists.
#[derive(Debug)]
pub(crate) struct Ask {
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Ask {
    pub(crate) fn new(hints: Vec<DistinguishedName>, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { hints, algorithms }
    }
}

/// The subjects of the CAs on a site's trust lists, which help clients choose (RFC 8446 §4.2.4).
pub(crate) fn hints(table: &SiteTable, site: &Site) -> Vec<DistinguishedName> {
    let lists = table.trust_lists().filter(|list| site.rules.trust_lists().contains(&list.id));
    let mut subjects: Vec<Vec<u8>> = lists.flat_map(|list| list.subjects()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    if subjects.iter().map(Vec::len).sum::<usize>() > MAX_HINTS {
        return Vec::new();
    }
    subjects.into_iter().map(DistinguishedName::from).collect()
}

impl ClientCertVerifier for Ask {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    /// Nothing is judged here but how much it is: what is taken is kept with the connection and in its tickets.
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let sent: Vec<CertificateDer<'_>> = [end_entity].into_iter().chain(intermediates).cloned().collect();
        match is_bounded(&sent) {
            true => Ok(ClientCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
