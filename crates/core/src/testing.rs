//! A throw-away store and certification authority, for tests only.

use time::OffsetDateTime;

use crate::ledger::Author;
use crate::store::Store;

/// A store in a folder of its own that is removed on drop.
#[derive(Debug)]
pub struct TestStore {
    /// The store.
    pub store: Store,
    /// Its data directory.
    pub folder: tempfile::TempDir,
}

impl TestStore {
    /// Opens an empty store: no site, no person, no authority.
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let store = Store::open(folder.path()).await.expect("an empty store opens");
        Self { store, folder }
    }
}

/// The author of changes in tests, at the real time.
pub fn tester() -> Author {
    Author { user: None, name: "Test".into(), now: OffsetDateTime::now_utc() }
}

/// Many sites with a certificate each, for what only shows with many.
pub mod seed {
    use std::path::Path;

    use rustls::pki_types::CertificateDer;
    use zeroize::Zeroizing;

    use super::tester;
    use crate::chain::X509;
    use crate::store::Store;

    /// Sites that are made in one change.
    const BATCH: usize = 1000;

    /// The host name of the site with this number, from 0.
    pub fn host(number: usize) -> String {
        format!("site{number}.example")
    }

    /// Fills the data directory of a program that does not run with `count` sites that are served on the port `https`.
    /// The roots of their certificates, as one text in PEM.
    ///
    /// # Panics
    /// Where anything fails.
    pub async fn fill(data_dir: &Path, count: usize, https: u16) -> String {
        let store = Store::open(data_dir).await.expect("an empty store opens");
        let port = https.try_into().expect("a port");
        let numbers: Vec<usize> = (0..count).collect();
        let mut roots = String::new();
        for some in numbers.chunks(BATCH) {
            let hosts: Vec<String> = some.iter().map(|number| host(*number)).collect();
            let root = store.seed(&hosts, port, &tester()).await.expect("sites are made");
            roots += &X509::parse(&CertificateDer::from(root)).expect("a root").to_pem();
        }
        store.close().await;
        roots
    }

    /// Every private key of a data directory in PKCS#8, to look for elsewhere.
    ///
    /// # Panics
    /// Where one can't be unsealed.
    pub async fn private_keys(data_dir: &Path) -> Vec<Zeroizing<Vec<u8>>> {
        let store = Store::open(data_dir).await.expect("the store opens");
        store.private_keys().await.expect("every key opens")
    }
}
