//! What a certificate is worth, from the first signature to the last allow rule.

mod preview;

use proptest::prelude::*;
use rcgen::{BasicConstraints, KeyUsagePurpose};
use rcgen::{CertificateParams, CrlDistributionPoint, CrlIssuingDistributionPoint, ExtendedKeyUsagePurpose, IsCa};
use time::Duration;
use time::macros::datetime;

use super::*;
use crate::key::{KeyKind, PrivateKey};
use crate::site::{Site, SiteState};
use crate::ssl::{ClientCertificate, ClientCertificates, Rule, RulePath, Rules, Settings};
use crate::table::SiteTable;
use crate::testing_ca::{TestCa, TestClient, crl, openssl};

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn ca(id: TrustedCaId, der: &[u8], checked: Checked) -> CaDraft {
    CaDraft { id, certificate: X509::parse(der).unwrap(), checked }
}

fn list(cas: Vec<CaDraft>, allow: &[(Field, &str)]) -> TrustList {
    let allow = allow.iter().map(|(field, pattern)| AllowRule::parse(*field, pattern).unwrap()).collect();
    TrustList::new((1, "Partners".into(), WhenStale::Closed), cas, allow, &[]).unwrap()
}

/// A list of the CA's root, of which nothing is known to be revoked.
fn of_root(own: &TestCa) -> TrustList {
    list(vec![ca(1, own.root_der(), Checked::Never)], &[])
}

fn by(crl: Vec<u8>) -> Checked {
    Checked::By(Some(Arc::new(Crl::parse(&crl).unwrap())))
}

fn sent<'a>(own: &'a TestCa, client: &'a TestClient) -> Vec<CertificateDer<'a>> {
    vec![client.leaf.as_slice().into(), own.intermediate_der().into()]
}

/// What `client` is worth with its issuer sent along.
fn worth(list: &TrustList, own: &TestCa, client: &TestClient, now: OffsetDateTime) -> ClientCertificate {
    match list.path(&sent(own, client), now) {
        Ok(path) => list.judge(&path, &OwnLists::new(), now).client(),
        Err(why) => Finding::Untrusted(why).client(),
    }
}

#[test]
fn a_certificate_is_good_under_a_ca_of_the_list_and_under_no_other() {
    let (own, other) = (TestCa::new(), TestCa::new());
    let ann = own.client_now("Ann");
    assert_eq!(worth(&of_root(&own), &own, &ann, now()), ClientCertificate::Good);
    assert_eq!(worth(&of_root(&other), &own, &ann, now()), ClientCertificate::Untrusted, "of the same name");
    assert_eq!(worth(&list(Vec::new(), &[]), &own, &ann, now()), ClientCertificate::Untrusted);
    let alone: CertificateDer<'_> = ann.leaf.as_slice().into();
    assert_eq!(of_root(&own).path(&[alone], now()), Err(Untrusted::UnknownIssuer), "without its issuer");
    let issuing = list(vec![ca(1, own.intermediate_der(), Checked::Never)], &[]);
    assert_eq!(worth(&issuing, &own, &ann, now()), ClientCertificate::Good);
}

#[test]
fn what_expired_is_out_of_date_and_not_untrusted_and_turns_so_with_time_alone() {
    let own = TestCa::new();
    let list = of_root(&own);
    let begin = now() - Duration::days(10);
    let ann = own.client("Ann", begin, begin + Duration::days(5));
    for (at, worth_then) in [
        (begin - Duration::SECOND, ClientCertificate::OutOfDate),
        (begin + Duration::DAY, ClientCertificate::Good),
        (now(), ClientCertificate::OutOfDate),
    ] {
        assert_eq!(worth(&list, &own, &ann, at), worth_then, "{at}");
    }
    let path = list.path(&sent(&own, &ann), begin + Duration::DAY).unwrap();
    assert_eq!(list.judge(&path, &OwnLists::new(), now()).client(), ClientCertificate::OutOfDate, "a path is kept");
    let outlived = own.client("Ann", now() - Duration::DAY, now() + Duration::days(20_000));
    let later = now() + Duration::days(4_000);
    assert_eq!(worth(&list, &own, &outlived, later), ClientCertificate::OutOfDate, "its CAs have expired before it");
    let stranger = TestCa::new();
    let expired = stranger.client("Ann", begin, begin + Duration::days(5));
    assert_eq!(worth(&list, &stranger, &expired, now()), ClientCertificate::Untrusted, "trust is judged first");
}

