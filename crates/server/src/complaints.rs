//! Log lines that strangers can cause, kept few.

use std::hash::Hash;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

/// Lets one complaint about each subject through in ten seconds, so that nobody can fill the log with it.
#[derive(Debug)]
pub(crate) struct Complaints<K>(Cache<K, Instant>);

impl<K: Eq + Hash + Clone> Complaints<K> {
    const PAUSE: Duration = Duration::from_secs(10);

    pub(crate) fn new() -> Self {
        Self(Cache::new(1_024))
    }

    /// Whether a complaint about `subject` is due.
    pub(crate) fn due(&self, subject: K) -> bool {
        let now = Instant::now();
        if self.0.get(&subject).is_some_and(|last| now.duration_since(last) < Self::PAUSE) {
            return false;
        }
        self.0.insert(subject, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subject_is_complained_of_once_and_another_not_kept_back_by_it() {
        let complaints = Complaints::new();
        assert!(complaints.due("shop"));
        assert!(!complaints.due("shop"));
        assert!(complaints.due("books"));
    }
}
