//! Client certificates as browsers and other programs meet them: Chromium with a certificate of an authority of this
//! server; `curl` and `openssl s_client` with those of another CA, over both versions of HTTP and of TLS, fresh and resumed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::browser::{Browser, Script};
use crate::harness::client::curl;
use crate::harness::console::{Console, Form};
use crate::harness::openssl::{Authority, Validity};
use crate::harness::program::{Machine, Program};

const HOST: &str = "shop.example";
const NEIGHBOUR: &str = "news.example";

/// A site whose `/partners/` requires a certificate by a trust list, beside one that asks for none.
struct Place {
    machine: Machine,
    program: Program,
    console: Console,
    authority: Authority,
    https: u16,
    list: String,
}

impl Place {
    async fn open() -> Self {
        let machine = Machine::new();
        let mut authority = Authority::new();
        let (program, mut console) = machine.set_up().await;
        let (http, https) = (machine.http.number(), machine.https.number());
        let folder = machine.content("shop", "Books and atlases");
        let partners = machine.content("shop/partners", "Contracts");
        fs::write(partners.join("good"), "Contracts with Ann").expect("a file of the site");
        let site = console.add_site("Bookshop", HOST, http, &folder).await;
        let news = console.add_site("News", NEIGHBOUR, http, &machine.content("news", "News of the town")).await;
        for (site, host) in [(&site, HOST), (&news, NEIGHBOUR)] {
            let certificate = console.obtain(&mut authority, site, host).await;
            console.bind_https(site, host, https, &certificate).await;
        }
        let list = console.save(Form::post("/trust-lists/new").with("name", "Partners").with("stale", "closed")).await;
        let rule = Form::post(&format!("{site}/ssl/rules/new")).with("path", "/partners").with("clients", "require");
        console.save(rule.with("trust", list.trim_start_matches("/trust-lists/"))).await;
        Self { machine, program, console, authority, https, list }
    }

    /// Waits for the log to have `count` lines about `path`, which are as the page: this status and substatus.
    async fn is_logged(&self, path: &str, count: usize, status: u16, substatus: u8) {
        let lines = self.program.logged(path, count).await;
        let words = format!("sc-status={status} sc-substatus={substatus} ");
        assert!(lines.len() == count && lines.iter().all(|line| line.contains(&words)), "{words}: {lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_opens_a_folder_with_its_certificate_until_that_is_revoked_and_without_connecting_anew() {
    let mut place = Place::open().await;
    let (console, list) = (&mut place.console, &place.list);
    let own = console.save(Form::post("/authorities/new").with("name", "Alder People").with("key", "ecdsa-p256")).await;
    let number = own.trim_start_matches("/authorities/");
    console.save(Form::post(&format!("{list}/cas/own")).with("authority", number)).await;
    let client = console.open(&format!("{own}/client")).await.form("Sign and save the file");
    let client = client.with("name", "Inga Solberg").with("password", "long enough").with("again", "long enough");
    let pfx = console.send(client).await.bytes;

    let root = place.authority.root();
    let url = |path: &str| format!("https://{HOST}:{}{path}", place.https);
    let stranger = Browser::start(&[&root], Script::On).await;
    stranger.visit(&url("/")).await;
    assert!(stranger.text().await.contains("Books and atlases"), "the rest of the site asks nobody for a certificate");
    stranger.visit(&url("/partners/?without")).await;
    assert!(stranger.text().await.contains("403.7 Client certificate required"), "{}", stranger.text().await);
    stranger.quit().await;

    let browser = Browser::start_as(&[&root], &pfx, "long enough", &url("")).await;
    browser.visit(&url("/")).await;
    assert!(browser.text().await.contains("Books and atlases"));
    browser.visit(&url("/partners/index.html?with")).await;
    assert!(browser.text().await.contains("Contracts"), "{}", browser.text().await);

    let issued = place.console.open("/issued?f=Inga").await.addresses("main table a").remove(0);
    let explain = format!("/trust-lists/explain?issued={}", issued.trim_start_matches("/issued/"));
    let explained = place.console.open(&explain).await.text("main table");
    assert!(explained.contains("and is not revoked."), "{explained}");
    let revoke = place.console.open(&format!("{issued}/revoke")).await.form("Revoke the certificate");
    place.console.save(revoke.with("reason", "1")).await;
    browser.visit(&url("/partners/index.html?revoked")).await;
    assert!(browser.text().await.contains("403.13 Client certificate revoked"), "{}", browser.text().await);
    browser.visit(&url("/")).await;
    assert!(browser.text().await.contains("Books and atlases"), "what asks for none stays open");
    browser.quit().await;

    place.is_logged("/partners/", 1, 403, 7).await;
    let lines = place.program.logged("/partners/index.html", 2).await;
    let word = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=")).expect(name);
        rest.split(' ').next().expect("a word").to_owned()
    };
    assert_eq!([word(&lines[0], "sc-status"), word(&lines[1], "sc-substatus")], ["200", "13"], "{lines:?}");
    assert_eq!(word(&lines[0], "remote"), word(&lines[1], "remote"), "on the same connection: {lines:?}");
}

/// A client of the CA, as `curl` and `openssl` take it.
struct Guest {
    /// Its certificate and the one of its issuer, PEM.
    chain: PathBuf,
    key: PathBuf,
}

/// What guests have, in a folder of their own.
struct Wardrobe(TempDir);

impl Wardrobe {
    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("a file can be written");
        path
    }

