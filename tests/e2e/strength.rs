//! Folder rules as other programs meet them: `curl` over both versions of HTTP and of TLS, `openssl s_client` fresh and
//! resumed.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::client::curl;
use crate::harness::console::{Console, Form};
use crate::harness::openssl::Authority;
use crate::harness::program::Machine;

const HOST: &str = "shop.example";

/// The version a client speaks, what makes it weak to `curl` and to `openssl s_client`, and the rule that it does not meet.
type Weak = (&'static str, &'static [&'static str], &'static [&'static str], (&'static str, &'static str));

const WEAK: [Weak; 3] = [
    ("TLSv1.2", &["--tls-max", "1.2"], &["-tls1_2"], ("tls", "1.3")),
    (
        "TLSv1.2",
        &["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"],
        ("bits", "256"),
    ),
    (
        "TLSv1.3",
        &["--tlsv1.3", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256"],
        &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
        ("bits", "256"),
    ),
];

async fn add_rule(console: &mut Console, site: &str, path: &str, setting: (&str, &str)) {
    let form = Form::post(&format!("{site}/ssl/rules/new")).with("path", path).with(setting.0, setting.1);
    console.save(form).await;
}

/// Speaks HTTP/1.1 through `openssl s_client`; everything it printed.
fn s_client(port: u16, path: &str, arguments: &[&str]) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", HOST, "-ign_eof"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    client.stdin.take().expect("a pipe").write_all(request.as_bytes()).expect("openssl reads");
    let output = client.wait_with_output().expect("openssl ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn weak_clients_get_403_5_where_a_folder_asks_for_more_and_all_programs_agree_on_it() {
    let machine = Machine::new();
    let mut authority = Authority::new();
    let (program, mut console) = machine.set_up().await;
    let (http, https) = (machine.http.number(), machine.https.number());
    let folder = machine.content("shop", "Books and atlases");
    let site = console.add_site("Bookshop", HOST, http, &folder).await;
    let certificate = console.obtain(&mut authority, &site, HOST).await;
    console.bind_https(&site, HOST, https, &certificate).await;

    let root = authority.root().display().to_string();
    let session = beside_root(&authority, "session.pem");
    for (index, (version, for_curl, for_openssl, setting)) in WEAK.into_iter().enumerate() {
        let path = format!("/vault-{index}/");
        add_rule(&mut console, &site, &path, setting).await;
        for protocol in ["--http1.1", "--http2"] {
            let ask = |path: &str, more: &[&str]| {
                let url = format!("https://{HOST}:{https}{path}");
                let mut arguments =
                    vec!["--cacert", &root, protocol, "--write-out", "\n%{http_code} HTTP/%{http_version}"];
                arguments.extend(more);
                arguments.push(&url);
                curl(&arguments)
            };
            let answer = ask(&path, for_curl);
            assert!(answer.contains("403.5 Stronger encryption required"), "{setting:?} {protocol}: {answer}");
            let end = if protocol == "--http2" { "403 HTTP/2" } else { "403 HTTP/1.1" };
            assert!(answer.ends_with(end), "{setting:?} {protocol}: {answer}");
            assert!(ask("/", for_curl).contains("Books and atlases"), "{setting:?}: the rest is open to it");
            assert!(ask(&path, &[]).contains("404 Not found"), "{setting:?}: no reproach to a strong client");
        }
        for (keeps, state) in [("-sess_out", "New"), ("-sess_in", "Reused")] {
            let mut arguments = for_openssl.to_vec();
            arguments.extend([keeps, session.as_str()]);
            let answer = s_client(https, &path, &arguments);
            assert!(answer.contains(&format!("{state}, {version}")), "{setting:?}: {answer}");
            assert!(answer.contains("HTTP/1.1 403 Forbidden"), "{setting:?} {state}: {answer}");
            assert!(answer.contains("403.5 Stronger encryption required"), "{setting:?} {state}: {answer}");
        }
        let lines = program.logged(&path, 6).await;
        let refused = lines.iter().filter(|line| line.contains("sc-status=403 sc-substatus=5 ")).count();
        assert!(lines.len() == 6 && refused == 4, "two programs' refusals, and a strong client's 404: {lines:?}");
    }

    add_rule(&mut console, &site, "/account", ("ssl", "refuse")).await;
    for path in ["/account/", "/ACCOUNT/", "//account", "/%61ccount/x"] {
        let answer = curl(&["--path-as-is", "--write-out", "\n%{http_code}", &format!("http://{HOST}:{http}{path}")]);
        assert!(answer.contains("403.4 SSL required") && answer.ends_with("403"), "{path}: {answer}");
    }
    let stale = s_client(https, "/", &["-tls1_3", "-sess_in", session.as_str()]);
    assert!(stale.contains("New, TLSv1.3"), "a session of before the last change is worth nothing: {stale}");

    let page = console.open(&format!("{site}/ssl")).await;
    console.save(page.form("Save SSL settings").with("tls", "1.3")).await;
    for path in ["/vault-0/", "/vault-1/", "/vault-2/", "/account/"] {
        let explained = console.open(&format!("{site}/ssl?path={path}")).await.text("#explain");
        assert!(explained.contains("TLS 1.3"), "{path}: {explained}");
    }
    let refused = s_client(https, "/", &["-tls1_2"]);
    assert!(refused.contains("New, (NONE), Cipher is (NONE)"), "the whole site asks for TLS 1.3: {refused}");
}

fn beside_root(authority: &Authority, name: &str) -> String {
    authority.root().parent().unwrap_or(Path::new("/")).join(name).display().to_string()
}
