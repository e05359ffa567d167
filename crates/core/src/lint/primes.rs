//! Weak RSA moduli, told from the modulus alone.

use x509_parser::num_bigint::BigUint;

/// Rounds of Fermat's method that a CA has to try (BR 6.1.1.3).
const FERMAT_ROUNDS: u32 = 100;

/// The remainder of a number, big end first, by a small divisor.
fn remainder(number: &[u8], divisor: u32) -> u32 {
    number.iter().fold(0, |rest, &byte| (rest << 8 | u32::from(byte)) % divisor)
}

fn primes_below(end: u32) -> impl Iterator<Item = u32> {
    (2..end).filter(|number| (2..*number).take_while(|divisor| divisor * divisor <= *number).all(|d| number % d != 0))
}

/// The first factor below 752, the bound of BR 6.1.6.
pub(super) fn small_factor(modulus: &[u8]) -> Option<u32> {
    primes_below(752).find(|prime| remainder(modulus, *prime) == 0)
}

/// Whether it has the mark of the Infineon library (CVE-2017-15361): by every odd prime up to 167 its remainder is a
/// power of 65537 (Nemec et al., "The Return of Coppersmith's Attack"). Of other moduli one in 200 million has it by chance.
pub(super) fn is_roca(modulus: &[u8]) -> bool {
    primes_below(168).skip(1).all(|prime| is_power(remainder(modulus, prime), 65_537 % prime, prime))
}

/// Whether `number` is a power of `base` modulo `prime`.
fn is_power(number: u32, base: u32, prime: u32) -> bool {
    let powers = std::iter::successors(Some(1), |power| Some(power * base % prime).filter(|power| *power != 1));
    powers.take(prime as usize).any(|power| power == number)
}

/// Whether its primes lie so near each other that Fermat's method finds them in [`FERMAT_ROUNDS`] rounds.
pub(super) fn has_close_primes(modulus: &[u8]) -> bool {
    let modulus = BigUint::from_bytes_be(modulus);
    if !modulus.bit(0) {
        return false;
    }
    let mut root = modulus.sqrt();
    if &root * &root < modulus {
        root += 1u32;
    }
    for _ in 0..FERMAT_ROUNDS {
        if is_square(&(&root * &root - &modulus)) {
            return true;
        }
        root += 1u32;
    }
    false
}

/// A square ends in one of 12 ways modulo 64, which spares most of the roots.
fn is_square(number: &BigUint) -> bool {
    const ENDINGS: u64 = 0x0202_0212_0203_0213;
    let ending = number.iter_u64_digits().next().unwrap_or(0) & 63;
    if ENDINGS >> ending & 1 == 0 {
        return false;
    }
    let root = number.sqrt();
    &root * &root == *number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyKind, PrivateKey};
    use rcgen::PublicKeyData;
    use x509_parser::prelude::FromDer;
    use x509_parser::public_key::RSAPublicKey;

    fn good_modulus() -> Vec<u8> {
        let key = PrivateKey::generate(KeyKind::Rsa2048).unwrap();
        let (_, public) = RSAPublicKey::from_der(key.pair().der_bytes()).unwrap();
        public.modulus.to_vec()
    }

    #[test]
    fn a_modulus_made_well_has_none_of_the_marks() {
        for _ in 0..3 {
            let modulus = good_modulus();
            assert!(!is_roca(&modulus) && !has_close_primes(&modulus) && small_factor(&modulus).is_none());
        }
    }

    #[test]
    fn a_power_of_65537_modulo_every_small_prime_is_the_mark_of_the_infineon_library() {
        let modulus = BigUint::from(65_537u32).pow(127);
        assert!(is_roca(&modulus.to_bytes_be()));
        assert!(!is_roca(&(modulus + 2u32).to_bytes_be()));
    }

    #[test]
    fn close_primes_are_found_and_distant_ones_are_not() {
        let p = BigUint::from(3u32).pow(600); // odd is all that the method needs
        let near = &p * (&p + 1_000_000u32);
        let far = &p * (&p * 5u32);
        assert!(has_close_primes(&near.to_bytes_be()));
        assert!(!has_close_primes(&far.to_bytes_be()));
    }

    #[test]
    fn squares_are_told_from_their_neighbours() {
        for root in 0..300u32 {
            let square = BigUint::from(root).pow(2);
            assert!(is_square(&square), "{root}");
            assert!(root < 2 || !is_square(&(square + 1u32)), "{root}");
        }
    }

    #[test]
    fn the_smallest_factor_is_found() {
        let modulus = BigUint::from_bytes_be(&good_modulus());
        assert_eq!(small_factor(&(modulus * 751u32).to_bytes_be()), Some(751));
        assert_eq!(small_factor(&[6]), Some(2));
    }
}
