//! A certificate comes in whatever form, and is served: a CA's bundle in a wrong order, a PFX of an old server.

use crate::harness::browser::Script;
use crate::harness::desk::Desk;

const HOSTS: [&str; 1] = ["shop.example"];

#[tokio::test(flavor = "multi_thread")]
async fn a_p7b_in_a_wrong_order_is_dropped_on_its_request_and_served() {
    drop_a_p7b(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_p7b_in_a_wrong_order_is_dropped_on_its_request_and_served_with_javascript_off() {
    drop_a_p7b(Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pfx_of_an_old_server_is_asked_for_its_password_and_served() {
    drop_a_pfx(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pfx_of_an_old_server_is_asked_for_its_password_and_served_with_javascript_off() {
    drop_a_pfx(Script::Off).await;
}

async fn drop_a_p7b(script: Script) {
    let mut desk = Desk::new(script, &HOSTS).await;
    let request = desk.request().await;
    let reply = desk.answers(&request).await;
    desk.installs(&reply).await;
    desk.expect_served(&reply).await;
    desk.browser.quit().await;
}

async fn drop_a_pfx(script: Script) {
    let mut desk = Desk::new(script, &HOSTS).await;
    let reply = desk.brings_a_pfx().await;
    desk.installs(&reply).await;
    desk.expect_served(&reply).await;
    desk.browser.quit().await;
}
