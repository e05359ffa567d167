//! The console on its own TLS listener.
