//! Whose word about a visitor is believed, and whose changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use siteward_core::binding::Protocol;
use siteward_core::proxies::{LOCAL_HEADER, Listener, Networks, Speech};
use siteward_core::receipt::Receipt;
use siteward_core::site::SiteId;
use siteward_core::ssl::{ClientCertificates, HstsDraft, HstsOrder, RequireSsl, RulePath, Settings, TlsVersion};
use siteward_core::store::{ProxiesDraft, RuleDraft};
use siteward_core::testing::tester;
use siteward_core::traffic::Credentials;
use siteward_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::access_log::Log;
use crate::client_certificates::trust_list;
use crate::traffic::{classes, end, tally};
use crate::world::{Reply, World, exchange, free_port, get, local, place};

/// Who is trusted where somebody is, and who is not.
const PROXY: &str = "127.0.0.2";
const STRANGER: &str = "127.0.0.3";

/// Where the server is, and its own clients come from.
const OWN: &str = "127.0.0.1";

const TO_PORT_443: [u8; 4] = [0xc3, 0x50, 1, 0xbb];

/// A site that sends plain HTTP on to https.
struct Shop {
    world: World,
    site: SiteId,
    http: u16,
    https: u16,
}

impl Shop {
    async fn open(limits: Limits) -> Self {
        let world = World::with(limits).await;
        let (http, https) = (free_port(), free_port());
        let site = world.secured_site("Bookshop", "shop.example", http, https).await;
        world.require_ssl(site, RequireSsl::Redirect).await;
        Self { world, site, http, https }
    }

    /// Believes `networks`, one a line, on both ports.
    async fn trust(&self, speech: Speech, networks: &str) {
        for port in [self.http, self.https] {
            let listener = Listener { port: port.try_into().unwrap(), ip: Some(local(port).ip()) };
            let draft = ProxiesDraft { speech, networks: Networks::parse(networks).unwrap(), nobody: false };
            let version = self.world.store.table().proxies(listener).map_or(0, |own| own.version);
            self.world.store.update_proxies(listener, version, draft, &tester()).await.unwrap();
        }
        self.world.taken_up().await;
    }

    async fn rule(&self, path: &str, settings: Settings) {
        let draft = RuleDraft { path: RulePath::parse(path).unwrap(), settings, reason: String::new() };
        let version = self.world.version(self.site);
        self.world.store.create_rule(self.site, version, draft, &tester()).await.unwrap();
    }

    /// An answer in clear.
    async fn clear(&self, from: &str, bytes: impl AsRef<[u8]>) -> Reply {
        exchange(connect(from, self.http).await, bytes).await
    }

    /// An answer over TLS, before which `header` is sent in clear.
    async fn secured(&self, from: &str, header: &[u8], request: impl AsRef<[u8]>) -> std::io::Result<Reply> {
        let mut stream = connect(from, self.https).await;
        stream.write_all(header).await?;
        let visitor = std::sync::Arc::new(self.world.visitor(rustls::ALL_VERSIONS).await);
        let name = "shop.example".try_into().unwrap();
        Ok(exchange(TlsConnector::from(visitor).connect(name, stream).await?, request).await)
    }

    /// Everything that came to the site, as it was counted: how, and from which networks.
    async fn end(self) -> BTreeMap<String, (u64, Vec<String>)> {
        let (_test, store) = end(self.world).await;
        let counted = tally(&store, self.site).await;
        let networks = counted.classes().map(|(class, _)| {
            let mut networks: Vec<String> = counted.clients(class).map(|(client, _)| client.network()).collect();
            networks.dedup();
            networks
        });
        let told = counted.classes().zip(networks).map(|((class, requests), networks)| {
            (format!("{} {} {}", class.facts, class.answer, class.folder.as_str()), (requests, networks))
        });
        assert_eq!(classes(&counted).len(), counted.classes().count());
        told.collect()
    }
}

async fn connect(from: &str, port: u16) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(local(port)).await.unwrap()
}

fn request(target: &str, fields: &[&str]) -> String {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\n{fields}Connection: close\r\n\r\n")
}

