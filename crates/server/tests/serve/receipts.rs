//! What fresh clients tell of the sites, and what becomes of a certificate that they refuse.

use std::sync::Arc;
use std::time::{Duration, Instant};

use siteward_core::binding::{BindingId, Place, Protocol};
use siteward_core::certificate::CertificateId;
use siteward_core::host::HostPattern;
use siteward_core::intake;
use siteward_core::key::KeyKind;
use siteward_core::ledger::{Author, SITEWARD};
use siteward_core::receipt::{Cause, Client, Receipt, Verdict};
use siteward_core::site::{SiteId, SiteState};
use siteward_core::ssl::RequireSsl;
use siteward_core::status::Reporter;
use siteward_core::store::{ChangeFilter, NewRequest, Served, Store};
use siteward_core::subject::{Subject, SubjectAnswers};
use siteward_core::testing::tester;
use siteward_core::testing_ca::TestCa;
use siteward_server::{Limits, Server};
use time::OffsetDateTime;

use crate::world::{World, free_port, place};

impl World {
    /// What fresh clients got from a site as it is now.
    pub(crate) async fn receipt(&self, site: SiteId) -> Arc<Receipt> {
        let began = Instant::now();
        loop {
            self.taken_up().await;
            let version = self.version(site);
            self.status.tried(version).await;
            let sight = self.status.sight(site);
            if let Some(receipt) = sight.receipt.filter(|receipt| receipt.version == version && !sight.underway) {
                return receipt;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "no receipt comes");
        }
    }

    /// Installs a certificate of `ca` for `host`, and has `bindings` serve it.
    async fn install(&self, ca: &TestCa, host: &str, bindings: &[BindingId]) -> CertificateId {
        let answers = SubjectAnswers { common_name: host.into(), ..SubjectAnswers::default() };
        let subject = Subject::parse(&answers).unwrap();
        let new = NewRequest { site: None, friendly_name: "New one".into(), subject, key: KeyKind::EcdsaP256 };
        let request = self.store.create_request(new, &tester()).await.unwrap();
        let csr = self.store.find_request(request).await.unwrap().csr;
        let reply = intake::read(ca.chain_pem(&ca.sign_now(&csr)).as_bytes()).unwrap();
        let table = self.store.table();
        let own = table.sites().flat_map(|site| &site.bindings).filter(|own| bindings.contains(&own.id));
        let switch: Vec<Served> = own.filter_map(Served::by).collect();
        self.store.complete_request(request, reply, &switch, false, &tester()).await.unwrap()
    }

    async fn shown(&self, port: u16, host: &str) -> Vec<u8> {
        let stream = self.connect(port, host).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    fn served(&self, site: SiteId) -> Vec<Option<CertificateId>> {
        let site = self.store.table().site(site).unwrap().clone();
        site.bindings.iter().map(|binding| binding.certificate.as_ref().map(|facts| facts.id)).collect()
    }
}

fn verdict(receipt: &Receipt, client: Client) -> &Verdict {
    let mut attempts = receipt.bindings.iter().flat_map(|binding| &binding.attempts);
    &attempts.find(|attempt| attempt.client == client).unwrap_or_else(|| panic!("no {client:?}: {receipt:?}")).verdict
}

#[tokio::test]
async fn each_kind_of_client_tells_what_it_got_within_two_seconds_of_the_save() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.site("Bookshop", "shop.example", http).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    let certificate = world.certificate("shop.example").await;
    let saved = Instant::now();
    world.bind(site, place(Protocol::Https, https, "shop.example"), Some(certificate)).await;
    let receipt = world.receipt(site).await;
    println!("receipts came {:?} after the save", saved.elapsed());
    assert!(saved.elapsed() < Duration::from_secs(2), "after {:?}", saved.elapsed());

    assert!(receipt.is_good(), "{receipt:#?}");
    let mut attempts = receipt.bindings.iter().flat_map(|binding| &binding.attempts);
    let tls13 = attempts.clone().find(|attempt| attempt.client == Client::Tls13).unwrap();
    let secured = tls13.secured.as_ref().unwrap();
    assert_eq!((secured.version, secured.group.as_str()), ("TLS 1.3", "X25519MLKEM768"));
    assert_eq!(tls13.status.as_deref(), Some("200 OK"));
    let plain = attempts.find(|attempt| attempt.client == Client::Plain).unwrap();
    assert_eq!(plain.status.as_deref(), Some("403.4 SSL required"));
    for client in [Client::Tls12, Client::EcdsaOnly] {
        assert_eq!(verdict(&receipt, client).sentence(), "Accepted where your authority Test authority is installed.");
    }
    assert!(verdict(&receipt, Client::RsaOnly).sentence().starts_with("Finds nothing in common"));
    assert!(verdict(&receipt, Client::NoServerName).sentence().starts_with("Turned away, as intended"));
}

