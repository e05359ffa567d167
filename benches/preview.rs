//! What it costs to tell whom SSL settings would refuse, judged by 5,000,000 requests of 90 days: `cargo bench --bench preview`.
//!
//! The requests of one site are counted hour by hour through the store, as the server does it, beside those of its
//! neighbours. They come in many ways, to many folders, from many clients, so that most hours are as full as they may be.
//! Each figure is the median of several runs.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::service::TowerToHyperService;
use siteward_admin::{Console, Ports};
use siteward_core::ledger::Author;
use siteward_core::peer::Peer;
use siteward_core::site::SiteId;
use siteward_core::ssl::{RequireSsl, RulePath, Settings, TlsVersion};
use siteward_core::status::Reporter;
use siteward_core::store::{Folder, NewSite, RuleDraft, Store};
use siteward_core::traffic::{
    Answer, Cipher, Class, Client, Credentials, Exchange, Facts, Folder as Place, Http, Preview, Shown, Tally,
    TlsVersion as Version, Way, hour_of,
};
use time::OffsetDateTime;

const REQUESTS: u64 = 5_000_000;
const DAYS: i64 = 90;
const NEIGHBOURS: usize = 3;
const RUNS: usize = 9;
/// What the page may take.
const GOAL: Duration = Duration::from_millis(300);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    let store = Store::open(folder.path()).await?;
    let now = OffsetDateTime::now_utc();
    let by = Author::siteward(now);
    let mut sites = Vec::new();
    for number in 0..=NEIGHBOURS {
        let (name, require_ssl) = (format!("Site {number}"), RequireSsl::Off);
        let new = NewSite { name, folder: Folder::Own, bindings: Vec::new(), require_ssl };
        sites.push(store.create_site(new, &by).await?);
    }
    let site = sites[0];
    for path in ["folder-3", "folder-5", "folder-7/deep"] {
        let version = store.table().site(site).context("the site")?.version;
        let draft =
            RuleDraft { path: RulePath::parse(path)?, settings: RequireSsl::Redirect.into(), reason: "".into() };
        store.create_rule(site, version, draft, &by).await?;
    }
    let filling = Instant::now();
    fill(&store, &sites, now).await?;
    let size = std::fs::metadata(folder.path().join(siteward_core::store::DATABASE_FILE))?.len();
    println!("{REQUESTS} requests of {DAYS} days counted in {:.1?}, {} MiB", filling.elapsed(), size >> 20);

    let settings = Settings { min_tls: Some(TlsVersion::Tls13), ..RequireSsl::Refuse.into() };
    let rules = store.table().site(site).context("the site")?.rules.with_site(settings);
    for days in [DAYS, 7] {
        let since = hour_of(now) - days * 24 + 1;
        let (mut read, mut all) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let began = Instant::now();
            let hours = store.list_traffic(site, since).await?;
            read.push(began.elapsed());
            let preview = Preview::new(&rules, &rules, true, &hours);
            all.push(began.elapsed());
            ensure!(days < DAYS || preview.requests == REQUESTS, "{} requests", preview.requests);
        }
        let [read, all] = [read, all].map(median);
        println!("preview over {days:>2} days: {all:>9.1?} (goal {GOAL:?}), of which reading {read:.1?}");
    }
    let mut browser = Browser::sign_in(&store, now).await?;
    for (name, form) in [("the page", None), ("its preview", Some("ssl=refuse&tls=1.3&bits=128&keys=any&do=preview"))] {
        let mut figures = Vec::new();
        for _ in 0..RUNS {
            let began = Instant::now();
            let page = browser.ask(&format!("/sites/{site}/ssl"), form).await?;
            figures.push(began.elapsed());
            ensure!(page.contains(" requests</a> would have been refused"), "no preview: {page}");
        }
        println!("{name:>11} over 7 days: {:>9.1?} (goal {GOAL:?})", median(figures));
    }
    Ok(())
}

fn median(mut figures: Vec<Duration>) -> Duration {
    figures.sort();
    figures[figures.len() / 2]
}

/// Counts as many requests in each hour, most of them of the first site.
async fn fill(store: &Store, sites: &[SiteId], now: OffsetDateTime) -> anyhow::Result<()> {
    let (mut crowd, hours) = (Crowd(1), DAYS * 24);
    let (mut left, last) = (REQUESTS, hour_of(now));
    for (hour, remaining) in (last - hours + 1..=last).zip((1..=hours).rev()) {
        let come = left / remaining.unsigned_abs();
        left -= come;
        let mut tallies = Vec::new();
        for (&site, share) in sites.iter().zip([1, 4, 16, 64]) {
            let mut tally = Tally::default();
            for _ in 0..come / share {
                let (class, client) = crowd.next();
                tally.count(class, client, 1);
            }
            tally.bound();
            tallies.push((site, tally));
        }
        store.record_traffic(hour, &mut tallies, now).await?;
    }
    Ok(())
}

