//! Fetching the revocation lists of the CAs on trust lists, when they are due.

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
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often it is looked whether a list is due, also where nothing changed.
const EVERY: Duration = Duration::from_secs(60);

/// How long one list may take, from the first name that is looked up to its last byte.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often an answer may send on to another address.
const REDIRECTS: usize = 3;

/// Lists that are fetched at the same time.
const AT_ONCE: i64 = 8;

/// Fetches what is due: at once where an address was just set, and otherwise in time before the last list runs out.
pub(crate) async fn keep_fetched(store: Store) {
    let mut sites = store.sites();
    let mut minutes = interval(EVERY);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = minutes.tick() => {}
            changed = sites.changed() => if changed.is_none() { return },
        }
        let due = match store.list_due_crls(OffsetDateTime::now_utc(), AT_ONCE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "whether revocation lists are due can't be read");
                continue;
            }
        };
        let mut fetching: JoinSet<()> = due.into_iter().map(|due| fetch_and_keep(store.clone(), due)).collect();
        while fetching.join_next().await.is_some() {}
    }
}

async fn fetch_and_keep(store: Store, due: DueCrl) {
    let fetched = match timeout(PATIENCE, fetch(due.address.clone())).await {
        Ok(fetched) => fetched,
        Err(_) => Err(format!("It did not come within {} seconds.", PATIENCE.as_secs())),
    };
    let by = Author::siteward(OffsetDateTime::now_utc());
    match store.keep_fetched_crl(&due, fetched, &by).await {
        Ok(None) => {}
        Ok(Some(why)) => tracing::warn!(address = %due.address, why, "a revocation list could not be fetched"),
        Err(error) => tracing::error!(%error, address = %due.address, "a revocation list could not be kept"),
    }
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
    let stream = TcpStream::connect(address.to_connect()).await.map_err(|error| unreachable(&error))?;
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

fn said(status: StatusCode) -> String {
    format!("The server answered {status}.")
}
