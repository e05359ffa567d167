//! What a site tells browsers about HTTPS, and what it has told. The site's version guards it.

use serde_json::{Value, json};

use super::write::{Entry, Write};
use super::{Result, Store, StoreError, from_millis, to_millis};
use crate::ledger::{Author, Revision, Thing};
use crate::site::{Site, SiteId};
use crate::ssl::{Evidence, Hsts, HstsDraft, HstsMode, HstsOrder, preload_unmet};

impl Store {
    /// Tells browsers something else, if nobody changed the site since `version`. Off tells them to forget, for as long
    /// as they may remember anything that was told.
    ///
    /// # Errors
    /// `Gone`, `Stale`, `HstsMaxAge`, `Preload`.
    pub async fn update_hsts(&self, id: SiteId, version: Revision, draft: HstsDraft, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let site = write.site(id, version).await?;
        let next = follow(site.hsts, draft, by)?;
        prove(&site, next)?;
        if next == site.hsts {
            return Ok(());
        }
        put(&mut write, id, next).await?;
        write.commit(entry(&site, next, "changed what browsers remember of")).await
    }

    /// What speaks for the next step of a site's ramp, or against it; `receipt` is whether fresh clients got what was
    /// intended, where some have tried the site as it is.
    ///
    /// # Errors
    /// `Database`.
    pub async fn hsts_evidence(&self, site: &Site, receipt: Option<bool>, by: &Author) -> Result<Evidence> {
        let Some(hsts) = site.hsts else { return Ok(Evidence::default()) };
        Ok(Evidence::new(site, receipt, &self.list_traffic(site.id, hsts.judged_from(by.now)).await?))
    }

    /// Takes the next step of a site's ramp where one is due and nothing speaks against it, or ends what browsers have
    /// forgotten by now.
    ///
    /// # Errors
    /// `Gone`, `Database`.
    pub async fn advance_hsts(&self, id: SiteId, receipt: Option<bool>, by: &Author) -> Result<()> {
        let seen = self.table().site(id).cloned().ok_or(StoreError::Gone)?;
        let Some(hsts) = seen.hsts.filter(|hsts| hsts.is_due(by.now)) else { return Ok(()) };
        let (next, verb) = match hsts.mode {
            HstsMode::Unwind => (None, "no longer needs to make browsers forget"),
            _ => match hsts.next(self.hsts_evidence(&seen, receipt, by).await?, by.now) {
                Ok(max_age) => (Some(told(hsts, max_age, by)), "lengthened what browsers remember of"),
                Err(_) => return Ok(()),
            },
        };
        let mut write = self.begin(by).await?;
        let site = write.any_site(id)?;
        if site.version != seen.version {
            return Ok(()); // whoever changed it meanwhile gave it another receipt; the next look is soon
        }
        put(&mut write, id, next).await?;
        write.commit(entry(&site, next, verb)).await
    }
}

/// The same with another age, told from now on.
fn told(hsts: Hsts, max_age: u32, by: &Author) -> Hsts {
    Hsts { max_age, since: by.now, told_before: hsts.remembered_until(by.now), ..hsts }
}

/// What follows on `now` by a person's wish.
fn follow(now: Option<Hsts>, draft: HstsDraft, by: &Author) -> Result<Option<Hsts>> {
    let HstsDraft { order, subdomains, preload } = draft;
    let fresh = Hsts { mode: HstsMode::Fixed, max_age: 0, subdomains, preload, since: by.now, told_before: by.now };
    let before = now.unwrap_or(fresh);
    // What holds for one name says nothing of those below it.
    let widens = subdomains && !before.subdomains;
    let (mode, max_age) = match order {
        HstsOrder::Off => (HstsMode::Unwind, 0),
        HstsOrder::Ramp if before.mode == HstsMode::Ramp && !widens => (HstsMode::Ramp, before.max_age),
        HstsOrder::Ramp => (HstsMode::Ramp, Hsts::FIRST),
        HstsOrder::Fixed(max_age) if Hsts::ALLOWED.contains(&max_age) => (HstsMode::Fixed, max_age),
        HstsOrder::Fixed(_) => return Err(StoreError::HstsMaxAge),
    };
    let (subdomains, preload) = if mode == HstsMode::Unwind { (false, false) } else { (subdomains, preload) };
    let next = if max_age == before.max_age && now.is_some() && !widens { before } else { told(before, max_age, by) };
    let next = Hsts { mode, subdomains, preload, ..next };
    Ok(Some(next).filter(|next| next.mode != HstsMode::Unwind || by.now < next.told_before))
}

