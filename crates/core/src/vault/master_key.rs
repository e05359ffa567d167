//! One master key, and the form of what is sealed under it.
//!
//! AES-256-GCM-SIV (RFC 8452): a repeated nonce reveals only that two texts are equal. The id of the key pair is the
//! associated data, so a sealed key that is moved to another row does not open.

use std::fmt::{self, Write};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

/// Version, nonce, text, tag: sealed before texts named their key.
const NAMELESS: u8 = 1;
/// Version, key id, nonce, text, tag.
const NAMED: u8 = 2;

const KEY_LEN: usize = 32;
const ID_LEN: usize = 8;

/// What tells master keys apart, and nothing about them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyId([u8; ID_LEN]);

/// A master key. The library wipes its own copy when it is dropped.
pub(super) struct MasterKey {
    id: KeyId,
    key: RandomizedNonceKey,
}

impl KeyId {
    /// The key that `sealed` names; `None` where it names none.
    pub(crate) fn of(sealed: &[u8]) -> Option<Self> {
        let (&version, rest) = sealed.split_first()?;
        let id = rest.first_chunk()?;
        (version == NAMED).then_some(Self(*id))
    }

    /// How every text that is sealed under this key begins.
    pub(crate) fn head(self) -> Vec<u8> {
        [&[NAMED], self.0.as_slice()].concat()
    }
}

impl MasterKey {
    /// Reads 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_ascii();
        if digits.len() != 2 * KEY_LEN || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok()?;
        }
        let named = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()), b"siteward master key id");
        let id = KeyId(*named.as_ref().first_chunk()?);
        let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes.as_slice()).ok()?;
        Some(Self { id, key })
    }

    /// The text of a new key, as [`MasterKey::parse`] reads it; `None` where the system has no random numbers.
    pub(super) fn generate() -> Option<Zeroizing<String>> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        rand::fill(bytes.as_mut_slice()).ok()?;
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_LEN + 1));
        for byte in bytes.iter() {
            write!(text, "{byte:02x}").ok()?;
        }
        text.push('\n');
        Some(text)
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn seal(&self, secret: &[u8], identity: &[u8]) -> Option<Vec<u8>> {
        let room = secret.len() + AES_256_GCM_SIV.tag_len(); // growing would leave a copy behind
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        text.extend_from_slice(secret);
        let nonce = self.key.seal_in_place_append_tag(Aad::from(identity), &mut *text).ok()?;
        Some([self.id.head().as_slice(), nonce.as_ref(), &text].concat())
    }

    /// Opens a text of either form.
    pub(super) fn unseal(&self, sealed: &[u8], identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (&version, rest) = sealed.split_first()?;
        let rest = match version {
            NAMELESS => rest,
            NAMED => rest.strip_prefix(self.id.0.as_slice())?,
            _ => return None,
        };
        let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = Zeroizing::new(text.to_vec());
        let len = self.key.open_in_place(nonce, Aad::from(identity), &mut text).ok()?.len();
        text.truncate(len);
        Some(text)
    }

    /// As keys were sealed before they were named.
    #[cfg(test)]
    pub(super) fn seal_nameless(&self, secret: &[u8], identity: &[u8]) -> Vec<u8> {
        let named = self.seal(secret, identity).unwrap();
        [&[NAMELESS], &named[1 + ID_LEN..]].concat()
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyId")
    }
}
