//! TLS as a site's policy wants it: what a handshake may agree on, and what it did agree on.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{
    CipherSuite, DistinguishedName, NamedGroup, ProtocolVersion, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};
use siteward_core::ssl::{ClientCertificate, KeyExchange, Strength, TlsFacts, TlsPolicy, TlsVersion};

use crate::ask::Ask;

/// What handshakes may agree on under `policy`: HTTP/2 before HTTP/1.1; no session can be resumed. Where a certificate is
/// asked for, `hints` name the CAs that are trusted.
///
/// # Errors
/// rustls finds that nothing could be agreed on.
pub(crate) fn server_config(
    policy: TlsPolicy,
    hints: Vec<DistinguishedName>,
    certificate: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(provider(policy));
    let client: Arc<dyn ClientCertVerifier> = match policy.ask_certificate {
        true => Arc::new(Ask::new(hints, provider.signature_verification_algorithms)),
        false => WebPkiClientVerifier::no_client_auth(),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(policy))?
        .with_client_cert_verifier(client)
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Browsers put AES-128 first, and would be refused where 256 bits are demanded although they have them.
    config.ignore_client_order = true;
    Ok(config)
}

/// With tickets under a key of its own, so that a session won under one certificate and policy is worthless under any
/// other.
pub(crate) fn resumable(mut config: ServerConfig) -> Result<ServerConfig, rustls::Error> {
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// ML-KEM is for TLS 1.3 only.
fn versions(policy: TlsPolicy) -> &'static [&'static SupportedProtocolVersion] {
    static ONLY_TLS13: &[&SupportedProtocolVersion] = &[&TLS13];
    match policy {
        TlsPolicy { min_tls: TlsVersion::Tls12, key_exchange: KeyExchange::Any, .. } => rustls::ALL_VERSIONS,
        _ => ONLY_TLS13,
    }
}

/// The strongest first, the post-quantum key exchange among them.
fn provider(policy: TlsPolicy) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| strength(suite.suite()) >= policy.strength);
    provider.cipher_suites.sort_by_key(|suite| std::cmp::Reverse(strength(suite.suite())));
    provider.kx_groups.retain(|group| key_exchange(group.name()) >= policy.key_exchange);
    provider
}

/// What a handshake agreed on.
///
/// # Errors
/// It agreed on no version that Siteward speaks.
pub(crate) fn facts(connection: &ServerConnection) -> io::Result<TlsFacts> {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
        Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
        _ => return Err(io::Error::other("a handshake ended without a version of TLS")),
    };
    let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    let group = connection.negotiated_key_exchange_group().map(|group| group.name());
    Ok(TlsFacts {
        version,
        strength: suite.map(strength).unwrap_or_default(),
        key_exchange: group.map(key_exchange).unwrap_or_default(),
        client: ClientCertificate::None, // judged at each request
    })
}

/// What is not known to be strong is not.
fn strength(suite: CipherSuite) -> Strength {
    match suite {
        CipherSuite::TLS13_AES_256_GCM_SHA384
        | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => Strength::Bits256,
        _ => Strength::Bits128,
    }
}

fn key_exchange(group: NamedGroup) -> KeyExchange {
    match group {
        NamedGroup::X25519MLKEM768 | NamedGroup::secp256r1MLKEM768 | NamedGroup::MLKEM768 | NamedGroup::MLKEM1024 => {
            KeyExchange::PostQuantum
        }
        _ => KeyExchange::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siteward_core::ssl::Setting;

    #[test]
    fn every_policy_leaves_something_to_agree_on() {
        for &min_tls in TlsVersion::ALL {
            for &strength in Strength::ALL {
                for &key_exchange in KeyExchange::ALL {
                    let policy = TlsPolicy { min_tls, strength, key_exchange, ..TlsPolicy::default() };
                    let certificate = Arc::new(rustls::server::ResolvesServerCertUsingSni::new());
                    server_config(policy, Vec::new(), certificate).unwrap();
                    let provider = provider(policy);
                    assert!(!provider.kx_groups.is_empty(), "{policy:?}");
                    for &version in versions(policy) {
                        let suites = || provider.cipher_suites.iter().filter(|s| s.version() == version);
                        assert!(suites().count() >= 2, "{policy:?}");
                        assert!(suites().all(|s| super::strength(s.suite()) >= strength), "{policy:?}");
                    }
                }
            }
        }
    }
}
