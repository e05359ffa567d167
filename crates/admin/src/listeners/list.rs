//! Every port, what it speaks, and whom it believes.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use siteward_core::binding::{Place, Protocol};
use siteward_core::host::HostPattern;
use siteward_core::proxies::{Listener, Proxies};
use siteward_core::table::SiteTable;

use super::{few, href, speech};
use crate::error::Answer;
use crate::session::Session;
use crate::shell::Shell;
use crate::words::{self, State};

struct Row {
    listener: Listener,
    /// Nothing where no binding is left.
    speaks: Option<(Protocol, State)>,
    /// What its bindings answer to.
    names: usize,
    proxies: Trusted,
}

/// Whose word is believed, in words.
enum Trusted {
    Nobody,
    /// Those of all addresses of the port.
    AsOnAll,
    /// How they say it, and who they are.
    These(&'static str, String),
}

#[derive(Template, WebTemplate)]
#[template(path = "listeners/list.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
}

impl Row {
    fn new(session: &Session, table: &SiteTable, listener: Listener) -> Self {
        // A list holds also where only a binding at all addresses of the port is left.
        let protocol = table
            .protocol(listener.port)
            .filter(|_| table.has_listener(listener) || table.has_listener(Listener { ip: None, ..listener }));
        let place = |protocol| Place { protocol, ip: listener.ip, port: listener.port, host: HostPattern::Any };
        let open = |protocol| words::port(&session.console.status, &place(protocol));
        let spoken = table.protocol(listener.port);
        let is_for_it = |own: &Proxies| spoken.is_none_or(|spoken| own.protocol == spoken);
        let believed = |listener| table.proxies(listener).filter(|own| !own.networks.is_empty() && is_for_it(own));
        let all = Listener { ip: None, ..listener };
        Self {
            listener,
            speaks: protocol.map(|protocol| (protocol, open(protocol))),
            names: table.names_at(listener),
            proxies: match believed(listener) {
                Some(own) => Trusted::These(speech(own.speech), few(&own.networks)),
                None if table.proxies(listener).is_some_and(|own| own.is_own()) => Trusted::Nobody,
                None if believed(all).is_some() => Trusted::AsOnAll,
                None => Trusted::Nobody,
            },
        }
    }

    /// All addresses, or one.
    fn address(&self) -> String {
        self.listener.ip.map_or("All addresses".into(), |ip| ip.to_string())
    }

    fn href(&self) -> String {
        href(self.listener)
    }
}

/// Every port, also those that nothing is bound to any more and where somebody is believed still.
pub(crate) async fn list(session: Session) -> Answer {
    let table = session.table();
    let is_shown = |listener: &Listener| {
        table.has_listener(*listener)
            || table.proxies(*listener).is_some_and(|own| own.nobody || !own.networks.is_empty())
    };
    let listeners = table.listeners().into_iter().filter(is_shown);
    let rows = listeners.map(|listener| Row::new(&session, &table, listener)).collect();
    Ok(ListPage { shell: session.shell("/listeners").await?, rows }.into_response())
}
