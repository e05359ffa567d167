//! One certificate in DER, put in order among those of real authorities, and judged by their roots.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use siteward_core::authority::Draft;
use siteward_core::chain::{Chain, X509, doubts};
use siteward_core::host::HostPattern;
use siteward_core::intake;
use siteward_core::trust::{Anchors, Roots};
use time::OffsetDateTime;
use time::macros::datetime;

/// When the corpus was made.
const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

static AUTHORITIES: LazyLock<Vec<X509>> = LazyLock::new(|| {
    let files = [
        &include_bytes!("../../tests/corpus/ca/int2.pem")[..],
        include_bytes!("../../tests/corpus/ca/int1.pem"),
        include_bytes!("../../tests/corpus/ca/rsaint.pem"),
        include_bytes!("../../tests/corpus/ca/crossint.pem"),
        include_bytes!("../../tests/corpus/ca/crossint-alt.pem"),
        include_bytes!("../../tests/corpus/ca/root.pem"),
    ];
    files.into_iter().flat_map(|file| intake::read(file).expect("an authority")).collect()
});

static ANCHORS: LazyLock<Anchors> = LazyLock::new(|| Anchors {
    own: Roots::of(AUTHORITIES.iter().map(|own| own.der.as_slice())),
    ..Anchors::default()
});

fuzz_target!(|der: &[u8]| {
    let Ok(certificate) = X509::parse(der) else { return };
    let _ = Draft::of(der);
    let (key, given) = (certificate.key_id, 1 + AUTHORITIES.len());
    let certificates = [&[certificate][..], &AUTHORITIES].concat();
    let Ok(chain) = Chain::build(certificates, key) else { return };
    let placed = 1 + chain.intermediates.len() + usize::from(chain.root.is_some()) + chain.strangers.len();
    assert!(placed == given || placed + 1 == given, "each once; one of the authorities may be given twice");
    let hosts = [HostPattern::parse("www.corpus.test").expect("a host")];
    doubts(&chain.leaf.facts(1), &hosts, NOW);
    ANCHORS.judge(&chain.leaf, &chain.intermediates, NOW);
});