    fn guest(&self, authority: &mut Authority, name: &str, validity: Validity) -> Guest {
        let (leaf, key) = authority.client(name, validity);
        let chain = self.write(&format!("{name}.pem"), &[leaf, authority.intermediate_pem()].concat());
        Guest { chain, key: self.write(&format!("{name}.key"), &key) }
    }
}

/// What a program is told to show.
fn shown(
    guest: Option<&Guest>,
    certificate: &'static str,
    key: &'static str,
    chain: Option<&'static str>,
) -> Vec<String> {
    let Some(guest) = guest else { return Vec::new() };
    let path = |path: &Path| path.display().to_string();
    let mut arguments = vec![certificate.to_owned(), path(&guest.chain), key.to_owned(), path(&guest.key)];
    arguments.extend(chain.into_iter().flat_map(|chain| [chain.to_owned(), path(&guest.chain)]));
    arguments
}

/// A version of TLS for both programs.
const VERSIONS: [(&str, [&str; 3], &str); 2] = [
    ("TLSv1.2", ["--tlsv1.2", "--tls-max", "1.2"], "-tls1_2"),
    ("TLSv1.3", ["--tlsv1.3", "--tls-max", "1.3"], "-tls1_3"),
];

/// What a request gets: status, substatus, and the words of its page.
type Outcome = (u16, u8, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn curl_and_openssl_get_each_refusal_over_both_versions_of_http_and_tls_fresh_and_resumed() {
    let mut place = Place::open().await;
    let wardrobe = Wardrobe(tempfile::tempdir().expect("a temporary folder"));
    let (authority, mut stranger) = (&mut place.authority, Authority::new());
    let ann = wardrobe.guest(authority, "Ann", Validity::Now);
    let zoe = wardrobe.guest(authority, "Zoe", Validity::Now);
    let ben = wardrobe.guest(authority, "Ben", Validity::Now);
    let crl = authority.revoke_last();
    let late = wardrobe.guest(authority, "Early", Validity::FromTomorrow);
    let foreign = wardrobe.guest(&mut stranger, "Mallory", Validity::Now);

    let (console, list) = (&mut place.console, &place.list);
    let cas = console.open(&format!("{list}/cas/new")).await.form("Put them on the list");
    console.save(cas.with("text", &place.authority.intermediate_pem())).await;
    let source = console.open(&format!("{list}/cas/1")).await.form("Take this list");
    console.save(source.with_file("reply", "ca.crl", &crl)).await;
    let rules = console.open(&format!("{list}/rules")).await.form("Save the rules");
    console.save(rules.with("rules", "cn is Ann\ncn is Ben\ncn is Early\ncn is Mallory")).await;

    let believed = Form::post(&format!("/listeners/{}/all", place.https)).with("networks", "127.0.0.1");
    console.save(believed.with("speech", "x-forwarded").with("version", "0")).await;

    let root = place.authority.root().display().to_string();
    let cases: [(&str, Option<&Guest>, &str, Outcome); 8] = [
        ("good", Some(&ann), HOST, (200, 0, "Contracts with Ann")),
        ("none", None, HOST, (403, 7, "403.7 Client certificate required")),
        ("not-allowed", Some(&zoe), HOST, (403, 12, "403.12 Client certificate not allowed here")),
        ("revoked", Some(&ben), HOST, (403, 13, "403.13 Client certificate revoked")),
        ("untrusted", Some(&foreign), HOST, (403, 16, "403.16 Client certificate untrusted or invalid")),
        ("early", Some(&late), HOST, (403, 17, "403.17 Client certificate expired or not yet valid")),
        ("misdirected", Some(&ann), NEIGHBOUR, (421, 0, "421 Misdirected request")),
        ("in-clear-to-a-proxy", Some(&ann), HOST, (403, 4, "403.4 SSL required")),
    ];
    for (name, guest, host, (status, substatus, words)) in cases {
        let path = format!("/partners/{name}");
        // Over TLS it is refused with 403.4 only where a trusted proxy says how its visitor came.
        let field = if substatus == 4 { ("x-forwarded-proto", "http") } else { ("x-nothing", "") };
        let mut requests = 0;
        for (version, for_curl, for_openssl) in VERSIONS {
            for protocol in ["1.1", "2"] {
                let told = format!("{name} {version} HTTP/{protocol}");
                let mut arguments: Vec<String> = shown(guest, "--cert", "--key", None);
                let http = if protocol == "2" { "--http2" } else { "--http1.1" };
                let (host_field, other) = (format!("Host: {host}"), format!("{}: {}", field.0, field.1));
                let url = format!("https://{HOST}:{}{path}", place.https);
                let fixed = ["--cacert", &root, http, "--write-out", "\n%{http_code} HTTP/%{http_version}"];
                let fixed =
                    fixed.into_iter().chain(for_curl).chain(["--header", &host_field, "--header", &other, &url]);
                arguments.extend(fixed.map(str::to_owned));
                let answer = curl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
                assert!(answer.contains(words), "{told}: {answer}");
                assert!(answer.ends_with(&format!("{status} HTTP/{protocol}")), "{told}: {answer}");
                requests += 1;

                let session = wardrobe.0.path().join("session.pem").display().to_string();
                for (keeps, state) in [("-sess_out", "New"), ("-sess_in", "Reused")] {
                    let mut arguments = shown(guest, "-cert", "-key", Some("-cert_chain"));
                    arguments.extend([for_openssl.to_owned(), keeps.to_owned(), session.clone()]);
                    let answer = s_client(place.https, protocol, [host, &path], field, &arguments);
                    let told = format!("{told} {state}: {answer}");
                    assert!(answer.contains(&format!("{state}, {version}")), "{told}");
                    assert!(answer.contains(words), "{told}");
                    assert!(answer.contains(&head(protocol, status)), "{told}");
                    requests += 1;
                }
            }
        }
        place.is_logged(&path, requests, status, substatus).await;
    }
    for path in ["/partners/clear", "/PARTNERS/clear", "/partners//clear"] {
        let url = format!("http://{HOST}:{}{path}", place.machine.http.number());
        let answer = curl(&["--path-as-is", "--write-out", "\n%{http_code}", &url]);
        assert!(answer.contains("403.4 SSL required") && answer.ends_with("403"), "{path}: {answer}");
        place.is_logged(path, 1, 403, 4).await;
    }
}

/// Sends one request through `openssl s_client`; everything it printed, byte by byte as characters.
fn s_client(
    port: u16,
    protocol: &str,
    [host, path]: [&str; 2],
    (name, value): (&str, &str),
    arguments: &[String],
) -> String {
    let http1 = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{name}: {value}\r\nConnection: close\r\n\r\n");
    let (alpn, request) = match protocol {
        "2" => ("h2", http2(host, path, (name, value))),
        _ => ("http/1.1", http1.into_bytes()),
    };
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", HOST, "-ign_eof", "-alpn", alpn])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    client.stdin.take().expect("a pipe").write_all(&request).expect("openssl reads");
    let output = client.wait_with_output().expect("openssl ends");
    output.stdout.into_iter().map(char::from).collect()
}

/// A request over HTTP/2 in the plainest form: no Huffman code, nothing remembered, then goodbye (RFC 9113 §3.4, §4.1,
/// §6.2, §6.8; RFC 7541 §6.2.2).
fn http2(host: &str, path: &str, (name, value): (&str, &str)) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let known = |name: u8, value: &str| [vec![name], text(value)].concat();
    let other = [vec![0x00], text(name), text(value)].concat();
    let fields = [vec![0x82, 0x87], known(0x01, host), known(0x04, path), other].concat();
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    [preface, frame(4, 0, 0, &[]), frame(1, 0x05, 1, &fields), frame(7, 0, 0, &[0; 8])].concat()
}

/// How an answer with this status begins: its status line, or the first field of its HEADERS frame, of which 403 and 421
/// are in the Huffman code and 200 is a field of the static table (RFC 7541, appendices A and B).
fn head(protocol: &str, status: u16) -> String {
    let first_field: &[u8] = match (protocol, status) {
        ("2", 403) => &[0x48, 0x83, 0x68, 0x0c, 0xff],
        ("2", 421) => &[0x48, 0x82, 0x68, 0x41],
        ("2", _) => &[0x88],
        (_, status) => return format!("HTTP/1.1 {status} "),
    };
    let of_stream_1 = [0, 0, 0, 1];
    of_stream_1.iter().chain(first_field).copied().map(char::from).collect()
}
