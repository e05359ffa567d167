//! Whom client certificates let in, over real connections.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion};
use siteward_core::authority::{Purpose, Reason, Requested};
use siteward_core::binding::Protocol;
use siteward_core::chain::X509;
use siteward_core::csr;
use siteward_core::key::{KeyKind, PrivateKey};
use siteward_core::ssl::{ClientCertificates, Refusal, Settings};
use siteward_core::store::TrustListEdit;
use siteward_core::subject::{Subject, SubjectAnswers};
use siteward_core::testing::tester;
use siteward_core::testing_ca::{TestCa, TestClient};
use siteward_core::trust_list::{AllowRule, CrlAddress, Field, TrustListId, TrustedCaId, WhenStale};
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::access_log::Log;
use crate::handshake::Mixed;
use crate::ssl::{HOST, ask, rule, whole_site};
use crate::traffic::end;
use crate::world::{World, connect, exchange, free_port, get, local, place};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"h2"];

/// A site whose `/partners/` requires a certificate and whose `/lounge/` accepts one, of the CAs on one list.
struct Place {
    world: World,
    ca: TestCa,
    https: u16,
    list: TrustListId,
    /// The CA that signs, beside its root.
    issuing: TrustedCaId,
}

fn trusting(client: ClientCertificates, list: TrustListId) -> Settings {
    Settings { client_certificates: Some(client), trust: Some(list), ..Settings::default() }
}

/// A trust list without any CA.
pub(crate) async fn trust_list(world: &World, name: &str) -> TrustListId {
    let edit = TrustListEdit { name: name.into(), when_stale: WhenStale::Closed };
    world.store.create_trust_list(edit, &tester()).await.unwrap()
}

impl Place {
    async fn open() -> Self {
        let (world, ca, https) = (World::start().await, TestCa::new(), free_port());
        let site = world.secured_site("Bookshop", HOST, free_port(), https).await;
        let list = trust_list(&world, "Partners").await;
        let cas = [ca.root_der(), ca.intermediate_der()].map(|der| X509::parse(der).unwrap());
        let ids = world.store.add_trusted_cas(list, &cas, &tester()).await.unwrap();
        for (folder, client) in [("partners", ClientCertificates::Require), ("lounge", ClientCertificates::Accept)] {
            std::fs::create_dir(world.folder(site).join(folder)).unwrap();
            std::fs::write(world.folder(site).join(folder).join("x.txt"), format!("content of {folder}")).unwrap();
            rule(&world, site, &format!("/{folder}"), trusting(client, list)).await;
        }
        world.taken_up().await;
        Self { world, ca, https, list, issuing: ids[1] }
    }

    async fn version(&self) -> i64 {
        self.world.store.find_trust_list(self.list).await.unwrap().version
    }

    /// Lets the CA revoke these until `until`; each list is made a minute after the last.
    async fn revoke(&self, clients: &[&TestClient], number: u64, until: OffsetDateTime) {
        let serials: Vec<Vec<u8>> = clients.iter().map(|client| client.serial()).collect();
        let serials: Vec<&[u8]> = serials.iter().map(Vec::as_slice).collect();
        let made = OffsetDateTime::now_utc() - Duration::days(2) + Duration::minutes(number as i64);
        let crl = self.ca.issuing_crl(&serials, number, made, until);
        self.world.store.upload_crl(self.list, self.issuing, crl, &tester()).await.unwrap();
    }

    async fn guest(&self, version: &'static SupportedProtocolVersion, alpn: &[u8], of: Shown<'_>) -> Arc<ClientConfig> {
        guest(&self.world, version, alpn, of).await
    }
}

/// What a guest shows: a certificate with that of its issuer, or nothing.
type Shown<'a> = Option<(&'a TestCa, &'a TestClient)>;

