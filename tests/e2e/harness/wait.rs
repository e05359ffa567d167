//! Waiting for what is meant, with a deadline, instead of for a time.

use std::time::Duration;

use tokio::time::{interval, timeout};

/// Long enough for a loaded machine; nothing that works takes nearly as long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Tries until `attempt` gives a value. Panics with `what` after [`DEADLINE`].
pub(crate) async fn until<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let mut tick = interval(Duration::from_millis(10));
    let tries = async {
        loop {
            tick.tick().await;
            if let Some(value) = attempt().await {
                return value;
            }
        }
    };
    within(what, tries).await
}

/// Waits for `future`. Panics with `what` after [`DEADLINE`].
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited {DEADLINE:?} for {what}"))
}
