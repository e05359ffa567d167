//! Fetching the revocation lists of the CAs on trust lists, when they are due.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, LOCATION, USER_AGENT};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use siteward_core::ledger::Author;
use siteward_core::store::{DueCrl, Store};
use siteward_core::trust_list::{Crl, CrlAddress};
use time::OffsetDateTime;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// How often it is looked whether a list is due, also where nothing changed.
const EVERY: Duration = Duration::from_secs(60);

/// How long one list may take, from the first name that is looked up to its last byte.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one address of a host may take to be reached, and how many of them are tried: one of IPv6 that leads nowhere is
/// no reason not to try that of IPv4.
const TO_CONNECT: Duration = Duration::from_secs(10);
const MAX_ADDRESSES: usize = 4;

/// How often an answer may send on to another address.
const REDIRECTS: usize = 3;

/// Lists that are fetched at the same time.
const AT_ONCE: usize = 8;

/// How long after its rest a list that was not asked for again is forgotten: longer than any goes on being due.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);

/// Fetches what is due: at once where an address was just set, and otherwise in time before the last list runs out. One CA
/// that takes its time keeps no other waiting, as long as there are few such.
pub(crate) async fn keep_fetched(store: Store) {
    let mut sites = store.sites();
    let mut minutes = interval(EVERY);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fetching = Fetching::default();
    loop {
        tokio::select! {
            _ = minutes.tick() => {}
            changed = sites.changed() => if changed.is_none() { return },
            Some(ended) = fetching.tasks.join_next_with_id() => fetching.ended(ended, Instant::now()),
        }
        match store.list_due_crls(OffsetDateTime::now_utc(), AT_ONCE + fetching.len()).await {
            Ok(due) => fetching.start(&store, due, Instant::now()),
            Err(error) => tracing::error!(%error, "whether revocation lists are due can't be read"),
        }
    }
}

/// The lists that are being fetched.
#[derive(Default)]
struct Fetching {
    /// Each tells whether it was kept what came of it.
    tasks: JoinSet<bool>,
    lists: HashMap<Id, DueCrl>,
    /// What could not be kept: it is still due, and its CA must not be asked without end.
    rested: Vec<Rested>,
}

/// A list that is left alone for a while, the longer the more often it failed.
struct Rested {
    due: DueCrl,
    failures: i64,
    until: Instant,
}

impl Fetching {
    /// Begins with those of `due` that are not under way, as far as there is room.
    fn start(&mut self, store: &Store, due: Vec<DueCrl>, now: Instant) {
        self.rested.retain(|own| now < own.until + FORGOTTEN);
        for due in due {
            if self.lists.len() < AT_ONCE && !self.lists.values().any(|own| *own == due) && !self.rests(&due, now) {
                let task = self.tasks.spawn(fetch_and_keep(store.clone(), due.clone()));
                self.lists.insert(task.id(), due);
            }
        }
    }

    fn rests(&self, due: &DueCrl, now: Instant) -> bool {
        self.rested.iter().any(|own| own.due == *due && now < own.until)
    }

    fn ended(&mut self, ended: Result<(Id, bool), JoinError>, now: Instant) {
        let (id, is_kept) = ended.unwrap_or_else(|error| (error.id(), false));
        let Some(due) = self.lists.remove(&id) else { return };
        let before = self.rested.iter().position(|own| own.due == due).map(|at| self.rested.swap_remove(at));
        if !is_kept {
            let failures = before.map_or(0, |own| own.failures + 1);
            self.rested.push(Rested { due, failures, until: now + DueCrl::rest(failures).unsigned_abs() });
        }
    }

    fn len(&self) -> usize {
        self.lists.len() + self.rested.len()
    }
}

/// Whether it was kept what came of it.
async fn fetch_and_keep(store: Store, due: DueCrl) -> bool {
    let fetched = match timeout(PATIENCE, fetch(due.address.clone())).await {
        Ok(fetched) => fetched,
        Err(_) => Err(format!("It did not come within {} seconds.", PATIENCE.as_secs())),
    };
    let by = Author::siteward(OffsetDateTime::now_utc());
    let kept = store.keep_fetched_crl(&due, fetched, &by).await;
    match &kept {
        Ok(None) => {}
        Ok(Some(why)) => tracing::warn!(address = %due.address, why, "a revocation list could not be fetched"),
        Err(error) => tracing::error!(%error, address = %due.address, "a revocation list could not be kept"),
    }
    kept.is_ok()
}

