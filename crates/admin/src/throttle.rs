//! How often somebody may try to sign in.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Attempts by mail address, by network address, and by both together: who only knows somebody's mail address does not
/// lock them out.
#[derive(Debug)]
pub(crate) struct Throttle {
    by_pair: DefaultKeyedRateLimiter<(String, IpAddr)>,
    by_mail: DefaultKeyedRateLimiter<String>,
    by_peer: DefaultKeyedRateLimiter<IpAddr>,
}

/// Keys kept before those that are at rest are dropped.
const KEPT: usize = 10_000;

/// Attempts at once, and how long until the next one: for one mail address from one network address.
const PAIR: (u32, Duration) = (8, Duration::from_secs(20));

/// The same for one mail address from everywhere.
const MAIL: (u32, Duration) = (100, Duration::from_secs(5));

/// The same for one network address, behind which a whole team may sit.
const PEER: (u32, Duration) = (30, Duration::from_secs(4));

/// As much of a mail address as is kept: no real one is longer (RFC 5321 §4.5.3.1.3).
const MAIL_CHARACTERS: usize = 254;

fn quota((burst, every): (u32, Duration)) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(every).unwrap_or(Quota::per_minute(burst)).allow_burst(burst)
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            by_pair: RateLimiter::keyed(quota(PAIR)),
            by_mail: RateLimiter::keyed(quota(MAIL)),
            by_peer: RateLimiter::keyed(quota(PEER)),
        }
    }
}

impl Throttle {
    /// Counts an attempt; the time to wait where there were too many.
    pub(crate) fn check(&self, mail: &str, peer: IpAddr) -> Result<(), Duration> {
        let network = network(peer);
        check(&self.by_peer, &network)?;
        let mail = mail.chars().take(MAIL_CHARACTERS).collect::<String>().to_lowercase();
        check(&self.by_pair, &(mail.clone(), network))?;
        check(&self.by_mail, &mail)
    }
}

fn check<K: std::hash::Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), Duration> {
    if limiter.len() > KEPT {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|wait| wait.wait_time_from(DefaultClock::default().now()))
}

/// Who holds one IPv6 address usually holds its whole /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn one_mail_address_in_any_spelling_gets_a_few_attempts() {
        let throttle = Throttle::default();
        for _ in 0..PAIR.0 {
            assert!(throttle.check("inga@alderfinch.example", HERE).is_ok());
        }
        let wait = throttle.check("Inga@alderfinch.example", HERE).unwrap_err();
        assert!(wait <= PAIR.1, "{wait:?}");
        assert!(throttle.check("tomas@alderfinch.example", HERE).is_ok());
    }

    #[test]
    fn one_network_does_not_lock_somebody_out_everywhere() {
        let throttle = Throttle::default();
        for _ in 0..PEER.0 {
            throttle.check("inga@alderfinch.example", HERE).ok();
        }
        assert!(throttle.check("inga@alderfinch.example", [192, 0, 2, 1].into()).is_ok());
    }

    #[test]
    fn one_mail_address_gets_a_limited_number_of_attempts_from_everywhere() {
        let throttle = Throttle::default();
        for n in 0..MAIL.0 {
            let peer = IpAddr::from([10, 0, 0, u8::try_from(n).unwrap()]);
            assert!(throttle.check("inga@alderfinch.example", peer).is_ok());
        }
        assert!(throttle.check("inga@alderfinch.example", [192, 0, 2, 1].into()).is_err());
    }

    #[test]
    fn one_network_gets_a_few_attempts_whatever_the_mail_address() {
        let throttle = Throttle::default();
        let peer = |last: u32| format!("2001:db8::{last:x}").parse().unwrap();
        for n in 0..PEER.0 {
            assert!(throttle.check(&format!("{n}@example"), peer(n)).is_ok());
        }
        assert!(throttle.check("another@example", peer(9999)).is_err());
        assert!(throttle.check("another@example", "2001:db8:0:1::1".parse().unwrap()).is_ok());
    }
}
