//! Documents that Siteward itself publishes over http, for whoever checks certificates of its authorities.

use std::fmt::Write;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::certificate::Fingerprint;

/// The number of the newest document of a table: it grows with every one that is written.
pub type Generation = i64;

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// The revocation list of an authority (RFC 5280 §5), DER.
    Crl,
    /// The newest certificate of an authority, DER.
    Certificate,
}

/// One document. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// All of it.
    pub body: Arc<[u8]>,
    /// When it was made, to the second.
    pub made_at: OffsetDateTime,
    /// The digest of its bytes.
    pub digest: Fingerprint,
}

impl DocumentKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Crl, Self::Certificate];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crl => "crl",
            Self::Certificate => "certificate",
        }
    }

    /// Reads what [`DocumentKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Its media type (RFC 2585 §4).
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Crl => "application/pkix-crl",
            Self::Certificate => "application/pkix-cert",
        }
    }

    /// The path at which the document of the key with this id is published. It never changes: it is written into
    /// certificates. The key is named as in its subject key identifier: the first 20 bytes of its digest.
    pub fn path(self, key_id: Fingerprint) -> String {
        let mut name = String::with_capacity(40);
        for byte in &key_id.0[..20] {
            // Writing into a String can't fail.
            let _ = write!(name, "{byte:02x}");
        }
        match self {
            Self::Crl => format!("{ROOT}crl/{name}.crl"),
            Self::Certificate => format!("{ROOT}ca/{name}.cer"),
        }
    }
}

/// What the path of every document begins with.
pub const ROOT: &str = "/.well-known/siteward/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_one_path_for_ever() {
        let key = Fingerprint([0xab; 32]);
        let name = "ab".repeat(20);
        assert_eq!(DocumentKind::Crl.path(key), format!("/.well-known/siteward/crl/{name}.crl"));
        assert_eq!(DocumentKind::Certificate.path(key), format!("/.well-known/siteward/ca/{name}.cer"));
        for kind in DocumentKind::ALL {
            assert_eq!(DocumentKind::parse(kind.as_str()), Some(kind));
        }
    }
}
