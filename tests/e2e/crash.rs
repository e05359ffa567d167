//! `kill -9` in the middle of writes.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

use hyper::StatusCode;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::harness::client::Connection;
use crate::harness::console::{Console, Form};
use crate::harness::program::Machine;
use crate::harness::wait::within;

const KILLS: usize = 50;
const WRITERS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn after_fifty_kills_in_the_middle_of_writes_everything_reported_saved_is_there() {
    let machine = Machine::new();
    let (mut program, mut console) = machine.set_up().await;
    let folder = machine.content("all", "Any site");
    let mut saved = BTreeSet::new();

    for kill in 0..KILLS {
        let (report, mut reported) = unbounded_channel();
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let first = format!("k{kill}w{writer}");
            writers.spawn(add_sites(console.another(), first, machine.http.number(), folder.clone(), report.clone()));
        }
        drop(report);
        // The kill comes right after some answer, while the other writers wait for theirs.
        for _ in 0..1 + RandomState::new().hash_one(kill) % 12 {
            saved.insert(within("a saved site", reported.recv()).await.expect("writers go on until the kill"));
        }
        program.kill().await;
        writers.join_all().await;
        while let Some(name) = reported.recv().await {
            saved.insert(name);
        }

        assert_eq!(machine.query("PRAGMA integrity_check").await, "ok\n", "after kill {kill}");
        program = machine.start().await;
        console = console.moved(&program.console, &machine.console_root());
        let stored = machine.query("SELECT name FROM sites").await;
        let stored: BTreeSet<String> = stored.lines().map(str::to_owned).collect();
        let lost: Vec<_> = saved.difference(&stored).collect();
        assert!(lost.is_empty(), "kill {kill} lost {lost:?}");
    }
    for name in &saved {
        let host = format!("{name}.example");
        let mut connection = Connection::in_clear(machine.http.number(), &host).await.unwrap();
        let answer = connection.fetch("/").await.unwrap();
        assert!(String::from_utf8_lossy(answer.body()).contains("Any site"), "{host} is served");
    }
    let shown = console.open("/sites?f=k0w").await;
    assert_eq!(shown.status, StatusCode::OK, "the session is kept too");
    println!("{KILLS} kills, {} sites reported saved, none lost", saved.len());
}

/// Adds one site after another until the program dies, and reports each that it was told is saved.
async fn add_sites(mut console: Console, prefix: String, port: u16, folder: PathBuf, report: UnboundedSender<String>) {
    for number in 0.. {
        let name = format!("{prefix}n{number}");
        let form = Form::post("/sites/new")
            .with("name", &name)
            .with("host", &format!("{name}.example"))
            .with("port", &port.to_string())
            .with("place", "at")
            .with("folder", &folder.display().to_string())
            .with("ssl", "off");
        let Ok(page) = console.try_send(form).await else { return };
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.refusals().join(" "));
        report.send(name).expect("the journey listens");
    }
}
