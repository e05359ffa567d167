//! What a handshake and a small file cost this build: `cargo bench --bench serving`.
//!
//! The figure is the server's own processor time for one operation, the median of up to five rounds, with the server on one
//! processor and the client on another. Where nginx is installed, it serves the same file in turn with Siteward; a ratio
//! above 1 means that Siteward needs less. Only ratios can be compared between machines.
//!
//! Below it stands what counting the traffic costs: the same build, with and without, in turn; the median of some pairs of
//! processes, and between which bounds the middle half of them lies.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use siteward_core::binding::{Place, Protocol};
use siteward_core::host::HostPattern;
use siteward_core::key::KeyKind;
use siteward_core::ledger::Author;
use siteward_core::ssl::RequireSsl;
use siteward_core::status::Reporter;
use siteward_core::store::{BindingDraft, Folder, NewRequest, NewSite, Store};
use siteward_core::subject::{Subject, SubjectAnswers};
use siteward_server::{Limits, Server};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HOST: &str = "shop.example";
const FILE: &str = "1k.txt";
const FILE_SIZE: usize = 1024;
const ROUNDS: usize = 5;
/// For one kind of work, so that all end within a minute on a busy machine too.
const LONGEST: Duration = Duration::from_secs(7);
const SERVE: &str = "--serve";
/// With [`SERVE`]: the traffic is not counted.
const UNCOUNTED: &str = "--uncounted";
/// Pairs of processes, one with and one without what is compared.
const PAIRS: usize = 12;
/// As a browser sends it.
const USER_AGENT: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

fn main() -> anyhow::Result<()> {
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if std::env::args().any(|argument| argument == SERVE) {
        let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        return server.block_on(serve());
    }
    let folder = tempfile::tempdir()?;
    let processors = processors()?;
    let (siteward, nginx) = beside(&processors, || {
        let nginx = Peer::nginx(folder.path()).inspect_err(|error| println!("Without nginx: {error:#}.")).ok();
        Ok((Peer::siteward(&[])?, nginx))
    })?;
    beside_nginx(&client, &siteward, nginx.as_ref())?;
    cost_of_counting(&client, &processors)
}

fn beside_nginx(client: &Runtime, siteward: &Peer, nginx: Option<&Peer>) -> anyhow::Result<()> {
    println!("{:44}{:>12}{:>12}{:>8}", "processor time for each", "Siteward", "nginx", "ratio");
    for work in Work::ALL {
        let mut figures = [Vec::new(), Vec::new()];
        let began = Instant::now();
        for _ in (0..ROUNDS).take_while(|_| began.elapsed() < LONGEST) {
            for (peer, figures) in [Some(siteward), nginx].into_iter().zip(&mut figures) {
                if let Some(peer) = peer.filter(|peer| peer.can(work)) {
                    figures.push(client.block_on(peer.measure(work))?);
                }
            }
        }
        let [own, other] = figures.map(median);
        let ratio = own.zip(other).map_or("-".into(), |(own, other)| format!("{:.2}", other.div_duration_f64(own)));
        println!("{:44}{:>12}{:>12}{:>8}", work.name(), micros(own), micros(other), ratio);
    }
    Ok(())
}

