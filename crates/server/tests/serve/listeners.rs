//! Ports open and close as bindings come and go.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Duration;

use siteward_core::binding::{Place, Protocol};
use siteward_core::status::Listening;
use siteward_core::store::BindingDraft;
use siteward_core::table::Listen;
use siteward_core::testing::tester;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{Reply, World, clear, exchange, free_port, get, local, place};

/// Bytes that fit into no socket's buffers, so that sending them waits for the reader.
const LARGE: usize = 40_000_000;

/// Asks on a connection that stays open, and reads the answer.
async fn ask(stream: &mut TcpStream) -> String {
    let request = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("content of Bookshop") {
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).await.unwrap();
        assert_ne!(read, 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    answer
}

/// Begins a download that can't end before it is read on.
async fn begin_download(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(local(port)).await.unwrap();
    stream.write_all(get("shop.example", "/large.bin").as_bytes()).await.unwrap();
    stream.readable().await.unwrap();
    stream
}

#[tokio::test]
async fn a_port_opens_and_closes_with_its_binding_and_its_neighbour_feels_nothing() {
    let world = World::start().await;
    let (stays, goes) = (free_port(), free_port());
    let site = world.site("Bookshop", "shop.example", stays).await;
    let mut neighbour = TcpStream::connect(local(stays)).await.unwrap();
    ask(&mut neighbour).await;

    let binding = world.bind(site, place(Protocol::Http, goes, "shop.example"), None).await;
    let mut visitor = TcpStream::connect(local(goes)).await.unwrap();
    ask(&mut visitor).await;
    world.unbind(site, binding).await;
    assert!(TcpStream::connect(local(goes)).await.is_err(), "the port is closed");
    let mut rest = Vec::new();
    let _ = visitor.read_to_end(&mut rest).await; // an idle connection of a closed port ends at once
    assert_eq!(rest, b"");

    ask(&mut neighbour).await;
}

#[tokio::test]
async fn a_request_under_way_is_finished_when_its_port_closes() {
    let world = World::start().await;
    let (stays, goes) = (free_port(), free_port());
    let site = world.site("Bookshop", "shop.example", stays).await;
    std::fs::write(world.folder(site).join("large.bin"), vec![b'x'; LARGE]).unwrap();
    let binding = world.bind(site, place(Protocol::Http, goes, "shop.example"), None).await;
    let mut download = begin_download(goes).await;
    world.unbind(site, binding).await;
    assert!(TcpStream::connect(local(goes)).await.is_err());
    let reply = Reply::read(&mut download).await;
    assert_eq!((reply.status, reply.body.len()), (200, LARGE));
}

#[tokio::test]
async fn a_port_in_use_is_reported_with_its_cause_and_opened_when_it_is_free() {
    let world = World::start().await;
    let other_program = TcpListener::bind(local(0)).unwrap();
    let port = other_program.local_addr().unwrap().port();
    world.site("Bookshop", "shop.example", port).await;
    let listening = world.status.listening();
    let (listen, state) = listening.first_key_value().unwrap();
    assert_eq!(listen.port, port);
    assert_eq!(*state, Listening::Failed(format!("Another program already uses port {port} at 127.0.0.1.")));

    drop(other_program);
    // The next reports come with a table or with a retry; a visitor just tries until the port is open.
    let opened = async {
        while TcpStream::connect(local(port)).await.is_err() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(10), opened).await.unwrap();
    assert_eq!(clear(port, get("shop.example", "/")).await.status, 200);
    assert!(world.status.listening().values().all(|state| *state == Listening::Open));
}

#[tokio::test]
async fn an_address_of_another_machine_is_reported_and_the_rest_is_served() {
    let world = World::start().await;
    let port = free_port();
    let site = world.site("Bookshop", "shop.example", port).await;
    let elsewhere = Place { ip: Some("192.0.2.1".parse().unwrap()), ..place(Protocol::Http, free_port(), "") };
    world.bind(site, elsewhere, None).await;
    let states: Vec<_> = world.status.listening().values().cloned().collect();
    assert!(states.contains(&Listening::Failed("192.0.2.1 is not an address of this machine.".into())), "{states:?}");
    assert_eq!(clear(port, get("shop.example", "/")).await.status, 200);
}

#[tokio::test]
async fn a_port_moves_from_one_address_to_all_and_back() {
    let world = World::start().await;
    let port = free_port();
    let site = world.site("Bookshop", "shop.example", port).await;
    let binding = world.store.table().site(site).unwrap().bindings[0].id;
    for ip in [None, Some("127.0.0.1".parse().unwrap()), None] {
        let place = Place { ip, ..place(Protocol::Http, port, "shop.example") };
        let draft = BindingDraft { place, certificate: None, confirmed: false };
        world.store.update_binding(site, binding, world.version(site), draft, &tester()).await.unwrap();
        world.taken_up().await;
        assert_eq!(clear(port, get("shop.example", "/")).await.status, 200, "{ip:?}");
        let over_ipv6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await;
        let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        assert_eq!(over_ipv6.is_ok(), ip.is_none() && has_ipv6, "{ip:?}");
    }
}

#[tokio::test]
async fn on_a_port_of_all_addresses_each_address_keeps_its_own_bindings() {
    let world = World::start().await;
    let port = free_port();
    world.site("Local", "", port).await;
    let everywhere = Place { ip: None, ..place(Protocol::Http, port, "") };
    let site = world.site("Everywhere", "everywhere.example", free_port()).await;
    world.bind(site, everywhere, None).await;
    assert_eq!(clear(port, get("any.example", "/")).await.text(), "content of Local");
    let stream = TcpStream::connect((Ipv4Addr::new(127, 0, 0, 2), port)).await.unwrap();
    assert_eq!(exchange(stream, get("any.example", "/")).await.text(), "content of Everywhere");
}

#[tokio::test]
async fn all_addresses_that_cannot_be_had_leave_the_single_one_served_and_are_reported() {
    let world = World::start().await;
    let port = free_port();
    let site = world.site("Bookshop", "shop.example", port).await;
    let _other_program = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)).unwrap();
    let everywhere = Place { ip: None, ..place(Protocol::Http, port, "everywhere.example") };
    let binding = world.bind(site, everywhere, None).await;
    let state = |ip| world.status.listening()[&Listen { ip, port, protocol: Protocol::Http }].clone();
    let single = Some(Ipv4Addr::LOCALHOST.into());
    let failed = Listening::Failed(format!("Another program already uses port {port}."));
    assert_eq!((state(None), state(single)), (failed.clone(), Listening::Open));
    let mut visitor = TcpStream::connect(local(port)).await.unwrap();
    ask(&mut visitor).await;

    // Further changes neither close the single address again nor forget the other.
    world.site("Maps", "maps.example", port).await;
    ask(&mut visitor).await;
    assert_eq!((state(None), state(single)), (failed, Listening::Open));
    world.unbind(site, binding).await;
    ask(&mut visitor).await;
    assert_eq!(world.status.listening().len(), 1);
}

