//! Who is at the other end of a connection.

use std::net::SocketAddr;

/// The address a request came from, put into its extensions by the server; IPv4 is never written as IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);
