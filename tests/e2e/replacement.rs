//! A certificate is replaced while visitors are there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use siteward_core::certificate::Fingerprint;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::harness::client::{Connection, Failure, Visitor};
use crate::harness::openssl::Authority;
use crate::harness::program::Machine;

const REPLACEMENTS: usize = 1000;
const KEEP_ALIVE: usize = 32;
const RECONNECTING: usize = 8;

/// Between two requests of one visitor.
const PAUSE: Duration = Duration::from_millis(50);

const SITES: [(&str, &str); 2] = [("shop.example", "Books and atlases"), ("news.example", "News of the town")];

/// Which replacement each certificate of the site is, and how many are saved.
#[derive(Debug, Default)]
struct Replacements {
    number: RwLock<HashMap<Fingerprint, usize>>,
    saved: AtomicUsize,
}

impl Replacements {
    fn expect(&self, number: usize, fingerprint: Fingerprint) {
        self.number.write().expect("no panic while writing").insert(fingerprint, number);
    }

    /// Fails where a handshake showed anything older than the replacement saved before it began.
    fn judge(&self, saved_before: usize, shown: Option<Fingerprint>) -> Result<(), Failure> {
        let shown = shown.and_then(|shown| self.number.read().expect("no panic while writing").get(&shown).copied());
        match shown {
            Some(shown) if shown >= saved_before => Ok(()),
            shown => Err(format!("after replacement {saved_before} a handshake showed {shown:?}").into()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_replacements_fail_no_request_drop_no_connection_and_show_in_the_next_handshake() {
    let machine = Machine::new();
    let mut authority = Authority::new();
    let (_program, mut console) = machine.set_up().await;
    let port = machine.https.number();

    let mut sites = Vec::new();
    for (host, text) in SITES {
        let site = console.add_site(host, host, machine.http.number(), &machine.content(host, text)).await;
        let certificate = console.obtain(&mut authority, &site, host).await;
        console.bind_https(&site, host, port, &certificate).await;
        sites.push(site);
    }

    let replacements = Arc::new(Replacements::default());
    let returning = Visitor::trusting(&authority.root_pem());
    let fresh = returning.clone().without_memory();
    for (host, _) in SITES {
        replacements.expect(0, fresh.connect(port, host).await.unwrap().fingerprint.unwrap());
    }

    let (running, stopped) = watch::channel(());
    let mut visitors = JoinSet::new();
    for number in 0..KEEP_ALIVE {
        visitors.spawn(stay(returning.clone(), port, SITES[number % 2], stopped.clone()));
    }
    for number in 0..RECONNECTING {
        visitors.spawn(return_often(returning.clone(), port, SITES[number % 2], replacements.clone(), stopped.clone()));
    }

    let (shop, _) = SITES[0];
    let begun = Instant::now();
    for number in 1..=REPLACEMENTS {
        let request = console.request(&sites[0], shop).await;
        let reply = authority.sign(&console.csr(&request).await);
        replacements.expect(number, reply.fingerprint());
        console.complete(&request, &reply.chain()).await;
        replacements.saved.store(number, Ordering::SeqCst);
        for visitor in [&fresh, &returning] {
            let shown = visitor.connect(port, shop).await.unwrap().fingerprint;
            assert_eq!(shown, Some(reply.fingerprint()), "after replacement {number}");
        }
        if let Some(ended) = visitors.try_join_next() {
            panic!("a visitor ended at replacement {number}: {ended:?}");
        }
    }
    let took = begun.elapsed();
    drop(running);
    let requests: usize =
        visitors.join_all().await.into_iter().map(|visited| visited.expect("no failed request")).sum();
    println!(
        "{REPLACEMENTS} replacements in {took:?} under {requests} requests of {KEEP_ALIVE} connections kept and \
         {RECONNECTING} visitors returning: none failed, none dropped"
    );
}

/// Keeps one connection and asks again and again; how often it was answered.
async fn stay(visitor: Visitor, port: u16, site: (&str, &str), stopped: watch::Receiver<()>) -> Result<usize, Failure> {
    let mut connection = visitor.connect(port, site.0).await?;
    let mut tick = interval(PAUSE);
    let mut answered = 0;
    while stopped.has_changed().is_ok() {
        tick.tick().await;
        ask(&mut connection, site).await.map_err(|error| format!("after {answered} answers: {error}"))?;
        answered += 1;
    }
    Ok(answered)
}

/// Connects anew for each request, offering the session it had; how often it was answered.
async fn return_often(
    visitor: Visitor,
    port: u16,
    site: (&str, &str),
    replacements: Arc<Replacements>,
    stopped: watch::Receiver<()>,
) -> Result<usize, Failure> {
    let mut tick = interval(PAUSE);
    let mut answered = 0;
    while stopped.has_changed().is_ok() {
        tick.tick().await;
        let saved = if site == SITES[0] { replacements.saved.load(Ordering::SeqCst) } else { 0 };
        let mut connection = visitor.connect(port, site.0).await?;
        replacements.judge(saved, connection.fingerprint)?;
        ask(&mut connection, site).await?;
        answered += 1;
    }
    Ok(answered)
}

async fn ask(connection: &mut Connection, (host, text): (&str, &str)) -> Result<(), Failure> {
    let answer = connection.fetch("/").await?;
    if answer.status() != StatusCode::OK || !String::from_utf8_lossy(answer.body()).contains(text) {
        return Err(format!("{host} answered {}", answer.status()).into());
    }
    Ok(())
}
