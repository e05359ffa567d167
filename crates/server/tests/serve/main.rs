//! What visitors get, over real connections.

#![expect(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod access_log;
mod client_certificates;
mod console;
mod content;
mod deadlines;
mod documents;
mod exemptions;
mod guard;
mod handshake;
mod hsts;
mod http2;
mod listeners;
mod proxies;
mod receipts;
mod refusals;
mod ssl;
mod traffic;
mod trials;
mod undo;
mod world;
