//! Many sites on one address, told apart by SNI.

use std::collections::BTreeMap;
use std::time::Instant;

use hyper::StatusCode;
use siteward_core::certificate::Fingerprint;

use crate::harness::client::Visitor;
use crate::harness::openssl::Authority;
use crate::harness::program::Machine;

const SITES: usize = 500;

#[tokio::test]
async fn five_hundred_sites_on_one_port_each_show_their_own_certificate_and_content_also_after_a_restart() {
    let machine = Machine::new();
    let mut authority = Authority::new();
    let (program, mut console) = machine.set_up().await;
    let (http, https) = (machine.http.number(), machine.https.number());

    let begun = Instant::now();
    let mut expected = BTreeMap::new();
    for number in 0..SITES {
        let host = format!("site{number}.example");
        let site = console.add_site(&host, &host, http, &machine.content(&host, &format!("Site {number}."))).await;
        let request = console.request(&site, &host).await;
        let reply = authority.sign(&console.csr(&request).await);
        let certificate = console.complete(&request, &reply.chain()).await;
        console.bind_https(&site, &host, https, &certificate).await;
        expected.insert(host, (reply.fingerprint(), format!("Site {number}.")));
    }
    println!("{SITES} sites requested, signed, installed and bound in {:?}", begun.elapsed());

    let begun = Instant::now();
    check(&machine, &authority, &expected).await;
    println!("{SITES} sites visited in {:?}", begun.elapsed());

    let pending = console.request("/sites/1", "later.example").await;
    let csr = console.csr(&pending).await;
    assert!(program.stop().await.success());
    let begun = Instant::now();
    let program = machine.start().await;
    println!("restart with {SITES} sites: {:?}", begun.elapsed());
    check(&machine, &authority, &expected).await;

    let mut console = console.moved(&program.console, &machine.console_root());
    assert_eq!(console.csr(&pending).await, csr, "the request is the same after the restart");
    let reply = authority.sign(&csr);
    let certificate = console.complete(&pending, &reply.chain()).await;
    console.bind_https("/sites/1", "later.example", https, &certificate).await;
    let visitor = Visitor::trusting(&authority.root_pem());
    let connection = visitor.connect(https, "later.example").await.unwrap();
    assert_eq!(connection.fingerprint, Some(reply.fingerprint()));
}

async fn check(machine: &Machine, authority: &Authority, expected: &BTreeMap<String, (Fingerprint, String)>) {
    let visitor = Visitor::trusting(&authority.root_pem());
    for (host, (fingerprint, text)) in expected {
        let mut connection = visitor.connect(machine.https.number(), host).await.unwrap();
        assert_eq!(connection.fingerprint, Some(*fingerprint), "{host}");
        let answer = connection.fetch("/").await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{host}");
        assert!(String::from_utf8_lossy(answer.body()).contains(&format!("<h1>{text}")), "{host}");
    }
    let refused = visitor.connect(machine.https.number(), "nobody.example").await;
    assert!(refused.is_err(), "no site answers to nobody.example");
}