#[test]
fn usages_names_and_lengths_of_the_path_are_kept_to() {
    let own = TestCa::new();
    let refused = |change: fn(&mut CertificateParams)| {
        of_root(&own).path(&sent(&own, &own.client_as("Ann", change)), now()).map(drop)
    };
    let server =
        |params: &mut CertificateParams| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(refused(server), Err(Untrusted::NotForClients));
    let encrypts = |params: &mut CertificateParams| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    assert_eq!(refused(encrypts), Err(Untrusted::KeyUsage));
    let nothing = |params: &mut CertificateParams| {
        params.key_usages.clear();
        params.extended_key_usages.clear();
    };
    assert_eq!(refused(nothing), Ok(()), "CAs of old write neither");
    let excluding = TestCa::excluding("meridian.example");
    let named = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("a.meridian.example".try_into().unwrap())];
    };
    let client = excluding.client_as("Ann", named);
    assert_eq!(of_root(&excluding).path(&sent(&excluding, &client), now()), Err(Untrusted::NameConstraints));
    let own_ca: CertificateDer<'_> = own.intermediate_der().into();
    assert_eq!(of_root(&own).path(&[own_ca], now()), Err(Untrusted::CaOrNot));
    for unreadable in [&[][..], &[CertificateDer::from(&b"\x30\x03abc"[..])]] {
        assert_eq!(of_root(&own).path(unreadable, now()), Err(Untrusted::Unreadable));
    }
    let ann = own.client_now("Ann");
    let long = vec![CertificateDer::from(ann.leaf.as_slice()); MAX_SENT + 1];
    assert_eq!(of_root(&own).path(&long, now()), Err(Untrusted::TooLong));
    let stranger = TestCa::new();
    let mut usual = sent(&own, &ann);
    usual.extend([own.root_der(), stranger.intermediate_der(), stranger.root_der()].map(CertificateDer::from));
    assert_eq!(of_root(&own).path(&usual, now()).map(drop), Ok(()), "with its root, and what belongs to others");
}

#[test]
fn an_issuer_that_expired_is_out_of_date_also_beside_the_certificate_of_a_stranger() {
    let (own, stranger) = (TestCa::ending(now() - Duration::days(5)), TestCa::ending(now() - Duration::days(20)));
    let ann = own.client("Ann", now() - Duration::days(10), now() + Duration::days(10));
    let list = of_root(&own);
    let mut sent = sent(&own, &ann);
    sent.push(stranger.intermediate_der().into());
    let path = list.path(&sent, now()).unwrap();
    assert_eq!(list.judge(&path, &OwnLists::new(), now()).client(), ClientCertificate::OutOfDate);
    assert_eq!(of_root(&stranger).path(&sent[..2], now()), Err(Untrusted::UnknownIssuer), "trust is judged first");
    let never = own.client("Ann", now() - Duration::days(4), now() + Duration::days(10));
    let sent = [never.leaf.as_slice(), own.intermediate_der()].map(CertificateDer::from);
    assert_eq!(list.path(&sent, now()), Err(Untrusted::Dates), "its issuer had expired before it began");
}

#[test]
fn of_an_older_and_a_newer_certificate_of_a_ca_those_that_are_valid_decide_in_either_order() {
    let own = TestCa::new();
    let ann = own.client_now("Ann");
    for older in [0, 1] {
        let root = |id| ca(id, own.root_der(), Checked::Never);
        let mut both = list(vec![root(1), root(2)], &[]);
        both.cas[older].path_length = Some(0);
        assert_eq!(worth(&both, &own, &ann, now()), ClientCertificate::Good, "the newer one has no path length");
        let mut ended = both.clone();
        ended.cas[1 - older].not_after = now() - Duration::DAY;
        assert_eq!(worth(&ended, &own, &ann, now()), ClientCertificate::Untrusted, "what is left has one");
        both.cas[older].checked = by(own.root_crl(&[], 1, now() - Duration::DAY, now() + Duration::DAY));
        assert_eq!(worth(&both, &own, &ann, now()), ClientCertificate::Revoked, "it is checked, and brought along");
    }
}

