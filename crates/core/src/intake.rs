//! Reads whatever a CA's reply came as.

pub(crate) mod pem;

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use crate::chain::X509;

/// The most bytes a reply may have: 1 MiB.
pub const MAX_REPLY: usize = 1024 * 1024;

/// The most certificates a reply may hold.
pub const MAX_CERTIFICATES: usize = 100;

/// Why a reply can't be read. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Nothing but white space.
    #[error("The reply is empty. Paste the certificate the CA sent, with its BEGIN and END lines.")]
    Empty,
    /// Over [`MAX_REPLY`].
    #[error("The reply is larger than 1 MiB. A CA's reply is a few KiB; check that this is the right file.")]
    TooLarge,
    /// Over [`MAX_CERTIFICATES`].
    #[error("There are more than 100 certificates in this. Bring only the site's certificate and its issuers.")]
    TooMany,
    /// One certificate is over [`X509::MAX_LEN`].
    #[error("One certificate in this is larger than 64 KiB, which no browser takes. Ask the CA for a smaller one.")]
    CertificateTooLarge,
    /// A PKCS#10 request.
    #[error("This is a certificate request, not a certificate. Bring what the CA sent back for it.")]
    Request,
    /// A private key, with or without certificates.
    #[error(
        "There is a private key in this. The key of a request is already here: leave it out, and never send a key anywhere."
    )]
    PrivateKey,
    /// A web page.
    #[error("This is a web page, not a certificate. Sign in at the CA and download the certificate itself.")]
    WebPage,
    /// PKCS#7, as `.p7b` files hold it.
    #[error("This is PKCS#7 (.p7b), which is not read yet. Ask the CA for the certificate in PEM.")]
    Pkcs7,
    /// PKCS#12, as `.pfx` and `.p12` files hold it.
    #[error("This is PKCS#12 (.pfx), which is not read yet. Bring the certificate in PEM, without its key.")]
    Pkcs12,
    /// A ZIP archive.
    #[error("This is a ZIP archive. Unpack it, and bring the certificate that is inside.")]
    Archive,
    /// A BEGIN line without its END line, or the other way round.
    #[error("The text is cut off: a BEGIN line and its END line must both be there. Copy it again, from BEGIN to END.")]
    Truncated,
    /// The text between BEGIN and END is no base64.
    #[error("The text between BEGIN and END is damaged. Copy it again, or bring the file itself.")]
    Base64,
    /// It starts like a certificate but is none.
    #[error("A certificate in this is damaged and can't be read. Download it from the CA again.")]
    Damaged,
    /// An X.509 certificate before version 3, which has no alternative names.
    #[error("A certificate in this is of an old version that browsers refuse. Ask the CA for X.509 version 3.")]
    OldVersion,
    /// None of the above.
    #[error(
        "There is no certificate in this. Paste the text from BEGIN CERTIFICATE to END CERTIFICATE, or bring the file."
    )]
    NothingFound,
}

/// Every certificate in `bytes`, in the order found: PEM with or without text around it, CRLF or BOM; or DER.
///
/// # Errors
/// [`IntakeError`] by name. Never panics, whatever the bytes.
pub fn read(bytes: &[u8]) -> Result<Vec<X509>, IntakeError> {
    if bytes.len() > MAX_REPLY {
        return Err(IntakeError::TooLarge);
    }
    if looks_like_der(bytes) {
        return read_der(bytes);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(IntakeError::Archive);
    }
    let text = to_text(bytes);
    if text.trim().is_empty() {
        return Err(IntakeError::Empty);
    }
    let blocks = pem::blocks(&text)?;
    if blocks.is_empty() { read_bare(&text) } else { read_blocks(&blocks) }
}

/// A SEQUENCE whose length takes more than one byte; text never has such a second byte.
fn looks_like_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x80..=0x84, ..])
}

