//! Decrypts what other programs encrypted, in ciphers that nothing is encrypted with here.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit};
use des::{TdesEde2, TdesEde3};
use rc2::Rc2;
use zeroize::Zeroizing;

/// A block cipher in CBC mode, padded as in PKCS#7 (RFC 5652 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    /// AES with 128 bits.
    Aes128,
    /// AES with 192 bits.
    Aes192,
    /// AES with 256 bits.
    Aes256,
    /// Triple DES with three keys.
    TripleDes,
    /// Triple DES whose third key is the first.
    TwoKeyTripleDes,
    /// RC2 with 40 bits: the old way of Windows for certificates.
    Rc2With40,
    /// RC2 with 128 bits.
    Rc2With128,
}

impl Cipher {
    /// The length of its key in bytes.
    pub(super) fn key_len(self) -> usize {
        match self {
            Self::Aes128 | Self::TwoKeyTripleDes | Self::Rc2With128 => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
            Self::Rc2With40 => 5,
        }
    }

    /// The length of a block, and so of an initialization vector, in bytes.
    pub(super) fn block_len(self) -> usize {
        if matches!(self, Self::Aes128 | Self::Aes192 | Self::Aes256) { 16 } else { 8 }
    }

    /// The content, or nothing where the padding shows that the key is another or the text is cut off.
    pub(super) fn decrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Aes128 => cbc(Aes128::new_from_slice(key).ok()?, iv, data),
            Self::Aes192 => cbc(Aes192::new_from_slice(key).ok()?, iv, data),
            Self::Aes256 => cbc(Aes256::new_from_slice(key).ok()?, iv, data),
            Self::TripleDes => cbc(TdesEde3::new_from_slice(key).ok()?, iv, data),
            Self::TwoKeyTripleDes => cbc(TdesEde2::new_from_slice(key).ok()?, iv, data),
            Self::Rc2With40 => cbc(Rc2::new_with_eff_key_len(key, 40), iv, data),
            Self::Rc2With128 => cbc(Rc2::new_with_eff_key_len(key, 128), iv, data),
        }
    }
}

fn cbc<C: BlockCipherDecrypt>(cipher: C, iv: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(data.to_vec());
    let decryptor = Decryptor::inner_iv_init(cipher, iv.try_into().ok()?);
    let length = decryptor.decrypt_padded::<Pkcs7>(&mut content).ok()?.len();
    content.truncate(length);
    Some(content)
}
