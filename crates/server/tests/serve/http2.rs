//! The same over HTTP/2.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{World, connect, free_port};

pub(crate) type Client = SendRequest<Empty<Bytes>>;

pub(crate) async fn client(world: &World, port: u16, host: &str) -> Client {
    client_with(world.visitor(rustls::ALL_VERSIONS).await, port, host).await
}

pub(crate) async fn client_with(mut visitor: ClientConfig, port: u16, host: &str) -> Client {
    visitor.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(visitor, port, host).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) async fn ask(client: &mut Client, method: Method, uri: &str) -> Response<Incoming> {
    let request = Request::builder().method(method).uri(uri).body(Empty::new()).unwrap();
    client.send_request(request).await.unwrap()
}

pub(crate) async fn text(answer: Response<Incoming>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let world = World::start().await;
    let https = free_port();
    world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let client = client(&world, https, "shop.example").await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let mut client = client.clone();
        asking.spawn(async move {
            let answer = ask(&mut client, Method::GET, "https://shop.example/").await;
            assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
            text(answer).await
        });
    }
    for answer in asking.join_all().await {
        assert_eq!(answer, "content of Bookshop");
    }
}

#[tokio::test]
async fn head_has_a_length_and_no_body() {
    let world = World::start().await;
    let https = free_port();
    world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let mut client = client(&world, https, "shop.example").await;
    for (uri, length) in [("https://shop.example/", Some("19")), ("https://shop.example/none", None)] {
        let answer = ask(&mut client, Method::HEAD, uri).await;
        let told = answer.headers().get("content-length").unwrap().to_str().unwrap().to_owned();
        assert!(length.is_none_or(|length| length == told), "{uri}: {told}");
        assert_eq!(text(answer).await, "", "{uri}");
    }
}

#[tokio::test]
async fn another_site_s_authority_gets_421_and_the_connection_lives_on() {
    let world = World::start().await;
    let https = free_port();
    world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    world.secured_site("Maps", "maps.example", free_port(), https).await;
    let mut client = client(&world, https, "shop.example").await;
    for uri in ["https://maps.example/", "https://other.example/", "https://127.0.0.1/"] {
        let answer = ask(&mut client, Method::GET, uri).await;
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{uri}");
    }
    assert_eq!(text(ask(&mut client, Method::GET, "https://shop.example/").await).await, "content of Bookshop");
}

#[tokio::test]
async fn a_host_field_that_differs_from_the_authority_gets_400() {
    let world = World::start().await;
    let https = free_port();
    world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let mut client = client(&world, https, "shop.example").await;
    let request = Request::get("https://shop.example/").header("host", "maps.example").body(Empty::new()).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_sent_arrives_as_it_was_announced() {
    const LENGTH: usize = 4_000_000;
    let world = World::start().await;
    let https = free_port();
    let site = world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let path = world.folder(site).join("growing.log");
    std::fs::write(&path, vec![b'x'; LENGTH]).unwrap();
    let mut client = client(&world, https, "shop.example").await;
    let answer = ask(&mut client, Method::GET, "https://shop.example/growing.log").await;
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&[b'y'; 1_000_000]).unwrap();
    assert!(text(answer).await == "x".repeat(LENGTH));
}

/// A frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET https://shop.example/` (RFC 7541).
const REQUEST: &[u8] = b"\x82\x87\x84\x41\x0cshop.example";

/// Sends frames of `flood`, by number, until the server has had enough; the reading side ends too.
async fn flood(world: &World, port: u16, flood: impl Fn(u32) -> Vec<u8>) {
    let mut visitor = world.visitor(rustls::ALL_VERSIONS).await;
    visitor.alpn_protocols = vec![b"h2".to_vec()];
    let (mut reader, mut writer) = tokio::io::split(connect(visitor, port, "shop.example").await.unwrap());
    let reading = tokio::spawn(async move {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes).await;
    });
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, &[])].concat();
    writer.write_all(&preface).await.unwrap();
    for i in 0..100_000 {
        if writer.write_all(&flood(i)).await.is_err() {
            break;
        }
    }
    tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
}

#[tokio::test]
async fn floods_of_resets_or_header_fields_end_their_connection_and_no_other() {
    let world = World::start().await;
    let https = free_port();
    world.secured_site("Bookshop", "shop.example", free_port(), https).await;
    let rapid_reset = |i: u32| {
        let stream = 2 * i + 1;
        let headers = frame(HEADERS, END_STREAM | END_HEADERS, stream, REQUEST);
        [headers, frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
    };
    let endless_fields = |i: u32| match i {
        0 => frame(HEADERS, END_STREAM, 1, REQUEST),
        // A literal field, `x` with 100 bytes (RFC 7541 §6.2.2).
        _ => frame(CONTINUATION, 0, 1, &[b"\x00\x01x\x64".as_slice(), &[b'a'; 100]].concat()),
    };
    flood(&world, https, rapid_reset).await;
    flood(&world, https, endless_fields).await;
    let mut client = client(&world, https, "shop.example").await;
    assert_eq!(text(ask(&mut client, Method::GET, "https://shop.example/").await).await, "content of Bookshop");
}
