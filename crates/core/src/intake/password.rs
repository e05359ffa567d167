//! What a password opens, and how much work may be done to find out.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{self, Context};
use aws_lc_rs::{hmac, pbkdf2};
use zeroize::Zeroizing;

use super::IntakeError;

/// The most rounds of one derivation. Programs write 2,000 to 600,000; a forged file may ask for a billion.
const MAX_ROUNDS: u64 = 2_000_000;

/// The most rounds for everything that is opened at once.
const MAX_ALL_ROUNDS: u64 = 3 * MAX_ROUNDS;

/// The rounds that are left. They are taken before they are run.
pub(crate) struct Work(u64);

impl Work {
    pub(crate) fn new() -> Self {
        Self::of(MAX_ALL_ROUNDS)
    }

    /// So many rounds for everything.
    pub(crate) fn of(rounds: u64) -> Self {
        Self(rounds)
    }

    fn take(&mut self, rounds: u64) -> Result<(), IntakeError> {
        self.0 = self.0.checked_sub(rounds).ok_or(IntakeError::TooManyIterations)?;
        Ok(())
    }
}

/// A password in the forms that are derived from.
pub(crate) struct Password<'a> {
    /// As typed.
    pub(crate) text: &'a str,
    /// In UTF-16, as PKCS#12 has it (RFC 7292 appendix B.1).
    pub(crate) wide: Zeroizing<Vec<u8>>,
}

impl<'a> Password<'a> {
    /// The password in every wide form that programs have written: as the standard says; nothing at all for an empty one;
    /// and each byte of UTF-8 for a character, as old OpenSSL did.
    pub(crate) fn forms(text: &'a str) -> Vec<Self> {
        let wide = |units: &mut dyn Iterator<Item = u16>| {
            let mut wide = Zeroizing::new(Vec::with_capacity(2 * text.len() + 2));
            units.for_each(|unit| wide.extend_from_slice(&unit.to_be_bytes()));
            wide.extend_from_slice(&[0, 0]);
            Self { text, wide }
        };
        let mut forms = vec![wide(&mut text.encode_utf16())];
        if text.is_empty() {
            forms.push(Self { text, wide: Zeroizing::new(Vec::new()) });
        }
        if !text.is_ascii() {
            forms.push(wide(&mut text.bytes().map(u16::from)));
        }
        forms
    }

    /// What to say when nothing opened.
    pub(super) fn refusal(text: &str) -> IntakeError {
        if text.is_empty() { IntakeError::PasswordNeeded } else { IntakeError::WrongPassword }
    }
}

/// How often a derivation is repeated; never more than [`MAX_ROUNDS`], so that reading it is checking it.
#[derive(Clone, Copy)]
pub(crate) struct Rounds(NonZeroU32);

impl Rounds {
    pub(crate) fn new(rounds: u64) -> Result<Self, IntakeError> {
        if rounds > MAX_ROUNDS {
            return Err(IntakeError::TooManyIterations);
        }
        let rounds = u32::try_from(rounds).ok().and_then(NonZeroU32::new);
        rounds.map(Self).ok_or(IntakeError::Damaged)
    }
}

/// What a PKCS#12 derivation is for (RFC 7292 appendix B.3).
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// Derives `length` bytes as PKCS#12 does (RFC 7292 appendix B.2).
pub(crate) fn pkcs12(
    hash: &'static digest::Algorithm,
    purpose: Purpose,
    (password, salt): (&Password<'_>, &[u8]),
    rounds: Rounds,
    length: usize,
    work: &mut Work,
) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    let block = hash.block_len();
    let fill =
        |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().cycle().take(bytes.len().next_multiple_of(block)).collect() };
    let mut input = Zeroizing::new([fill(salt), fill(&password.wide)].concat());
    let mut derived = Zeroizing::new(Vec::with_capacity(length + hash.output_len()));
    while derived.len() < length {
        work.take(u64::from(rounds.0.get()))?;
        let mut context = Context::new(hash);
        context.update(&vec![purpose as u8; block]);
        context.update(&input);
        let mut value = context.finish();
        for _ in 1..rounds.0.get() {
            value = digest::digest(hash, value.as_ref());
        }
        derived.extend_from_slice(value.as_ref());
        let addend: Vec<u8> = value.as_ref().iter().copied().cycle().take(block).collect();
        input.chunks_mut(block).for_each(|chunk| add_one_more(chunk, &addend));
    }
    derived.truncate(length);
    Ok(derived)
}

/// `number + addend + 1`, both big-endian, without what is carried out.
fn add_one_more(number: &mut [u8], addend: &[u8]) {
    let mut carry = 1;
    for (digit, other) in number.iter_mut().zip(addend).rev() {
        carry += u16::from(*digit) + u16::from(*other);
        *digit = carry as u8;
        carry >>= 8;
    }
}

/// Derives `length` bytes with PBKDF2 (RFC 8018 §5.2).
pub(crate) fn pbkdf2(
    hash: pbkdf2::Algorithm,
    (password, salt): (&Password<'_>, &[u8]),
    rounds: Rounds,
    length: usize,
    work: &mut Work,
) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    work.take(u64::from(rounds.0.get()) * length.div_ceil(20) as u64)?; // SHA-1 makes 20 bytes in each run
    let mut derived = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(hash, rounds.0, salt, password.text.as_bytes(), &mut derived);
    Ok(derived)
}

/// The cost of scrypt (RFC 7914 §2).
#[derive(Clone, Copy)]
pub(super) struct ScryptCost {
    params: scrypt::Params,
    rounds: Rounds,
}

impl ScryptCost {
    /// The cost in rounds keeps the memory, 128 bytes times `n` times `r`, under 32 MiB.
    pub(super) fn new(n: u64, r: u64, p: u64) -> Result<Self, IntakeError> {
        let cost = n.checked_mul(r).and_then(|cost| cost.checked_mul(p)?.checked_mul(8));
        let rounds = Rounds::new(cost.ok_or(IntakeError::TooManyIterations)?)?;
        let small = |value: u64| u32::try_from(value).map_err(|_| IntakeError::Damaged);
        if !n.is_power_of_two() {
            return Err(IntakeError::Damaged);
        }
        let params = scrypt::Params::new(n.trailing_zeros() as u8, small(r)?, small(p)?);
        Ok(Self { params: params.map_err(|_| IntakeError::Damaged)?, rounds })
    }
}

/// Derives `length` bytes with scrypt (RFC 7914).
pub(super) fn scrypt(
    cost: ScryptCost,
    (password, salt): (&Password<'_>, &[u8]),
    length: usize,
    work: &mut Work,
) -> Result<Zeroizing<Vec<u8>>, IntakeError> {
    work.take(u64::from(cost.rounds.0.get()))?;
    let mut derived = Zeroizing::new(vec![0; length]);
    let made = scrypt::scrypt(password.text.as_bytes(), salt, &cost.params, &mut derived);
    made.map(|()| derived).map_err(|_| IntakeError::Damaged)
}

/// Whether `tag` is the MAC of `data`, in constant time.
pub(super) fn is_mac(algorithm: hmac::Algorithm, key: &[u8], data: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(algorithm, key), data, tag).is_ok()
}
