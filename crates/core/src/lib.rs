//! What a site, a certificate and a policy *are*, and the only door to SQLite.
//!
//! Outside [`store`] and [`vault`] everything is plain values and functions: no IO, no clock, no async.

pub mod acceptance;
pub mod authority;
pub mod binding;
pub mod certificate;
pub mod chain;
pub mod csr;
pub mod document;
pub mod exemption;
pub mod export;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod host;
pub mod inspect;
pub mod intake;
pub mod key;
pub mod ledger;
pub mod lint;
pub mod pages;
pub mod path;
pub mod peer;
pub mod proxies;
pub mod receipt;
pub mod refused;
pub mod self_signed;
pub mod site;
pub mod sites;
pub mod ssl;
pub mod status;
pub mod store;
pub mod subject;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(any(test, feature = "testing"))]
pub mod testing_ca;
pub mod traffic;
pub mod trial;
pub mod trust;
pub mod trust_list;
pub mod vault;
