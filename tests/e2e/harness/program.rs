//! The program itself, on a data directory of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::ports::Port;
use super::wait::{until, within};

/// What outlives the program: its data directory, and the ports that its first start takes.
#[derive(Debug)]
pub(crate) struct Machine {
    folder: TempDir,
    pub(crate) http: Port,
    pub(crate) https: Port,
}

/// A running program. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    /// The console's address, without a slash at the end.
    pub(crate) console: String,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, http: Port::reserve(), https: Port::reserve() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The root of the console's own certificate.
    pub(crate) fn console_root(&self) -> String {
        fs::read_to_string(self.data().join("console-root.pem")).expect("the console's root")
    }

    /// A folder with a first page that says `text`, for a site to serve.
    pub(crate) fn content(&self, name: &str, text: &str) -> PathBuf {
        let folder = self.folder.path().join("content").join(name);
        fs::create_dir_all(&folder).expect("a folder for a site");
        let page = format!("<!doctype html><html lang=en><title>{name}</title><h1>{text}</h1>\n");
        fs::write(folder.join("index.html"), page).expect("a first page");
        folder
    }

    /// What the `sqlite3` program reads from the database.
    pub(crate) async fn query(&self, sql: &str) -> String {
        let database = self.data().join("siteward.db");
        let output =
            Command::new("sqlite3").arg("-readonly").arg(database).arg(sql).output().await.expect("sqlite3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text in UTF-8")
    }

    /// The number of the last change.
    pub(crate) async fn revision(&self) -> i64 {
        let last = self.query("SELECT max(revision) FROM changes").await;
        last.trim().parse().expect("a revision")
    }

    /// The program with `arguments`, on this data directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siteward"));
        command.args(arguments).env("SITEWARD_DATA_DIR", self.data()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts the program, and waits until its console answers.
    pub(crate) async fn start(&self) -> Program {
        let (http, https) = (self.http.number().to_string(), self.https.number().to_string());
        let log = self.folder.path().join("log");
        let log_file = File::options().create(true).append(true).open(&log).expect("a log file");
        let mut child = self
            .command(&["--console-address", "127.0.0.1:0", "--http-port", &http, "--https-port", &https])
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut program = Program { child, output, log, console: String::new() };
        program.console = program.line("Console: ").await.trim_end_matches('/').into();
        program
    }
}

impl Program {
    /// The rest of the next line of output that starts with `prefix`.
    async fn line(&mut self, prefix: &str) -> String {
        let next = async {
            loop {
                let line = self.output.next_line().await.expect("readable output").expect("the program runs");
                if let Some(rest) = line.strip_prefix(prefix) {
                    return rest.to_owned();
                }
            }
        };
        within(prefix, next).await
    }

    /// The link through which the first administrator comes in.
    pub(crate) async fn set_up_link(&mut self) -> String {
        self.line("Set-up link: ").await
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("the program can be killed");
    }

    /// Asks the program to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        self.terminate().await;
        within("the program to stop", self.child.wait()).await.expect("an exit status")
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("the program runs")
    }

    /// Ends the program by the signal on which a process writes its memory to a file, where it may.
    pub(crate) async fn abort(mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-ABRT", &self.id().to_string()]).status().await.expect("kill runs");
        assert!(sent.success());
        within("the program to end", self.child.wait()).await.expect("an exit status")
    }

    async fn terminate(&self) {
        let id = self.child.id().expect("the program runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
        assert!(sent.success());
    }

    /// Stops the program; what it printed since it was last asked.
    pub(crate) async fn output_until_stopped(mut self) -> String {
        self.terminate().await;
        let mut rest = String::new();
        while let Some(line) = within("the end of output", self.output.next_line()).await.expect("readable output") {
            rest += &line;
        }
        rest
    }

    /// The lines of the access log about this very path, once there are as many as this.
    pub(crate) async fn logged(&self, path: &str, count: usize) -> Vec<String> {
        let named = format!(" path={path:?} ");
        until(&format!("{count} lines about {path}"), async || {
            let log = self.log();
            let lines: Vec<String> = log.lines().filter(|line| line.contains(&named)).map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
        .await
    }

    /// What the program wrote to its log so far, over all its starts.
    pub(crate) fn log(&self) -> String {
        read_log(&self.log)
    }
}

/// A failed journey tells what the program had to say.
impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the program's log\n{}---", read_log(&self.log));
        }
    }
}

fn read_log(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
