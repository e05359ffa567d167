//! Two processes on one database file.

use std::time::{Duration, Instant};

use hyper::StatusCode;

use crate::harness::client::Connection;
use crate::harness::program::Machine;
use crate::harness::wait::until;

#[tokio::test]
async fn a_change_by_one_process_is_served_by_the_other_within_a_second() {
    let machine = Machine::new();
    let (_serving, console) = machine.set_up().await;
    let other = machine.start().await;
    let mut console = console.moved(&other.console, &machine.console_root());

    let port = machine.http.number();
    let mut slowest = Duration::ZERO;
    for round in 0..5 {
        let (host, text) = (format!("shop{round}.example"), format!("Shop {round}"));
        console.add_site(&text, &host, port, &machine.content(&host, &text)).await;
        let saved = Instant::now();
        until("the other process to serve the new site", async || {
            let answer = Connection::in_clear(port, &host).await.ok()?.fetch("/").await.ok()?;
            let served =
                answer.status() == StatusCode::OK && answer.body().windows(text.len()).any(|w| w == text.as_bytes());
            served.then_some(())
        })
        .await;
        slowest = slowest.max(saved.elapsed());
    }
    println!("a change of another process was served after at most {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
