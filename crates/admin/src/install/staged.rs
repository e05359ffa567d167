//! What was brought and is not installed yet. It may hold private keys: it is kept in memory only, never sent back, and
//! wiped when it is used, when its session ends, and after a quarter of an hour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use siteward_core::intake::{self, Found, IntakeError};
use siteward_core::ledger::UserId;
use siteward_core::store::{RequestId, token};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

use crate::brought::Brought;
use crate::error::Failure;

/// How long it is kept.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// The most that one person has waiting; the oldest makes way.
const MAX_OF_ONE: usize = 5;

/// The most that all together have waiting, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How many are opened at once: hashing a password takes a processor for itself.
const AT_ONCE: usize = 2;

/// One delivery.
pub(crate) struct Staged {
    /// The request on whose page it was dropped.
    pub(crate) request: Option<RequestId>,
    pub(crate) content: Content,
}

/// What is known of a delivery.
pub(crate) enum Content {
    /// It is protected by a password.
    Locked(Arc<Brought>),
    /// It is read.
    Open(Found),
}

impl Content {
    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        match self {
            Self::Locked(brought) => brought.len(),
            Self::Open(found) => {
                found.certificates.iter().map(|own| own.der.len() * 2).sum::<usize>() + found.keys.len() * 8192
            }
        }
    }
}

struct Entry {
    user: UserId,
    session: String,
    until: Instant,
    staged: Arc<Staged>,
}

/// Every delivery that waits, by its random token.
pub(crate) struct Staging {
    entries: Mutex<HashMap<String, Entry>>,
    opening: Arc<Semaphore>,
}

impl Default for Staging {
    fn default() -> Self {
        Self { entries: Mutex::default(), opening: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl std::fmt::Debug for Staging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Staging")
    }
}

impl Staging {
    /// Reads what was brought, off the threads that answer requests and a few at a time.
    pub(crate) async fn open(
        &self,
        brought: Arc<Brought>,
        password: Zeroizing<String>,
    ) -> Result<Result<Found, IntakeError>, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Internal(format!("reading a delivery: {error}"));
        let permit = self.opening.clone().acquire_owned().await.map_err(|error| failed(&error))?;
        // The work goes on where nobody waits for it any more, and counts for as long as it does.
        let work = move || {
            let _permit = permit;
            intake::open(&brought.parts()?, Some(&password))
        };
        spawn_blocking(work).await.map_err(|error| failed(&error))
    }

    /// Keeps a delivery for this person; its token.
    ///
    /// # Errors
    /// `Refused` where too much waits already.
    pub(crate) fn put(self: &Arc<Self>, user: UserId, session: &str, staged: Staged) -> Result<String, Failure> {
        let until = Instant::now() + LIFE;
        let token = token::random()?;
        let mut entries = self.entries();
        entries.retain(|_, entry| Instant::now() < entry.until);
        let mut own: Vec<_> = entries.iter().filter(|(_, entry)| entry.user == user).collect();
        own.sort_by_key(|(_, entry)| entry.until);
        let spare = own.len().saturating_sub(MAX_OF_ONE - 1);
        let spare: Vec<String> = own.into_iter().take(spare).map(|(token, _)| token.clone()).collect();
        spare.iter().for_each(|token| drop(entries.remove(token)));
        let waiting: usize = entries.values().map(|entry| entry.staged.content.bytes()).sum();
        if waiting + staged.content.bytes() > MAX_BYTES {
            return Err(Failure::Refused(
                "Too many deliveries wait to be installed. Install or drop one, or try again in 15 minutes.".into(),
            ));
        }
        let staged = Arc::new(staged);
        entries.insert(token.clone(), Entry { user, session: session.to_owned(), until, staged });
        drop(entries);
        let staging = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep_until(until).await;
            if let Some(staging) = staging.upgrade() {
                staging.entries().retain(|_, entry| Instant::now() < entry.until);
            }
        });
        Ok(token)
    }

    /// The delivery with this token, if it is this person's and still kept.
    pub(crate) fn get(&self, token: &str, user: UserId) -> Option<Arc<Staged>> {
        let entries = self.entries();
        let entry = entries.get(token).filter(|entry| entry.user == user && Instant::now() < entry.until)?;
        Some(entry.staged.clone())
    }

    /// Puts what was read in the place of what was locked.
    pub(crate) fn replace(&self, token: &str, staged: Staged) {
        if let Some(entry) = self.entries().get_mut(token) {
            entry.staged = Arc::new(staged);
        }
    }

    /// Wipes one delivery.
    pub(crate) fn wipe(&self, token: &str) {
        self.entries().remove(token);
    }

    /// Wipes everything that was brought in a session.
    pub(crate) fn wipe_session(&self, session: &str) {
        self.entries().retain(|_, entry| entry.session != session);
    }

    /// Wipes everything of a person but what was brought in the session `keep`: the others have ended.
    pub(crate) fn wipe_others(&self, user: UserId, keep: &str) {
        self.entries().retain(|_, entry| entry.user != user || entry.session == keep);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(bytes: usize) -> Staged {
        Staged { request: None, content: Content::Locked(Arc::new(Brought::of(&vec![b'x'; bytes]))) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_is_kept_for_one_person_and_a_quarter_of_an_hour() {
        let staging = Arc::new(Staging::default());
        let token = staging.put(1, "session", delivery(10)).unwrap();
        assert!(staging.get(&token, 1).is_some());
        assert!(staging.get(&token, 2).is_none());
        assert!(staging.get("another", 1).is_none());
        tokio::time::advance(LIFE - Duration::from_secs(1)).await;
        assert!(staging.get(&token, 1).is_some());
        tokio::time::advance(Duration::from_secs(2)).await;
        tokio::task::yield_now().await;
        assert!(staging.entries().is_empty(), "it is wiped though nobody asks for it");
    }

    #[tokio::test]
    async fn a_delivery_is_wiped_with_its_session() {
        let staging = Arc::new(Staging::default());
        let token = staging.put(1, "session", delivery(10)).unwrap();
        staging.wipe_session("another");
        assert!(staging.get(&token, 1).is_some());
        staging.wipe_session("session");
        assert!(staging.get(&token, 1).is_none());
    }

    #[tokio::test]
    async fn a_delivery_is_wiped_with_the_other_sessions_of_its_person() {
        let staging = Arc::new(Staging::default());
        let put = |user, session| staging.put(user, session, delivery(10)).unwrap();
        let (here, elsewhere, another) = (put(1, "here"), put(1, "elsewhere"), put(2, "theirs"));
        staging.wipe_others(1, "here");
        assert!(staging.get(&here, 1).is_some() && staging.get(&another, 2).is_some());
        assert!(staging.get(&elsewhere, 1).is_none());
    }

    #[tokio::test]
    async fn what_waits_is_bounded_for_each_person_and_for_all() {
        let staging = Arc::new(Staging::default());
        let tokens: Vec<_> = (0..MAX_OF_ONE + 1).map(|_| staging.put(1, "s", delivery(10)).unwrap()).collect();
        assert!(staging.get(&tokens[0], 1).is_none(), "the oldest makes way");
        assert!(tokens[1..].iter().all(|token| staging.get(token, 1).is_some()));
        let large = MAX_BYTES / 8;
        let kept = (2..20).filter(|user| staging.put(*user, "s", delivery(large)).is_ok()).count();
        assert_eq!(kept, 7, "and then too much is refused");
    }
}
