//! What follows from a receipt for the certificates that were just put in service: proven, or taken back.

use std::collections::HashSet;
use std::mem;
use std::sync::{MutexGuard, PoisonError};

use siteward_core::binding::BindingId;
use siteward_core::ledger::Author;
use siteward_core::receipt::{BindingReceipt, Cause};
use siteward_core::site::SiteId;
use siteward_core::store::{StoreError, Switch};
use time::OffsetDateTime;

use super::Shared;

/// What fresh clients say of a switch as a whole.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Each of its bindings that clients can reach is as intended: these.
    Proven(Vec<BindingId>),
    /// The certificate or the handshake is not, on one of them: the first sentence.
    Failed(String),
    /// Not each of them was tried yet, or none was reached.
    Open,
}

impl Shared {
    /// Settles the switches that touch a site: at once where a certificate was refused, otherwise when no touched site
    /// waits any more, so that a switch of many sites is not looked at as a whole after each of them.
    pub(super) async fn settle(&self, id: SiteId, is_refused: bool) {
        if is_refused {
            return self.settle_all([id]).await;
        }
        self.unsettled().insert(id);
        self.settle_waiting().await;
    }

    /// Settles what waits for the last touched site, if none waits any more.
    pub(super) async fn settle_waiting(&self) {
        if self.touched.is_empty() {
            let due = mem::take(&mut *self.unsettled());
            self.settle_all(due).await;
        }
    }

    async fn settle_all(&self, sites: impl IntoIterator<Item = SiteId>) {
        for id in sites {
            if let Err(error) = self.try_settle(id).await {
                tracing::error!(%error, "it can't be noted whether a new certificate was seen");
            }
        }
    }

    fn unsettled(&self) -> MutexGuard<'_, HashSet<SiteId>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_settle(&self, id: SiteId) -> Result<(), StoreError> {
        for switch in self.store.list_open_switches(id).await? {
            let now = OffsetDateTime::now_utc();
            match self.outcome(&switch) {
                Outcome::Proven(on) => self.store.prove_switch(switch.revision, &on, now).await?,
                Outcome::Failed(fault) => {
                    let by = Author::siteward(now);
                    if self.store.take_back(switch.revision, &fault, &by).await? {
                        tracing::warn!(fault, "a new certificate was taken back");
                    }
                }
                Outcome::Open => {}
            }
        }
        Ok(())
    }

    fn outcome(&self, switch: &Switch) -> Outcome {
        judge(switch.bindings.iter().map(|&(binding, site)| (binding, self.got(site, binding))))
    }

    /// What was got from a binding as its site is now.
    fn got(&self, site: SiteId, binding: BindingId) -> Option<BindingReceipt> {
        let receipt = self.reporter.last_receipt(site)?;
        let version = self.store.table().site(site)?.version;
        receipt.of(binding).filter(|_| receipt.version == version).cloned()
    }
}

fn judge(receipts: impl Iterator<Item = (BindingId, Option<BindingReceipt>)>) -> Outcome {
    let (mut proven, mut is_open) = (Vec::new(), false);
    for (binding, receipt) in receipts {
        let Some(receipt) = receipt else {
            is_open = true;
            continue;
        };
        if let Some(fault) = receipt.fault(|cause| cause == Cause::Certificate) {
            return Outcome::Failed(fault.to_owned());
        }
        if receipt.is_good() {
            proven.push(binding);
        }
        // What nothing leads to now holds up nothing: it is judged by itself when something does.
        is_open |= receipt.fault(|cause| cause != Cause::Port).is_some();
    }
    if is_open || proven.is_empty() { Outcome::Open } else { Outcome::Proven(proven) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siteward_core::receipt::{Attempt, Client, Verdict};

    fn got(verdicts: &[Verdict]) -> Option<BindingReceipt> {
        let attempt = |verdict: &Verdict| Attempt {
            client: Client::Tls13,
            address: "127.0.0.1:443".parse().unwrap(),
            secured: None,
            status: None,
            verdict: verdict.clone(),
        };
        Some(BindingReceipt { binding: 1, attempts: verdicts.iter().map(attempt).collect() })
    }

    #[test]
    fn only_the_certificate_or_the_handshake_fails_a_switch_and_what_can_be_reached_proves_it() {
        let good = Verdict::Good(String::new());
        let port = Verdict::Bad(Cause::Port, "closed".into());
        let refused = Verdict::Bad(Cause::Certificate, "refused".into());
        let all_good = got(&[good.clone(), good.clone()]);
        for (receipts, outcome) in [
            (vec![all_good.clone(), all_good.clone()], Outcome::Proven(vec![0, 1])),
            (vec![all_good.clone(), None], Outcome::Open),
            (vec![all_good.clone(), got(&[])], Outcome::Proven(vec![0])),
            (vec![got(std::slice::from_ref(&port)), all_good.clone()], Outcome::Proven(vec![1])),
            (vec![got(&[]), got(std::slice::from_ref(&port))], Outcome::Open),
            (vec![all_good.clone(), got(&[Verdict::Bad(Cause::Answer, "let in".into())])], Outcome::Open),
            (vec![None, got(&[port, refused.clone()])], Outcome::Failed("refused".into())),
            (vec![all_good, got(&[good, refused])], Outcome::Failed("refused".into())),
        ] {
            assert_eq!(judge((0..).zip(receipts)), outcome);
        }
    }
}
