//! Settings on trial are reported and change nothing.

use std::sync::Arc;
use std::time::Duration;

use rustls::HandshakeKind;
use siteward_core::site::SiteId;
use siteward_core::ssl::{ClientCertificates, RequireSsl, RulePath, Settings, TlsVersion};
use siteward_core::store::RuleDraft;
use siteward_core::testing::tester;
use siteward_core::traffic::Findings;

use crate::access_log::Log;
use crate::client_certificates::trust_list;
use crate::world::{World, clear, connect, exchange, free_port, get};

const HOST: &str = "shop.example";

async fn begin(world: &World, site: SiteId, path: &str, settings: impl Into<Settings>) {
    let path = if path.is_empty() { RulePath::site() } else { RulePath::parse(path).unwrap() };
    let draft = RuleDraft { path, settings: settings.into(), reason: String::new() };
    world.store.create_trial(site, None, draft, &tester()).await.unwrap();
    world.taken_up().await;
}

/// Ends serving, which writes what was counted, and tells what the trials of a site have come to, by path.
async fn end(world: World, site: SiteId) -> Vec<Findings> {
    let World { test: _test, store, server, .. } = world;
    server.shutdown(Duration::from_secs(5)).await;
    let trials = store.table().site(site).unwrap().trials.clone();
    let mut findings = Vec::new();
    for trial in &*trials {
        findings.push(store.trial_findings(site, trial).await.unwrap());
    }
    findings
}

#[tokio::test]
async fn requests_are_answered_as_before_and_what_they_would_get_is_counted_and_logged() {
    let (log, _guard) = Log::begin();
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    begin(&world, site, "", Settings { min_tls: Some(TlsVersion::Tls13), ..RequireSsl::Refuse.into() }).await;
    begin(&world, site, "/account", RequireSsl::Redirect).await;

    let curl = get(HOST, "/").replace("\r\n\r\n", "\r\nUser-Agent: curl/7.29.0\r\n\r\n");
    let plain = clear(http, &curl).await;
    assert_eq!((plain.status, plain.text()), (200, "content of Bookshop"));
    assert_eq!(clear(http, get(HOST, "/account/")).await.status, 404, "as if nothing were tried");
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        let stream = connect(world.visitor(versions).await, https, HOST).await.unwrap();
        assert_eq!(exchange(stream, get(HOST, "/")).await.text(), "content of Bookshop");
    }

    let told: Vec<String> = log.lines().iter().map(|line| line.split("tls=").nth(1).unwrap().to_owned()).collect();
    assert_eq!(told, [r#""-" would=403.4"#, r#""-" would=403.4"#, r#""TLSv1_2" would=403.5"#, r#""TLSv1_3""#]);

    let [whole, account] = end(world, site).await.try_into().unwrap();
    assert_eq!((whole.requests, whole.refused, whole.already), (4, 3, 0));
    assert_eq!(whole.reasons, [(4, 2), (5, 1)].into());
    let clients: Vec<_> =
        whole.clients.iter().map(|(client, n)| (client.agent.as_str(), client.network(), *n)).collect();
    let network = || "127.0.0.0/24".to_owned();
    assert_eq!(clients, [("No user agent", network(), 2), ("curl/7.29", network(), 1)]);
    assert_eq!((account.requests, account.refused, account.redirected), (4, 0, 1));
}

#[tokio::test]
async fn what_is_refused_already_is_told_apart_and_a_certificate_that_nobody_asked_for_is_unsure() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    let (required, trust) = (Some(ClientCertificates::Require), Some(trust_list(&world, "Partners").await));
    let require = Settings { client_certificates: required, trust, ..RequireSsl::Refuse.into() };
    begin(&world, site, "", require).await;
    assert_eq!(clear(http, get(HOST, "/")).await.status, 403);
    let stream = world.connect(https, HOST).await.unwrap();
    assert_eq!(exchange(stream, get(HOST, "/")).await.status, 200);
    let [findings] = end(world, site).await.try_into().unwrap();
    assert_eq!((findings.requests, findings.refused, findings.already, findings.unsure), (2, 0, 1, 1));
}

#[tokio::test]
async fn sessions_of_before_a_trial_are_resumed() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", HOST, http, https).await;
    let returning = Arc::new(world.visitor(rustls::ALL_VERSIONS).await);
    let visit = async || {
        let mut stream = connect(returning.clone(), https, HOST).await.unwrap();
        exchange(&mut stream, get(HOST, "/")).await;
        stream.get_ref().1.handshake_kind().unwrap()
    };
    assert_eq!(visit().await, HandshakeKind::Full);
    begin(&world, site, "", Settings { min_tls: Some(TlsVersion::Tls13), ..RequireSsl::Refuse.into() }).await;
    assert_eq!(visit().await, HandshakeKind::Resumed);
}
