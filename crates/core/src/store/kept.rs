//! Certificates that were renewed: kept ready until fresh clients have seen the new one, and for a while after.

use std::sync::atomic::Ordering;

use sqlx::SqliteConnection;
use time::{Duration, OffsetDateTime};

use super::{Result, Store, StoreError, from_millis, to_millis};
use crate::certificate::CertificateId;
use crate::ledger::Author;

/// How long a renewed certificate stays ready after its successor was proven, in days.
pub const KEPT_DAYS: i64 = 30;

/// How long a renewed certificate stays ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Until fresh clients have seen its successor on every binding that they can reach.
    UntilProven,
    /// They have; until then. Siteward removes it afterwards where nothing serves it.
    Until(OffsetDateTime),
}

impl Store {
    /// How long a certificate stays ready; `None` for one whose place was not taken by its renewal.
    ///
    /// # Errors
    /// `Database`.
    pub async fn find_kept(&self, id: CertificateId) -> Result<Option<Kept>> {
        kept(&mut *self.reader().acquire().await?, id).await
    }

    /// Removes every certificate whose time to stay ready is over at the time of `by`, each as a change of its own, and
    /// destroys their keys. Only those that nothing serves while their successors are served.
    ///
    /// # Errors
    /// `Database`.
    pub async fn remove_replaced(&self, by: &Author) -> Result<()> {
        let latest = to_millis(by.now - Duration::days(KEPT_DAYS));
        let ids = sqlx::query_scalar!(
            "SELECT DISTINCT n.renews AS \"id!: i64\" FROM switches s
             JOIN certificates n ON n.id = s.certificate_id AND n.renews = s.previous_id
             WHERE s.proven_at < ?1
               AND NOT EXISTS (SELECT 1 FROM bindings b WHERE b.certificate_id = n.renews)
               AND EXISTS (SELECT 1 FROM bindings b WHERE b.certificate_id = n.id)",
            latest
        );
        let mut is_left = self.0.is_log_left.load(Ordering::Relaxed);
        for id in ids.fetch_all(self.reader()).await? {
            let over = matches!(self.find_kept(id).await?, Some(Kept::Until(end)) if end <= by.now);
            if !over {
                continue;
            }
            match self.remove_certificate(id, by).await {
                Ok(()) => is_left = true,
                // Somebody was faster.
                Err(StoreError::Gone | StoreError::CertificateInUse(_) | StoreError::SuccessorUnproven) => {}
                Err(error) => return Err(error),
            }
        }
        if is_left {
            self.fold_log().await;
        }
        Ok(())
    }
}

