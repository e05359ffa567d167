//! Open ports follow the table: they open and close as bindings come and go, each without touching the others.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum_server::Handle;
use siteward_core::binding::Protocol;
use siteward_core::status::{Listening, Reporter};
use siteward_core::store::Store;
use siteward_core::table::{Listen, SiteTable};
use socket2::{Domain, Protocol as Transport, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{self, JoinSet};
use tokio::time::sleep;
use tower::service_fn;

use crate::acceptor::{PlainAcceptor, SiteAcceptor};
use crate::content::Content;
use crate::door::{Door, log_accept_errors};
use crate::limits::Limits;
use crate::places::Places;
use crate::probe::Prober;
use crate::proxied::Announcements;
use crate::references::References;
use crate::resolver::Resolver;
use crate::socket::Ends;
use crate::traffic::Traffic;
use crate::visit::{Served, Visit};

/// How long after a port could not be opened it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The same for all addresses of a port that is open on single ones: those must be closed for it.
const RETRY_ALL: Duration = Duration::from_secs(5 * 60);

/// Connections that the kernel keeps for us before they are accepted.
const BACKLOG: i32 = 4_096;

/// The open ports, and who serves them.
pub(crate) struct Listeners {
    store: Store,
    resolver: Arc<Resolver>,
    served: Arc<Served>,
    announcements: Announcements,
    limits: Limits,
    places: Places,
    open: BTreeMap<Listen, OpenPort>,
    /// Ports that could not be opened on all addresses, and are served on single ones until they are tried again.
    blocked: BTreeMap<u16, Blocked>,
    serving: JoinSet<io::Result<()>>,
}

struct OpenPort {
    handle: Handle<Ends>,
    is_closed: oneshot::Receiver<()>,
    task: task::Id,
}

struct Blocked {
    cause: String,
    until: Instant,
}

impl Listeners {
    pub(crate) fn new(store: Store, limits: Limits, traffic: Arc<Traffic>, references: Arc<References>) -> Self {
        let content = Content::new(store.data_dir(), &limits);
        let served = Arc::new(Served { sites: store.sites(), content, traffic, references });
        let announcements = Announcements::new(store.sites());
        let (resolver, places) = (Arc::new(Resolver::new(store.clone())), limits.places());
        Self {
            store,
            resolver,
            served,
            announcements,
            limits,
            places,
            open: BTreeMap::new(),
            blocked: BTreeMap::new(),
            serving: JoinSet::new(),
        }
    }

    /// Follows the table until told to stop, then lets running requests finish within the grace period.
    pub(crate) async fn follow(mut self, reporter: Reporter, stop: oneshot::Receiver<Duration>) {
        let mut sites = self.served.sites.clone();
        let mut stop = std::pin::pin!(stop);
        let mut table = sites.table();
        let mut all_open = self.take_up(&table, &reporter).await;
        let prober = Prober::start(self.store.clone(), reporter.clone(), self.served.traffic.clone());
        loop {
            tokio::select! {
                changed = sites.changed() => {
                    let Some(next) = changed else { break };
                    self.resolver.forget_released(&table, &next);
                    // Announced before and sent after: the console waits for them, and they for their port.
                    let touched = prober.announce(&table, &next);
                    table = next;
                    all_open = self.take_up(&table, &reporter).await;
                    prober.send(touched);
                }
                () = sleep(RETRY), if !all_open => all_open = self.take_up(&table, &reporter).await,
                Some(ended) = self.serving.join_next_with_id() => all_open &= !self.ended(ended),
                grace = &mut stop => {
                    drop(prober);
                    return self.close_all(grace.unwrap_or_default()).await;
                }
            }
        }
        drop(prober);
        self.close_all(Duration::ZERO).await;
    }

    /// Closes what `table` no longer has, opens what it has, and reports. Returns whether all could be opened.
    async fn take_up(&mut self, table: &SiteTable, reporter: &Reporter) -> bool {
        let wanted = table.listens();
        let now = Instant::now();
        self.blocked.retain(|&port, blocked| {
            blocked.until > now && wanted.iter().any(|listen| listen.port == port && listen.ip.is_none())
        });
        let kept = |listen: &Listen| wanted.contains(listen) || self.stands_in(listen, table);
        let unwanted: Vec<Listen> = self.open.keys().filter(|listen| !kept(listen)).copied().collect();
        for listen in unwanted {
            self.close(&listen).await; // first: a port that moves from one address to all can't be open at both
        }
        let mut report = BTreeMap::new();
        for listen in wanted {
            let listening = self.open_unless_blocked(listen, table);
            if listen.ip.is_none() && listening != Listening::Open {
                let single = table.addresses(listen.port).map(|ip| Listen { ip: Some(ip), ..listen });
                report.extend(single.map(|single| (single, self.open_unless_open(single))));
            }
            report.insert(listen, listening);
        }
        let all_open = report.values().all(|listening| *listening == Listening::Open);
        reporter.report(table.revision(), report);
        all_open
    }

    /// Whether `listen` is at a single address because all can't be had.
    fn stands_in(&self, listen: &Listen, table: &SiteTable) -> bool {
        self.blocked.contains_key(&listen.port)
            && listen.ip.is_some_and(|ip| table.addresses(listen.port).any(|wanted| wanted == ip))
    }

    /// Opens a port, unless it is known that it can't be had on all addresses and single ones would be cut off by
    /// another attempt.
    fn open_unless_blocked(&mut self, listen: Listen, table: &SiteTable) -> Listening {
        if listen.ip.is_none()
            && let Some(blocked) = self.blocked.get(&listen.port)
        {
            return Listening::Failed(blocked.cause.clone());
        }
        let listening = self.open_unless_open(listen);
        if let (None, Listening::Failed(cause)) = (listen.ip, &listening)
            && table.addresses(listen.port).next().is_some()
        {
            let blocked = Blocked { cause: cause.clone(), until: Instant::now() + RETRY_ALL };
            self.blocked.insert(listen.port, blocked);
        }
        listening
    }

    fn open_unless_open(&mut self, listen: Listen) -> Listening {
        if self.open.contains_key(&listen) {
            return Listening::Open;
        }
        match bind(listen.ip, listen.port) {
            Ok(listener) => {
                tracing::info!(port = listen.port, ip = ?listen.ip, protocol = %listen.protocol, "listening");
                let port = self.serve(listen, listener);
                self.open.insert(listen, port);
                Listening::Open
            }
            Err(error) => {
                tracing::debug!(port = listen.port, ip = ?listen.ip, %error, "a port could not be opened");
                Listening::Failed(cause(&listen, &error))
            }
        }
    }

    fn serve(&mut self, listen: Listen, listener: TcpListener) -> OpenPort {
        let handle = Handle::new();
        let (door, is_closed) =
            Door::new(listener, self.places.clone(), self.limits.idle, Some(self.served.sites.clone()));
        let served = self.served.clone();
        let visits = service_fn(move |ends| std::future::ready(io::Result::Ok(Visit::new(served.clone(), ends))));
        let mut server = axum_server::Server::<Ends>::from_listener(door)
            .handle(handle.clone())
            .first_request_timeout(self.limits.first_request)
            .accept_error_handler(log_accept_errors());
        self.limits.apply(server.http_builder());
        let (announcements, limits) = (self.announcements.clone(), self.limits.clone());
        let task = match listen.protocol {
            Protocol::Http => {
                let acceptor = PlainAcceptor { announcements, limits };
                self.serving.spawn(server.http1_only().acceptor(acceptor).serve(visits))
            }
            Protocol::Https => {
                let acceptor = SiteAcceptor {
                    resolver: self.resolver.clone(),
                    traffic: self.served.traffic.clone(),
                    announcements,
                    limits,
                };
                self.serving.spawn(server.acceptor(acceptor).serve(visits))
            }
        };
        OpenPort { handle, is_closed, task: task.id() }
    }

    /// Takes note of a port whose serving ended; tells whether nobody had asked for that.
    fn ended(&mut self, ended: Result<(task::Id, io::Result<()>), task::JoinError>) -> bool {
        let id = ended.as_ref().map_or_else(task::JoinError::id, |(id, _)| *id);
        log_end(ended.map(|(_, outcome)| outcome));
        let before = self.open.len();
        self.open.retain(|_, port| port.task != id);
        self.open.len() < before
    }

    /// Stops accepting at once and returns when the port is free; its connections finish their requests meanwhile.
    async fn close(&mut self, listen: &Listen) {
        let Some(port) = self.open.remove(listen) else { return };
        port.handle.graceful_shutdown(Some(self.limits.closing));
        let _ = port.is_closed.await; // fails when the door is dropped: that is the word
        tracing::info!(port = listen.port, ip = ?listen.ip, "no longer listening");
    }

    async fn close_all(mut self, grace: Duration) {
        for port in self.open.values() {
            port.handle.graceful_shutdown(Some(grace));
        }
        let all_ended = async {
            while self.serving.join_next().await.is_some_and(|ended| {
                log_end(ended);
                true
            }) {}
        };
        // Ports that were closed before may still be within their own, longer grace.
        let _ = tokio::time::timeout(grace + Duration::from_secs(1), all_ended).await;
    }
}

fn log_end(ended: Result<io::Result<()>, task::JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "a port is no longer served"),
        Err(error) => tracing::error!(%error, "a port is no longer served"),
    }
}

