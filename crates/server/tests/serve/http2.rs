//! The same over HTTP/2.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::world::{World, connect, free_port};

type Client = SendRequest<Empty<Bytes>>;

async fn client(world: &World, port: u16, host: &str) -> Client {
    let mut visitor = world.visitor(rustls::ALL_VERSIONS).await;
    visitor.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(visitor, port, host).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(client: &mut Client, method: Method, uri: &str) -> Response<Incoming> {
    let request = Request::builder().method(method).uri(uri).body(Empty::new()).unwrap();
    client.send_request(request).await.unwrap()
}

async fn text(answer: Response<Incoming>) -> String {
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
