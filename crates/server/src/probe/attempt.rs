//! One client there and back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use siteward_core::binding::Binding;
use siteward_core::certificate::CertificateId;
use siteward_core::receipt::{Attempt, Cause, Client, Verdict};
use siteward_core::status::Listening;
use siteward_core::store::{Certificate, StoreError};
use siteward_core::trust::Anchors;
use time::OffsetDateTime;
use tokio::time::timeout;

use super::clients::{Ended, ask, connect};
use super::plan::{Try, Wanted};
use super::{OwnClients, Shared, judge};

/// How long one client may take for all it does.
const DEADLINE: Duration = Duration::from_secs(2);

/// What is needed to judge the clients of one site.
pub(super) struct Known {
    certificates: HashMap<CertificateId, Certificate>,
    anchors: Arc<Anchors>,
}

impl Shared {
    /// What stands in for the clients where the port could not be opened.
    pub(super) fn closed(&self, binding: &Binding) -> Option<Attempt> {
        let Some(Listening::Failed(cause)) = self.reporter.listening_at(&binding.place) else { return None };
        let place = &binding.place;
        let ip = place.ip.unwrap_or(std::net::Ipv6Addr::UNSPECIFIED.into());
        Some(Attempt {
            client: if binding.certificate.is_some() { Client::Tls13 } else { Client::Plain },
            address: (ip, place.port.get()).into(),
            secured: None,
            status: None,
            verdict: Verdict::Bad(Cause::Port, cause),
        })
    }

    pub(super) async fn known(&self, tries: impl Iterator<Item = &Try>) -> Result<Known, StoreError> {
        let mut certificates = HashMap::new();
        for one in tries {
            if let Wanted::Certificate(id) = one.wanted
                && !certificates.contains_key(&id)
            {
                match self.store.find_certificate(id).await {
                    Ok(certificate) => _ = certificates.insert(id, certificate),
                    Err(StoreError::Gone) => {} // removed meanwhile, so the site has changed
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Known { certificates, anchors: self.store.anchors().await? })
    }

    /// One client there and back; `None` where this machine lacks the address.
    pub(super) async fn attempt(&self, one: Try, known: &Known) -> Option<Attempt> {
        let _place = self.on_their_way.acquire().await.ok()?;
        let (client, address) = (one.client, one.address);
        let late = |_| {
            let verdict = Verdict::Bad(Cause::Port, format!("No answer within {} seconds.", DEADLINE.as_secs()));
            Some(Attempt { client, address, secured: None, status: None, verdict })
        };
        let attempt = match client {
            Client::Plain => timeout(DEADLINE, plainly(one, &self.traffic.own)).await,
            _ => timeout(DEADLINE, self.secured(one, known)).await,
        };
        attempt.unwrap_or_else(late)
    }

    async fn secured(&self, one: Try, known: &Known) -> Option<Attempt> {
        let connected = connect(&one, &self.traffic.own).await;
        let Try { client, address, host, wanted, .. } = one;
        let certificate = match wanted {
            Wanted::Certificate(id) => known.certificates.get(&id),
            _ => None,
        };
        let name = host.as_ref().and_then(|host| ServerName::try_from(host.to_string()).ok());
        let sent = name.clone().unwrap_or(ServerName::IpAddress(address.ip().into()));
        let shaken = async { self.clients.shake(client, connected?, sent).await };
        let stream = match shaken.await {
            Ok(stream) => stream,
            Err(Ended::NoSuchAddress) => return None,
            Err(ended) => {
                let verdict = judge::ended(client, &wanted, certificate, &ended);
                return Some(Attempt { client, address, secured: None, status: None, verdict });
            }
        };
        let tls = stream.get_ref().1;
        let secured = judge::secured(tls);
        let verdict = match (certificate, tls.peer_certificates()) {
            (Some(certificate), Some(shown)) => {
                judge::handshake(shown, name.as_ref(), certificate, &known.anchors, OffsetDateTime::now_utc())
            }
            (None, Some(shown)) if wanted == Wanted::Elsewhere => judge::elsewhere(shown),
            _ => Verdict::Bad(Cause::Answer, "It was let in, which is not intended.".into()),
        };
        let status = match client {
            // A slow page says nothing of the handshake.
            Client::Tls13 => {
                let answer = timeout(DEADLINE / 2, ask(stream, &authority(host.as_ref(), address))).await;
                answer.ok().and_then(Result::ok)
            }
            _ => None,
        };
        let status = status.map(|answer| judge::status(&wanted, &answer));
        Some(Attempt { client, address, secured, status, verdict })
    }
}

/// One client in plain HTTP.
async fn plainly(one: Try, own: &OwnClients) -> Option<Attempt> {
    let connected = connect(&one, own).await;
    let Try { client, address, host, wanted, .. } = one;
    let broken = |why: String| {
        let verdict = Verdict::Bad(Cause::Port, format!("There is no answer: {why}."));
        Some(Attempt { client, address, secured: None, status: None, verdict })
    };
    let stream = match connected {
        Ok(stream) => stream,
        Err(Ended::NoSuchAddress) => return None,
        Err(Ended::Connection(error)) => return broken(error.to_string()),
        Err(other) => return broken(format!("{other:?}")),
    };
    match ask(stream, &authority(host.as_ref(), address)).await {
        Ok(answer) => {
            let (status, verdict) = (Some(judge::status(&wanted, &answer)), judge::answer(&wanted, &answer));
            Some(Attempt { client, address, secured: None, status, verdict })
        }
        Err(error) => broken(error.to_string()),
    }
}

/// What stands in the Host field.
fn authority(host: Option<&siteward_core::host::HostName>, address: std::net::SocketAddr) -> String {
    host.map_or_else(|| address.to_string(), |host| format!("{host}:{}", address.port()))
}