/// How a process happens to lie in memory makes more of a difference than counting does, so many pairs are started.
fn cost_of_counting(client: &Runtime, processors: &[usize]) -> anyhow::Result<()> {
    println!("\n{:44}{:>12}{:>12}{:>8}", "counting the traffic", "with", "without", "cost");
    for work in [Work::Http1, Work::Http2] {
        let mut pairs = Vec::new();
        for _ in 0..PAIRS {
            let pair = beside(processors, || Ok([Peer::siteward(&[])?, Peer::siteward(&[UNCOUNTED])?]))?;
            let mut figures = [Vec::new(), Vec::new()];
            for _ in 0..ROUNDS {
                for (peer, figures) in pair.iter().zip(&mut figures) {
                    figures.push(client.block_on(peer.measure(work))?);
                }
            }
            pairs.push(figures.map(|figures| median(figures).unwrap_or_default()));
        }
        let [with, without] = [0, 1].map(|i| median(pairs.iter().map(|pair| pair[i]).collect()));
        let mut costs: Vec<f64> =
            pairs.iter().map(|[with, without]| 100.0 * (with.div_duration_f64(*without) - 1.0)).collect();
        costs.sort_by(f64::total_cmp);
        let (middle, quarter) = (costs[PAIRS / 2], [costs[PAIRS / 4], costs[PAIRS - 1 - PAIRS / 4]]);
        let [low, high] = quarter.map(|cost| format!("{cost:.1}"));
        println!("{:44}{:>12}{:>12}{middle:>6.1} %  ({low} to {high})", work.name(), micros(with), micros(without));
    }
    Ok(())
}

fn micros(figure: Option<Duration>) -> String {
    figure.map_or("-".into(), |figure| format!("{:.2} µs", figure.as_secs_f64() * 1e6))
}

/// The processors that this process may use, at least one.
fn processors() -> anyhow::Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).collect())
}

/// Keeps this thread on one processor.
fn stay_on(processor: usize) -> anyhow::Result<()> {
    let mut only = CpuSet::new();
    only.set(processor);
    Ok(sched_setaffinity(None, &only)?)
}

/// Starts servers on one processor, which they inherit, and leaves this thread on another.
fn beside<T>(processors: &[usize], start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    stay_on(processors[0])?;
    let started = start()?;
    stay_on(processors[processors.len() - 1])?;
    Ok(started)
}

fn median(mut figures: Vec<Duration>) -> Option<Duration> {
    figures.sort();
    figures.get(figures.len() / 2).copied()
}

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Ecdsa,
    PostQuantum,
    Rsa,
    Resumed,
    Http1,
    Http2,
}

impl Work {
    const ALL: [Self; 6] = [Self::Ecdsa, Self::PostQuantum, Self::Rsa, Self::Resumed, Self::Http1, Self::Http2];

    fn name(self) -> &'static str {
        match self {
            Self::Ecdsa => "TLS 1.3 handshake and GET, ECDSA P-256",
            Self::PostQuantum => "the same with X25519MLKEM768",
            Self::Rsa => "the same with RSA 2048",
            Self::Resumed => "the same resumed by ticket",
            Self::Http1 => "GET 1 KiB, HTTP/1.1 kept alive, 32 clients",
            Self::Http2 => "GET 1 KiB, HTTP/2, 10 clients x 32 streams",
        }
    }

    fn client(self) -> anyhow::Result<Arc<ClientConfig>> {
        let mut provider = default_provider();
        provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256]; // what browsers ask for first
        provider.kx_groups = vec![if self == Self::PostQuantum { kx_group::X25519MLKEM768 } else { kx_group::X25519 }];
        let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trust::Anybody))
            .with_no_client_auth();
        if self != Self::Resumed {
            client.resumption = Resumption::disabled();
        }
        client.alpn_protocols = vec![if self == Self::Http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Ok(Arc::new(client))
    }
}

/// A server in a process of its own.
struct Peer {
    process: Child,
    ecdsa: u16,
    rsa: u16,
    knows_post_quantum: bool,
}

