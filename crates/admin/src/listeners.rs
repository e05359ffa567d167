//! The ports of this server: what each speaks, whether it is open, and which proxies are believed there.

mod edit;
mod list;
mod preview;

use siteward_core::proxies::{Listener, Networks, Speech};

pub(crate) use edit::{edit, update};
pub(crate) use list::list;
pub(crate) use preview::Panel;

/// The address of the form of a listener.
fn href(listener: Listener) -> String {
    format!("/listeners/{}/{}", listener.port, listener.ip.map_or("all".into(), |ip| ip.to_string()))
}

/// How proxies say who their visitors are.
pub(crate) fn speech(speech: Speech) -> &'static str {
    match speech {
        Speech::XForwarded => "X-Forwarded-For and X-Forwarded-Proto",
        Speech::Forwarded => "Forwarded (RFC 7239)",
        Speech::ProxyProtocol => "PROXY protocol",
    }
}

/// The first of them, and how many more there are.
fn few(networks: &Networks) -> String {
    const SHOWN: usize = 3;
    let list = networks.list();
    let shown = list.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match list.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
