//! Ports that no other test takes meanwhile, in this process or another.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

/// A free port, and the lock that keeps it while the test lives.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Takes a free port outside the range that the system gives to outgoing connections.
    pub(crate) fn reserve() -> Self {
        let folder = std::env::temp_dir().join("siteward-test-ports");
        fs::create_dir_all(&folder).expect("a folder for the locks of ports");
        for _ in 0..1000 {
            let number = 10_000 + u16::try_from(RandomState::new().hash_one(()) % 22_000).expect("below 22,000");
            let lock = File::create(folder.join(number.to_string())).expect("a lock file");
            if lock.try_lock().is_ok() && is_free(number) {
                return Self { number, _lock: lock };
            }
        }
        panic!("no free port in 1,000 tries");
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// On all addresses, of both kinds where the machine has both.
fn is_free(number: u16) -> bool {
    let both = TcpListener::bind((Ipv6Addr::UNSPECIFIED, number));
    both.or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, number))).is_ok()
}
