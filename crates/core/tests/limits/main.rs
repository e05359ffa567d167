//! What a stranger may bring is refused, or read, within a second and 64 MiB, however it was made to cost more.
//!
//! One test, because the allocator counts the whole process. A debug build on a busy machine gets ten seconds.

mod archives;
mod clients;
mod der;
mod derivations;
mod texts;

use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use siteward_core::authority::Requested;
use siteward_core::chain::{Chain, InstallError};
use siteward_core::inspect;
use siteward_core::intake::{self, IntakeError, MAX_REPLY};
use siteward_core::lint::{Profile, judge};
use time::macros::datetime;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MOST_MEMORY: usize = 64 * 1024 * 1024;
const MOST_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

/// A file that costs more than it should, with what becomes of it.
struct Case {
    name: String,
    bytes: Vec<u8>,
    expect: Expect,
}

enum Expect {
    /// Refused where keys and certificates are brought.
    Refused(IntakeError),
    /// Refused by whatever name.
    RefusedSomehow,
    /// Read, but no chain for a site.
    NoChain(InstallError),
    /// Read.
    Read,
    /// A request, which only the page that reads requests takes.
    Request,
}

impl Case {
    fn new(name: impl Into<String>, bytes: Vec<u8>, expect: Expect) -> Self {
        Self { name: name.into(), bytes, expect }
    }
}

#[test]
fn whatever_is_brought_costs_at_most_a_second_and_64_mib() {
    let cases = [archives::cases(), der::cases(), derivations::cases(), texts::cases(), plain()];
    for case in cases.into_iter().flatten() {
        within_limits(&case.name, "opened", || check(&case));
        within_limits(&case.name, "read as a reply", || {
            if let Ok(certificates) = intake::read(&case.bytes) {
                let key = certificates[0].key_id;
                let _ = Chain::build(certificates, key);
            }
        });
        within_limits(&case.name, "inspected and judged", || {
            for thing in inspect::read(&case.bytes).into_iter().flatten() {
                for profile in Profile::ALL {
                    judge(&thing.facts, profile, datetime!(2026-11-22 12:00 UTC));
                }
            }
        });
        within_limits(&case.name, "read by an authority", || _ = Requested::read(&case.bytes));
    }
    clients::check();
}

fn within_limits(name: &str, done: &str, act: impl FnOnce()) {
    MEMORY.reset_peak_usage();
    let (before, started) = (MEMORY.current_usage(), Instant::now());
    act();
    let (took, memory) = (started.elapsed(), MEMORY.peak_usage() - before);
    println!("{name}, {done}: {took:.1?}, {} KiB", memory / 1024);
    assert!(took <= MOST_TIME, "{name}, {done}: {took:?}");
    assert!(memory <= MOST_MEMORY, "{name}, {done}: {memory} bytes");
}

fn check(case: &Case) {
    let found = intake::open(&[("a file", &case.bytes)], Some("secret"));
    match (&case.expect, found) {
        (Expect::Refused(expected), Err(error)) if *expected == error => {}
        (Expect::RefusedSomehow, Err(_)) | (Expect::Request, Err(IntakeError::Request)) | (Expect::Read, Ok(_)) => {}
        (Expect::NoChain(expected), Ok(found)) => {
            let leaf = found.certificates[0].key_id;
            assert_eq!(Chain::build(found.certificates, leaf).as_ref(), Err(expected), "{}", case.name);
        }
        (_, found) => panic!("{}: {found:.500?}", case.name),
    }
}

/// Much of one thing.
fn plain() -> Vec<Case> {
    let twenty_mib = 20 * MAX_REPLY;
    let filled = |byte: u8| Case::new(format!("20 MiB of {byte:02x}"), vec![byte; twenty_mib], too_large());
    let mut cases: Vec<Case> = [b'A', b'-', b'0', 0, 0xff].into_iter().map(filled).collect();
    for start in [&b"PK\x03\x04"[..], b"\x30\x84\x01\x3f\xff\xfa", b"-----BEGIN CERTIFICATE-----\n"] {
        let mut bytes = start.to_vec();
        bytes.resize(twenty_mib, b'A');
        cases.push(Case::new("20 MiB that start well", bytes, too_large()));
    }
    cases
}

fn too_large() -> Expect {
    Expect::Refused(IntakeError::TooLarge)
}
