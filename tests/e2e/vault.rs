//! The master key: missing, back again, and replaced under load; and no key in clear anywhere.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use siteward_core::testing::seed;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::client::{Connection, Visitor, curl};
use crate::harness::openssl::Authority;
use crate::harness::program::{Machine, Program};
use crate::harness::wait::{until, within};

/// Certificates that are sealed again, each of a site of its own.
const CERTIFICATES: usize = 300;
const VISITORS: usize = 8;

#[tokio::test]
async fn without_its_master_key_the_console_says_so_affected_sites_are_closed_and_open_again_when_it_is_back() {
    let machine = Machine::new();
    let mut authority = Authority::new();
    let (program, mut console) = machine.set_up().await;
    let (http, https) = (machine.http.number(), machine.https.number());
    let shop = console.add_site("Bookshop", "shop.example", http, &machine.content("shop", "Books")).await;
    console.add_site("Maps", "maps.example", http, &machine.content("maps", "Maps of the coast")).await;
    let certificate = console.obtain(&mut authority, &shop, "shop.example").await;
    console.bind_https(&shop, "shop.example", https, &certificate).await;
    assert!(program.stop().await.success());

    let (key, aside) = (machine.data().join("master.key"), machine.data().join("aside"));
    fs::rename(&key, &aside).unwrap();
    let program = machine.start().await;
    let address = program.console.clone();
    let see = |path: &str| curl(&["--insecure", "--cookie", &console.cookies(), &format!("{address}{path}")]);
    for path in ["/", "/sites", "/certificates", "/activity", &shop] {
        let page = see(path);
        assert!(page.contains("Private keys can’t be used."), "{path}: {page}");
        assert!(page.contains("Put it back from your backup"), "{path}: {page}");
    }
    assert!(see(&shop).contains("The site is closed: its private keys"));
    assert!(see("/sites?view=closed").contains("Bookshop"));

    let visitor = Visitor::trusting(&authority.root_pem());
    assert!(visitor.connect(https, "shop.example").await.is_err(), "closed on https");
    let (status, body) = fetch_in_clear(http, "shop.example").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "closed on http, although it does not require SSL");
    assert!(!body.contains("Books") && !body.to_lowercase().contains("key"), "{body}");
    let (status, body) = fetch_in_clear(http, "maps.example").await;
    assert!(status == StatusCode::OK && body.contains("Maps of the coast"), "a site without https goes on");
    assert!(!key.exists(), "no other key is made");
    let checked = machine.command(&["vault", "check"]).output().await.unwrap();
    assert!(!checked.status.success());
    assert!(String::from_utf8_lossy(&checked.stderr).contains("Put it back"));

    fs::rename(&aside, &key).unwrap();
    until("the site to open again", async || visitor.connect(https, "shop.example").await.ok()).await;
    assert_eq!(fetch_in_clear(http, "shop.example").await.0, StatusCode::OK);
    let mut console = console.moved(&program.console, &machine.console_root());
    until("the console to have its own certificate again", async || {
        console.try_get("/").await.ok().filter(|page| !page.body.contains("Private keys can’t be used"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_replaced_under_load_without_a_failed_handshake_and_the_old_one_is_worth_nothing() {
    let machine = Machine::new();
    let https = machine.https.number();
    let root = seed::fill(&machine.data(), CERTIFICATES, https).await;
    let program = machine.start().await;
    let visitor = Visitor::trusting(&root).without_memory();
    let old = fs::read_to_string(machine.data().join("master.key")).unwrap();

    let (running, stopped) = watch::channel(());
    let next = Arc::new(AtomicUsize::new(0));
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        let (visitor, next, stopped) = (visitor.clone(), next.clone(), stopped.clone());
        visitors.spawn(async move {
            while stopped.has_changed().is_ok() {
                // Far apart, so that keys are needed that no handshake has read yet.
                let host = seed::host(next.fetch_add(1, Ordering::Relaxed) * 7 % CERTIFICATES);
                visitor.connect(https, &host).await.map_err(|error| format!("{host}: {error}"))?;
            }
            Ok::<_, String>(())
        });
    }
    until("some handshakes", async || (next.load(Ordering::Relaxed) > VISITORS).then_some(())).await;
    let other = machine.command(&["vault", "rotate"]).stdout(Stdio::piped()).spawn().unwrap();
    let before = next.load(Ordering::Relaxed);
    let output = within("the rotation", other.wait_with_output()).await.unwrap();
    let during = next.load(Ordering::Relaxed) - before;
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("Sealed under the new master key: 30"), "{output}");
    let after = next.load(Ordering::Relaxed);
    until("every key to be read once more", async || {
        (next.load(Ordering::Relaxed) > after + CERTIFICATES).then_some(())
    })
    .await;
    drop(running);
    for visited in visitors.join_all().await {
        visited.expect("no failed handshake");
    }
    println!("{CERTIFICATES} certificates sealed again under {during} handshakes: none failed");

    let new = fs::read_to_string(machine.data().join("master.key")).unwrap();
    assert_ne!(new, old);
    assert!(!machine.data().join("master.key.next").exists());
    assert_eq!(machine.query("SELECT count(*) FROM changes WHERE thing = 'vault'").await, "1\n");
    assert_eq!(machine.query("SELECT count(DISTINCT substr(sealed, 1, 9)) FROM keys").await, "1\n");
    assert!(program.stop().await.success());
    let checked = machine.command(&["vault", "check"]).output().await.unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    fs::write(machine.data().join("master.key"), old).unwrap();
    let checked = machine.command(&["vault", "check"]).output().await.unwrap();
    assert!(!checked.status.success(), "the old key opens nothing any more");
}

#[tokio::test]
async fn a_rotation_that_is_killed_leaves_everything_open_and_the_next_one_completes_it() {
    let machine = Machine::new();
    let https = machine.https.number();
    let root = seed::fill(&machine.data(), 2 * CERTIFICATES, https).await;
    let visitor = Visitor::trusting(&root).without_memory();
    let is_cut_off = async || machine.query("SELECT count(*) FROM vault_checks").await == "2\n";
    until("a rotation that was cut off in the middle", async || {
        let mut rotating = machine.command(&["vault", "rotate"]).stdout(Stdio::null()).spawn().unwrap();
        let ended = until("the rotation to begin", async || match rotating.try_wait().unwrap() {
            Some(_) => Some(true),
            None => is_cut_off().await.then_some(false),
        });
        if !ended.await {
            rotating.kill().await.unwrap();
        }
        is_cut_off().await.then_some(())
    })
    .await;
    assert!(machine.data().join("master.key.next").exists());
    let program = machine.start().await;
    for number in [0, CERTIFICATES, 2 * CERTIFICATES - 1] {
        visitor.connect(https, &seed::host(number)).await.unwrap();
    }
    let completed = machine.command(&["vault", "rotate"]).output().await.unwrap();
    assert!(completed.status.success(), "{}", String::from_utf8_lossy(&completed.stderr));
    assert!(!machine.data().join("master.key.next").exists());
    assert!(!is_cut_off().await);
    for number in 0..20 {
        visitor.connect(https, &seed::host(number)).await.unwrap();
    }
    assert!(program.stop().await.success());
}

#[tokio::test]
async fn no_key_is_in_clear_in_database_log_or_ledger_and_a_crash_leaves_no_core() {
    let machine = Machine::new();
    let mut authority = Authority::new();
    let (program, mut console) = machine.set_up().await;
    let shop = console.add_site("Bookshop", "shop.example", machine.http.number(), &machine.content("shop", "x")).await;
    let mut secrets = vec![("the master key", master_key(&machine))];
    for kind in ["ecdsa-p256", "rsa-2048"] {
        let request = console.request_with(&shop, "shop.example", kind).await;
        let reply = authority.sign(&console.csr(&request).await);
        console.complete(&request, &reply.chain()).await;
    }
    console.request(&shop, "waiting.example").await;
    let rotated = machine.command(&["vault", "rotate"]).output().await.unwrap();
    assert!(rotated.status.success());
    secrets.push(("the new master key", master_key(&machine)));
    let keys = seed::private_keys(&machine.data()).await;
    assert!(keys.len() >= 4, "two certificates, a request and the console's authority");
    for pkcs8 in &keys {
        secrets.push(("PKCS#8", pkcs8.to_vec()));
        secrets.extend(secret_numbers(pkcs8));
    }

    let dump = machine.query("SELECT * FROM changes; SELECT hex(sealed) FROM keys").await;
    let mut places = vec![("dump".to_owned(), dump.into_bytes()), ("log".into(), program.log().into_bytes())];
    for name in ["siteward.db", "siteward.db-wal", "siteward.db-shm"] {
        places.push((name.into(), fs::read(machine.data().join(name)).unwrap_or_default()));
    }
    places.push(("output".into(), rotated.stdout));
    assert!(
        contains(&places[2].1, b"Bookshop") || contains(&places[3].1, b"Bookshop"),
        "the search finds what is there"
    );
    for (place, bytes) in &places {
        for (secret, form) in secrets.iter().flat_map(|(name, secret)| forms(secret).map(move |form| (name, form))) {
            assert!(!contains(bytes, &form), "{secret} is in {place}");
        }
    }
    crash_leaves_no_core(program, &machine.data()).await;
}

/// With core dumps allowed by the shell, ends the program by the signal that writes one.
async fn crash_leaves_no_core(program: Program, data: &Path) {
    let id = program.id().to_string();
    let limit = Command::new("prlimit").args(["--pid", &id, "--core=unlimited:unlimited"]).status().unwrap();
    assert!(limit.success());
    let owner =
        fs::metadata(format!("/proc/{id}/environ")).map(|file| std::os::unix::fs::MetadataExt::uid(&file)).unwrap();
    assert_eq!(owner, 0, "what is not dumpable belongs to root");
    let folder = fs::read_link(format!("/proc/{id}/cwd")).unwrap_or_else(|_| data.into());
    let status = program.abort().await;
    assert!(!std::os::unix::process::ExitStatusExt::core_dumped(&status), "{status}");
    let core =
        |folder: &Path| fs::read_dir(folder).unwrap().filter_map(Result::ok).any(|file| file.file_name() == "core");
    assert!(!core(&folder) && !core(data));
}

async fn fetch_in_clear(port: u16, host: &str) -> (StatusCode, String) {
    let answer = Connection::in_clear(port, host).await.unwrap().fetch("/").await.unwrap();
    (answer.status(), String::from_utf8_lossy(answer.body()).into_owned())
}

fn master_key(machine: &Machine) -> Vec<u8> {
    let text = fs::read_to_string(machine.data().join("master.key")).unwrap();
    let digits = text.trim_end().as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("digits"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("two digits")).collect()
}

/// The numbers by which a key is known: whatever integer or octet string of its DER is long enough to be secret. The
/// public modulus, and the header with the algorithm, are not.
fn secret_numbers(pkcs8: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let output = |arguments: &[&str]| {
        let mut child = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("openssl runs");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), pkcs8).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let text = output(&["pkey", "-inform", "DER", "-noout", "-text"]);
    let mut numbers = Vec::new();
    let mut name = "";
    for line in text.lines() {
        match line.strip_prefix("    ") {
            None => name = line.trim_end_matches(':'),
            Some(hex) if ["priv", "privateExponent", "prime1", "prime2"].contains(&name) => {
                if !matches!(numbers.last(), Some((last, _)) if *last == name) {
                    numbers.push((name, Vec::new()));
                }
                let bytes = hex.trim().split(':').filter(|pair| !pair.is_empty());
                let bytes = bytes.map(|pair| u8::from_str_radix(pair, 16).expect("two digits"));
                numbers.last_mut().expect("just pushed").1.extend(bytes);
            }
            Some(_) => {}
        }
    }
    assert!(!numbers.is_empty(), "{text}");
    let without_sign = |number: Vec<u8>| number.into_iter().skip_while(|byte| *byte == 0).collect();
    numbers.into_iter().map(|(_, number)| ("a private number", without_sign(number))).collect()
}

/// As it is, in hexadecimal and in base64 at each of its three offsets.
fn forms(secret: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let secret = secret.to_vec();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = (0..3).map(|skip| {
        let whole = &secret[skip..];
        STANDARD.encode(&whole[..whole.len() / 3 * 3]).into_bytes()
    });
    let base64: Vec<_> = base64.collect();
    [secret.clone(), hex.to_uppercase().into_bytes(), hex.into_bytes()].into_iter().chain(base64)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    // The first 24 bytes of a secret are as bad as all of it.
    let part = &part[..part.len().min(24)];
    bytes.windows(part.len()).any(|window| window == part)
}
