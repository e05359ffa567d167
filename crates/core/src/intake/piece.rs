//! What a file holds, told apart by its bytes and never by its name.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use super::ber::{self, Element};
use super::{IntakeError, MAX_CERTIFICATES, MAX_REPLY, pem, pkcs7};
use crate::chain::X509;

/// One thing in a file.
pub(super) enum Piece {
    /// An X.509 certificate.
    Certificate(X509),
    /// A PKCS#10 request.
    Request,
    /// A private key in clear.
    Key,
    /// A PFX (RFC 7292 §4).
    Pfx,
}

/// Every piece of one file, in the order found.
pub(super) fn pieces(bytes: &[u8]) -> Result<Vec<Piece>, IntakeError> {
    if bytes.len() > MAX_REPLY {
        return Err(IntakeError::TooLarge);
    }
    let mut pieces = Vec::new();
    if looks_like_der(bytes) {
        in_der(bytes, &mut pieces)?;
    } else if bytes.starts_with(b"PK\x03\x04") {
        return Err(IntakeError::Archive);
    } else {
        in_text(&to_text(bytes), &mut pieces)?;
    }
    Ok(pieces)
}

/// A SEQUENCE whose length takes more than one byte; text never has such a second byte.
fn looks_like_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x80..=0x84, ..])
}

/// The text of `bytes`: UTF-16 with a byte order mark, otherwise UTF-8; what is neither can't be part of a certificate.
fn to_text(bytes: &[u8]) -> Zeroizing<String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Zeroizing<Vec<u16>> =
            Zeroizing::new(bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect());
        String::from_utf16_lossy(&units)
    };
    Zeroizing::new(match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    })
}

fn in_text(text: &str, pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    if text.trim().is_empty() {
        return Err(IntakeError::Empty);
    }
    let blocks = pem::blocks(text)?;
    if blocks.is_empty() {
        return in_bare_text(text, pieces);
    }
    for block in blocks {
        match block.label {
            "TRUSTED CERTIFICATE" => {
                // OpenSSL's own form: a certificate, then what its owner trusts it for.
                let der = block.decode()?;
                let (certificate, _) = Element::split(&der).ok_or(IntakeError::Damaged)?;
                add(Piece::Certificate(X509::parse(certificate.whole)?), pieces)?;
            }
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => add(Piece::Request, pieces)?,
            "CERTIFICATE" | "X509 CERTIFICATE" | "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => {
                let der = block.decode()?;
                if der.is_empty() {
                    return Err(IntakeError::Damaged);
                }
                in_der(&der, pieces)?;
            }
            label if label.ends_with("PRIVATE KEY") => add(Piece::Key, pieces)?,
            _ => {} // parameters, revocation lists and the like
        }
    }
    Ok(())
}

/// Text without any BEGIN line: base64 alone, a web page, or nothing of use.
fn in_bare_text(text: &str, pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    if let Some(der) = pem::decode(text).filter(|der| looks_like_der(der)) {
        return in_der(&der, pieces);
    }
    let start: String = text.trim_start().chars().take(1024).collect();
    if start.starts_with('<') && start.to_ascii_lowercase().contains("<html") {
        return Err(IntakeError::WebPage);
    }
    Err(IntakeError::NothingFound)
}

/// One thing or several, one after another.
fn in_der(mut der: &[u8], pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    while !der.is_empty() {
        let (element, rest) = Element::split(der).ok_or(IntakeError::Damaged)?;
        in_element(&element, pieces)?;
        der = rest;
    }
    Ok(())
}

/// The first elements inside tell what it is; a certificate starts with a SEQUENCE in a SEQUENCE.
fn in_element(element: &Element<'_>, pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    let element = element.tagged(ber::SEQUENCE).ok_or(IntakeError::Damaged)?;
    match element.content {
        [ber::OID, ..] => {
            for certificate in pkcs7::certificates(&element)? {
                add(Piece::Certificate(X509::parse(certificate.whole)?), pieces)?;
            }
            Ok(())
        }
        [ber::INTEGER, 1, 3, ..] => add(Piece::Pfx, pieces),
        [ber::INTEGER, 1, 0 | 1, ..] => add(Piece::Key, pieces), // PKCS#8, PKCS#1 and SEC 1
        _ => match X509::parse(element.whole) {
            Ok(certificate) => add(Piece::Certificate(certificate), pieces),
            Err(_) if X509CertificationRequest::from_der(element.whole).is_ok() => add(Piece::Request, pieces),
            Err(error) => Err(error),
        },
    }
}

fn add(piece: Piece, pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    if pieces.len() == MAX_CERTIFICATES {
        return Err(IntakeError::TooMany);
    }
    pieces.push(piece);
    Ok(())
}
