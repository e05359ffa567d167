//! Texts that a careless reader goes over again and again.

use siteward_core::intake::{IntakeError, MAX_REPLY};

use super::{Case, Expect};

pub(super) fn cases() -> Vec<Case> {
    let full = |text: &str| text.repeat(MAX_REPLY / text.len()).into_bytes();
    let block = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    let tiny = block("CERTIFICATE", "MAA=").repeat(10_000);
    let dek =
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\nMAAAAAAAAAAAAAAAAAAAAA==";
    let mut cases = vec![
        Case::new("10,000 tiny certificates", tiny.into_bytes(), Expect::Refused(IntakeError::TooMany)),
        Case::new("blocks of no interest", full(&block("X", "MAA=")), Expect::Refused(IntakeError::NothingFound)),
        Case::new("10,000 requests", full(&block("CERTIFICATE REQUEST", "MAA=")), Expect::Request),
        Case::new("encrypted keys", full(&block("RSA PRIVATE KEY", dek)), Expect::Refused(IntakeError::TooMany)),
        Case::new(
            "one block of headers",
            block("CERTIFICATE", &"a: b\n".repeat(200_000)).into(),
            Expect::RefusedSomehow,
        ),
        Case::new(
            "one key of headers",
            block("EC PRIVATE KEY", &"a: b\n".repeat(200_000)).into(),
            Expect::RefusedSomehow,
        ),
        Case::new("one block of quotes", block("CERTIFICATE", &"> ".repeat(500_000)).into(), Expect::RefusedSomehow),
        Case::new("a page of tags", full("<html <html "), Expect::Refused(IntakeError::WebPage)),
    ];
    let pieces = [
        "-----BEGIN ",
        "-----BEGIN CERTIFICATE-----\n",
        "-----END ",
        "-----END CERTIFICATE-----\n",
        "-----BEGIN A-----\n-----END B-----\n",
        "-----BEGIN -----END ",
        "-----",
        "MIIB",
        ":",
        "\n",
        "\r",
        ">",
        "\u{feff}",
        "=",
    ];
    cases.extend(
        pieces.iter().map(|piece| Case::new(format!("much of {piece:?}"), full(piece), Expect::RefusedSomehow)),
    );
    for (name, mark) in [("UTF-16, little end first", [0xff, 0xfe]), ("UTF-16, big end first", [0xfe, 0xff])] {
        let wide = [&mark[..], &b"-\0".repeat(MAX_REPLY / 2 - 1)].concat();
        cases.push(Case::new(format!("dashes in {name}"), wide, Expect::RefusedSomehow));
    }
    cases
}
