//! Reads any certificate request or certificate for display: every field, leniently, and never for trust.

mod attributes;
mod certificate;
mod extensions;
mod facts;
mod key;
mod oid;
mod request;
mod signature;
mod subject;
mod text;

use x509_parser::asn1_rs::Any;
use x509_parser::prelude::FromDer;

pub use self::facts::{Facts, Hash, Key, Name};
pub(crate) use self::facts::{bits, key_usages};
pub(crate) use self::oid::named;
pub(crate) use self::text::{shortened, shown, string};
use crate::intake::piece::to_text;
use crate::intake::{self, IntakeError, MAX_CERTIFICATES, MAX_REPLY, pem};

/// The most fields that one request or certificate is shown with.
const MAX_FIELDS: usize = 400;

/// The most entries of one list, such as the alternative names, that are shown.
const MAX_LIST: usize = 100;

/// The most characters of a name in a heading.
const MAX_SUMMARY: usize = 80;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A certificate request (RFC 2986).
    Request,
    /// A certificate (RFC 5280).
    Certificate,
}

/// One request or certificate with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// What it is.
    pub kind: Kind,
    /// Its common name or first alternative name, for a heading.
    pub summary: String,
    /// Every field, in the order of the sections.
    pub fields: Vec<Field>,
    /// What the rules look at.
    pub facts: Facts,
}

/// One line to show. No text holds a character that is unseen or changes how others are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The heading it stands under.
    pub section: &'static str,
    /// What it is.
    pub name: String,
    /// What it says.
    pub value: String,
    /// Digits that are compared one by one, such as a fingerprint.
    pub is_code: bool,
}

/// Why nothing can be shown. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// Nothing but white space.
    #[error("This is empty. Paste a request or a certificate, or choose a file.")]
    Empty,
    /// Over [`MAX_REPLY`].
    #[error("This is larger than 1 MiB. A request or certificate has a few KiB; check that this is the right file.")]
    TooLarge,
    /// Over [`MAX_CERTIFICATES`].
    #[error("There are more than 100 requests and certificates in this. Bring fewer at a time.")]
    TooMany,
    /// A private key, alone or with others. Nothing of it is shown.
    #[error("There is a private key in this. Leave it out: a page that reads requests and certificates needs none.")]
    PrivateKey,
    /// It starts like a request or certificate but is none.
    #[error("This is damaged: it starts like a request or certificate and can’t be read to its end. Copy it again.")]
    Damaged,
    /// None of the above.
    #[error(
        "There is no request or certificate in this. Paste all from its BEGIN line to its END line, or bring the file."
    )]
    NothingFound,
    /// What every reader of such files finds.
    #[error(transparent)]
    Intake(IntakeError),
}

impl From<IntakeError> for InspectError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Empty => Self::Empty,
            IntakeError::TooLarge => Self::TooLarge,
            IntakeError::TooMany => Self::TooMany,
            IntakeError::PrivateKey | IntakeError::Pkcs12 => Self::PrivateKey,
            IntakeError::Damaged => Self::Damaged,
            IntakeError::NothingFound => Self::NothingFound,
            error => Self::Intake(error),
        }
    }
}

/// Every request and certificate in `bytes`, in the order found: PEM in either armour with or without text around it,
/// DER, or whatever else [`intake::read`] finds certificates in.
///
/// # Errors
/// [`InspectError`] by name. Never panics, whatever the bytes.
pub fn read(bytes: &[u8]) -> Result<Vec<Inspected>, InspectError> {
    if bytes.len() > MAX_REPLY {
        return Err(InspectError::TooLarge);
    }
    let ders = if is_text(bytes) { in_text(&to_text(bytes))? } else { in_bytes(bytes)? };
    if ders.len() > MAX_CERTIFICATES {
        return Err(InspectError::TooMany);
    }
    let certificates: Vec<_> = ders.iter().filter_map(|der| certificate::parse(der)).collect();
    let read = |der: &Vec<u8>| certificate::read(der, &certificates).or_else(|| request::read(der));
    ders.iter().map(|der| read(der).ok_or(InspectError::Damaged)).collect()
}

/// Neither DER nor a ZIP archive.
fn is_text(bytes: &[u8]) -> bool {
    !matches!(bytes, [0x30, 0x80..=0x84, ..] | [b'P', b'K', 3, 4, ..])
}

