//! What a newcomer finds.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use hyper::StatusCode;

use crate::harness::client::Connection;
use crate::harness::console::Console;
use crate::harness::program::Machine;
use crate::harness::team::{MAIL, NAME, PASSWORD};
use crate::harness::wait::until;

#[tokio::test]
async fn a_first_start_leads_by_a_link_to_a_console_and_serves_a_default_site() {
    let machine = Machine::new();
    let begun = Instant::now();
    let (program, mut console) = machine.set_up().await;
    let overview = console.open("/").await;
    println!("from start to the overview of the first administrator: {:?}", begun.elapsed());
    assert_eq!(overview.status, StatusCode::OK);
    assert!(overview.text("header").contains(NAME));

    let port = machine.http.number();
    let answer = Connection::in_clear(port, "anything.example").await.unwrap().fetch("/").await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(console.open("/sites").await.text("main").contains("Default Web Site"));

    let key = std::fs::read_dir(machine.data()).unwrap().map(Result::unwrap).find(|e| e.path().ends_with("master.key"));
    let mode = key.expect("a master key").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(program);
}

#[tokio::test]
async fn the_set_up_link_works_once_and_is_gone_after_a_restart() {
    let machine = Machine::new();
    let mut program = machine.start().await;
    let link = program.set_up_link().await;
    let path = link.strip_prefix(&program.console).unwrap().to_owned();
    let mut console = Console::at(&program.console, &machine.console_root());
    let form = console.open(&path).await.form("Set up and sign in");
    let form = form.with("name", NAME).with("mail", MAIL).with("password", PASSWORD);
    assert_eq!(console.submit(form.clone()).await.status, StatusCode::OK);

    let mut stranger = Console::at(&program.console, &machine.console_root());
    assert!(stranger.open(&path).await.status.is_client_error());
    assert!(stranger.send(form.with("mail", "other@alder.example")).await.status.is_client_error());

    assert!(program.stop().await.success(), "SIGTERM is no failure");
    let program = machine.start().await;
    let token = path.rsplit('/').next().unwrap();
    assert!(!program.log().contains(PASSWORD) && !program.log().contains(token), "{}", program.log());
    let mut console = Console::at(&program.console, &machine.console_root());
    let form = console.open("/").await.form("Sign in").with("mail", MAIL).with("password", PASSWORD);
    assert!(console.submit(form).await.text("header").contains(NAME));
    let rest = program.output_until_stopped().await;
    assert!(!rest.contains("Set-up link"), "{rest}");
}

#[tokio::test]
async fn whoever_can_read_the_data_directory_can_invite_somebody_by_command() {
    let machine = Machine::new();
    let (program, _) = machine.set_up().await;
    let output = machine.command(&["invite", "Ada, who lost her password"]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let path = &printed[printed.find("/join/").expect("a link")..].trim();

    let mut ada = Console::at(&program.console, &machine.console_root());
    let page = until("the running program to know the invitation", async || {
        let page = ada.open(path).await;
        (page.status == StatusCode::OK).then_some(page)
    });
    let form = page.await.form("Join and sign in");
    let form = form.with("name", "Ada Moss").with("mail", "ada@alder.example").with("password", PASSWORD);
    assert!(ada.submit(form).await.text("header").contains("Ada Moss"));
}