#[tokio::test]
async fn a_client_with_ecdsa_only_finds_nothing_in_common_with_an_rsa_certificate_and_that_is_good() {
    let world = World::start().await;
    let site = world.site("Bookshop", "shop.example", free_port()).await;
    let certificate = world.certificate_made("shop.example", KeyKind::Rsa2048, &tester()).await;
    world.bind(site, place(Protocol::Https, free_port(), ""), Some(certificate)).await;
    let receipt = world.receipt(site).await;
    assert!(receipt.is_good(), "{receipt:#?}");
    assert!(verdict(&receipt, Client::EcdsaOnly).sentence().starts_with("Finds nothing in common"));
    for client in [Client::RsaOnly, Client::NoServerName] {
        assert!(verdict(&receipt, client).sentence().starts_with("Accepted"), "{client:?}");
    }
}

#[tokio::test]
async fn a_binding_at_all_addresses_is_tried_over_both_families() {
    let world = World::start().await;
    let site = world.site("Bookshop", "shop.example", free_port()).await;
    let certificate = world.certificate("*.shop.example").await;
    let all = Place { ip: None, ..place(Protocol::Https, free_port(), "*.shop.example") };
    assert_eq!(all.host, HostPattern::parse("*.shop.example").unwrap());
    world.bind(site, all, Some(certificate)).await;
    let receipt = world.receipt(site).await;
    assert!(receipt.is_good(), "{receipt:#?}");
    let attempts = receipt.bindings.iter().flat_map(|binding| &binding.attempts);
    let over_ipv6 = attempts.filter(|attempt| attempt.address.is_ipv6() && attempt.secured.is_some()).count();
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    assert_eq!(over_ipv6, usize::from(has_ipv6));
}

#[tokio::test]
async fn a_redirect_is_followed_with_the_eyes_only_and_an_open_site_told_as_such() {
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    let open = world.receipt(site).await;
    assert_eq!(verdict(&open, Client::Plain), &Verdict::Good("Answered in clear: SSL is not required.".into()));
    world.require_ssl(site, RequireSsl::Redirect).await;
    let redirected = world.receipt(site).await;
    let sentence = format!("Sent on to https://shop.example:{https}/");
    assert_eq!(verdict(&redirected, Client::Plain), &Verdict::Good(sentence));
}

#[tokio::test]
async fn a_certificate_that_passes_every_check_and_that_fresh_clients_refuse_is_taken_back_by_itself() {
    let world = World::start().await;
    let (https, maps) = (free_port(), free_port());
    let site = world.site("Bookshop", "shop.example", free_port()).await;
    let old = world.certificate("shop.example").await;
    let first = world.bind(site, place(Protocol::Https, https, "shop.example"), Some(old)).await;
    let second = world.bind(site, place(Protocol::Https, maps, "shop.example"), Some(old)).await;
    world.receipt(site).await;

    let ca = TestCa::excluding("shop.example");
    let revision = world.store.table().revision();
    let new = world.install(&ca, "shop.example", &[first, second]).await;
    while world.store.table().revision() < revision + 3 {
        world.receipt(site).await;
    }
    assert_eq!(world.served(site), [None, Some(old), Some(old)]);
    for port in [https, maps] {
        assert_eq!(world.shown(port, "shop.example").await, world.leaf(old).await);
    }
    assert!(world.receipt(site).await.is_good());

    let last = world.store.list_changes(&ChangeFilter::default(), 1).await.unwrap().remove(0);
    assert_eq!((last.author.as_str(), last.revision), (SITEWARD, revision + 3), "one change for both bindings");
    let fault =
        "A fresh client refuses the chain: an issuer in the chain may not sign for this name, by its name constraints.";
    assert_eq!(last.summary, format!("took back the new certificate of shop.example: {fault}"));
    let back = world.store.list_taken_back_from(Some(site)).await.unwrap();
    assert_eq!((back[0].certificate, back[0].previous, back[0].fault.as_str(), back.len()), (new, old, fault, 1));
    assert_eq!(world.store.find_certificate(new).await.unwrap().facts.id, new, "it stays installed");

    // Somebody who wants it nevertheless gets it taken back once more; nothing goes on by itself.
    world.replace(site, first, new).await;
    while world.store.table().revision() < revision + 5 {
        world.receipt(site).await;
    }
    world.receipt(site).await;
    assert_eq!(world.store.table().revision(), revision + 5);
    assert_eq!(world.served(site), [None, Some(old), Some(old)]);
}