#[test]
fn of_two_certificates_of_a_ca_one_that_was_not_revoked_is_enough_in_either_order() {
    let own = TestCa::new();
    let ann = own.client_now("Ann");
    let (older, newer) = (own.intermediate_der().to_vec(), own.intermediate_again());
    let serials = [&older, &newer].map(|der| crate::authority::serial_of(der).unwrap());
    let [one, other] = [serials[0].as_slice(), &serials[1]];
    for (revoked, then) in [
        (vec![], ClientCertificate::Good),
        (vec![one], ClientCertificate::Good),
        (vec![other], ClientCertificate::Good),
        (vec![one, other], ClientCertificate::Revoked),
    ] {
        let crl = by(own.root_crl(&revoked, 1, now() - Duration::DAY, now() + Duration::DAY));
        for [first, second] in [[&older, &newer], [&newer, &older]] {
            let cas = [(1, first.as_slice(), &Checked::Never), (2, second, &Checked::Never), (3, own.root_der(), &crl)];
            let list = list(cas.map(|(id, der, checked)| ca(id, der, checked.clone())).into(), &[]);
            assert_eq!(worth(&list, &own, &ann, now()), then, "{revoked:x?}");
        }
    }
}

#[test]
fn whoever_is_on_a_list_is_revoked_for_ever_and_who_could_be_while_it_is_stale() {
    let own = TestCa::new();
    let (ann, ben) = (own.client_now("Ann"), own.client_now("Ben"));
    let until = now() + Duration::DAY;
    let crl = by(own.issuing_crl(&[&ann.serial()], 1, now() - Duration::DAY, until));
    let cas = |crl| vec![ca(1, own.root_der(), Checked::Never), ca(2, own.intermediate_der(), crl)];
    let closed = list(cas(crl), &[]);
    let open = TrustList { when_stale: WhenStale::Open, ..closed.clone() };
    let later = until + Duration::SECOND;
    for list in [&closed, &open] {
        assert_eq!(worth(list, &own, &ann, now()), ClientCertificate::Revoked);
        assert_eq!(worth(list, &own, &ann, later), ClientCertificate::Revoked);
        assert_eq!(worth(list, &own, &ben, now()), ClientCertificate::Good);
    }
    assert_eq!(worth(&closed, &own, &ben, later), ClientCertificate::Revoked, "nobody knows");
    assert_eq!(worth(&open, &own, &ben, later), ClientCertificate::Good);
    let missing = list(cas(Checked::By(None)), &[]);
    assert_eq!(worth(&missing, &own, &ben, now()), ClientCertificate::Revoked);
}

#[test]
fn a_ca_that_is_revoked_takes_everybody_below_it_with_it_also_where_it_is_on_the_list_itself() {
    let own = TestCa::new();
    let ann = own.client_now("Ann");
    let serial = crate::authority::serial_of(own.intermediate_der()).unwrap();
    let crl = || by(own.root_crl(&[&serial], 1, now() - Duration::DAY, now() + Duration::DAY));
    let root = list(vec![ca(1, own.root_der(), crl())], &[]);
    assert_eq!(worth(&root, &own, &ann, now()), ClientCertificate::Revoked);
    let both = list(vec![ca(2, own.intermediate_der(), Checked::Never), ca(1, own.root_der(), crl())], &[]);
    assert_eq!(worth(&both, &own, &ann, now()), ClientCertificate::Revoked);
    let issuing = list(vec![ca(2, own.intermediate_der(), Checked::Never)], &[]);
    assert_eq!(worth(&issuing, &own, &ann, now()), ClientCertificate::Good, "nobody tells of it");
    let path = issuing.path(&sent(&own, &ann), now()).unwrap();
    let key = X509::parse(own.intermediate_der()).unwrap().key_id;
    let published = Crl::parse(&own.issuing_crl(&[&ann.serial()], 1, now(), now() + Duration::DAY)).unwrap();
    let published = OwnLists::unit(key, Some(Arc::new(published)));
    assert_eq!(issuing.judge(&path, &published, now()).client(), ClientCertificate::Revoked, "Siteward itself does");
    let unreadable = OwnLists::unit(key, None);
    assert_eq!(issuing.judge(&path, &unreadable, now()).client(), ClientCertificate::Revoked, "nobody knows");
}

