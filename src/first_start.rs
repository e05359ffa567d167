//! What a newcomer finds: a default site, ports that can be opened, and a link to add the first administrator.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::NonZeroU16;

use siteward_core::binding::{Place, Protocol};
use siteward_core::host::HostPattern;
use siteward_core::ledger::Author;
use siteward_core::ssl::RequireSsl;
use siteward_core::store::{Folder, NewSite, Store};

use crate::Ports;
use crate::config::Config;

/// The ports that forms propose: as configured, otherwise 80 and 443, or 8080 and 8443 where those can't be opened.
pub(crate) fn propose_ports(config: &Config) -> Ports {
    let choose = |configured: Option<u16>, usual, other| {
        configured.unwrap_or_else(|| if can_be_opened(usual) { usual } else { other })
    };
    Ports { http: choose(config.http_port, 80, 8080), https: choose(config.https_port, 443, 8443) }
}

fn can_be_opened(port: u16) -> bool {
    let v6 = TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    v6.or_else(|_| TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))).is_ok()
}

/// Makes the site that a fresh IIS has too. Only the very first start does: a deleted default site stays deleted.
pub(crate) async fn make_default_site(store: &Store, port: u16, by: &Author) -> anyhow::Result<()> {
    if store.table().revision() > 0 {
        return Ok(());
    }
    let port = NonZeroU16::new(port).unwrap_or(NonZeroU16::MIN);
    let new = NewSite {
        name: "Default Web Site".into(),
        folder: Folder::Own,
        bindings: vec![Place { protocol: Protocol::Http, ip: None, port, host: HostPattern::Any }],
        require_ssl: RequireSsl::Off,
    };
    store.create_site(new, by).await?;
    Ok(())
}

/// A link to add the first administrator; `None` once there is one.
pub(crate) async fn setup_link(store: &Store, console: &str, by: &Author) -> anyhow::Result<Option<String>> {
    if !store.list_users().await?.is_empty() {
        return Ok(None);
    }
    let token = store.create_invitation("the first administrator", by).await?;
    Ok(Some(format!("{console}join/{token}")))
}