/// What follows on `now` where what was told before, as [`facts`] has it, is to be told again: what was promised meanwhile
/// stays remembered. `None` where the facts can't be read.
pub(super) fn again(now: Option<Hsts>, then: &Value, by: &Author) -> Option<Result<Option<Hsts>>> {
    let ticked = |field: &str| then[field].as_bool().unwrap_or_default();
    let draft = |order| HstsDraft { order, subdomains: ticked("subdomains"), preload: ticked("preload") };
    let max_age = || u32::try_from(then["max_age"].as_u64()?).ok();
    Some(match then["hsts"].as_str()? {
        "off" | "unwind" => follow(now, draft(HstsOrder::Off), by),
        "fixed" => follow(now, draft(HstsOrder::Fixed(max_age()?)), by),
        "ramp" => {
            let next = follow(now, draft(HstsOrder::Fixed(max_age()?)), by);
            next.map(|next| next.map(|next| Hsts { mode: HstsMode::Ramp, ..next }))
        }
        _ => return None,
    })
}

/// Proves that a site may be built into browsers where it agrees to that.
pub(super) fn prove(site: &Site, next: Option<Hsts>) -> Result<()> {
    let Some(hsts) = next.filter(|hsts| hsts.preload) else { return Ok(()) };
    let unmet = preload_unmet(site, hsts.max_age, hsts.subdomains);
    if unmet.is_empty() { Ok(()) } else { Err(StoreError::Preload(unmet)) }
}

pub(super) async fn put(write: &mut Write<'_>, site: SiteId, hsts: Option<Hsts>) -> Result<()> {
    let Some(hsts) = hsts else {
        sqlx::query!("DELETE FROM hsts WHERE site_id = ?", site).execute(write.db()).await?;
        return Ok(());
    };
    let (mode, since, told_before) = (hsts.mode.as_str(), to_millis(hsts.since), to_millis(hsts.told_before));
    sqlx::query!(
        "INSERT OR REPLACE INTO hsts (site_id, mode, max_age, subdomains, preload, since, remembered_until)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        site,
        mode,
        hsts.max_age,
        hsts.subdomains,
        hsts.preload,
        since,
        told_before
    )
    .execute(write.db())
    .await?;
    Ok(())
}

fn entry(site: &Site, next: Option<Hsts>, verb: &str) -> Entry {
    let (before, after) = (Some(facts(site.hsts)), Some(facts(next)));
    Entry { before, after, ..Entry::of_site(site, Thing::Site, site.id, verb) }
}

pub(super) fn facts(hsts: Option<Hsts>) -> Value {
    let Some(hsts) = hsts else { return json!({ "hsts": "off" }) };
    json!({
        "hsts": hsts.mode.as_str(),
        "max_age": hsts.max_age,
        "subdomains": hsts.subdomains,
        "preload": hsts.preload,
    })
}

/// The same with all that browsers may remember.
pub(super) fn exact(hsts: Option<Hsts>) -> Value {
    let mut value = facts(hsts);
    if let Some(hsts) = hsts {
        value["since"] = to_millis(hsts.since).into();
        value["remembered_until"] = to_millis(hsts.told_before).into();
    }
    value
}

/// Reads what [`exact`] wrote; the outer `None` where that can't be.
pub(super) fn read(exact: &Value) -> Option<Option<Hsts>> {
    let mode = exact["hsts"].as_str()?;
    if mode == "off" {
        return Some(None);
    }
    Some(Some(Hsts {
        mode: HstsMode::parse(mode)?,
        max_age: u32::try_from(exact["max_age"].as_u64()?).ok()?,
        subdomains: exact["subdomains"].as_bool()?,
        preload: exact["preload"].as_bool()?,
        since: from_millis(exact["since"].as_i64()?).ok()?,
        told_before: from_millis(exact["remembered_until"].as_i64()?).ok()?,
    }))
}