#[test]
fn a_ca_that_the_client_brings_along_gets_nobody_past_the_lists_of_those_that_are_trusted() {
    let own = TestCa::new();
    let ann = own.client_now("Ann");
    let crl = || by(own.root_crl(&[], 1, now() - Duration::DAY, now() + Duration::DAY));
    let root = list(vec![ca(1, own.root_der(), crl())], &[]);
    assert_eq!(worth(&root, &own, &ann, now()), ClientCertificate::Revoked, "what its own CA revoked is not known");
    let open = TrustList { when_stale: WhenStale::Open, ..root };
    assert_eq!(worth(&open, &own, &ann, now()), ClientCertificate::Good);
    let both = list(vec![ca(1, own.root_der(), crl()), ca(2, own.intermediate_der(), Checked::Never)], &[]);
    assert_eq!(worth(&both, &own, &ann, now()), ClientCertificate::Good, "the team chose not to check that one");
}

#[test]
fn of_two_lists_of_one_ca_the_current_one_is_enough() {
    let own = TestCa::new();
    let (ann, ben) = (own.client_now("Ann"), own.client_now("Ben"));
    let day = Duration::DAY;
    let old = by(own.issuing_crl(&[], 1, now() - 3 * day, now() - day));
    let new = by(own.issuing_crl(&[&ann.serial()], 2, now() - day, now() + day));
    for [one, other] in [[old.clone(), new.clone()], [new, old]] {
        let list = list(vec![ca(1, own.intermediate_der(), one), ca(2, own.intermediate_der(), other)], &[]);
        assert_eq!(worth(&list, &own, &ben, now()), ClientCertificate::Good);
        assert_eq!(worth(&list, &own, &ann, now()), ClientCertificate::Revoked);
    }
}

#[test]
fn a_list_about_a_part_counts_for_those_only_that_name_its_address() {
    let own = TestCa::new();
    let point = |address: &str| CrlDistributionPoint { uris: vec![address.into()] };
    let named = own.client_as("Ann", |params| params.crl_distribution_points = vec![point("http://a.example/1.crl")]);
    let other = own.client_as("Ben", |params| params.crl_distribution_points = vec![point("http://a.example/2.crl")]);
    let scope = CrlIssuingDistributionPoint { distribution_point: point("http://a.example/1.crl"), scope: None };
    let until = now() + Duration::DAY;
    let listed = |crl| list(vec![ca(1, own.intermediate_der(), by(crl))], &[]);
    let empty = listed(own.issuing_crl_at(scope.clone(), &[], until));
    assert_eq!(worth(&empty, &own, &named, now()), ClientCertificate::Good);
    assert_eq!(worth(&empty, &own, &other, now()), ClientCertificate::Revoked, "whether it is, nobody knows");
    let open = TrustList { when_stale: WhenStale::Open, ..empty };
    assert_eq!(worth(&open, &own, &other, now()), ClientCertificate::Good);
    let naming = listed(own.issuing_crl_at(scope, &[&other.serial()], until));
    let naming = TrustList { when_stale: WhenStale::Open, ..naming };
    assert_eq!(
        worth(&naming, &own, &other, now()),
        ClientCertificate::Revoked,
        "it is named, whatever the list is about"
    );
    assert_eq!(worth(&naming, &own, &named, now()), ClientCertificate::Good);
}