/// Only a switch that its binding still follows can be waited for, and only until fresh clients have seen the new one where
/// they can: a binding that nothing leads to holds nothing up.
pub(super) async fn kept(db: &mut SqliteConnection, id: CertificateId) -> Result<Option<Kept>> {
    let row = sqlx::query!(
        r#"SELECT max(s.proven_at) AS "proven_at?: i64",
                  count(CASE WHEN s.proven_at IS NULL AND NOT EXISTS (SELECT 1 FROM switches o
                      WHERE o.revision = s.revision AND o.proven_at IS NOT NULL) THEN b.id END) AS "open!: i64"
           FROM switches s JOIN certificates n ON n.id = s.certificate_id AND n.renews = s.previous_id
           LEFT JOIN bindings b ON b.id = s.binding_id AND b.certificate_id = s.certificate_id
           WHERE s.previous_id = ? AND s.taken_back_at IS NULL"#,
        id
    );
    let row = row.fetch_one(db).await?;
    if row.open > 0 {
        return Ok(Some(Kept::UntilProven));
    }
    let proven = row.proven_at.map(from_millis).transpose()?;
    Ok(proven.map(|proven| Kept::Until(proven + Duration::days(KEPT_DAYS))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::{Place, Protocol, parse_port};
    use crate::host::HostPattern;
    use crate::key::KeyKind;
    use crate::ssl::RequireSsl;
    use crate::store::{BindingDraft, Folder, NewRequest, NewSite};
    use crate::subject::{Subject, SubjectAnswers};
    use crate::testing::{TestStore, tester};

    fn request() -> NewRequest {
        let answers = SubjectAnswers { common_name: "shop.example".into(), ..SubjectAnswers::default() };
        let subject = Subject::parse(&answers).unwrap();
        NewRequest { site: None, friendly_name: "Shop".into(), subject, key: KeyKind::EcdsaP256 }
    }

    /// A store with a certificate that one binding serves, and its renewal that took over there.
    async fn renewed() -> (TestStore, CertificateId, CertificateId) {
        let test = TestStore::open().await;
        let (store, by) = (&test.store, tester());
        let authority = store.create_authority("Inside", KeyKind::EcdsaP256, &by).await.unwrap();
        let old = store.create_request(request(), &by).await.unwrap();
        let old = store.sign_request(old, authority, &by).await.unwrap();
        let new = NewSite { name: "Shop".into(), folder: Folder::Own, bindings: vec![], require_ssl: RequireSsl::Off };
        let site = store.create_site(new, &by).await.unwrap();
        let host = HostPattern::parse("shop.example").unwrap();
        let place = Place { protocol: Protocol::Https, ip: None, port: parse_port("443").unwrap(), host };
        let draft = BindingDraft { place, certificate: Some(old), confirmed: false };
        store.create_binding(site, draft, &by).await.unwrap();
        let renewal = store.renew_certificate(old, request(), false, &by).await.unwrap();
        let new = store.sign_request(renewal, authority, &by).await.unwrap();
        (test, old, new)
    }

    #[tokio::test]
    async fn a_renewed_certificate_stays_until_its_successor_is_proven_and_for_30_days_after() {
        let (test, old, new) = renewed().await;
        let store = &test.store;
        assert_eq!(store.find_kept(old).await.unwrap(), Some(Kept::UntilProven));
        assert_eq!(store.find_kept(new).await.unwrap(), None);
        let refused = store.delete_certificate(old, &tester()).await;
        assert!(matches!(refused, Err(StoreError::SuccessorUnproven)), "{refused:?}");

        let (proven, revision) = (tester().now, store.table().revision());
        store.prove_switch(revision, &[], proven).await.unwrap();
        assert_eq!(store.find_kept(old).await.unwrap(), Some(Kept::UntilProven));
        let site = store.table().sites().next().unwrap().id;
        store.prove_switch(revision, &[store.table().site(site).unwrap().bindings[0].id], proven).await.unwrap();
        let Some(Kept::Until(end)) = store.find_kept(old).await.unwrap() else { panic!("it is proven") };
        assert_eq!(to_millis(end), to_millis(proven + Duration::days(KEPT_DAYS)));
        store.remove_replaced(&Author::siteward(end - Duration::hours(1))).await.unwrap();
        assert!(store.find_certificate(old).await.is_ok(), "its time is not over");
        store.remove_replaced(&Author::siteward(end + Duration::hours(1))).await.unwrap();
        assert!(matches!(store.find_certificate(old).await, Err(StoreError::Gone)));
        let entry = store.list_changes(&Default::default(), 1).await.unwrap().remove(0);
        assert_eq!((entry.author.as_str(), entry.summary.as_str()), ("Siteward", "removed the certificate Shop"));
        let kept = sqlx::query_scalar!("SELECT count(*) FROM keys WHERE sealed <> x''").fetch_one(store.reader()).await;
        assert_eq!(kept.unwrap(), 2, "the authority's and the new one's");
    }

    #[tokio::test]
    async fn what_is_served_again_is_never_removed() {
        let (test, old, _) = renewed().await;
        let store = &test.store;
        let binding = store.table().sites().next().unwrap().bindings[0].id;
        store.prove_switch(store.table().revision(), &[binding], tester().now).await.unwrap();
        store.serve_again(old, &tester()).await.unwrap();
        store.remove_replaced(&Author::siteward(tester().now + Duration::days(99))).await.unwrap();
        assert!(store.find_certificate(old).await.is_ok());
    }
}