/// Visitors as they come, the same in every run.
struct Crowd(u64);

impl Crowd {
    /// A number below `bound`, by xorshift.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// The same, where small ones are many and large ones few.
    fn rare(&mut self, bound: u64) -> u64 {
        self.below(bound).min(self.below(bound)).min(self.below(bound))
    }

    fn next(&mut self) -> (Class, Client) {
        let tls = |version, cipher, exchange| Way::Tls { version, cipher, exchange, shown: Shown::Unknown };
        let ways = [
            (tls(Version::Tls13, Cipher::Aes128, Exchange::PostQuantum), Http::Http2),
            (tls(Version::Tls13, Cipher::Aes128, Exchange::X25519), Http::Http2),
            (tls(Version::Tls13, Cipher::Aes256, Exchange::PostQuantum), Http::Http2),
            (tls(Version::Tls13, Cipher::ChaCha20, Exchange::X25519), Http::Http2),
            (tls(Version::Tls13, Cipher::Aes256, Exchange::X25519), Http::Http11),
            (tls(Version::Tls12, Cipher::Aes128, Exchange::P256), Http::Http11),
            (tls(Version::Tls12, Cipher::Aes256, Exchange::Unknown), Http::Http11),
            (Way::Clear(Credentials::None), Http::Http11),
            (Way::Clear(Credentials::Cookie), Http::Http11),
            (Way::Clear(Credentials::None), Http::Http10),
        ];
        let (way, http) = ways[self.rare(ways.len() as u64) as usize];
        let status = [200, 200, 200, 304, 404, 206, 500][self.rare(7) as usize];
        let folder = Place::of(&format!("folder-{}/page", self.rare(30)), false);
        let class = Class { facts: Facts { way, http }, answer: Answer { status, substatus: 0 }, folder };
        let agent = match self.rare(4) {
            0 => format!("Mozilla/5.0 (X11; Linux x86_64; rv:1) Gecko/20100101 Firefox/{}.0", 90 + self.rare(60)),
            1 => format!("Mozilla/5.0 (Windows NT 10.0) Chrome/{}.0.0.0 Safari/537.36", 90 + self.rare(60)),
            2 => format!("curl/7.{}.0", self.rare(80)),
            _ => format!("robot-{}/1.0", self.rare(200)),
        };
        let network = self.rare(3_000).to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(10, network[6], network[7], 1));
        (class, Client::new(&agent, address))
    }
}

/// Somebody at the console.
struct Browser {
    console: TowerToHyperService<axum::Router>,
    cookie: String,
}

impl Browser {
    async fn sign_in(store: &Store, now: OffsetDateTime) -> anyhow::Result<Self> {
        let (reporter, status) = Reporter::new();
        reporter.report(i64::MAX, Default::default()); // as if a server had taken up whatever comes
        let console = Console { store: store.clone(), status, proposed: Ports { http: 80, https: 443 } };
        let mut browser =
            Self { console: TowerToHyperService::new(siteward_admin::router(console)), cookie: String::new() };
        let token = store.create_invitation("the first one", &Author::siteward(now)).await?;
        let form = "name=Inga&mail=inga%40shop.example&password=correct+horse+battery";
        let answer = browser.send(&format!("/join/{token}"), Some(form)).await?;
        let cookie = answer.headers().get(SET_COOKIE).context("nobody is signed in")?;
        cookie.to_str()?.split(';').next().unwrap_or_default().clone_into(&mut browser.cookie);
        Ok(browser)
    }

    /// The page at `path`, or what comes of a form.
    async fn ask(&mut self, path: &str, form: Option<&'static str>) -> anyhow::Result<String> {
        let page = self.send(path, form).await?.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8_lossy(&page).into_owned())
    }

    async fn send(&self, path: &str, form: Option<&'static str>) -> anyhow::Result<Response<Body>> {
        let request = Request::builder()
            .method(if form.is_some() { "POST" } else { "GET" })
            .uri(path)
            .header(HOST, "console.test")
            .header(ORIGIN, "https://console.test")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(COOKIE, &self.cookie)
            .extension(Peer(([127, 0, 0, 1], 50_000).into()))
            .body(Body::from(form.unwrap_or_default()))?;
        Ok(self.console.call(request).await?)
    }
}
