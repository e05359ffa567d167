//! Alone in its process, because it takes all descriptors away.

#![expect(clippy::unwrap_used, reason = "what fails in a test fails the test")]

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroU16;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use siteward_core::binding::{Place, Protocol};
use siteward_core::host::HostPattern;
use siteward_core::ssl::RequireSsl;
use siteward_core::status::Reporter;
use siteward_core::store::{Folder, NewSite};
use siteward_core::testing::{TestStore, tester};
use siteward_server::{Limits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";

async fn ask(address: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(REQUEST).await?;
    Ok(stream)
}

async fn status_line(stream: &mut TcpStream) -> String {
    let mut line = vec![0; 12];
    stream.read_exact(&mut line).await.unwrap();
    String::from_utf8(line).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_out_of_descriptors_answers_again_once_there_are_some_and_does_not_spin_meanwhile() {
    let test = TestStore::open().await;
    let (reporter, status) = Reporter::new();
    let _server = Server::start(test.store.clone(), reporter, Limits::default());
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let place = Place {
        protocol: Protocol::Http,
        ip: Some(address.ip()),
        port: NonZeroU16::new(port).unwrap(),
        host: HostPattern::Any,
    };
    let new = NewSite { name: "Shop".into(), folder: Folder::Own, bindings: vec![place], require_ssl: RequireSsl::Off };
    test.store.create_site(new, &tester()).await.unwrap();
    status.reached(test.store.table().revision()).await;
    assert_eq!(status_line(&mut ask(address).await.unwrap()).await, "HTTP/1.1 200");

    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(200), maximum: limit.maximum }).unwrap();
    let mut taken = Vec::new();
    // Connections from before may still be closing; what they give back is taken too.
    let (mut visitor, before) = loop {
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        taken.pop(); // for one visitor; the server finds none for its end of the connection
        // Somebody else in this process, such as a client of a receipt, may have been faster.
        let Ok(mut visitor) = ask(address).await else { continue };
        let before = processor_time();
        let early = tokio::time::timeout(Duration::from_millis(500), status_line(&mut visitor)).await;
        if early.is_err() {
            break (visitor, before);
        }
    };
    let spent = processor_time() - before;
    assert!(spent < Duration::from_millis(250), "{spent:?} of 500 ms spent on nothing");

    drop(taken);
    let answered = tokio::time::timeout(Duration::from_secs(1), status_line(&mut visitor)).await;
    assert_eq!(answered.expect("within a second"), "HTTP/1.1 200");
}

/// What this process has used so far.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}
