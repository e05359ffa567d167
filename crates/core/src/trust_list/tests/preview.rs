//! What a change of a list makes of the certificates that came.

use super::*;
use crate::trust_list::preview::{Effect, Judge, Seen};

/// A table with this list under the id 1.
fn table(list: TrustList) -> SiteTable {
    SiteTable::default().with_trust_lists(1, [(1, Some(Arc::new(list)))])
}

fn seen(own: &TestCa, client: &TestClient, name: &str) -> Seen {
    own.seen(1, client, name, now())
}

/// Who is turned away, with what and why; and how many are let in newly, stay, and are refused either way.
fn effect(seen: &[Seen], before: &SiteTable, then: &SiteTable) -> (Vec<String>, [usize; 3]) {
    let effect = Effect::new(seen, Judge::new(before, 1), Judge::new(then, 1), now());
    assert_eq!(effect.len(), seen.len());
    let told =
        effect.turned_away.iter().map(|one| format!("{} 403.{} {}", one.subject, one.refusal.substatus(), one.why));
    (told.collect(), [effect.let_in, effect.stay, effect.refused])
}

#[test]
fn each_change_of_a_list_turns_away_whom_it_says_with_the_reason() {
    let (own, other) = (TestCa::new(), TestCa::new());
    let [ann, ben] = ["Ann", "Ben"].map(|name| own.client_now(name));
    let zoe = other.client_now("Zoe");
    let late = own.client("Late", now() - Duration::days(9), now() - Duration::DAY);
    let came = [seen(&own, &ann, "Ann"), seen(&own, &ben, "Ben"), seen(&other, &zoe, "Zoe"), seen(&own, &late, "Late")];
    let checked =
        |by: &Checked| vec![ca(1, own.intermediate_der(), by.clone()), ca(2, other.root_der(), Checked::Never)];
    let of = |by: &Checked, allow: &[(Field, &str)], when_stale| TrustList { when_stale, ..list(checked(by), allow) };
    let closed = |by: &Checked| table(of(by, &[], WhenStale::Closed));
    let open = |by: &Checked| table(of(by, &[], WhenStale::Open));
    let (never, missing) = (Checked::Never, Checked::By(None));
    let naming_ben = by(own.issuing_crl(&[&ben.serial()], 1, now() - Duration::DAY, now() + Duration::DAY));
    let only_ann = table(of(&never, &[(Field::CommonName, "Ann")], WhenStale::Closed));
    let without_own = table(list(vec![ca(2, other.root_der(), Checked::Never)], &[]));
    let gone = SiteTable::default();

    let unknown_issuer = "403.16 No CA of the trust list signed it";
    let not_known = "was revoked can’t be known: there is no revocation list of its CA about it";
    for (what, before, then, turned_away, [let_in, stay, refused]) in [
        ("nothing", &closed(&never), &closed(&never), vec![], [0, 3, 1]),
        (
            "CA removed",
            &closed(&never),
            &without_own,
            vec![("Ann", unknown_issuer), ("Ben", unknown_issuer)],
            [0, 1, 1],
        ),
        ("CA put back", &without_own, &closed(&never), vec![], [2, 1, 1]),
        ("rule added", &closed(&never), &only_ann, vec![("Ben", "403.12"), ("Zoe", "no allow rule")], [0, 1, 1]),
        ("rule removed", &only_ann, &closed(&never), vec![], [2, 1, 1]),
        ("closed", &open(&missing), &closed(&missing), vec![("Ann", not_known), ("Ben", "403.13")], [0, 1, 1]),
        ("opened", &closed(&missing), &open(&missing), vec![], [2, 1, 1]),
        ("address set", &closed(&never), &closed(&missing), vec![("Ann", "403.13"), ("Ben", not_known)], [0, 1, 1]),
        ("list brought", &closed(&never), &closed(&naming_ben), vec![("Ben", "is on the revocation list")], [0, 2, 1]),
        ("not checked", &closed(&naming_ben), &closed(&never), vec![], [1, 2, 1]),
        (
            "gone",
            &closed(&never),
            &gone,
            vec![("Ann", "403.16"), ("Ben", "can’t be read"), ("Zoe", "403.16")],
            [0, 0, 1],
        ),
    ] {
        let (told, counts) = effect(&came, before, then);
        assert_eq!((told.len(), counts), (turned_away.len(), [let_in, stay, refused]), "{what}: {told:?}");
        for (told, (who, why)) in told.iter().zip(turned_away) {
            assert!(told.starts_with(who) && told.contains(why), "{what}: {told}");
        }
    }
}

#[test]
fn what_authorities_of_the_server_revoked_counts_as_each_table_has_it() {
    let own = TestCa::new();
    let ann = own.client_now("Ann");
    let key = X509::parse(own.intermediate_der()).unwrap().key_id;
    let published = Crl::parse(&own.issuing_crl(&[&ann.serial()], 1, now(), now() + Duration::DAY)).unwrap();
    let before = table(of_root(&own));
    let then = before.clone().with_own_lists([(key, Some(Some(published)))]);
    let (told, _) = effect(&[seen(&own, &ann, "Ann")], &before, &then);
    assert!(told[0].starts_with("Ann 403.13"), "{told:?}");
}
