//! A certificate that serves three bindings is renewed, and its bindings return to the old one.

use crate::harness::browser::{Browser, Script};
use crate::harness::client::Visitor;
use crate::harness::console::Form;
use crate::harness::openssl::Authority;
use crate::harness::program::Machine;
use crate::harness::team::{MAIL, PASSWORD};

const HOSTS: [&str; 3] = ["archive.example", "www.archive.example", "reading.archive.example"];

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_switches_all_three_bindings_in_one_change_and_the_old_one_stays_ready() {
    let machine = Machine::new();
    let mut authority = Authority::new();
    let (program, mut console) = machine.set_up().await;
    let (http, https) = (machine.http.number(), machine.https.number());
    let folder = machine.content("archive", "Archive");
    let site = console.add_site("Archive", HOSTS[0], http, &folder).await;
    let request = Form::post("/requests/new")
        .with("step", "check")
        .with("go", "create")
        .with("name", "Archive 2026")
        .with("key", "rsa-2048")
        .with("organization", "Alder & Finch Ltd")
        .with("common_name", HOSTS[0])
        .with("names", &HOSTS[1..].join("\n"));
    let request = console.save(request).await;
    let first = authority.sign(&console.csr(&request).await);
    let old = console.complete(&request, &first.chain()).await;
    for host in HOSTS {
        console.bind_https(&site, host, https, &old).await;
    }
    let visitor = Visitor::trusting(&authority.root_pem());
    let all_serve = async |reply: &crate::harness::openssl::Reply| {
        for host in HOSTS {
            let shown = visitor.connect(https, host).await.unwrap().fingerprint;
            assert_eq!(shown, Some(reply.fingerprint()), "{host}");
        }
    };
    all_serve(&first).await;

    let browser = Browser::start(&[&machine.data().join("console-root.pem")], Script::Off).await;
    browser.visit(&format!("{}{old}", program.console)).await;
    browser.types("mail", MAIL).await;
    browser.types("password", PASSWORD).await;
    browser.presses("Sign in").await;
    browser.sees(HOSTS[0]).await;
    browser.presses("Renew with the same answers").await;
    browser.sees("Your certificate request is ready to send").await;
    let address = browser.driver.current_url().await.unwrap();
    let renewal = address.path().to_owned();
    let asked = authority.verify_request(&console.csr(&renewal).await);
    for host in HOSTS {
        assert!(asked.contains(&format!("DNS:{host}")), "{asked}");
    }
    assert!(asked.contains("O=Alder & Finch Ltd"), "{asked}");

    let second = authority.sign(&console.csr(&renewal).await);
    let before = machine.revision().await;
    let new = console.complete(&renewal, &second.chain()).await;
    assert_eq!(machine.revision().await, before + 1, "one change");
    all_serve(&second).await;

    browser.visit(&format!("{}{new}", program.console)).await;
    assert!(browser.text().await.contains("Renews\nArchive 2026"), "{}", browser.text().await);
    browser.follows("Archive 2026").await;
    browser.presses("Serve this one again").await;
    browser.sees(HOSTS[0]).await;
    assert!(browser.text().await.contains("This certificate is served again."));
    assert_eq!(machine.revision().await, before + 2, "one change");
    all_serve(&first).await;
    browser.quit().await;
}
