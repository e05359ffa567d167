//! Every phase of a connection ends by itself, however little the other side does.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use siteward_server::Limits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::world::{World, clear, connect, exchange, free_port, get, local};

const SHORT: Duration = Duration::from_millis(300);

/// Short enough for a test: what ends within twice these ends within 30 seconds at the defaults.
fn short_limits() -> Limits {
    Limits { handshake: SHORT, first_request: SHORT, idle: SHORT, ..Limits::default() }
}

struct Ports {
    world: World,
    http: u16,
    https: u16,
}

async fn open() -> Ports {
    open_with(short_limits()).await
}

async fn open_with(limits: Limits) -> Ports {
    let world = World::with(limits).await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    std::fs::write(world.folder(site).join("large.bin"), vec![b'x'; 40_000_000]).unwrap();
    Ports { world, http, https }
}

/// Waits for the end of a connection; tells how long it took.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> Duration {
    let began = Instant::now();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "still open after {:?}", began.elapsed());
    began.elapsed()
}

#[tokio::test]
async fn connected_and_silent_ends() {
    let ports = open().await;
    for port in [ports.http, ports.https] {
        let mut stream = TcpStream::connect(local(port)).await.unwrap();
        assert!(until_closed(&mut stream).await >= SHORT / 2);
    }
}

#[tokio::test]
async fn half_a_client_hello_ends() {
    let ports = open().await;
    let mut stream = TcpStream::connect(local(ports.https)).await.unwrap();
    stream.write_all(&[22, 3, 1, 2, 0, 1, 0, 1]).await.unwrap();
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn secured_and_silent_ends() {
    let ports = open().await;
    let mut stream = ports.world.connect(ports.https, "shop.example").await.unwrap();
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn half_a_request_line_or_head_ends_even_if_it_grows_byte_by_byte() {
    let ports = open().await;
    for start in ["G", "GET / HTTP/1.1\r\nHost: shop.example\r\nX: "] {
        let stream = TcpStream::connect(local(ports.http)).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        writer.write_all(start.as_bytes()).await.unwrap();
        let dripping = tokio::spawn(async move {
            let mut every = tokio::time::interval(SHORT / 10);
            loop {
                every.tick().await;
                if writer.write_all(b"a").await.is_err() {
                    return;
                }
            }
        });
        assert!(until_closed(&mut reader).await < 10 * SHORT);
        dripping.abort();
    }
}

#[tokio::test]
async fn half_a_body_ends() {
    let ports = open().await;
    let mut stream = TcpStream::connect(local(ports.http)).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1000\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).await.unwrap();
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_cut_off_and_its_place_goes_to_the_next() {
    let ports = open_with(Limits { connections: 1, ..short_limits() }).await;
    let mut stalled = TcpStream::connect(local(ports.http)).await.unwrap();
    stalled.write_all(get("shop.example", "/large.bin").as_bytes()).await.unwrap();
    stalled.readable().await.unwrap();
    let next = tokio::time::timeout(Duration::from_secs(10), clear(ports.http, get("shop.example", "/"))).await;
    assert_eq!(next.unwrap().status, 200);
    let mut bytes = Vec::new();
    let _ = stalled.read_to_end(&mut bytes).await;
    assert!(bytes.len() < 40_000_000);
}

#[tokio::test]
async fn http2_with_a_closed_window_is_cut_off() {
    let ports = open().await;
    let mut visitor = ports.world.visitor(rustls::ALL_VERSIONS).await;
    visitor.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(visitor, ports.https, "shop.example").await.unwrap();
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(1);
    let (mut sender, connection) = builder.handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("https://shop.example/large.bin").body(Empty::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    // The client answers everything, but its window stays shut as long as the body is not read.
    let ended = tokio::time::timeout(Duration::from_secs(10), connection).await;
    assert!(ended.is_ok());
    drop(answer);
}

#[tokio::test]
async fn http2_that_only_pings_is_cut_off_with_and_without_an_answer_that_waits() {
    let ports = open().await;
    for path in ["", "large.bin"] {
        let mut visitor = ports.world.visitor(rustls::ALL_VERSIONS).await;
        visitor.alpn_protocols = vec![b"h2".to_vec()];
        let stream = connect(visitor, ports.https, "shop.example").await.unwrap();
        let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(1).timer(TokioTimer::new());
        builder.keep_alive_interval(SHORT / 10).keep_alive_while_idle(true);
        let (mut sender, connection) = builder.handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get(format!("https://shop.example/{path}")).body(Empty::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(10), connection).await;
        assert!(ended.is_ok(), "{path}");
        drop(answer);
    }
}

#[tokio::test]
async fn one_address_gets_its_share_of_the_places_and_its_further_connections_are_closed_at_once() {
    let limits = Limits { connections: 3, from_one_address: 2, ..Limits::default() };
    let ports = open_with(limits).await;
    let request = get("shop.example", "/");
    let held = [TcpStream::connect(local(ports.http)).await, TcpStream::connect(local(ports.http)).await];
    let mut third = TcpStream::connect(local(ports.http)).await.unwrap();
    assert_eq!(third.read(&mut [0]).await.unwrap_or_default(), 0, "the port has closed it");
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let other = other.connect(local(ports.http)).await.unwrap();
    assert_eq!(exchange(other, &request).await.status, 200, "another address finds the third place");
    drop(held);
    let served = async {
        loop {
            let mut stream = TcpStream::connect(local(ports.http)).await.unwrap();
            let _ = stream.write_all(request.as_bytes()).await;
            if stream.read(&mut [0]).await.unwrap_or_default() == 1 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), served).await.unwrap();
}

#[tokio::test]
async fn a_kept_connection_without_another_request_ends() {
    let ports = open().await;
    let mut stream = TcpStream::connect(local(ports.http)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await.unwrap();
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn who_is_served_steadily_is_not_cut_off() {
    let ports = open().await;
    let mut stream = TcpStream::connect(local(ports.http)).await.unwrap();
    stream.write_all(get("shop.example", "/large.bin").as_bytes()).await.unwrap();
    // Slower than the idle deadline in total, but never idle.
    let mut every = tokio::time::interval(SHORT / 20);
    let (mut total, mut bytes) = (0, vec![0; 1_000_000]);
    let began = Instant::now();
    loop {
        every.tick().await;
        match stream.read(&mut bytes).await.unwrap() {
            0 => break,
            read => total += read,
        }
    }
    assert!(total > 40_000_000);
    assert!(began.elapsed() > SHORT, "the test must take longer than the deadline");
}
