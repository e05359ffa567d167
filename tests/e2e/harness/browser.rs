//! A real Chromium of its own for each journey, one at a time, driven by Debian's chromedriver.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::wait::{until, within};

/// Two browsers at once on two cores only wait for each other.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

/// A fresh browser, without anybody's cookies or certificates.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
    _chromedriver: Child,
    home: TempDir,
    _turn: SemaphorePermit<'static>,
}

/// Whether the browser runs the pages' scripts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Script {
    On,
    Off,
}

impl Browser {
    /// Starts a browser that trusts `roots` (PEM files) as if its owner had imported them.
    pub(crate) async fn start(roots: &[&Path], script: Script) -> Self {
        let turn = ONE_AT_A_TIME.acquire().await.expect("the semaphore is never closed");
        let home = tempfile::tempdir().expect("a home for the browser");
        trust(home.path(), roots).await;
        let (chromedriver, port) = chromedriver(home.path()).await;
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities(home.path(), script));
        let driver = within("a browser", driver).await.expect("a browser starts");
        Self { driver, _chromedriver: chromedriver, home, _turn: turn }
    }

    /// Closes the browser; dropped, it is closed too, but less quietly.
    pub(crate) async fn quit(self) {
        self.driver.quit().await.expect("the browser closes");
    }

    /// The content of the file `name`, once the browser has downloaded it.
    pub(crate) async fn downloaded(&self, name: &str) -> String {
        let path = downloads(self.home.path()).join(name);
        until(name, async || fs::read_to_string(&path).ok().filter(|text| !text.is_empty())).await
    }

    /// Writes a file that the browser can choose in a form.
    pub(crate) fn file(&self, name: &str, content: &(impl AsRef<[u8]> + ?Sized)) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, content).expect("a file to choose");
        path
    }
}

fn downloads(home: &Path) -> PathBuf {
    home.join("downloads")
}

/// Puts the roots into the NSS database from which Chromium reads what its user trusts.
async fn trust(home: &Path, roots: &[&Path]) {
    let folder = home.join(".pki/nssdb");
    fs::create_dir_all(&folder).expect("a folder for the NSS database");
    let database = format!("sql:{}", folder.display());
    let certutil = async |arguments: &[&str]| {
        let output =
            Command::new("certutil").args(["-d", &database]).args(arguments).output().await.expect("certutil runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    certutil(&["-N", "--empty-password"]).await;
    for root in roots {
        let path = root.display().to_string();
        certutil(&["-A", "-n", &path, "-t", "C,,", "-i", &path]).await;
    }
}

/// Starts chromedriver; the port it chose itself.
async fn chromedriver(home: &Path) -> (Child, u16) {
    let mut child = Command::new("chromedriver")
        .args(["--port=0", "--log-level=SEVERE"])
        .env("HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("chromedriver starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let started = async {
        loop {
            let line = lines.next_line().await.expect("readable output").expect("chromedriver runs");
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                return port.trim_end_matches('.').parse().expect("a port");
            }
        }
    };
    let port = within("chromedriver", started).await;
    (child, port)
}

fn capabilities(home: &Path, script: Script) -> ChromeCapabilities {
    let mut chrome = ChromeCapabilities::new();
    let profile = format!("--user-data-dir={}", home.join("profile").display());
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-features=HttpsUpgrades", // http:// is what a visitor typed
        "--window-size=1440,900",
        "--host-resolver-rules=MAP *.example 127.0.0.1",
        &profile,
    ];
    for argument in arguments {
        chrome.add_arg(argument).expect("an argument");
    }
    let mut preferences = json!({
        "download.default_directory": downloads(home),
        "download.prompt_for_download": false,
        "credentials_enable_service": false,
    });
    if script == Script::Off {
        preferences["profile.managed_default_content_settings.javascript"] = json!(2);
    }
    chrome.add_experimental_option("prefs", preferences).expect("preferences");
    chrome
}
