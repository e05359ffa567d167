//! What a file holds, told apart by its bytes and never by its name.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;
use zeroize::Zeroizing;

use super::ber::{self, Element};
use super::legacy_pem::LegacyKey;
use super::{IntakeError, MAX_CERTIFICATES, MAX_REPLY, Note, archive, pem, pkcs7};
use crate::chain::X509;

/// One thing in a file, as it lies there: a key may be of any kind, and nothing is decrypted.
pub(super) enum Piece {
    /// An X.509 certificate.
    Certificate(Box<X509>),
    /// A private key in clear: PKCS#8, PKCS#1 or SEC 1.
    Key(Zeroizing<Vec<u8>>),
    /// An EncryptedPrivateKeyInfo (RFC 5958 §3).
    EncryptedKey(Vec<u8>),
    /// A key in OpenSSL's old encryption.
    LegacyKey(LegacyKey),
    /// A PFX (RFC 7292 §4).
    Pfx(Vec<u8>),
    /// Nothing of use.
    Nothing(Note),
}

impl Piece {
    /// A certificate, or the note that it can't be read: one such among good ones is set aside.
    pub(super) fn certificate(der: &[u8]) -> Self {
        match X509::parse(der) {
            Ok(certificate) => Self::Certificate(Box::new(certificate)),
            Err(reason) => Self::Nothing(Note::new("", reason)),
        }
    }
}

/// Adds every piece of a file, or of the files in an archive, in the order found.
pub(super) fn gather(file: &str, bytes: &[u8], pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    if bytes.len() > MAX_REPLY {
        return Err(IntakeError::TooLarge);
    }
    if bytes.starts_with(b"PK\x03\x04") { archive::unpack(bytes, pieces) } else { in_file(file, bytes, pieces) }
}

/// Adds every piece of one file. One that holds nothing of use says so only where all the others do.
pub(super) fn in_file(file: &str, bytes: &[u8], pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    let found = match bytes {
        [b'P', b'K', 3, 4, ..] => Err(IntakeError::Archive),
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => Err(IntakeError::Jks),
        _ if looks_like_der(bytes) => in_der(bytes, pieces),
        _ => in_text(&to_text(bytes), pieces),
    };
    use IntakeError::{Empty, NothingFound, Request, WebPage};
    match found {
        Err(reason @ (Empty | NothingFound | Request | WebPage)) => {
            add(Piece::Nothing(Note::new(file, reason)), pieces)
        }
        other => other,
    }
}

/// A SEQUENCE whose length takes more than one byte, or that starts with a number, as a short key does; text never has
/// such bytes.
fn looks_like_der(bytes: &[u8]) -> bool {
    matches!(bytes, [ber::SEQUENCE, 0x80..=0x84, ..] | [ber::SEQUENCE, _, ber::INTEGER, ..])
}

/// The text of `bytes`: UTF-16 with a byte order mark, otherwise UTF-8; what is neither can't be part of a certificate.
pub(crate) fn to_text(bytes: &[u8]) -> Zeroizing<String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&Zeroizing::new(units))
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
    let before = pieces.len();
    let mut instead = IntakeError::NothingFound;
    for block in &blocks {
        match block.label {
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => instead = IntakeError::Request,
            _ => in_block(block, pieces)?,
        }
    }
    if pieces.len() == before { Err(instead) } else { Ok(()) }
}

fn in_block(block: &pem::Block<'_>, pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    match block.label {
        "CERTIFICATE" | "X509 CERTIFICATE" | "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" | "PKCS12" => {
            in_der(&block.decode()?, pieces)
        }
        "TRUSTED CERTIFICATE" => {
            // OpenSSL's own form: a certificate, then what its owner trusts it for.
            let der = block.decode()?;
            let (certificate, _) = Element::split(&der).ok_or(IntakeError::Damaged)?;
            add(Piece::certificate(certificate.whole), pieces)
        }
        "OPENSSH PRIVATE KEY" => Err(IntakeError::OpenSsh),
        "ENCRYPTED PRIVATE KEY" => add(Piece::EncryptedKey(block.decode()?.to_vec()), pieces),
        label if label.ends_with("PRIVATE KEY") => {
            let key = match block.header("DEK-Info") {
                Some(info) => Piece::LegacyKey(LegacyKey::read(block, info)?),
                None => Piece::Key(block.decode()?),
            };
            add(key, pieces)
        }
        _ => Ok(()), // parameters, revocation lists and the like
    }
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
    if start.starts_with("PuTTY-User-Key-File") {
        return Err(IntakeError::OpenSsh);
    }
    Err(IntakeError::NothingFound)
}

/// One thing or several, one after another.
fn in_der(mut der: &[u8], pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    if der.is_empty() {
        return Err(IntakeError::Damaged);
    }
    while !der.is_empty() {
        let (element, rest) = Element::split(der).ok_or(IntakeError::Damaged)?;
        in_element(&element, pieces)?;
        der = rest;
    }
    Ok(())
}

/// The first element inside tells what it is. A certificate starts with a SEQUENCE in a SEQUENCE, and so do a request and
/// an encrypted key, which starts with the identifier of its algorithm.
fn in_element(element: &Element<'_>, pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    let element = element.tagged(ber::SEQUENCE).ok_or(IntakeError::Damaged)?;
    match element.content {
        [ber::OID, ..] => {
            for certificate in pkcs7::certificates(&element)? {
                add(Piece::certificate(certificate.whole), pieces)?;
            }
            Ok(())
        }
        [ber::INTEGER, 1, 3, ..] => add(Piece::Pfx(element.whole.to_vec()), pieces),
        [ber::INTEGER, 1, 0 | 1, ..] => add(Piece::Key(element.whole.to_vec().into()), pieces),
        _ => match Piece::certificate(element.whole) {
            Piece::Nothing(_) if is_encrypted_key(&element) => add(Piece::EncryptedKey(element.whole.to_vec()), pieces),
            Piece::Nothing(_) if X509CertificationRequest::from_der(element.whole).is_ok() => Err(IntakeError::Request),
            piece => add(piece, pieces),
        },
    }
}

fn is_encrypted_key(element: &Element<'_>) -> bool {
    let parts = element.children();
    parts.is_some_and(|parts| {
        matches!(parts[..], [algorithm, data] if algorithm.content.first() == Some(&ber::OID) && data.tag == ber::OCTET_STRING)
    })
}

/// Adds one piece, up to [`MAX_CERTIFICATES`].
pub(super) fn add(piece: Piece, pieces: &mut Vec<Piece>) -> Result<(), IntakeError> {
    if pieces.len() == MAX_CERTIFICATES {
        return Err(IntakeError::TooMany);
    }
    pieces.push(piece);
    Ok(())
}
