//! A real Chromium of its own for each journey, one at a time, driven by Debian's chromedriver.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
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
        let home = tempfile::tempdir().expect("a home for the browser");
        let preferences = match script {
            Script::On => json!({}),
            Script::Off => json!({ "profile.managed_default_content_settings.javascript": 2 }),
        };
        Self::begin(home, roots, preferences).await
    }

    /// The same for somebody with a certificate in a PFX file, who shows it to the site at `origin` without being asked to
    /// choose, as `AutoSelectCertificateForUrls` has it for a managed browser.
    pub(crate) async fn start_as(roots: &[&Path], pfx: &[u8], password: &str, origin: &str) -> Self {
        let home = tempfile::tempdir().expect("a home for the browser");
        let file = home.path().join("own.pfx");
        fs::write(&file, pfx).expect("a file with a certificate");
        let database = nss(home.path()).await;
        let file = file.display().to_string();
        run("pk12util", &["-d", &database, "-i", &file, "-W", password, "-K", ""]).await;
        let chosen = json!({ "pattern": origin, "filter": {} }).to_string();
        Self::begin(home, roots, json!({ "profile.managed_auto_select_certificate_for_urls": [chosen] })).await
    }

    async fn begin(home: TempDir, roots: &[&Path], preferences: Value) -> Self {
        let turn = ONE_AT_A_TIME.acquire().await.expect("the semaphore is never closed");
        trust(home.path(), roots).await;
        let (chromedriver, port) = chromedriver(home.path()).await;
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities(home.path(), preferences));
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
    let database = nss(home).await;
    for root in roots {
        let path = root.display().to_string();
        run("certutil", &["-d", &database, "-A", "-n", &path, "-t", "C,,", "-i", &path]).await;
    }
}

/// The NSS database of the browser's owner, made where there is none yet.
async fn nss(home: &Path) -> String {
    let folder = home.join(".pki/nssdb");
    let database = format!("sql:{}", folder.display());
    if !folder.exists() {
        fs::create_dir_all(&folder).expect("a folder for the NSS database");
        run("certutil", &["-d", &database, "-N", "--empty-password"]).await;
    }
    database
}

async fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().await.expect(program);
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
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

fn capabilities(home: &Path, preferences: Value) -> ChromeCapabilities {
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
    let mut all = json!({
        "download.default_directory": downloads(home),
        "download.prompt_for_download": false,
        "credentials_enable_service": false,
    });
    for (name, value) in preferences.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    chrome.add_experimental_option("prefs", all).expect("preferences");
    chrome
}
