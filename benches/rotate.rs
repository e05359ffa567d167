//! What replacing the master key under 20,000 certificates costs: `cargo bench --bench rotate`.
//!
//! The real program serves, the real command rotates, and visitors make handshakes with one site after another meanwhile.
//! A number after `--` is another number of certificates.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use siteward_core::testing::seed;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

const CERTIFICATES: usize = 20_000;
const VISITORS: usize = 8;
/// From one site to the next, so that keys are needed that no handshake has read yet.
const STEP: usize = 7919;

/// What the visitors saw.
#[derive(Debug, Default)]
struct Load {
    stopped: AtomicBool,
    begun: AtomicUsize,
    failed: AtomicUsize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let number = std::env::args().find_map(|argument| argument.parse().ok());
    let certificates = number.unwrap_or(CERTIFICATES);
    let folder = tempfile::tempdir_in(".")?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let seeding = Instant::now();
    let roots = seed::fill(folder.path(), certificates, port).await;
    println!("{certificates} sites with a certificate each made in {:.1?}", seeding.elapsed());

    let mut server = program(folder.path(), &["--console-address", "127.0.0.1:0", "--log-level", "error"])?;
    let mut output = BufReader::new(server.stdout.take().context("no output")?); // kept, since the program writes on
    output.read_line(&mut String::new())?;
    let load = Arc::new(Load::default());
    let client = client(&roots)?;
    while handshake(&client, port, 0).await.is_err() {
        ensure!(server.try_wait()?.is_none(), "the program ended");
        tokio::task::yield_now().await;
    }
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        visitors.spawn(visit(load.clone(), client.clone(), port, certificates));
    }
    let idle = peak(&server)?;
    let began = Instant::now();
    let mut rotation = program(folder.path(), &["vault", "rotate"])?;
    let (mut most, mut tick) = (0, tokio::time::interval(Duration::from_millis(5)));
    let status = loop {
        if let Some(status) = rotation.try_wait()? {
            break status;
        }
        most = most.max(peak(&rotation).unwrap_or(0));
        tick.tick().await;
    };
    let (took, during) = (began.elapsed(), load.begun.load(Ordering::Relaxed));
    while load.begun.load(Ordering::Relaxed) < during + 1000 {
        tick.tick().await; // keys that were sealed again are read too
    }
    load.stopped.store(true, Ordering::Relaxed);
    visitors.join_all().await;
    ensure!(status.success(), "the rotation failed");
    println!("rotated in {took:.1?} under {during} handshakes, and 1,000 after it");
    println!("failed handshakes: {}", load.failed.load(Ordering::Relaxed));
    println!(
        "peak memory: server {} MiB ({} MiB before), command {} MiB",
        peak(&server)? >> 10,
        idle >> 10,
        most >> 10
    );
    server.kill()?;
    server.wait()?;
    Ok(())
}

fn program(data: &Path, arguments: &[&str]) -> anyhow::Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siteward"));
    Ok(command.args(arguments).env("SITEWARD_DATA_DIR", data).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?)
}

/// The most memory that a process had so far, in KiB.
fn peak(process: &Child) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// A visitor that trusts `roots`; every handshake is its first.
fn client(roots: &str) -> anyhow::Result<TlsConnector> {
    let mut trusted = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
        trusted.add(root?)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config).into())
}

async fn visit(load: Arc<Load>, client: TlsConnector, port: u16, certificates: usize) {
    while !load.stopped.load(Ordering::Relaxed) {
        let number = load.begun.fetch_add(1, Ordering::Relaxed) * STEP % certificates;
        if let Err(error) = handshake(&client, port, number).await {
            load.failed.fetch_add(1, Ordering::Relaxed);
            println!("{}: {error:#}", seed::host(number));
        }
    }
}

async fn handshake(client: &TlsConnector, port: u16, number: usize) -> anyhow::Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    client.connect(ServerName::try_from(seed::host(number))?, stream).await?;
    Ok(())
}