#[tokio::test]
async fn a_port_may_change_its_protocol() {
    let world = World::start().await;
    let port = free_port();
    let site = world.site("Bookshop", "shop.example", port).await;
    let mut old = TcpStream::connect(local(port)).await.unwrap();
    ask(&mut old).await;
    let binding = world.store.table().site(site).unwrap().bindings[0].id;
    let certificate = Some(world.certificate("shop.example").await);
    let draft = BindingDraft { place: place(Protocol::Https, port, "shop.example"), certificate, confirmed: false };
    world.store.update_binding(site, binding, world.version(site), draft, &tester()).await.unwrap();
    world.taken_up().await;
    let stream = world.connect(port, "shop.example").await.unwrap();
    assert_eq!(exchange(stream, get("shop.example", "/")).await.status, 200);
    let mut rest = Vec::new();
    let _ = old.write_all(get("shop.example", "/").as_bytes()).await;
    let _ = old.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("content of"), "nothing in clear from an https port");
}

#[tokio::test]
async fn shutdown_finishes_a_request_under_way_and_lets_nobody_in() {
    let world = World::start().await;
    let port = free_port();
    let site = world.site("Bookshop", "shop.example", port).await;
    std::fs::write(world.folder(site).join("large.bin"), vec![b'x'; LARGE]).unwrap();
    let mut download = begin_download(port).await;
    let shutdown = tokio::spawn(world.server.shutdown(Duration::from_secs(20)));
    let closed = async {
        while TcpStream::connect(local(port)).await.is_ok() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
    assert!(!shutdown.is_finished());
    let reply = Reply::read(&mut download).await;
    assert_eq!((reply.status, reply.body.len()), (200, LARGE));
    tokio::time::timeout(Duration::from_secs(10), shutdown).await.unwrap().unwrap();
}

#[tokio::test]
async fn shutdown_cuts_a_request_that_does_not_end_within_the_grace() {
    let world = World::start().await;
    let port = free_port();
    let site = world.site("Bookshop", "shop.example", port).await;
    std::fs::write(world.folder(site).join("large.bin"), vec![b'x'; LARGE]).unwrap();
    let mut download = begin_download(port).await;
    tokio::time::timeout(Duration::from_secs(10), world.server.shutdown(Duration::from_millis(100))).await.unwrap();
    let mut bytes = Vec::new();
    let _ = download.read_to_end(&mut bytes).await;
    assert!(bytes.len() < LARGE);
}
