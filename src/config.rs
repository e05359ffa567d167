//! Options by flag, environment and file. Almost everything else lives in the database.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Deserialize;

/// Options as given: a flag wins over the environment, the environment over the file.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// A TOML file with any of the options below, as `data-dir = "/srv/siteward"`.
    #[arg(long, global = true, env = "SITEWARD_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Where everything is kept: database, master key, folders of sites [default: data].
    #[arg(long, global = true, env = "SITEWARD_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Where the console listens, always over TLS [default: 127.0.0.1:9443].
    #[arg(long, global = true, env = "SITEWARD_CONSOLE_ADDRESS", value_name = "IP:PORT")]
    pub console_address: Option<SocketAddr>,
    /// The host name or IP address by which people reach the console [default: its IP address, or localhost].
    #[arg(long, global = true, env = "SITEWARD_CONSOLE_NAME", value_name = "NAME")]
    pub console_name: Option<String>,
    /// The port proposed for http bindings [default: 80, or 8080 where 80 can't be opened].
    #[arg(long, global = true, env = "SITEWARD_HTTP_PORT", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub http_port: Option<u16>,
    /// The port proposed for https bindings [default: 443, or 8443 where 443 can't be opened].
    #[arg(long, global = true, env = "SITEWARD_HTTPS_PORT", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub https_port: Option<u16>,
    /// What is logged: error, warn, info, debug, trace, or by module as in `info,siteward::access=warn` [default: info].
    #[arg(long, global = true, env = "SITEWARD_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How it is logged [default: text].
    #[arg(long, global = true, env = "SITEWARD_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Options with everything decided but the proposed ports.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where the console listens; port 0 takes a free one.
    pub console_address: SocketAddr,
    /// The name by which people reach the console.
    pub console_name: Option<String>,
    /// The port proposed for http bindings.
    pub http_port: Option<u16>,
    /// The port proposed for https bindings.
    pub https_port: Option<u16>,
    /// A level or a list of directives.
    pub log_level: String,
    /// Text or JSON.
    pub log_format: LogFormat,
}

impl Config {
    /// Completes `options` from their file and the defaults.
    ///
    /// # Errors
    /// Where the file can't be read, or has what Siteward does not know.
    pub fn load(options: Options) -> anyhow::Result<Self> {
        let file: Options = match &options.config {
            Some(path) => {
                let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
                toml::from_str(&text).with_context(|| format!("{} has a mistake", path.display()))?
            }
            None => Options::default(),
        };
        let console_address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9443));
        Ok(Self {
            data_dir: options.data_dir.or(file.data_dir).unwrap_or_else(|| "data".into()),
            console_address: options.console_address.or(file.console_address).unwrap_or(console_address),
            console_name: options.console_name.or(file.console_name),
            http_port: options.http_port.or(file.http_port),
            https_port: options.https_port.or(file.https_port),
            log_level: options.log_level.or(file.log_level).unwrap_or_else(|| "info".into()),
            log_format: options.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
        })
    }

    /// The address of the console's first page, where it listens on `address`.
    pub fn console_url(&self, address: SocketAddr) -> String {
        let host = match &self.console_name {
            Some(name) if name.contains(':') => format!("[{name}]"),
            Some(name) => name.clone(),
            None if address.ip().is_unspecified() => "localhost".into(),
            None => SocketAddr::new(address.ip(), 0).to_string().trim_end_matches(":0").to_owned(),
        };
        format!("https://{host}:{}/", address.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(options: Options) -> anyhow::Result<Config> {
        Config::load(options)
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("siteward.toml");
        fs::write(&path, "data-dir = '/from/file'\nhttp-port = 8081\n").unwrap();
        let config = load(Options { config: Some(path), http_port: Some(8082), ..Options::default() }).unwrap();
        assert_eq!(config.data_dir, PathBuf::from("/from/file"));
        assert_eq!(config.http_port, Some(8082));
        assert_eq!(config.console_address.to_string(), "127.0.0.1:9443");
    }

    #[test]
    fn a_misspelt_option_in_the_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("siteward.toml");
        fs::write(&path, "data-folder = '/srv'\n").unwrap();
        let error = load(Options { config: Some(path), ..Options::default() }).unwrap_err();
        assert!(format!("{error:#}").contains("data-folder"), "{error:#}");
    }

    #[test]
    fn the_console_is_named_by_what_a_browser_can_reach() {
        let mut config = load(Options::default()).unwrap();
        assert_eq!(config.console_url("127.0.0.1:9443".parse().unwrap()), "https://127.0.0.1:9443/");
        assert_eq!(config.console_url("[::1]:9443".parse().unwrap()), "https://[::1]:9443/");
        assert_eq!(config.console_url("0.0.0.0:9443".parse().unwrap()), "https://localhost:9443/");
        config.console_name = Some("console.example".into());
        assert_eq!(config.console_url("0.0.0.0:9443".parse().unwrap()), "https://console.example:9443/");
    }
}
