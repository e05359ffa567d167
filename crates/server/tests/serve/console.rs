//! The console's own port.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use siteward_core::certificate::SubjectName;
use siteward_core::peer::Peer;
use siteward_core::testing::tester;
use siteward_server::{Limits, console};
use tower::service_fn;

use crate::world::{World, connect, exchange, get, local};

#[derive(Debug)]
struct Swapped(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Swapped {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.lock().unwrap().clone())
    }
}

/// A router that answers with the address it is asked from.
async fn who_asks(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let Peer(peer) = request.extensions().get().expect("the peer");
    Ok(Response::new(Full::from(peer.ip().to_string())))
}

#[tokio::test]
async fn it_tells_its_router_who_asks_and_shows_the_newest_certificate() {
    let world = World::start().await;
    let names = [SubjectName::parse("console.example").unwrap()];
    let first = world.store.console_certificate(&names, &tester()).await.unwrap();
    let certificate = Arc::new(Swapped(Mutex::new(first.clone())));
    let listener = TcpListener::bind(local(0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let console = console::serve(listener, certificate.clone(), service_fn(who_asks), &Limits::default()).unwrap();

    let visitor = Arc::new(world.visitor(rustls::ALL_VERSIONS).await);
    let shown = |stream: &tokio_rustls::client::TlsStream<_>| stream.get_ref().1.peer_certificates().unwrap().to_vec();
    let mut stream = connect(visitor.clone(), port, "console.example").await.unwrap();
    assert_eq!(exchange(&mut stream, get("console.example", "/")).await.text(), "127.0.0.1");
    assert_eq!(shown(&stream), first.cert);

    let second = world.store.console_certificate(&names, &tester()).await.unwrap();
    *certificate.0.lock().unwrap() = second.clone();
    let stream = connect(visitor.clone(), port, "console.example").await.unwrap();
    assert_eq!(shown(&stream), second.cert);

    drop(stream);
    console.shutdown(Duration::from_secs(10)).await.unwrap();
    assert!(connect(visitor, port, "console.example").await.is_err());
}
