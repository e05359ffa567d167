//! Journeys through the real program: real TLS, a real browser, the real `openssl` as the certification authority.