#[test]
fn a_list_about_one_kind_of_certificates_counts_for_that_kind() {
    let own = TestCa::new();
    let point = || CrlDistributionPoint { uris: vec!["http://a.example/1.crl".into()] };
    let ann = own.client_as("Ann", |params| params.crl_distribution_points = vec![point()]);
    for (kind, then) in [
        (rcgen::CrlScope::UserCertsOnly, ClientCertificate::Good),
        (rcgen::CrlScope::CaCertsOnly, ClientCertificate::Revoked),
    ] {
        let scope = CrlIssuingDistributionPoint { distribution_point: point(), scope: Some(kind) };
        let crl = by(own.issuing_crl_at(scope, &[], now() + Duration::DAY));
        let list = list(vec![ca(1, own.intermediate_der(), crl)], &[]);
        assert_eq!(worth(&list, &own, &ann, now()), then, "{kind:?}");
    }
}

#[test]
fn only_a_list_about_at_least_the_same_takes_the_place_of_another() {
    let own = TestCa::new();
    let crl = |address: Option<&str>, kind| {
        let point = address.map(|address| CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint { uris: vec![address.into()] },
            scope: kind,
        });
        let until = now() + Duration::DAY;
        let der =
            point.map_or_else(|| own.issuing_crl(&[], 1, now(), until), |point| own.issuing_crl_at(point, &[], until));
        let crl = Crl::parse(&der).unwrap();
        assert_eq!(crl.is_whole(), address.is_none());
        crl
    };
    let users = Some(rcgen::CrlScope::UserCertsOnly);
    let (all, one, two) = (crl(None, None), crl(Some("http://a/1"), None), crl(Some("http://a/2"), None));
    let users = crl(Some("http://a/1"), users);
    for (next, known, may) in [
        (&all, &one, true),
        (&one, &one, true),
        (&one, &users, true),
        (&one, &all, false),
        (&one, &two, false),
        (&users, &one, false),
    ] {
        assert_eq!(next.includes(known), if may { Ok(()) } else { Err(CrlError::OtherScope) }, "{next:?} {known:?}");
    }
}

#[test]
fn what_is_wrong_with_an_issuing_distribution_point_is_told() {
    let with = |field: &[u8]| Crl::parse(&with_point(field)).map(drop);
    let point = b"\xa0\x0e\xa0\x0c\x86\x0ahttp://a/1";
    assert_eq!(with(point), Ok(()));
    for (fields, why) in [
        (&b"\x83\x02\x06\x40"[..], CrlError::SomeReasons),
        (b"\x84\x01\xff", CrlError::Indirect),
        (b"\x85\x01\xff", CrlError::Attributes),
        (b"\x81\x01\xff\x82\x01\xff", CrlError::Unreadable),
        (b"\x81\x01\x07", CrlError::Unreadable),
    ] {
        assert_eq!(with(&[&point[..], fields].concat()), Err(why), "{fields:x?}");
    }
    assert_eq!(with(b"\x81\x01\xff"), Err(CrlError::NoAddress), "of one kind, at no address");
    assert_eq!(with(b"\xa0\x04\xa1\x02\x31\x00"), Err(CrlError::NoAddress), "a name that is relative to the CA’s");
}

/// A list with these fields in its issuing distribution point; its signature is of another one.
fn with_point(fields: &[u8]) -> Vec<u8> {
    let der = TestCa::new().issuing_crl(&[], 1, now(), now() + Duration::DAY);
    let parts = |der: &[u8]| -> Vec<Vec<u8>> {
        let children = ber::Element::only(der).unwrap().children().unwrap();
        children.iter().map(|part| part.whole.to_vec()).collect()
    };
    let around =
        |tag, parts: &[Vec<u8>]| ber::encode(tag, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>()).to_vec();
    let mut whole = parts(&der);
    let mut list = parts(&whole[0]);
    let tagged = parts(list.last().unwrap());
    let mut extensions = parts(&tagged[0]);
    let value = around(ber::OCTET_STRING, &[around(ber::SEQUENCE, &[fields.to_vec()])]);
    extensions.push(around(ber::SEQUENCE, &[b"\x06\x03\x55\x1d\x1c\x01\x01\xff".to_vec(), value]));
    *list.last_mut().unwrap() = around(ber::CONTEXT_0, &[around(ber::SEQUENCE, &extensions)]);
    whole[0] = around(ber::SEQUENCE, &list);
    around(ber::SEQUENCE, &whole)
}

