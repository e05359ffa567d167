//! What follows from a receipt for the certificates that were just put in service: proven, or taken back.

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
    /// Each of its bindings is as intended.
    Proven,
    /// The certificate or the handshake is not, on one of them: the first sentence.
    Failed(String),
    /// Not each of them was tried yet, or reached.
    Open,
}

impl Shared {
    /// Settles the switches that touch a site.
    pub(super) async fn settle(&self, id: SiteId) {
        if let Err(error) = self.try_settle(id).await {
            tracing::error!(%error, "it can't be noted whether a new certificate was seen");
        }
    }

    async fn try_settle(&self, id: SiteId) -> Result<(), StoreError> {
        for switch in self.store.list_open_switches(id).await? {
            let now = OffsetDateTime::now_utc();
            match self.outcome(&switch) {
                Outcome::Proven => self.store.prove_switch(switch.revision, now).await?,
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
        let receipts = switch.bindings.iter().map(|&(binding, site)| self.got(site, binding));
        judge(receipts)
    }

    /// What was got from a binding as its site is now.
    fn got(&self, site: SiteId, binding: BindingId) -> Option<BindingReceipt> {
        let receipt = self.reporter.last_receipt(site)?;
        let version = self.store.table().site(site)?.version;
        receipt.of(binding).filter(|_| receipt.version == version).cloned()
    }
}

fn judge(receipts: impl Iterator<Item = Option<BindingReceipt>>) -> Outcome {
    let receipts: Vec<_> = receipts.collect();
    let mut known = receipts.iter().flatten();
    if let Some(fault) = known.find_map(|receipt| receipt.fault(|cause| cause == Cause::Certificate)) {
        return Outcome::Failed(fault.to_owned());
    }
    let is_proven = |receipt: &Option<BindingReceipt>| receipt.as_ref().is_some_and(BindingReceipt::is_good);
    if receipts.iter().all(is_proven) { Outcome::Proven } else { Outcome::Open }
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
    fn only_the_certificate_or_the_handshake_fails_a_switch_and_only_all_bindings_prove_it() {
        let good = Verdict::Good(String::new());
        let port = Verdict::Bad(Cause::Port, "closed".into());
        let refused = Verdict::Bad(Cause::Certificate, "refused".into());
        let all_good = got(&[good.clone(), good.clone()]);
        for (receipts, outcome) in [
            (vec![all_good.clone(), all_good.clone()], Outcome::Proven),
            (vec![all_good.clone(), None], Outcome::Open),
            (vec![all_good.clone(), got(&[])], Outcome::Open),
            (vec![all_good.clone(), got(std::slice::from_ref(&port))], Outcome::Open),
            (vec![None, got(&[port, refused.clone()])], Outcome::Failed("refused".into())),
            (vec![all_good, got(&[good, refused])], Outcome::Failed("refused".into())),
        ] {
            assert_eq!(judge(receipts.into_iter()), outcome);
        }
    }
}