/// A header of the PROXY protocol, version 2, for the visitor 203.0.113.7, with parameters.
fn version_2(parameters: &[u8]) -> Vec<u8> {
    let length = u16::try_from(12 + parameters.len()).unwrap().to_be_bytes();
    let ends = [&[203, 0, 113, 7, 192, 0, 2, 1][..], &TO_PORT_443].concat();
    [&LOCAL_HEADER[..12], &[0x21, 0x11], &length, &ends, parameters].concat()
}

const VERSION_1: &[u8] = b"PROXY TCP4 203.0.113.7 192.0.2.1 50000 443\r\n";

/// The visitor came to the proxy over TLS.
const OVER_TLS: [u8; 8] = [0x20, 0, 5, 1, 0, 0, 0, 0];

/// What a stranger may write into a request to look like somebody else who came over https.
const FORGED: [&[&str]; 4] = [
    &["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"],
    &["X-Forwarded-For: 203.0.113.7, 127.0.0.2", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example"],
    &["Forwarded: for=203.0.113.7;proto=https;host=evil.example"],
    &["X-Forwarded-Ssl: on", "Front-End-Https: on", "X-Real-IP: 203.0.113.7", "X-Forwarded-Scheme: https"],
];

#[tokio::test]
async fn what_a_stranger_writes_into_a_request_changes_nothing_whoever_else_is_believed_and_how() {
    let (log, _guard) = Log::begin();
    let shop = Shop::open(Limits::default()).await;
    let mut requests = 0;
    for (speech, networks) in [
        (Speech::XForwarded, ""),
        (Speech::XForwarded, PROXY),
        (Speech::Forwarded, PROXY),
        (Speech::ProxyProtocol, PROXY),
        (Speech::XForwarded, "10.0.0.0/8\n2001:db8::/32"),
    ] {
        shop.trust(speech, networks).await;
        for fields in FORGED {
            let reply = shop.clear(STRANGER, request("/a?b=c", fields)).await;
            let location = format!("https://shop.example:{}/a?b=c", shop.https);
            assert_eq!(
                (reply.status, reply.field("location")),
                (308, Some(location.as_str())),
                "{speech:?} {fields:?}"
            );
            let with_cookie = [fields, &["Cookie: a=b"]].concat();
            assert_eq!(shop.clear(STRANGER, request("/", &with_cookie)).await.status, 403, "{speech:?} {fields:?}");
            let doubtful = fields.iter().map(|field| field.replace("=https", "=http").replace(": https", ": http"));
            let doubtful: Vec<String> = doubtful.collect();
            let doubtful: Vec<&str> = doubtful.iter().map(String::as_str).collect();
            let reply = shop.secured(STRANGER, b"", request("/", &doubtful)).await.unwrap();
            assert_eq!(reply.status, 200, "{speech:?} {fields:?}");
            requests += 1;
        }
    }
    for line in log.reach(3 * requests).await {
        assert!(
            line.contains("remote=127.0.0.3:") && !line.contains("proxy=") && !line.contains("203.0.113"),
            "{line}"
        );
    }
    let counted = shop.end().await;
    let own = vec!["127.0.0.0/24".to_owned()];
    let expected = [
        ("clear cookie 1.1 403.4 /", requests as u64),
        ("clear none 1.1 308.4 /a/", requests as u64),
        ("tls1.3 aes256 mlkem 1.1 200 /", requests as u64),
    ];
    assert_eq!(counted, expected.map(|(class, requests)| (class.to_owned(), (requests, own.clone()))).into());
}

#[tokio::test]
async fn a_stranger_s_proxy_header_is_no_http_and_no_tls_whoever_else_is_believed_and_how() {
    let shop = Shop::open(Limits::default()).await;
    let whole = get("shop.example", "/");
    for (speech, networks) in [(Speech::ProxyProtocol, ""), (Speech::ProxyProtocol, PROXY), (Speech::XForwarded, PROXY)]
    {
        shop.trust(speech, networks).await;
        for header in [VERSION_1.to_vec(), version_2(&OVER_TLS), LOCAL_HEADER.to_vec()] {
            let reply = shop.clear(STRANGER, [&header[..], whole.as_bytes()].concat()).await;
            assert_eq!(reply.status, 400, "{speech:?} {networks}");
            shop.secured(STRANGER, &header, &whole).await.unwrap_err();
        }
        assert_eq!(shop.clear(STRANGER, &whole).await.status, 308, "who sends none is served as ever");
        assert_eq!(shop.secured(STRANGER, b"", &whole).await.unwrap().status, 200);
    }
    let reply = shop.clear(PROXY, [VERSION_1, whole.as_bytes()].concat()).await;
    assert_eq!(reply.status, 400, "a proxy that is to write fields is not asked for a header");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_in_its_own_way_of_speaking_alone() {
    let shop = Shop::open(Limits::default()).await;
    let [x_forwarded, _, forwarded, other] = FORGED;
    for (speech, believed, not_believed) in
        [(Speech::XForwarded, x_forwarded, forwarded), (Speech::Forwarded, forwarded, x_forwarded)]
    {
        shop.trust(speech, PROXY).await;
        assert_eq!(shop.clear(PROXY, request("/", believed)).await.status, 200, "{speech:?}");
        for fields in [not_believed, other, &[]] {
            assert_eq!(shop.clear(PROXY, request("/", fields)).await.status, 308, "{speech:?} {fields:?}");
        }
        let in_clear = believed.join("\r\n").replace("https", "http");
        assert_eq!(shop.clear(PROXY, request("/", &[&in_clear])).await.status, 308, "{speech:?}");
    }
    shop.trust(Speech::ProxyProtocol, PROXY).await;
    for fields in FORGED {
        let bytes = [VERSION_1, request("/", fields).as_bytes()].concat();
        assert_eq!(shop.clear(PROXY, bytes).await.status, 308, "{fields:?}");
    }
}

#[tokio::test]
async fn who_came_to_a_trusted_proxy_is_told_in_log_and_traffic_and_met_by_what_is_demanded() {
    let (log, _guard) = Log::begin();
    let shop = Shop::open(Limits::default()).await;
    let draft = HstsDraft { order: HstsOrder::Ramp, subdomains: false, preload: false };
    let version = shop.world.version(shop.site);
    shop.world.store.update_hsts(shop.site, version, draft, &tester()).await.unwrap();
    shop.rule("/vault", Settings { min_tls: Some(TlsVersion::Tls13), ..Settings::default() }).await;
    let (required, trust) = (Some(ClientCertificates::Require), Some(trust_list(&shop.world, "Partners").await));
    shop.rule("/partners", Settings { client_certificates: required, trust, ..Settings::default() }).await;
    shop.trust(Speech::XForwarded, &format!("{PROXY}\n10.0.0.0/8")).await;

    let told = ["X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.0.0.1", "X-Forwarded-Proto: https", "Cookie: a=b"];
    for (target, status) in [("/", 200), ("/vault/", 403), ("/partners/", 403)] {
        let reply = shop.clear(PROXY, request(target, &told)).await;
        assert_eq!(reply.status, status, "{target}");
        assert_eq!(reply.field("strict-transport-security"), Some("max-age=300"), "{target}: {}", reply.head);
    }
    let in_clear = ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https, http", "Cookie: a=b"];
    let reply = shop.clear(PROXY, request("/", &in_clear)).await;
    assert_eq!((reply.status, reply.field("strict-transport-security")), (403, None));
    // Over Siteward's own TLS the proxy names the visitor; that it came in clear counts there too, and nothing else.
    let reply = shop.secured(PROXY, b"", request("/", &in_clear)).await.unwrap();
    assert_eq!((reply.status, reply.field("strict-transport-security")), (403, None));
    let reply = shop.secured(PROXY, b"", request("/", &[in_clear[0], "Cookie: a=b"])).await.unwrap();
    assert_eq!((reply.status, reply.field("strict-transport-security")), (200, Some("max-age=300")));

    let lines = log.reach(6).await;
    for (line, (status, tls)) in lines.iter().zip([
        ("200 sc-substatus=0", "proxied"),
        ("403 sc-substatus=5", "proxied"),
        ("403 sc-substatus=7", "proxied"),
        ("403 sc-substatus=4", "-"),
        ("403 sc-substatus=4", "TLSv1_3"),
        ("200 sc-substatus=0", "TLSv1_3"),
    ]) {
        let parts =
            ["remote=203.0.113.7 proxy=127.0.0.2:".to_owned(), format!("sc-status={status}"), format!("tls=\"{tls}\"")];
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    let store = shop.world.store.clone();
    let site = shop.site;
    let counted = shop.end().await;
    let expected = [
        ("clear cookie 1.1 403.4 /", 2),
        ("proxied 1.1 200 /", 1),
        ("proxied 1.1 403.5 /vault/", 1),
        ("proxied 1.1 403.7 /partners/", 1),
        ("tls1.3 aes256 mlkem none 1.1 200 /", 1),
    ];
    let from = vec!["203.0.113.0/24".to_owned()];
    assert_eq!(counted, expected.map(|(class, requests)| (class.to_owned(), (requests, from.clone()))).into());
    let leaks = store.list_leaks(site).await.unwrap();
    assert_eq!(
        leaks.iter().map(|leak| (leak.credentials, leak.requests)).collect::<Vec<_>>(),
        [(Credentials::Cookie, 2)]
    );
}

#[tokio::test]
async fn a_header_of_the_proxy_protocol_is_believed_before_http_and_tls_however_it_is_cut() {
    let (log, _guard) = Log::begin();
    let shop = Shop::open(Limits::default()).await;
    shop.trust(Speech::ProxyProtocol, PROXY).await;
    let whole = get("shop.example", "/");
    let unknown = b"PROXY UNKNOWN\r\n".to_vec();
    let cases = [
        (VERSION_1.to_vec(), 308, "203.0.113.7:50000 proxy=127.0.0.2:"),
        (version_2(&[]), 308, "203.0.113.7:50000 proxy=127.0.0.2:"),
        (version_2(&OVER_TLS), 200, "203.0.113.7:50000 proxy=127.0.0.2:"),
        (LOCAL_HEADER.to_vec(), 308, "127.0.0.2:"),
        (unknown, 308, "127.0.0.2:"),
    ];
    for (position, (header, status, remote)) in cases.into_iter().enumerate() {
        assert_eq!(shop.clear(PROXY, [&header[..], whole.as_bytes()].concat()).await.status, status);
        let mut stream = connect(PROXY, shop.http).await;
        stream.set_nodelay(true).unwrap();
        for byte in &header {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(exchange(stream, &whole).await.status, status, "byte by byte");
        assert_eq!(shop.secured(PROXY, &header, &whole).await.unwrap().status, 200);
        for line in log.reach(3 * (position + 1)).await.iter().skip(3 * position) {
            assert!(line.contains(&format!("remote={remote}")), "{line}");
            assert!(line.contains("proxy=127.0.0.2:"), "{line}");
        }
    }
    let counted = shop.end().await;
    assert_eq!(counted["proxied 1.1 200 /"], (2, vec!["203.0.113.0/24".to_owned()]));
    assert_eq!(counted["tls1.3 aes256 mlkem 1.1 200 /"].0, 5, "what is agreed on with Siteward is no header's word");
}

#[tokio::test]
async fn a_trusted_proxy_that_does_not_say_who_comes_is_closed() {
    let shop = Shop::open(Limits { handshake: Duration::from_millis(300), ..Limits::default() }).await;
    shop.trust(Speech::ProxyProtocol, PROXY).await;
    let too_long = [&version_2(&[])[..14], &[0xff, 0xff]].concat();
    for port in [shop.http, shop.https] {
        for sent in [
            get("shop.example", "/").into_bytes(),
            b"PROXY TCP4 203.0.113.7\r\n".to_vec(),
            b"\x16\x03\x01\x02\x00\x01".to_vec(),
            too_long.clone(),
            VERSION_1[..20].to_vec(),
            Vec::new(),
        ] {
            let mut stream = connect(PROXY, port).await;
            stream.write_all(&sent).await.unwrap();
            let mut answer = Vec::new();
            // A connection that is closed with bytes unread ends with a reset.
            let _ =
                tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("closed");
            assert_eq!(answer, b"", "{:?}", String::from_utf8_lossy(&sent));
        }
    }
}

#[tokio::test]
async fn what_a_proxy_said_of_a_connection_counts_no_longer_than_it_is_trusted() {
    let shop = Shop::open(Limits::default()).await;
    shop.trust(Speech::ProxyProtocol, PROXY).await;
    let mut stream = connect(PROXY, shop.http).await;
    stream.write_all(&version_2(&OVER_TLS)).await.unwrap();
    let kept = "HEAD / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let mut statuses = Vec::new();
    for networks in [PROXY, "127.0.0.3", PROXY] {
        shop.trust(Speech::ProxyProtocol, networks).await;
        stream.write_all(kept.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        statuses.push(String::from_utf8(head[9..12].to_vec()).unwrap());
    }
    assert_eq!(statuses, ["200", "308", "200"]);
    shop.trust(Speech::XForwarded, PROXY).await;
    let own_words = request("/", &["X-Forwarded-Proto: https", "X-Forwarded-For: 198.51.100.9"]);
    assert_eq!(exchange(stream, own_words).await.status, 308, "what follows on a header is the visitor's own");
}

#[tokio::test]
async fn whoever_is_listed_for_https_is_not_believed_once_the_port_speaks_http() {
    let shop = Shop::open(Limits::default()).await;
    shop.trust(Speech::XForwarded, PROXY).await;
    let told = ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"];
    assert_eq!(shop.clear(PROXY, request("/", &told)).await.status, 200);
    let site = shop.world.store.table().site(shop.site).unwrap().clone();
    let binding = site.bindings.iter().find(|own| own.place.port.get() == shop.https).unwrap().id;
    shop.world.unbind(shop.site, binding).await;
    shop.world.bind(shop.site, place(Protocol::Http, shop.https, "shop.example"), None).await;
    let asked = async || exchange(connect(PROXY, shop.https).await, request("/", &told)).await.status;
    assert_eq!(asked().await, 403, "nobody decided that");
    shop.trust(Speech::XForwarded, PROXY).await;
    assert_eq!(asked().await, 200, "now somebody did");
}

#[tokio::test]
async fn a_trusted_proxy_has_more_places_than_one_visitor_and_each_of_its_visitors_no_more_than_anybody() {
    let shop = Shop::open(Limits { from_one_address: 2, ..Limits::default() }).await;
    let whole = get("shop.example", "/");
    shop.trust(Speech::XForwarded, PROXY).await;
    let held = [connect(PROXY, shop.http).await, connect(PROXY, shop.http).await, connect(PROXY, shop.http).await];
    assert_eq!(shop.clear(PROXY, &whole).await.status, 308);
    drop(held);

    shop.trust(Speech::ProxyProtocol, PROXY).await;
    let visit = async |header: &[u8]| {
        let mut stream = connect(PROXY, shop.http).await;
        stream.write_all(header).await.unwrap();
        stream.write_all(b"HEAD / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await.unwrap();
        let answered = stream.read_u8().await.is_ok();
        (stream, answered)
    };
    let mut held = vec![visit(VERSION_1).await, visit(&version_2(&[])).await, visit(VERSION_1).await];
    let answered: Vec<bool> = held.iter().map(|(_, answered)| *answered).collect();
    assert_eq!(answered, [true, true, false], "the third is one too many of 203.0.113.7");
    let other = b"PROXY TCP4 203.0.113.8 192.0.2.1 50000 443\r\n";
    held.push(visit(other).await);
    assert!(held[3].1, "another visitor finds a place");
    for _ in 0..3 {
        held.push(visit(&LOCAL_HEADER).await);
        assert!(held.last().unwrap().1, "the proxy itself has all it needs");
    }
}

#[tokio::test]
async fn fresh_clients_get_through_where_their_own_address_is_a_trusted_proxy_and_are_not_counted() {
    let (log, _guard) = Log::begin();
    let shop = Shop::open(Limits::default()).await;
    let receipt = async |revision| -> std::sync::Arc<Receipt> {
        shop.world.status.tried(revision).await;
        shop.world.receipt(shop.site).await
    };
    for speech in [Speech::ProxyProtocol, Speech::XForwarded, Speech::ProxyProtocol] {
        let before = time::OffsetDateTime::now_utc();
        shop.trust(speech, OWN).await;
        let receipt = receipt(shop.world.store.table().revision()).await;
        assert!(receipt.is_good() && receipt.at > before, "{speech:?} {receipt:#?}");
        assert!(receipt.bindings.iter().all(|got| !got.attempts.is_empty()));
    }
    assert_eq!(log.lines(), Vec::<String>::new());
    assert_eq!(shop.end().await, BTreeMap::new());
}