#[test]
fn a_signature_that_is_no_longer_safe_is_told_from_a_wrong_one() {
    let own = TestCa::new();
    let mut der = own.root_crl(&[], 1, now(), now() + Duration::DAY);
    let sha256 = b"\x2a\x86\x48\xce\x3d\x04\x03\x02";
    for at in 0..der.len() - sha256.len() {
        if der[at..].starts_with(sha256) {
            der[at + sha256.len() - 1] = 1; // ecdsa-with-SHA224, of which nothing is known here, as of SHA-1
        }
    }
    let root = X509::parse(own.root_der()).unwrap();
    let why = Crl::parse(&der).unwrap().prove(&der, &root).unwrap_err();
    assert_eq!(why, CrlError::WeakSignature("Test Root CA".into()));

    let options = ["req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=Old CA"];
    let old = crate::intake::read(&openssl(&options, b"")).unwrap().remove(0);
    let key = PrivateKey::generate(KeyKind::Rsa2048).unwrap();
    let der = crl(&old.der, &key, &[], 1, (now(), now() + Duration::DAY), None);
    let why = Crl::parse(&der).unwrap().prove(&der, &old).unwrap_err();
    assert_eq!(why, CrlError::ShortKey("Old CA".into()));
}

#[test]
fn when_another_list_was_made_is_told_as_people_write_it() {
    let why = CrlError::Older(datetime!(2026-11-01 09:05 +1)).to_string();
    assert!(why.starts_with("A newer list, made on 1 November 2026, 08:05 UTC, is already"), "{why}");
}

#[test]
fn allow_rules_let_in_who_meets_any_of_them_after_everything_else() {
    let own = TestCa::new();
    let (ann, ben) = (own.client_now("Ann"), own.client_now("Ben"));
    let root = || vec![ca(1, own.root_der(), Checked::Never)];
    let rules = [(Field::AlternativeMail, "ann@*"), (Field::CommonName, "Zoe")];
    let allowed = list(root(), &rules);
    assert_eq!(worth(&allowed, &own, &ann, now()), ClientCertificate::Good);
    assert_eq!(worth(&allowed, &own, &ben, now()), ClientCertificate::NotAllowed);
    let issuer = list(root(), &[(Field::IssuerCommonName, "test issuing ca")]);
    assert_eq!(worth(&issuer, &own, &ben, now()), ClientCertificate::Good);
    let revoked = own.issuing_crl(&[&ben.serial()], 1, now(), now() + Duration::DAY);
    let both = list(vec![ca(1, own.intermediate_der(), by(revoked))], &rules);
    assert_eq!(worth(&both, &own, &ben, now()), ClientCertificate::Revoked, "asked before the rules");
}

#[test]
fn a_ca_s_own_path_length_counts_too_and_only_cas_for_clients_stand_on_a_list() {
    let own = TestCa::new();
    let ann = own.client_now("Ann");
    let mut tight = of_root(&own);
    tight.cas[0].path_length = Some(0);
    let path = tight.path(&sent(&own, &ann), now()).unwrap();
    assert_eq!(tight.judge(&path, &OwnLists::new(), now()), Finding::Untrusted(Untrusted::PathLength));
    let as_ca = |usages: Vec<ExtendedKeyUsagePurpose>| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.extended_key_usages = usages;
        let key = rcgen::KeyPair::generate().unwrap();
        X509::parse(params.self_signed(&key).unwrap().der()).unwrap()
    };
    assert_eq!(check_ca(&as_ca(vec![ExtendedKeyUsagePurpose::ClientAuth])), Ok(()));
    let servers = check_ca(&as_ca(vec![ExtendedKeyUsagePurpose::ServerAuth]));
    assert!(matches!(servers, Err(NotTrustable::NotForClients(_))));
    let leaf = X509::parse(&ann.leaf).unwrap();
    assert_eq!(check_ca(&leaf), Err(NotTrustable::NotCa("Ann".into())));
}