async fn guest(
    world: &World,
    version: &'static SupportedProtocolVersion,
    alpn: &[u8],
    shown: Shown<'_>,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(world.roots().await);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some((ca, client)) => {
            let chain =
                [client.leaf.as_slice(), ca.intermediate_der()].map(|der| CertificateDer::from(der).into_owned());
            builder.with_client_auth_cert(chain.to_vec(), key(client)).unwrap()
        }
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    Arc::new(config)
}

fn key(client: &TestClient) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(client.key.clone().into())
}

/// A connection over HTTP/2 that stays open.
async fn open(visitor: Arc<ClientConfig>, port: u16, host: &str) -> SendRequest<Empty<Bytes>> {
    let stream = connect(visitor, port, host).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn over(client: &mut SendRequest<Empty<Bytes>>, host: &str, path: &str) -> (u16, String) {
    let request = Request::get(format!("https://{host}{path}")).body(Empty::new()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

fn is_refused(page: &str, refusal: Refusal) -> bool {
    page.contains(&format!("403.{} {}", refusal.substatus(), refusal.reason()))
}

#[tokio::test]
async fn each_refusal_is_told_apart_over_every_version_and_protocol_fresh_and_resumed() {
    let (log, _guard) = Log::begin();
    let place = Place::open().await;
    let (stranger, now) = (TestCa::new(), OffsetDateTime::now_utc());
    let [ann, ben, zoe] = ["Ann", "Ben", "Zoe"].map(|name| place.ca.client_now(name));
    let late = place.ca.client("Late", now - Duration::days(9), now - Duration::DAY);
    let early = place.ca.client("Early", now + Duration::DAY, now + Duration::days(9));
    let foreign = stranger.client_now("Ann");
    place.revoke(&[&ben], 1, now + Duration::DAY).await;
    let rules = ["Ann", "Ben", "Late", "Early"].map(|name| AllowRule::parse(Field::CommonName, name).unwrap());
    place.world.store.set_allow_rules(place.list, place.version().await, rules.to_vec(), &tester()).await.unwrap();
    let own = |client| Some((&place.ca, client));
    let shown: [(Shown<'_>, Option<Refusal>); 7] = [
        (None, Some(Refusal::CertificateRequired)),
        (own(&ann), None),
        (own(&zoe), Some(Refusal::CertificateNotAllowed)),
        (own(&ben), Some(Refusal::CertificateRevoked)),
        (Some((&stranger, &foreign)), Some(Refusal::CertificateUntrusted)),
        (own(&late), Some(Refusal::CertificateOutOfDate)),
        (own(&early), Some(Refusal::CertificateOutOfDate)),
    ];
    let mut expected = Vec::new();
    for version in VERSIONS {
        for alpn in PROTOCOLS {
            for (shown, refusal) in shown {
                let guest = place.guest(version, alpn, shown).await;
                for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
                    let (status, page, how) = ask(&guest, place.https, "/partners/x.txt").await;
                    let told = format!("{version:?} {} {refusal:?}", String::from_utf8_lossy(alpn));
                    assert_eq!(how, kind, "{told}");
                    match refusal {
                        Some(refusal) => assert!(status == 403 && is_refused(&page, refusal), "{told}: {page}"),
                        None => assert_eq!((status, page.as_str()), (200, "content of partners"), "{told}"),
                    }
                    let subject =
                        shown.map_or("\"-\"", |(_, client)| if client.leaf == zoe.leaf { "CN=Zoe" } else { "CN=" });
                    expected.push((refusal.map_or(0, Refusal::substatus), subject));
                    let (status, page, _) = ask(&guest, place.https, "/lounge/x.txt").await;
                    match refusal.filter(|_| shown.is_some()) {
                        Some(refusal) => assert!(status == 403 && is_refused(&page, refusal), "accepted: {told}"),
                        None => assert_eq!(page, "content of lounge", "{told}"),
                    }
                    assert_eq!(ask(&guest, place.https, "/").await.1, "content of Bookshop", "not looked at: {told}");
                }
            }
        }
    }
    let lines: Vec<String> = log.lines().into_iter().filter(|line| line.contains("/partners/x.txt")).collect();
    assert_eq!(lines.len(), expected.len());
    for (line, (substatus, subject)) in lines.iter().zip(expected) {
        assert!(line.contains(&format!("sc-substatus={substatus} ")), "{line}");
        let (_, logged) = line.split_once("cs-client-subject=").unwrap();
        assert!(logged.contains(subject), "{line}");
    }
    let mut plain = log.lines().into_iter().filter(|line| line.contains("path=\"/\""));
    assert!(plain.all(|line| line.contains("cs-client-subject=\"-\"")));
}

#[tokio::test]
async fn the_certificates_that_came_are_remembered_by_the_list_that_was_asked_and_a_stranger_s_are_not() {
    let place = Place::open().await;
    let (stranger, now) = (TestCa::new(), OffsetDateTime::now_utc());
    let [ann, ben] = ["Ann", "Ben"].map(|name| place.ca.client_now(name));
    let foreign = stranger.client_now("Ann");
    place.revoke(&[&ben], 1, now + Duration::DAY).await;
    for (ca, client, status) in [(&place.ca, &ann, 200), (&place.ca, &ben, 403), (&stranger, &foreign, 403)] {
        let mut visitor = open(place.guest(&TLS13, b"h2", Some((ca, client))).await, place.https, HOST).await;
        assert_eq!(over(&mut visitor, HOST, "/").await.0, 200, "not looked at");
        for _ in 0..3 {
            assert_eq!(over(&mut visitor, HOST, "/partners/x.txt").await.0, status);
        }
    }
    let nobody = place.ca.client_now("Nobody");
    ask(&place.guest(&TLS13, b"h2", Some((&place.ca, &nobody))).await, place.https, "/").await;
    let Place { world, ca, list, .. } = place;
    let (_test, store) = end(world).await;
    let mut came: Vec<String> = Vec::new();
    for seen in store.list_seen(list).await.unwrap() {
        assert_eq!(&*seen.sent[1], ca.intermediate_der(), "what was sent along is kept with it");
        assert!(seen.at >= now - Duration::SECOND);
        came.push(seen.subject.to_string());
    }
    came.sort_unstable();
    assert_eq!(came, ["O=Meridian Books, CN=Ann", "O=Meridian Books, CN=Ben"]);
}

#[tokio::test]
async fn a_new_revocation_list_counts_at_the_next_request_of_an_open_connection() {
    let place = Place::open().await;
    let ann = place.ca.client_now("Ann");
    let now = OffsetDateTime::now_utc();
    let guest = place.guest(&TLS13, b"h2", Some((&place.ca, &ann))).await;
    let mut client = open(guest, place.https, HOST).await;
    assert_eq!(over(&mut client, HOST, "/partners/x.txt").await.1, "content of partners");
    place.revoke(&[], 1, now + Duration::DAY).await;
    assert_eq!(over(&mut client, HOST, "/partners/x.txt").await.1, "content of partners");
    place.revoke(&[&ann], 2, now + Duration::DAY).await;
    let (status, page) = over(&mut client, HOST, "/partners/x.txt").await;
    assert!(status == 403 && is_refused(&page, Refusal::CertificateRevoked), "{page}");
    assert_eq!(over(&mut client, HOST, "/").await.0, 200, "the connection is the same, and open");
}

#[tokio::test]
async fn without_a_current_revocation_list_nobody_is_let_in_unless_the_list_is_to_be_open() {
    let place = Place::open().await;
    let [ann, ben] = ["Ann", "Ben"].map(|name| place.ca.client_now(name));
    place.revoke(&[&ben], 1, OffsetDateTime::now_utc() - Duration::HOUR).await;
    let guest = async |client| place.guest(&TLS13, b"h2", Some((&place.ca, client))).await;
    let (known, revoked) = (guest(&ann).await, guest(&ben).await);
    let is_revoked = |page: &str| is_refused(page, Refusal::CertificateRevoked);
    assert!(is_revoked(&ask(&known, place.https, "/partners/x.txt").await.1));
    let edit = TrustListEdit { name: "Partners".into(), when_stale: WhenStale::Open };
    place.world.store.update_trust_list(place.list, place.version().await, edit, &tester()).await.unwrap();
    assert_eq!(ask(&known, place.https, "/partners/x.txt").await.1, "content of partners");
    assert!(is_revoked(&ask(&revoked, place.https, "/partners/x.txt").await.1), "what is known stays known");
}

#[tokio::test]
async fn what_an_authority_of_siteward_revokes_counts_at_once() {
    let place = Place::open().await;
    let store = &place.world.store;
    let authority = store.create_authority("Devices", KeyKind::EcdsaP256, &tester()).await.unwrap();
    store.add_trusted_authority(place.list, authority, &tester()).await.unwrap();
    place.world.taken_up().await;
    let made = place.ca.client_now("Key");
    let own_key = PrivateKey::from_pkcs8(made.key.clone().into()).unwrap();
    let answers = SubjectAnswers { common_name: "till-7.example".into(), ..SubjectAnswers::default() };
    let request = Requested::read(&csr::sign(&Subject::parse(&answers).unwrap(), &own_key).unwrap()).unwrap();
    let issued = store.issue_for_request(authority, &request, Purpose::Client, 30, &tester()).await.unwrap();
    let leaf = store.find_issued(issued).await.unwrap().certificate.der;
    let till = TestClient { leaf, key: made.key };
    let guest = place.guest(&TLS13, b"h2", Some((&place.ca, &till))).await;
    let mut client = open(guest, place.https, HOST).await;
    assert_eq!(over(&mut client, HOST, "/partners/x.txt").await.1, "content of partners");
    store.revoke_issued(issued, Reason::Superseded, &tester()).await.unwrap();
    assert!(is_refused(&over(&mut client, HOST, "/partners/x.txt").await.1, Refusal::CertificateRevoked));
}

#[tokio::test]
async fn no_ticket_leads_from_a_site_that_does_not_ask_into_one_that_requires_nor_past_a_change() {
    for version in VERSIONS {
        let (world, https) = (World::start().await, free_port());
        let certificate = world.certificate("*.shop.example").await;
        let mut sites = Vec::new();
        for host in ["a.shop.example", "b.shop.example"] {
            let site = world.site(host, host, free_port()).await;
            world.bind(site, place(Protocol::Https, https, host), Some(certificate)).await;
            sites.push(site);
        }
        let edit = TrustListEdit { name: "Partners".into(), when_stale: WhenStale::Closed };
        let list = world.store.create_trust_list(edit, &tester()).await.unwrap();
        whole_site(&world, sites[1], trusting(ClientCertificates::Require, list)).await;
        world.taken_up().await;
        let own = guest(&world, version, b"http/1.1", None).await;
        let mut returning = ClientConfig::clone(&own);
        returning.resumption = Resumption::store(Arc::new(Mixed(ClientSessionMemoryCache::new(8))));
        let returning = Arc::new(returning);
        let visit = async |visitor: &Arc<ClientConfig>, name: &'static str, host: &'static str| {
            let mut stream = connect(visitor.clone(), https, name).await.unwrap();
            let reply = exchange(&mut stream, get(host, "/")).await;
            let kind = stream.get_ref().1.handshake_kind().unwrap();
            (kind, reply.status, reply.text().to_owned())
        };
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            for visitor in [&own, &returning] {
                assert_eq!(visit(visitor, "a.shop.example", "a.shop.example").await.0, kind, "{version:?}");
            }
        }
        let (_, status, _) = visit(&own, "a.shop.example", "b.shop.example").await;
        assert_eq!(status, 421, "no way into the one that requires through its neighbour");
        // This one offers every ticket that it has to everybody.
        let (kind, status, page) = visit(&returning, "b.shop.example", "b.shop.example").await;
        assert_eq!((kind, status), (HandshakeKind::Full, 403), "{version:?}");
        assert!(is_refused(&page, Refusal::CertificateRequired));

        whole_site(&world, sites[0], trusting(ClientCertificates::Accept, list)).await;
        world.taken_up().await;
        assert_eq!(visit(&own, "a.shop.example", "a.shop.example").await.0, HandshakeKind::Full, "{version:?}");
        assert_eq!(visit(&own, "a.shop.example", "a.shop.example").await.0, HandshakeKind::Resumed, "{version:?}");
        let ca = X509::parse(TestCa::new().root_der()).unwrap();
        world.store.add_trusted_cas(list, &[ca], &tester()).await.unwrap();
        world.taken_up().await;
        assert_eq!(
            visit(&own, "a.shop.example", "a.shop.example").await.0,
            HandshakeKind::Full,
            "other CAs: {version:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_was_asked_for_the_certificates_of_other_cas_is_told_to_come_again() {
    let place = Place::open().await;
    let other = TestCa::new();
    let ann = other.client_now("Ann");
    let guest = place.guest(&TLS13, b"h2", Some((&other, &ann))).await;
    let mut client = open(guest.clone(), place.https, HOST).await;
    assert!(is_refused(&over(&mut client, HOST, "/partners/x.txt").await.1, Refusal::CertificateUntrusted));
    let root = X509::parse(other.root_der()).unwrap();
    let added = place.world.store.add_trusted_cas(place.list, &[root], &tester()).await.unwrap();
    assert_eq!(over(&mut client, HOST, "/partners/x.txt").await.0, 200, "what it showed then is good now");
    place.world.store.remove_trusted_ca(place.list, place.version().await, added[0], &tester()).await.unwrap();
    assert!(is_refused(&ask(&guest, place.https, "/partners/x.txt").await.1, Refusal::CertificateUntrusted));
    let root = X509::parse(other.root_der()).unwrap();
    place.world.store.add_trusted_cas(place.list, &[root], &tester()).await.unwrap();
    let stranger = TestCa::new();
    let ben = stranger.client_now("Ben");
    let mut asked = open(place.guest(&TLS13, b"h2", Some((&stranger, &ben))).await, place.https, HOST).await;
    let another = X509::parse(TestCa::new().root_der()).unwrap();
    place.world.store.add_trusted_cas(place.list, &[another], &tester()).await.unwrap();
    assert_eq!(over(&mut asked, HOST, "/partners/x.txt").await.0, 421, "it may have another certificate for these");
}

#[tokio::test]
async fn a_client_that_can_t_prove_its_key_or_sends_too_much_gets_no_connection() {
    let place = Place::open().await;
    let [ann, ben] = ["Ann", "Ben"].map(|name| place.ca.client_now(name));
    let thief = TestClient { leaf: ann.leaf.clone(), key: ben.key.clone() };
    let builder = || async {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS12])
            .unwrap()
            .with_root_certificates(place.world.roots().await)
    };
    let provider = aws_lc_rs::default_provider();
    let signer = provider.key_provider.load_private_key(key(&thief)).unwrap();
    let shown = rustls::sign::CertifiedKey::new(vec![thief.leaf.clone().into()], signer);
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(shown));
    let config = builder().await.with_client_cert_resolver(resolver);
    assert!(connect(config, place.https, HOST).await.is_err(), "its key is another");

    let mut chain = vec![CertificateDer::from(ann.leaf.clone())];
    chain.extend(std::iter::repeat_n(CertificateDer::from(place.ca.intermediate_der()).into_owned(), 7));
    let config = builder().await.with_client_auth_cert(chain, key(&ann)).unwrap();
    assert!(connect(config, place.https, HOST).await.is_err(), "so much is not kept");
}

#[tokio::test]
async fn a_ca_that_does_not_answer_keeps_the_lists_of_others_waiting_for_nothing() {
    let place = Place::open().await;
    let store = &place.world.store;
    let (silent, ready) = (TcpListener::bind(local(0)).await.unwrap(), TcpListener::bind(local(0)).await.unwrap());
    let address = |at: &TcpListener| CrlAddress::parse(&format!("http://{}/ca.crl", at.local_addr().unwrap())).unwrap();
    let mut sites = store.sites();
    let root = store.find_trust_list(place.list).await.unwrap().cas[0].id;
    store.set_crl_address(place.list, place.version().await, root, Some(&address(&silent)), &tester()).await.unwrap();
    let _asked = silent.accept().await.unwrap();
    let asked = address(&ready);
    store.set_crl_address(place.list, place.version().await, place.issuing, Some(&asked), &tester()).await.unwrap();
    let (mut stream, _) = ready.accept().await.unwrap();
    stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    loop {
        let list = store.find_trust_list(place.list).await.unwrap();
        let [slow, other] = [root, place.issuing].map(|id| list.cas.iter().find(|ca| ca.id == id).unwrap());
        if let Some(fetched) = &other.fetched {
            assert!(fetched.error.as_ref().unwrap().contains("404"), "{fetched:?}");
            assert_eq!(slow.fetched, None, "it is still asked");
            break;
        }
        sites.changed().await.unwrap();
    }
}

#[tokio::test]
async fn a_revocation_list_is_fetched_over_http_as_soon_as_its_address_is_set() {
    let place = Place::open().await;
    let ben = place.ca.client_now("Ben");
    let now = OffsetDateTime::now_utc();
    let crl = place.ca.issuing_crl(&[&ben.serial()], 1, now - Duration::HOUR, now + Duration::DAY);
    let pki = TcpListener::bind(local(0)).await.unwrap();
    let port = pki.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = pki.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            assert!(head.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{head}");
            if head.starts_with("GET /moved ") {
                stream
                    .write_all(b"HTTP/1.1 302 Found\r\nLocation: /ca.crl\r\nContent-Length: 0\r\n\r\n")
                    .await
                    .unwrap();
            } else {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", crl.len());
                stream.write_all(&[head.as_bytes(), &crl].concat()).await.unwrap();
            }
        }
    });
    let store = &place.world.store;
    let address = CrlAddress::parse(&format!("http://127.0.0.1:{port}/moved")).unwrap();
    let mut sites = store.sites();
    store.set_crl_address(place.list, place.version().await, place.issuing, Some(&address), &tester()).await.unwrap();
    let guest = place.guest(&TLS13, b"h2", Some((&place.ca, &ben))).await;
    loop {
        let list = store.find_trust_list(place.list).await.unwrap();
        let ca = list.cas.into_iter().find(|ca| ca.id == place.issuing).unwrap();
        if let Some(fetched) = ca.fetched {
            assert_eq!((fetched.error, ca.crl.unwrap().revoked), (None, 1));
            break;
        }
        sites.changed().await.unwrap();
    }
    assert!(is_refused(&ask(&guest, place.https, "/partners/x.txt").await.1, Refusal::CertificateRevoked));

    let nobody = CrlAddress::parse(&format!("http://127.0.0.1:{}/", free_port())).unwrap();
    store.set_crl_address(place.list, place.version().await, place.issuing, Some(&nobody), &tester()).await.unwrap();
    loop {
        let list = store.find_trust_list(place.list).await.unwrap();
        let ca = list.cas.into_iter().find(|ca| ca.id == place.issuing).unwrap();
        if let Some(why) = ca.fetched.and_then(|fetched| fetched.error) {
            assert!(why.contains("could not be reached"), "{why}");
            assert!(ca.crl.is_some(), "the last one goes on counting");
            break;
        }
        sites.changed().await.unwrap();
    }
}
