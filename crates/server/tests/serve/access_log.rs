//! The log line of each request.

use std::io;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use siteward_core::ssl::{RequireSsl, RulePath, Settings, TlsVersion};
use siteward_core::store::RuleDraft;
use siteward_core::testing::tester;

use crate::world::{World, clear, connect, free_port, get};

/// What is logged while a test runs.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Everything that is logged on this thread until the guard is dropped.
    pub(crate) fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        // Where a thread without any subscriber meets a line first, `tracing` takes it for one that nobody wants.
        static ELSEWHERE: Once = Once::new();
        ELSEWHERE.call_once(|| {
            let nowhere = tracing_subscriber::fmt().with_writer(io::sink).finish();
            tracing::subscriber::set_global_default(nowhere).unwrap();
        });
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (log, guard)
    }

    /// The lines once there are so many: one is written when its answer is sent, which its visitor may see before.
    pub(crate) async fn reach(&self, lines: usize) -> Vec<String> {
        let reached = async {
            while self.lines().len() < lines {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reached).await.expect("as many lines as requests");
        let reached = self.lines();
        assert_eq!(reached.len(), lines, "{reached:#?}");
        reached
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains("siteward::access")).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn each_request_has_one_line_with_status_and_substatus_and_without_its_query() {
    let (log, _guard) = Log::begin();
    let world = World::start().await;
    let (http, https) = (free_port(), free_port());
    let site = world.secured_site("Bookshop", "shop.example", http, https).await;
    clear(http, get("shop.example", "/?password=secret")).await;
    world.require_ssl(site, RequireSsl::Refuse).await;
    clear(http, get("shop.example", "/books?password=secret")).await;
    let secure = world.connect(https, "shop.example").await.unwrap();
    crate::world::exchange(secure, get("shop.example", "/")).await;

    let settings = Settings { min_tls: Some(TlsVersion::Tls13), ..Settings::default() };
    let draft = RuleDraft { path: RulePath::parse("/vault").unwrap(), settings, reason: String::new() };
    world.store.create_rule(site, world.version(site), draft, &tester()).await.unwrap();
    let old = connect(world.visitor(&[&rustls::version::TLS12]).await, https, "shop.example").await.unwrap();
    crate::world::exchange(old, get("shop.example", "/vault/?password=secret")).await;

    let lines = log.reach(4).await;
    for (line, parts) in lines.iter().zip([
        ["path=\"/\"", "sc-status=200 sc-substatus=0 bytes=19", "tls=\"-\""],
        ["path=\"/books\"", "sc-status=403 sc-substatus=4", "tls=\"-\""],
        ["path=\"/\"", "sc-status=200 sc-substatus=0", "tls=\"TLSv1_3\""],
        ["path=\"/vault/\"", "sc-status=403 sc-substatus=5", "tls=\"TLSv1_2\""],
    ]) {
        for part in
            parts.into_iter().chain(["site=\"Bookshop\" remote=127.0.0.1:", "method=\"GET\" host=\"shop.example\""])
        {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!line.contains("secret"), "{line}");
    }
}

#[tokio::test]
async fn nobody_can_write_a_line_of_their_own() {
    let (log, _guard) = Log::begin();
    let world = World::start().await;
    let http = free_port();
    world.site("Bookshop", "shop.example", http).await;
    clear(http, get("shop.example", "/a\"%20sc-status=200%0d%0aforged")).await;
    clear(http, "GET /\u{1b}[2J\u{85}\u{2028}x HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").await;
    clear(http, get("shop.example\tsc-substatus=4", "/")).await;
    let lines = log.lines();
    for line in &lines {
        assert_eq!(line.matches(" sc-status=").count(), 1, "{line}");
        assert!(!line.contains(char::is_control) && !line.contains('\u{2028}'), "{line:?}");
    }
    assert!(lines[0].contains(r#"path="/a\"%20sc-status"#), "{lines:#?}");
}