/// Opens a port at one address, or at all: IPv6 and IPv4 in one socket, IPv4 alone where the machine has no IPv6.
fn bind(ip: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    match ip {
        Some(ip) => bind_to(SocketAddr::new(ip, port)),
        None => match bind_to(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
            Err(error) if lacks_ipv6(&error) => bind_to(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
            bound => bound,
        },
    }
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Transport::TCP))?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn lacks_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let causes = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| causes.contains(&code))
}

/// Why a port could not be opened, as a sentence for the console.
fn cause(listen: &Listen, error: &io::Error) -> String {
    let Listen { ip, port, .. } = listen;
    let at = ip.map_or_else(String::new, |ip| format!(" at {ip}"));
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("Siteward has no permission to open port {port}. Ports below 1024 need one.")
        }
        io::ErrorKind::AddrInUse => format!("Another program already uses port {port}{at}."),
        io::ErrorKind::AddrNotAvailable => match ip {
            Some(ip) => format!("{ip} is not an address of this machine."),
            None => format!("Port {port} could not be opened: {error}."),
        },
        _ => format!("Port {port}{at} could not be opened: {error}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siteward_core::binding::Place;
    use siteward_core::host::HostPattern;
    use siteward_core::ssl::RequireSsl;
    use siteward_core::store::{Folder, NewSite};
    use siteward_core::testing::{TestStore, tester};

    #[tokio::test]
    async fn a_port_whose_serving_ended_by_itself_is_opened_again() {
        let test = TestStore::open().await;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = Place {
            protocol: Protocol::Http,
            ip: Some(Ipv4Addr::LOCALHOST.into()),
            port: port.try_into().unwrap(),
            host: HostPattern::Any,
        };
        let new =
            NewSite { name: "Shop".into(), folder: Folder::Own, bindings: vec![place], require_ssl: RequireSsl::Off };
        test.store.create_site(new, &tester()).await.unwrap();
        let (reporter, _status) = Reporter::new();
        let mut listeners =
            Listeners::new(test.store.clone(), Limits::default(), Arc::new(Traffic::new(0)), Arc::default());
        let table = test.store.table();
        assert!(listeners.take_up(&table, &reporter).await);

        listeners.serving.abort_all();
        let ended = listeners.serving.join_next_with_id().await.unwrap();
        assert!(listeners.ended(ended), "nobody had asked for it");
        let address = ("127.0.0.1", port);
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
        assert!(listeners.take_up(&table, &reporter).await);
        assert!(tokio::net::TcpStream::connect(address).await.is_ok());
    }

    #[test]
    fn the_cause_of_a_closed_port_is_a_sentence() {
        let listen = Listen { ip: Some(Ipv4Addr::new(192, 0, 2, 1).into()), port: 80, protocol: Protocol::Http };
        for (kind, sentence) in [
            (io::ErrorKind::PermissionDenied, "Siteward has no permission to open port 80. Ports below 1024 need one."),
            (io::ErrorKind::AddrInUse, "Another program already uses port 80 at 192.0.2.1."),
            (io::ErrorKind::AddrNotAvailable, "192.0.2.1 is not an address of this machine."),
        ] {
            assert_eq!(cause(&listen, &kind.into()), sentence);
        }
    }
}