#[test]
fn each_place_is_explained_with_its_reason() {
    let own = TestCa::new();
    let ann = own.client_now("Ann");
    let settings = |client, trust| Settings { client_certificates: Some(client), trust, ..Settings::default() };
    let rule = |path: &str, settings| Rule {
        id: 1,
        path: RulePath::parse(path).unwrap_or_default(),
        settings,
        reason: String::new(),
    };
    let rules = Rules::new([
        rule("", Settings::default()),
        rule("/a", settings(ClientCertificates::Require, Some(1))),
        rule("/b", settings(ClientCertificates::Accept, None)),
        rule("/c", settings(ClientCertificates::Require, Some(9))),
    ]);
    let site = Site {
        id: 1,
        name: "Shop".into(),
        folder: "/".into(),
        state: SiteState::Running,
        rules: Arc::new(rules),
        exemptions: Arc::default(),
        pages: Arc::default(),
        hsts: None,
        trials: Arc::default(),
        version: 1,
        bindings: Vec::new(),
        proxied: false,
        preloads: false,
        locked: false,
    };
    let table = SiteTable::default().with_trust_lists(1, [(1, Some(Arc::new(of_root(&own))))]);
    let told = |sent: &[X509]| {
        let mut explainer = Explainer::new(&table, sent, now());
        let places = ["/", "/a", "/b", "/c"].map(|path| RulePath::parse(path).unwrap_or_default());
        places.map(|path| explainer.at(&site, &path)).map(|place| (place.client, place.why))
    };
    let chain = [own.root_der(), own.intermediate_der(), &ann.leaf].map(|der| X509::parse(der).unwrap());
    let sent = as_sent(&chain).unwrap();
    assert_eq!(sent, [&chain[2], &chain[1], &chain[0]].map(Clone::clone), "its own first, then upwards");
    let [whole, a, b, c] = told(&sent);
    assert_eq!(whole, (None, "Certificates are not looked at here.".into()));
    let good = "It was issued under Test Root CA. Not all of its CAs tell what they revoked.";
    assert_eq!(a, (Some(ClientCertificate::Good), good.into()));
    assert!(b.0 == Some(ClientCertificate::Untrusted) && b.1.starts_with("No trust list is chosen"), "{b:?}");
    assert!(c.0 == Some(ClientCertificate::Untrusted) && c.1.contains("can’t be read"), "{c:?}");
    assert_eq!(told(&[])[1].0, Some(ClientCertificate::None));
}

#[test]
fn what_is_to_be_explained_is_one_certificate_of_a_client() {
    let own = TestCa::new();
    let read = |der: &[u8]| X509::parse(der).unwrap();
    let (ann, ben) = (read(&own.client_now("Ann").leaf), read(&own.client_now("Ben").leaf));
    assert_eq!(as_sent(&[read(own.root_der())]), Err(NotOneClient::None));
    assert_eq!(as_sent(&[ann.clone(), ben, ann.clone()]), Err(NotOneClient::Several(2)));
    let stranger = read(TestCa::new().intermediate_der());
    assert_eq!(as_sent(&[stranger, ann.clone(), ann.clone()]), Ok(vec![ann]), "twice the same is one");
}