#[cfg(test)]
mod tests {
    use time::{Duration, OffsetDateTime};

    use super::*;
    use crate::ssl::{RequireSsl, Wait};
    use crate::store::{Folder, NewSite};
    use crate::testing::{TestStore, tester};
    use crate::traffic::{
        Answer, Cipher, Class, Client, Exchange, Facts, Failure, Folder as Place, Http, Shown, Tally, TlsVersion, Way,
        hour_of,
    };

    const OFF: HstsDraft = HstsDraft { order: HstsOrder::Off, subdomains: false, preload: false };
    const RAMP: HstsDraft = HstsDraft { order: HstsOrder::Ramp, ..OFF };

    fn at(now: OffsetDateTime) -> Author {
        Author { now, ..tester() }
    }

    async fn site(store: &Store) -> SiteId {
        let new =
            NewSite { name: "Shop".into(), folder: Folder::Own, bindings: Vec::new(), require_ssl: RequireSsl::Refuse };
        store.create_site(new, &tester()).await.unwrap()
    }

    fn hsts(store: &Store, site: SiteId) -> Option<Hsts> {
        store.table().site(site).unwrap().hsts
    }

    async fn update(store: &Store, site: SiteId, draft: HstsDraft, now: OffsetDateTime) {
        let version = store.table().site(site).unwrap().version;
        store.update_hsts(site, version, draft, &at(now)).await.unwrap();
    }

    /// Counts requests over TLS within an hour, and handshakes that found nothing in common.
    async fn visits(store: &Store, site: SiteId, now: OffsetDateTime, secured: u64, failed: u64) {
        let (version, cipher) = (TlsVersion::Tls13, Cipher::Aes256);
        let way = Way::Tls { version, cipher, exchange: Exchange::X25519, shown: Shown::Unknown };
        let facts = Facts { way, http: Http::Http2 };
        let class = Class { facts, answer: Answer { status: 200, substatus: 0 }, folder: Place::ELSEWHERE };
        let mut tally = Tally::default();
        tally.count(class, Client::OTHERS, secured);
        tally.fail(Failure::NothingInCommon, failed);
        store.record_traffic(hour_of(now), &mut vec![(site, tally)], now).await.unwrap();
    }