impl Peer {
    /// This build, in a process of its own, with one worker as nginx has.
    fn siteward(options: &[&str]) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?);
        process.arg(SERVE).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = process.spawn()?;
        let mut ports = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut ports)?;
        let (ecdsa, rsa) = ports.trim().split_once(' ').context("no ports")?;
        Ok(Self { ecdsa: ecdsa.parse()?, rsa: rsa.parse()?, process, knows_post_quantum: true })
    }

    fn nginx(folder: &Path) -> anyhow::Result<Self> {
        let version = Command::new("nginx").arg("-v").output().context("it is not installed")?;
        ensure!(version.status.success(), "it does not start");
        let (ecdsa, rsa) = (free_port()?, free_port()?);
        for (name, key) in [("ecdsa", vec!["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]), ("rsa", vec!["rsa:2048"])] {
            let files = [format!("{name}.key"), format!("{name}.pem")];
            let made = Command::new("openssl")
                .args(["req", "-x509", "-nodes", "-subj", "/CN=shop.example", "-newkey"])
                .args(key)
                .args(["-keyout", &files[0], "-out", &files[1]])
                .current_dir(folder)
                .output()?;
            ensure!(made.status.success(), "openssl makes no certificate for it");
        }
        fs::write(folder.join(FILE), [b'x'; FILE_SIZE])?;
        let server = |port: u16, name: &str| {
            format!(
                "server {{ listen 127.0.0.1:{port} ssl http2; root {root}; ssl_certificate {name}.pem;
                 ssl_certificate_key {name}.key; }}",
                root = folder.display()
            )
        };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};", folder.display()))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; {temporary}
             open_file_cache max=1000; ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve X25519; ssl_session_cache off; http2_max_concurrent_streams 256;
             {} {} }}",
            server(ecdsa, "ecdsa"),
            server(rsa, "rsa"),
            folder = folder.display()
        );
        fs::write(folder.join("nginx.conf"), configuration)?;
        let process = Command::new("nginx")
            .args(["-p", &folder.display().to_string(), "-c", "nginx.conf"])
            .stderr(Stdio::null())
            .spawn()?;
        let peer = Self { process, ecdsa, rsa, knows_post_quantum: false };
        let reached = || std::net::TcpStream::connect(local(rsa)).is_ok();
        let waiting = Instant::now();
        while !reached() {
            ensure!(waiting.elapsed() < Duration::from_secs(5), "it does not listen");
            std::thread::yield_now();
        }
        Ok(peer)
    }

    fn can(&self, work: Work) -> bool {
        work != Work::PostQuantum || self.knows_post_quantum
    }

    async fn measure(&self, work: Work) -> anyhow::Result<Duration> {
        let client = work.client()?;
        let port = if work == Work::Rsa { self.rsa } else { self.ecdsa };
        run(work, &client, port, 10).await?;
        let before = self.processor_time()?;
        let operations = match work {
            Work::Ecdsa | Work::PostQuantum | Work::Rsa | Work::Resumed => 300,
            Work::Http1 | Work::Http2 => 10_000,
        };
        run(work, &client, port, operations).await?;
        Ok((self.processor_time()? - before) / operations)
    }

    /// What all threads of the process have used so far, from the scheduler's own count.
    fn processor_time(&self) -> anyhow::Result<Duration> {
        let mut total = Duration::ZERO;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let stat = fs::read_to_string(task?.path().join("schedstat"))?;
            total += Duration::from_nanos(stat.split(' ').next().context("an empty schedstat")?.parse()?);
        }
        Ok(total)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn run(work: Work, client: &Arc<ClientConfig>, port: u16, operations: u32) -> anyhow::Result<()> {
    match work {
        Work::Http1 => {
            let mut clients = JoinSet::new();
            for _ in 0..32 {
                let mut stream = connect(client, port).await?;
                clients.spawn(async move {
                    for _ in 0..operations.div_ceil(32) {
                        get(&mut stream).await?;
                    }
                    anyhow::Ok(())
                });
            }
            clients.join_all().await.into_iter().collect()
        }
        Work::Http2 => http2(client, port, operations).await,
        handshake => {
            for i in 0..operations {
                let mut stream = connect(client, port).await?;
                get(&mut stream).await?;
                let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
                ensure!(resumed == (handshake == Work::Resumed) || i == 0, "a handshake of the other kind");
            }
            Ok(())
        }
    }
}

