//! Sites that wait to be tried, each at most once.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use siteward_core::site::SiteId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// First come, first served; never longer than there are sites.
#[derive(Debug)]
pub(super) struct Line {
    end: UnboundedSender<SiteId>,
    front: tokio::sync::Mutex<UnboundedReceiver<SiteId>>,
    waiting: Mutex<HashSet<SiteId>>,
}

impl Line {
    pub(super) fn new() -> Self {
        let (end, front) = unbounded_channel();
        Self { end, front: tokio::sync::Mutex::new(front), waiting: Mutex::default() }
    }

    /// Lines a site up, unless it waits already.
    pub(super) fn push(&self, site: SiteId) {
        if self.waiting().insert(site) {
            // Fails only without the receiver, which lives as long as this.
            let _ = self.end.send(site);
        }
    }

    /// Waits for the next.
    pub(super) async fn next(&self) -> Option<SiteId> {
        let site = self.front.lock().await.recv().await?;
        self.waiting().remove(&site);
        Some(site)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    pub(super) fn has(&self, site: SiteId) -> bool {
        self.waiting().contains(&site)
    }

    fn waiting(&self) -> MutexGuard<'_, HashSet<SiteId>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_site_that_waits_is_not_lined_up_twice_and_later_again() {
        let line = Line::new();
        [7, 3, 7].into_iter().for_each(|site| line.push(site));
        assert_eq!((line.next().await, line.next().await), (Some(7), Some(3)));
        line.push(7);
        assert_eq!(line.next().await, Some(7));
        assert!(!line.has(7));
    }
}
