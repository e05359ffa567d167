//! What the journeys are made with: the program, a browser, a certification authority, clients.

pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod console;
pub(crate) mod desk;
pub(crate) mod openssl;
pub(crate) mod person;
pub(crate) mod ports;
pub(crate) mod program;
pub(crate) mod team;
pub(crate) mod wait;
