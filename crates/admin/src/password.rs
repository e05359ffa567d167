//! Passwords: argon2id, a few at a time, off the threads that answer requests.

use std::fmt::Display;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::Failure;

/// The fewest characters of a new password.
pub(crate) const MIN_CHARACTERS: usize = 12;

/// The most bytes of a password. More is not more secure, only more work.
pub(crate) const MAX_BYTES: usize = 1024;

/// Each hash takes 19 MiB: this many at once, the others wait.
const AT_ONCE: usize = 2;

/// Hashed in place of the password of somebody who does not exist, so that the answer takes as long. Nobody's.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2l0ZXdhcmQgbm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A new password is too short, too long, or fine.
pub(crate) fn check_new(password: &str) -> Result<(), String> {
    if password.chars().count() < MIN_CHARACTERS {
        return Err(format!("Choose a password of at least {MIN_CHARACTERS} characters."));
    }
    if password.len() > MAX_BYTES {
        return Err(format!("Choose a password of at most {MAX_BYTES} bytes."));
    }
    Ok(())
}

/// Hashes and verifies passwords.
#[derive(Debug)]
pub(crate) struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Passwords {
    /// The PHC string to store.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Failure> {
        self.run(move || {
            let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(failed)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether this is the password. Takes as long where there is no `hash`.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Failure> {
        if password.len() > MAX_BYTES {
            return Ok(false);
        }
        self.run(move || {
            let known = hash.is_some();
            let hash = PasswordHash::new(hash.as_deref().unwrap_or(NOBODY)).map_err(failed)?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && known)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = self.0.clone().acquire_owned().await.map_err(failed)?;
        // The work goes on where nobody waits for it any more, and counts for as long as it does.
        let counted = move || {
            let _permit = permit;
            work()
        };
        spawn_blocking(counted).await.map_err(failed)?
    }
}

fn failed(error: impl Display) -> Failure {
    Failure::Internal(format!("working on a password: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let stored = Passwords::default().hash("correct horse battery".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(Passwords::default().verify("correct horse battery".into(), Some(stored.clone())).await.unwrap());
        assert!(!Passwords::default().verify("correct horse batterz".into(), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_still_counts() {
        let passwords = Arc::new(Passwords::default());
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (finish, may_finish) = std::sync::mpsc::channel::<()>();
        let waiting = tokio::spawn({
            let passwords = passwords.clone();
            async move {
                let work = move || {
                    begun.send(()).ok();
                    Ok(may_finish.recv().ok())
                };
                passwords.run(work).await
            }
        });
        has_begun.await.unwrap();
        waiting.abort();
        assert!(waiting.await.is_err());
        assert_eq!(passwords.0.available_permits(), AT_ONCE - 1);
        finish.send(()).unwrap();
        let all = passwords.0.acquire_many(AT_ONCE as u32).await;
        assert!(all.is_ok(), "the permit comes back with the end of the work");
    }

    #[tokio::test]
    async fn nobody_costs_as_much_as_somebody_and_never_gets_in() {
        let stored = Passwords::default().hash("correct horse battery".into()).await.unwrap();
        let costs = |hash: &str| PasswordHash::new(hash).unwrap().params.to_string();
        assert_eq!(costs(NOBODY), costs(&stored));
        assert!(!Passwords::default().verify("correct horse battery".into(), None).await.unwrap());
    }

    #[test]
    fn a_new_password_has_12_characters_and_at_most_1024_bytes() {
        assert!(check_new("elevenchars").is_err());
        assert!(check_new("twelve chars").is_ok());
        assert!(check_new("zwölf Zeichä").is_ok());
        assert!(check_new(&"x".repeat(1025)).is_err());
    }
}
