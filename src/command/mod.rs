//! What the program does when it is called.

mod import_log;
mod invite;
mod log;
mod serve;
mod vault;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::config::{Config, Options};

/// Hosts a team's web sites on one server and makes every visitor use HTTPS.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the sites and the console. This is what happens without a command.
    Serve,
    /// Print a link with which somebody can join the team, for instance when nobody can sign in any more.
    Invite {
        /// For whom the link is.
        note: String,
    },
    /// Read another server's log in the W3C format, so that SSL settings can be previewed before the site moves here.
    ImportLog {
        /// The name of the site.
        site: String,
        /// The log files, oldest first.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// A port that speaks HTTPS in the log; may be given several times.
        #[arg(long, value_name = "PORT", default_values_t = [443])]
        https_ports: Vec<u16>,
    },
    /// Replace the master key, or check what is sealed under it.
    Vault {
        #[command(subcommand)]
        command: vault::Command,
    },
}

impl Arguments {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// What stops the program, in words.
    pub async fn run(self) -> anyhow::Result<()> {
        let config = Config::load(self.options)?;
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::run(config).await,
            Command::Invite { note } => invite::run(config, &note).await,
            Command::ImportLog { site, files, https_ports } => {
                import_log::run(config, &site, &files, https_ports).await
            }
            Command::Vault { command } => vault::run(config, command).await,
        }
    }
}

/// A core dump would hold keys in clear. It also keeps others of the same user from reading this process's memory.
fn forbid_core_dumps() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::debug!(%error, "core dumps can't be forbidden");
    }
}