    #[tokio::test]
    async fn the_ramp_takes_its_steps_by_the_clock_while_receipts_and_visitors_are_content() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        let begin = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        update(store, id, RAMP, begin).await;
        let mut now = begin;
        for (told, days, next) in
            [(300, 1, 86_400), (86_400, 7, 604_800), (604_800, 30, 15_552_000), (15_552_000, 180, 63_072_000)]
        {
            assert_eq!(hsts(store, id).unwrap().max_age, told);
            let due = now + Duration::days(days);
            visits(store, id, due - Duration::HOUR, 5_000, 3).await;
            for (when, receipt) in [(due - Duration::SECOND, Some(true)), (due, None), (due, Some(false))] {
                store.advance_hsts(id, receipt, &Author::siteward(when)).await.unwrap();
                assert_eq!(hsts(store, id).unwrap().max_age, told, "{when} {receipt:?}");
            }
            store.advance_hsts(id, Some(true), &Author::siteward(due)).await.unwrap();
            now = due;
            let hsts = hsts(store, id).unwrap();
            assert_eq!((hsts.max_age, hsts.since), (next, due));
            assert_eq!(hsts.told_before, due + Duration::seconds(told.into()));
            let change = store.list_changes(&crate::store::ChangeFilter::default(), 1).await.unwrap().remove(0);
            assert_eq!(
                (change.author.as_str(), change.after.unwrap()["max_age"].as_u64()),
                ("Siteward", Some(next.into()))
            );
        }
        let evidence = Evidence { receipt: Some(true), secured: 1, ..Evidence::default() };
        let (last, later) = (hsts(store, id).unwrap(), now + Duration::days(9_000));
        assert_eq!((last.next(evidence, later), last.is_due(later)), (Err(Wait::Done), false));
        let again = Store::open(test.folder.path()).await.unwrap();
        assert_eq!(hsts(&again, id), hsts(store, id), "a restart reads the same");
    }

    #[tokio::test]
    async fn the_ramp_waits_without_visitors_and_when_too_many_come_to_grief() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        let begin = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        visits(store, id, begin - Duration::HOUR, 5_000, 0).await;
        update(store, id, RAMP, begin).await;
        let due = begin + Duration::DAY;
        let why = async |now| {
            let site = store.table().site(id).unwrap().clone();
            let evidence = store.hsts_evidence(&site, Some(true), &at(now)).await.unwrap();
            site.hsts.unwrap().next(evidence, now)
        };
        assert_eq!(why(due).await, Err(Wait::NoTraffic), "what came before the step says nothing");
        visits(store, id, due - Duration::HOUR, 1_999, 2).await;
        assert!(matches!(why(due).await, Err(Wait::Troubled(_))));
        store.advance_hsts(id, Some(true), &at(due)).await.unwrap();
        assert_eq!(hsts(store, id).unwrap().max_age, 300);
        visits(store, id, due - Duration::HOUR, 1, 0).await;
        assert_eq!(why(due - Duration::SECOND).await, Err(Wait::Until(due)));
        assert_eq!(why(due).await, Ok(86_400));
    }

    #[tokio::test]
    async fn the_names_below_begin_with_the_first_step_and_with_visitors_of_their_own() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        let begin = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        update(store, id, RAMP, begin).await;
        let due = begin + Duration::DAY;
        visits(store, id, due - Duration::HOUR, 5_000, 0).await;
        store.advance_hsts(id, Some(true), &at(due)).await.unwrap();
        let widened = due + Duration::DAY;
        let below = HstsDraft { subdomains: true, ..RAMP };
        update(store, id, below, widened).await;
        let told = hsts(store, id).unwrap();
        assert_eq!((told.max_age, told.since, told.subdomains), (300, widened, true));
        assert_eq!(told.told_before, widened + Duration::DAY, "a day was promised");
        let why = async |now| {
            let site = store.table().site(id).unwrap().clone();
            let evidence = store.hsts_evidence(&site, Some(true), &at(now)).await.unwrap();
            site.hsts.unwrap().next(evidence, now)
        };
        assert_eq!(why(widened + Duration::DAY).await, Err(Wait::NoTraffic), "who came before says nothing of them");
        update(store, id, below, widened + Duration::HOUR).await;
        assert_eq!(hsts(store, id).unwrap(), told, "saved again, it goes on");
        let (first, again) = (HstsDraft { subdomains: false, ..RAMP }, widened + Duration::DAY);
        update(store, id, first, again).await;
        assert_eq!(hsts(store, id).unwrap().since, widened, "less is no new step");
        update(store, id, below, again).await;
        assert_eq!((hsts(store, id).unwrap().max_age, hsts(store, id).unwrap().since), (300, again));
    }

    #[tokio::test]
    async fn taking_it_back_tells_browsers_to_forget_for_as_long_as_the_longest_that_was_told() {
        let test = TestStore::open().await;
        let store = &test.store;
        let id = site(store).await;
        let begin = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let fixed = |max_age| HstsDraft { order: HstsOrder::Fixed(max_age), ..OFF };
        update(store, id, OFF, begin).await;
        assert_eq!(hsts(store, id), None, "what was never told need not be forgotten");
        update(store, id, fixed(31_536_000), begin).await;
        let shortened = begin + Duration::DAY;
        update(store, id, fixed(300), shortened).await;
        update(store, id, OFF, shortened + Duration::DAY).await;
        let end = shortened + Duration::seconds(31_536_000);
        let told = |now| {
            let site = store.table().site(id).unwrap().clone();
            site.hsts.and_then(|hsts| hsts.field(&site, now))
        };
        assert_eq!(hsts(store, id).unwrap().told_before, end);
        assert_eq!(told(end - Duration::SECOND).as_deref(), Some("max-age=0"));
        assert_eq!(told(end), None);
        store.advance_hsts(id, None, &at(end - Duration::SECOND)).await.unwrap();
        assert!(hsts(store, id).is_some());
        store.advance_hsts(id, None, &Author::siteward(end)).await.unwrap();
        assert_eq!(hsts(store, id), None);
        let refused = store.update_hsts(id, store.table().site(id).unwrap().version, fixed(299), &at(end)).await;
        assert!(matches!(refused, Err(StoreError::HstsMaxAge)));
    }
}
