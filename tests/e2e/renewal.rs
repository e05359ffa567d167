//! From a CA's reply to its renewal and back, for a site with three bindings.

use crate::harness::browser::Script;
use crate::harness::desk::{Desk, FROM_THE_PFX};

const HOSTS: [&str; 3] = ["archive.example", "www.archive.example", "reading.archive.example"];

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_then_a_pfx_then_its_renewal_switch_three_bindings_in_one_change_each_and_the_old_one_stays_ready() {
    let mut desk = Desk::new(Script::On, &HOSTS).await;
    let request = desk.request().await;
    let first = desk.answers(&request).await;
    let before = desk.machine.revision().await;
    desk.installs(&first).await;
    assert_eq!(desk.machine.revision().await, before + 1, "one change");
    desk.expect_served(&first).await;

    let old = desk.brings_a_pfx().await;
    let certificate = desk.installs(&old).await;
    assert_eq!(desk.machine.revision().await, before + 2, "one change");
    desk.expect_served(&old).await;

    let console = desk.program.console.clone();
    desk.browser.visit(&format!("{console}{certificate}")).await;
    desk.browser.presses("Renew with the same answers").await;
    desk.browser.sees("Your certificate request is ready to send").await;
    let renewal = desk.browser.driver.current_url().await.unwrap().path().to_owned();
    let asked = desk.authority.verify_request(&desk.console.csr(&renewal).await);
    for words in HOSTS.map(|host| format!("DNS:{host}")).iter().map(String::as_str).chain(["O=Alder & Finch Ltd"]) {
        assert!(asked.contains(words), "no {words} in {asked}");
    }
    let new = desk.answers(&renewal).await;
    let before = desk.machine.revision().await;
    let renewed = desk.installs(&new).await;
    assert_eq!(desk.machine.revision().await, before + 1, "one change");
    desk.expect_served(&new).await;

    desk.browser.visit(&format!("{console}{renewed}")).await;
    desk.browser.follows(FROM_THE_PFX).await;
    assert!(desk.browser.text().await.contains("This one is kept ready, with its key"));
    desk.browser.presses("Serve this one again").await;
    assert!(desk.browser.text().await.contains("This certificate is served again."));
    assert_eq!(desk.machine.revision().await, before + 2, "one change");
    desk.expect_served(&old).await;
    desk.browser.quit().await;
}