async fn connect(client: &Arc<ClientConfig>, port: u16) -> anyhow::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(local(port)).await?;
    stream.set_nodelay(true)?;
    Ok(TlsConnector::from(client.clone()).connect(ServerName::try_from(HOST)?, stream).await?)
}

async fn get(stream: &mut TlsStream<TcpStream>) -> anyhow::Result<()> {
    let request = format!("GET /{FILE} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {USER_AGENT}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut answer, mut bytes) = (Vec::with_capacity(2 * FILE_SIZE), [0; 4096]);
    loop {
        let read = stream.read(&mut bytes).await?;
        ensure!(read > 0, "the connection ended");
        answer.extend_from_slice(&bytes[..read]);
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
        if head.is_some_and(|end| answer.len() == end + 4 + FILE_SIZE) {
            ensure!(answer.starts_with(b"HTTP/1.1 200"), "not 200");
            return Ok(());
        }
    }
}

async fn http2(client: &Arc<ClientConfig>, port: u16, operations: u32) -> anyhow::Result<()> {
    let mut streams = JoinSet::new();
    for _ in 0..10 {
        let io = TokioIo::new(connect(client, port).await?);
        let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        for _ in 0..32 {
            let mut sender = sender.clone();
            streams.spawn(async move {
                for _ in 0..operations.div_ceil(320) {
                    let uri = format!("https://{HOST}/{FILE}");
                    let request =
                        hyper::Request::get(uri).header("user-agent", USER_AGENT).body(Empty::<Bytes>::new())?;
                    let answer = sender.send_request(request).await?;
                    ensure!(answer.status() == 200, "not 200");
                    let body = answer.into_body().collect().await?.to_bytes();
                    ensure!(body.len() == FILE_SIZE, "not the file");
                }
                anyhow::Ok(())
            });
        }
    }
    streams.join_all().await.into_iter().collect()
}

/// The other process: serves one site with two certificates, tells the ports, and stops when its input ends.
async fn serve() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path()).await?;
    let by = Author::siteward(OffsetDateTime::now_utc());
    let new = NewSite { name: "Shop".into(), folder: Folder::Own, bindings: Vec::new(), require_ssl: RequireSsl::Off };
    let site = store.create_site(new, &by).await?;
    let own_folder = store.table().site(site).context("the site")?.folder.clone();
    fs::write(own_folder.join(FILE), [b'x'; FILE_SIZE])?;
    let authority = store.create_authority("Bench", KeyKind::EcdsaP256, &by).await?;
    let answers = SubjectAnswers { common_name: HOST.into(), ..SubjectAnswers::default() };
    let mut ports = Vec::new();
    for key in [KeyKind::EcdsaP256, KeyKind::Rsa2048] {
        let subject = Subject::parse(&answers).ok().context("the subject")?;
        let request = NewRequest { site: None, friendly_name: key.label().into(), subject, key };
        let request = store.create_request(request, &by).await?;
        let certificate = Some(store.sign_request(request, authority, &by).await?);
        let port = free_port()?;
        let place = Place {
            protocol: Protocol::Https,
            ip: Some(Ipv4Addr::LOCALHOST.into()),
            port: NonZeroU16::new(port).context("a port")?,
            host: HostPattern::parse(HOST)?,
        };
        store.create_binding(site, BindingDraft { place, certificate, confirmed: false }, &by).await?;
        ports.push(port.to_string());
    }
    let (reporter, status) = Reporter::new();
    let mut limits = Limits::default();
    if std::env::args().any(|argument| argument == UNCOUNTED) {
        limits.kinds = 0;
    }
    let server = Server::start(store.clone(), reporter, limits);
    status.reached(store.table().revision()).await;
    println!("{}", ports.join(" "));
    std::io::stdout().flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    server.shutdown(Duration::ZERO).await;
    Ok(())
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(local(0))?.local_addr()?.port())
}

/// A client that trusts anybody: it measures, it does not judge.
mod trust {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    pub(super) struct Anybody;

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256]
        }
    }
}
