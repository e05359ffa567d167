//! What a client shows at a handshake: certificates in DER, one after the other.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use siteward_core::certificate::Fingerprint;
use siteward_core::intake;
use siteward_core::trust_list::{
    AllowRule, CaDraft, Checked, Field, OwnLists, TrustList, WhenStale, is_bounded, subject,
};
use time::OffsetDateTime;
use time::macros::datetime;

/// When the corpus was made.
const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

static LIST: LazyLock<TrustList> = LazyLock::new(|| {
    let files = [
        &include_bytes!("../../tests/corpus/ca/int2.pem")[..],
        include_bytes!("../../tests/corpus/ca/root.pem"),
    ];
    let certificates = files.into_iter().flat_map(|file| intake::read(file).expect("an authority"));
    let draft = |(id, certificate)| CaDraft { id, certificate, checked: Checked::Never };
    let allow = Field::ALL.map(|field| AllowRule::parse(field, "*a*").expect("a rule")).to_vec();
    let list = (1, "Partners".into(), WhenStale::Closed);
    TrustList::new(list, (1..).zip(certificates).map(draft).collect(), allow, &[]).expect("a list")
});

fuzz_target!(|bytes: &[u8]| {
    let mut sent = Vec::new();
    let mut rest = bytes;
    // As long as DER says in two bytes, which is all that certificates of this size need.
    while let [0x30, 0x82, high, low, ..] = *rest {
        let length = 4 + usize::from(u16::from_be_bytes([high, low]));
        let Some((der, after)) = rest.split_at_checked(length) else { break };
        sent.push(der.into());
        rest = after;
    }
    let Some(own) = sent.first() else { return };
    assert!(subject(own).chars().count() <= 201 && !subject(own).contains(char::is_control));
    match LIST.path(&sent, NOW) {
        Ok(path) => {
            assert!(is_bounded(&sent));
            LIST.judge(&path, &OwnLists::new(), NOW).client();
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
    assert_ne!(LIST.identity(), Fingerprint::default());
});
