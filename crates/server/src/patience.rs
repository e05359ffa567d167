//! How long it is waited for something to happen, and then again for the next.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that moves on with every progress.
#[derive(Debug)]
pub(crate) struct Patience {
    limit: Duration,
    last_progress: Instant,
    deadline: Pin<Box<Sleep>>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self { limit, last_progress: now, deadline: Box::pin(sleep_until(now + limit)) }
    }

    /// Something happened.
    pub(crate) fn renew(&mut self) {
        self.last_progress = Instant::now();
    }

    /// Ready once nothing has happened for too long.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The timer is only moved when it fires: that is once in a while, progress is all the time.
        loop {
            ready!(self.deadline.as_mut().poll(cx));
            let due = self.last_progress + self.limit;
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            self.deadline.as_mut().reset(due);
        }
    }
}