/// The text of `bytes`: UTF-16 with a byte order mark, otherwise UTF-8; what is neither can't be part of a certificate.
fn to_text(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Text without any BEGIN line: base64 alone, a web page, or nothing of use.
fn read_bare(text: &str) -> Result<Vec<X509>, IntakeError> {
    if let Some(der) = pem::decode(text).filter(|der| looks_like_der(der)) {
        return read_der(&der);
    }
    let start: String = text.trim_start().chars().take(1024).collect();
    if start.starts_with('<') && start.to_ascii_lowercase().contains("<html") {
        return Err(IntakeError::WebPage);
    }
    Err(IntakeError::NothingFound)
}

fn read_blocks(blocks: &[pem::Block<'_>]) -> Result<Vec<X509>, IntakeError> {
    if blocks.iter().any(|block| block.label.ends_with("PRIVATE KEY")) {
        return Err(IntakeError::PrivateKey);
    }
    let mut certificates = Vec::new();
    let mut instead = IntakeError::NothingFound;
    for block in blocks {
        match block.label {
            "CERTIFICATE" | "X509 CERTIFICATE" => certificates.extend(read_der(&block.decode()?)?),
            "TRUSTED CERTIFICATE" => certificates.push(read_trusted(&block.decode()?)?),
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => instead = IntakeError::Request,
            "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => return Err(IntakeError::Pkcs7),
            _ => {} // parameters, revocation lists and the like
        }
        if certificates.len() > MAX_CERTIFICATES {
            return Err(IntakeError::TooMany);
        }
    }
    if certificates.is_empty() { Err(instead) } else { Ok(certificates) }
}

/// OpenSSL's own form: a certificate, then what its owner trusts it for.
fn read_trusted(der: &[u8]) -> Result<X509, IntakeError> {
    let (certificate, _) = Element::split(der).ok_or(IntakeError::Damaged)?;
    certificate.read()
}

/// One or several certificates one after another.
fn read_der(mut der: &[u8]) -> Result<Vec<X509>, IntakeError> {
    let mut certificates = Vec::new();
    while !der.is_empty() {
        let (element, rest) = Element::split(der).ok_or(IntakeError::Damaged)?;
        certificates.push(element.read()?);
        if certificates.len() > MAX_CERTIFICATES {
            return Err(IntakeError::TooMany);
        }
        der = rest;
    }
    if certificates.is_empty() { Err(IntakeError::Damaged) } else { Ok(certificates) }
}

/// A SEQUENCE of definite length (X.690 §8.1).
struct Element<'a> {
    der: &'a [u8],
    content: &'a [u8],
}

impl<'a> Element<'a> {
    /// The first one in `der`, and what follows it.
    fn split(der: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[tag, first], _) = der.split_first_chunk::<2>()?;
        let (header, length) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x84 => {
                let header = 2 + usize::from(first - 0x80);
                let digits = der.get(2..header)?;
                (header, digits.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)))
            }
            _ => return None,
        };
        let content = der.get(header..header.checked_add(length)?)?;
        let (der, rest) = der.split_at(header + length);
        (tag == 0x30).then_some((Self { der, content }, rest))
    }

    /// A certificate, or the name of what it is instead.
    fn read(&self) -> Result<X509, IntakeError> {
        let error = match X509::parse(self.der) {
            Ok(certificate) => return Ok(certificate),
            Err(error) => error,
        };
        Err(match self.content {
            [0x06, ..] => IntakeError::Pkcs7,              // ContentInfo starts with its type
            [0x02, 0x01, 0x03, ..] => IntakeError::Pkcs12, // PFX is of version 3
            [0x02, 0x01, 0x00 | 0x01, ..] => IntakeError::PrivateKey, // PKCS#8, PKCS#1 and SEC 1 are of version 0 or 1
            _ if X509CertificationRequest::from_der(self.der).is_ok() => IntakeError::Request,
            _ => error,
        })
    }
}

#[cfg(test)]
mod tests;