fn in_text(text: &str) -> Result<Vec<Vec<u8>>, InspectError> {
    let blocks = pem::blocks(text)?;
    if blocks.is_empty() {
        return match pem::decode(text).filter(|der| !is_text(der)) {
            Some(der) => in_bytes(&der),
            None => Ok(certificates(text.as_bytes())?), // which says what it is instead
        };
    }
    let mut ders = Vec::new();
    for block in blocks {
        match block.label {
            label if label.ends_with("PRIVATE KEY") => return Err(InspectError::PrivateKey),
            label if label.contains("PARAMETERS") || label.ends_with("CRL") || label.ends_with("PUBLIC KEY") => {}
            "TRUSTED CERTIFICATE" => {
                // OpenSSL's own form: a certificate, then what its owner trusts it for.
                let der = block.decode()?;
                ders.extend(slices(&der).and_then(|parts| parts.first().map(|first| first.to_vec())));
            }
            _ => ders.extend(in_bytes(&block.decode()?)?),
        }
    }
    if ders.is_empty() { Err(InspectError::NothingFound) } else { Ok(ders) }
}

/// One thing or several, one after another; certificates in another format are taken out of it.
fn in_bytes(bytes: &[u8]) -> Result<Vec<Vec<u8>>, InspectError> {
    let Some(things) = slices(bytes).filter(|things| !things.is_empty()) else {
        return Ok(certificates(bytes)?);
    };
    let mut ders = Vec::new();
    for thing in things {
        match only(thing).map(|thing| thing.data) {
            Some([0x30, ..]) => ders.push(thing.to_vec()), // both hold a SEQUENCE first
            _ => ders.extend(certificates(thing)?),
        }
    }
    Ok(ders)
}

/// What intake finds, or its name for what this is instead.
fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, IntakeError> {
    Ok(intake::read(bytes)?.into_iter().map(|certificate| certificate.der).collect())
}

/// A name for a heading: the common name, else the first alternative name.
fn summary(facts: &Facts) -> String {
    let alternative = || {
        facts.names.iter().find_map(|name| match name {
            Name::Dns(name) => Some(name.clone()),
            Name::Ip(ip) => Some(ip.to_string()),
            Name::Other(_) => None,
        })
    };
    let common = facts.common_names.iter().find(|name| !name.trim().is_empty()).cloned();
    let name = common.or_else(alternative).unwrap_or_else(|| "Without a name".into());
    text::shortened(&name, MAX_SUMMARY)
}

/// The one element that `bytes` are.
fn only(bytes: &[u8]) -> Option<Any<'_>> {
    Any::from_der(bytes).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, element)| element)
}

/// The elements that `bytes` are, one after another.
fn elements(bytes: &[u8]) -> Option<Vec<Any<'_>>> {
    slices(bytes)?.into_iter().map(only).collect()
}

/// The bytes of each of these elements.
fn slices(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut slices = Vec::new();
    while !bytes.is_empty() {
        let (rest, _) = Any::from_der(bytes).ok()?;
        slices.push(&bytes[..bytes.len() - rest.len()]);
        bytes = rest;
    }
    Some(slices)
}

/// Fields as they are gathered.
struct Fields {
    section: &'static str,
    list: Vec<Field>,
    /// The entries of the list that is being added to, with its name.
    run: (String, usize),
}

impl Fields {
    fn new(section: &'static str) -> Self {
        Self { section, list: Vec::new(), run: (String::new(), 0) }
    }

    fn add(&mut self, name: impl Into<String>, value: &str) {
        if self.list.len() < MAX_FIELDS {
            let (name, value) = (text::shown(&name.into()), text::shown(value));
            self.list.push(Field { section: self.section, name, value, is_code: false });
        }
    }

    /// Digits that are compared one by one.
    fn add_code(&mut self, name: impl Into<String>, digits: &str) {
        let before = self.list.len();
        self.add(name, digits);
        self.list[before..].iter_mut().for_each(|field| field.is_code = true);
    }

    /// Each section in one piece, in the order they began.
    fn by_section(mut self) -> Vec<Field> {
        let mut sections: Vec<&str> = Vec::new();
        for field in &self.list {
            if !sections.contains(&field.section) {
                sections.push(field.section);
            }
        }
        self.list.sort_by_key(|field| sections.iter().position(|own| *own == field.section));
        self.list
    }

    /// One of many of the same name; after [`MAX_LIST`] only their number is told.
    fn add_list(&mut self, name: String, value: &str) {
        if self.run.0 != name {
            self.run = (name.clone(), 0);
        }
        self.run.1 += 1;
        match self.run.1 {
            count if count <= MAX_LIST => self.add(name, value),
            count => {
                let more = format!("and {} more", count - MAX_LIST);
                match self.list.last_mut().filter(|last| count > MAX_LIST + 1 && last.name == name) {
                    Some(last) => last.value = more,
                    None => self.add(name, &more),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