/// What is found at an address, or why not, as a sentence.
async fn fetch(mut address: CrlAddress) -> Result<Vec<u8>, String> {
    for _ in 0..=REDIRECTS {
        match ask(&address).await? {
            Answer::List(list) => return Ok(list),
            Answer::Elsewhere(location) => {
                let next = address.join(&location);
                address = next.map_err(|_| "The server sends on to an address that is not asked.".to_owned())?;
            }
        }
    }
    Err("The server sends on from one address to the next without end.".into())
}

enum Answer {
    List(Vec<u8>),
    Elsewhere(String),
}

/// Asks once, over HTTP/1.1. Nothing of the answer is trusted but the signature on the list.
async fn ask(address: &CrlAddress) -> Result<Answer, String> {
    let unreachable = |error: &dyn std::fmt::Display| format!("{} could not be reached: {error}.", address.host());
    let found = lookup_host(address.to_connect()).await.map_err(|error| unreachable(&error))?;
    let stream = connect(found, TO_CONNECT).await.map_err(|error| unreachable(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
    let mut connections = JoinSet::new(); // ends with this function, whatever the server does
    connections.spawn(connection);
    let request = Request::get(address.target())
        .header(HOST, address.host())
        .header(USER_AGENT, HeaderValue::from_static("Siteward"))
        .header(ACCEPT, HeaderValue::from_static("application/pkix-crl, */*;q=0.1"))
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
    if answer.status().is_redirection() {
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        return location.map(|to| Answer::Elsewhere(to.to_owned())).ok_or_else(|| said(answer.status()));
    }
    if answer.status() != StatusCode::OK {
        return Err(said(answer.status()));
    }
    let body = Limited::new(answer.into_body(), Crl::MAX_LEN).collect().await;
    let body = body.map_err(|error| format!("It broke off, or is longer than 16 MB: {error}."))?;
    Ok(Answer::List(body.to_bytes().to_vec()))
}

/// A connection to the first of these addresses that answers within `patience`.
async fn connect(addresses: impl Iterator<Item = SocketAddr>, patience: Duration) -> Result<TcpStream, String> {
    let mut why = "its name has no address".to_owned();
    for address in addresses.take(MAX_ADDRESSES) {
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = format!("{} did not answer within {} seconds", address.ip(), patience.as_secs()),
        }
    }
    Err(why)
}

fn said(status: StatusCode) -> String {
    format!("The server answered {status}.")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(300);

    /// A place that takes no more connections, and the ones that fill it: who knocks there waits.
    async fn deaf() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(address)).await {
            waiting.push(stream);
        }
        (address, listener, waiting)
    }

    #[tokio::test]
    async fn what_can_t_be_kept_is_left_alone_the_longer_the_more_often_and_free_once_it_is_kept() {
        let due = DueCrl { ca: 1, address: CrlAddress::parse("http://pki.example/ca.crl").unwrap() };
        let (mut fetching, mut now) = (Fetching::default(), Instant::now());
        for (is_kept, minutes) in [(false, 5), (false, 10), (true, 0), (false, 5)] {
            let task = fetching.tasks.spawn(async move { is_kept });
            fetching.lists.insert(task.id(), due.clone());
            let ended = fetching.tasks.join_next_with_id().await.unwrap();
            fetching.ended(ended, now);
            let rest = Duration::from_secs(60 * minutes);
            assert_eq!((fetching.lists.len(), fetching.rests(&due, now)), (0, !is_kept));
            now += rest;
            assert!(is_kept || fetching.rests(&due, now - Duration::from_secs(1)), "{minutes} minutes");
            assert!(!fetching.rests(&due, now), "{minutes} minutes");
        }
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_is_passed_over() {
        let (deaf, _listener, _waiting) = deaf().await;
        let alive = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let alive = alive.local_addr().map(|address| (address, alive)).unwrap();
        let stream = connect([deaf, alive.0].into_iter(), PATIENCE).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive.0);
        let why = connect([deaf].into_iter(), PATIENCE).await.unwrap_err();
        assert!(why.starts_with("127.0.0.1 did not answer"), "{why}");
        assert_eq!(connect([].into_iter(), PATIENCE).await.unwrap_err(), "its name has no address");
    }
}