#[tokio::test]
async fn a_good_certificate_is_proven_and_a_first_one_that_fails_stays() {
    let world = World::start().await;
    let https = free_port();
    let site = world.site("Bookshop", "shop.example", free_port()).await;
    let refused = world.install(&TestCa::excluding("shop.example"), "shop.example", &[]).await;
    let binding = world.bind(site, place(Protocol::Https, https, "shop.example"), Some(refused)).await;
    let receipt = world.receipt(site).await;
    assert!(receipt.fault(|cause| cause == Cause::Certificate).is_some(), "{receipt:#?}");
    assert_eq!(world.served(site), [None, Some(refused)]);
    assert_eq!(world.store.list_taken_back_from(None).await.unwrap(), []);

    let good = world.install(&TestCa::new(), "shop.example", &[binding]).await;
    let receipt = world.receipt(site).await;
    assert!(receipt.is_good(), "{receipt:#?}");
    assert!(verdict(&receipt, Client::Tls13).sentence().contains("a CA that this server does not know"));
    assert_eq!(world.store.list_open_switches(site).await.unwrap(), [], "it is proven");
    assert_eq!(world.served(site), [None, Some(good)]);
}

#[tokio::test]
async fn a_closed_site_that_has_the_address_without_a_name_costs_nobody_a_good_certificate() {
    let world = World::start().await;
    let https = free_port();
    let catch_all = world.site("Catch-all", "other.example", free_port()).await;
    let long_ago = Author { now: tester().now - time::Duration::days(399), ..tester() };
    let expired = world.certificate_made("other.example", KeyKind::EcdsaP256, &long_ago).await;
    world.bind(catch_all, place(Protocol::Https, https, ""), Some(expired)).await;
    assert!(world.receipt(catch_all).await.fault(|cause| cause == Cause::Certificate).is_some(), "it is closed");

    let site = world.site("Bookshop", "shop.example", free_port()).await;
    let old = world.certificate("shop.example").await;
    let binding = world.bind(site, place(Protocol::Https, https, "shop.example"), Some(old)).await;
    world.receipt(site).await;
    let new = world.install(&TestCa::new(), "shop.example", &[binding]).await;
    let receipt = world.receipt(site).await;
    assert!(receipt.is_good(), "{receipt:#?}");
    assert!(verdict(&receipt, Client::NoServerName).sentence().contains("ended the handshake: internal_error"));
    assert_eq!(world.served(site), [None, Some(new)]);
    assert_eq!(world.store.list_open_switches(site).await.unwrap(), [], "it is proven");

    let good = world.certificate("other.example").await;
    let catch_all_binding = world.store.table().site(catch_all).unwrap().bindings[1].id;
    world.replace(catch_all, catch_all_binding, good).await;
    world.receipt(catch_all).await;
    world.status.ask(site, OffsetDateTime::now_utc()).await;
    let receipt = world.receipt(site).await;
    assert!(receipt.is_good(), "{receipt:#?}");
    assert!(verdict(&receipt, Client::NoServerName).sentence().contains("with the certificate"), "{receipt:#?}");
}

#[tokio::test]
async fn a_busy_port_or_a_stopped_site_is_no_reason_and_a_restart_goes_on_where_it_was() {
    let world = World::start().await;
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let https = busy.local_addr().unwrap().port();
    let site = world.site("Bookshop", "shop.example", free_port()).await;
    let old = world.certificate("shop.example").await;
    let binding = world.bind(site, place(Protocol::Https, https, "shop.example"), Some(old)).await;
    let new = world.install(&TestCa::excluding("shop.example"), "shop.example", &[binding]).await;
    let receipt = world.receipt(site).await;
    assert!(receipt.fault(|cause| cause == Cause::Port).is_some(), "{receipt:#?}");
    assert_eq!(world.served(site), [None, Some(new)]);

    world.store.update_site_state(site, world.version(site), SiteState::Stopped, &tester()).await.unwrap();
    assert!(world.receipt(site).await.bindings.iter().all(|got| got.attempts.iter().all(|one| one.secured.is_none())));
    assert_eq!(world.served(site), [None, Some(new)]);
    world.store.update_site_state(site, world.version(site), SiteState::Running, &tester()).await.unwrap();
    world.receipt(site).await;
    assert_eq!(world.store.list_open_switches(site).await.unwrap().len(), 1, "nobody knows yet");

    let World { test, store, server, .. } = world;
    server.shutdown(Duration::ZERO).await;
    store.close().await;
    drop(busy);
    let store = Store::open(test.folder.path()).await.unwrap();
    let before = store.table().revision();
    let (reporter, status) = Reporter::new();
    let _server = Server::start(store.clone(), reporter, Limits::default());
    let mut sites = store.sites();
    let table = tokio::time::timeout(Duration::from_secs(30), sites.changed()).await.expect("taken back").unwrap();
    assert_eq!(table.revision(), before + 1);
    let serves = table.site(site).unwrap().bindings[1].certificate.as_ref().unwrap().id;
    assert_eq!(serves, old);
    status.reached(table.revision()).await;
}