#[test]
fn more_cas_above_a_certificate_than_a_client_may_send_are_told_and_not_left_out() {
    let pair = || rcgen::KeyPair::generate().unwrap();
    let named = |name: String| {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    };
    let mut params = named("Root".into());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut key = pair();
    let mut chain = vec![X509::parse(params.self_signed(&key).unwrap().der()).unwrap()];
    for below in 0..=MAX_SENT {
        let der: CertificateDer<'_> = chain[below].der.clone().into();
        let issuer = rcgen::Issuer::from_ca_cert_der(&der, key).unwrap();
        let mut params = named(format!("Below {below}"));
        params.use_authority_key_identifier_extension = true;
        if below < MAX_SENT {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        key = pair();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        chain.push(X509::parse(certificate.der()).unwrap());
    }
    let sent = as_sent(&chain).unwrap();
    assert_eq!(sent.len(), MAX_SENT + 1);
    let sent: Vec<CertificateDer<'_>> = sent.iter().map(|own| own.der.as_slice().into()).collect();
    let root = list(vec![ca(1, &chain[0].der, Checked::Never)], &[]);
    assert_eq!(root.path(&sent, now()), Err(Untrusted::TooLong));
}

#[test]
fn a_revocation_list_is_read_from_der_and_pem_and_says_what_is_wrong_with_it() {
    let own = TestCa::new();
    let (made, until) = (datetime!(2026-11-01 00:00 UTC), datetime!(2026-11-08 00:00 UTC));
    let der = own.root_crl(&[&[1], &[0x80, 7], &[1]], 258, made, until);
    let crl = Crl::parse(&der).unwrap();
    assert_eq!((crl.len(), crl.this_update, crl.next_update), (2, made, until));
    assert_eq!(crl.number.as_deref(), Some(&[1, 2][..]));
    assert!(crl.names(&[0, 0x80, 7]) && crl.names(&[1]) && !crl.names(&[7]) && !crl.names(&[]));
    let pem = crate::intake::pem::encode("X509 CRL", &der);
    assert_eq!(*Crl::der_in(format!("from the CA:\r\n{pem}").as_bytes()).unwrap(), *der);
    assert_eq!(Crl::der_in(b"-----BEGIN CERTIFICATE-----"), Err(CrlError::Unreadable));
    assert_eq!(Crl::parse(own.root_der()), Err(CrlError::Unreadable));
    assert_eq!(Crl::der_in(&vec![0x30; Crl::MAX_LEN + 1]), Err(CrlError::TooLarge));
    let root = X509::parse(own.root_der()).unwrap();
    assert_eq!(crl.prove(&der, &root), Ok(()));
    let mut forged = der.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(matches!(crl.prove(&forged, &root), Err(CrlError::BadSignature(_))));
}

proptest! {
    /// A list is read whole or not at all, and no damage gets past the signature.
    #[test]
    fn whatever_is_changed_in_a_list_it_is_refused_or_no_longer_proven(
        at in any::<prop::sample::Index>(), bit in 0..8u8, cut in any::<prop::sample::Index>(),
    ) {
        static OWN: std::sync::LazyLock<(TestCa, Vec<u8>)> = std::sync::LazyLock::new(|| {
            let own = TestCa::new();
            let der = own.root_crl(&[&[1], &[2, 3]], 1, now(), now() + Duration::DAY);
            (own, der)
        });
        let (own, der) = &*OWN;
        let root = X509::parse(own.root_der()).unwrap();
        let mut changed = der.clone();
        changed[at.index(der.len())] ^= 1 << bit;
        if let Ok(crl) = Crl::parse(&changed) {
            prop_assert!(crl.prove(&changed, &root).is_err());
        }
        let short = &der[..cut.index(der.len())];
        prop_assert!(Crl::parse(short).is_err());
    }

    /// What is on a list is found on it, and nothing else.
    #[test]
    fn a_serial_number_is_on_a_list_exactly_where_it_was_put(
        put in prop::collection::btree_set(prop::collection::vec(1..4u8, 1..4), 0..20),
        asked in prop::collection::vec(1..4u8, 1..4),
    ) {
        let own = TestCa::new();
        let serials: Vec<&[u8]> = put.iter().map(Vec::as_slice).collect();
        let crl = Crl::parse(&own.root_crl(&serials, 1, now(), now() + Duration::DAY)).unwrap();
        prop_assert_eq!(crl.names(&asked), put.contains(&asked));
        prop_assert!(put.iter().all(|serial| crl.names(serial)));
    }
}
