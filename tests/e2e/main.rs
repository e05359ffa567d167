//! Journeys through the real program: real TLS, a real browser, the real `openssl` as the certification authority.

#[cfg(test)]
mod article;
#[cfg(test)]
mod authority;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod first_start;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod install;
#[cfg(test)]
mod many_sites;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod renewal;
#[cfg(test)]
mod replacement;
#[cfg(test)]
mod strength;
#[cfg(test)]
mod two_processes;
#[cfg(test)]
mod vault;
