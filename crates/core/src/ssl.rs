//! SSL settings: what a place of a site demands, and what they make of a connection.
//!
//! `setting` is what can be demanded, `demands` what is, `place` and `rules` where and by whom, `spelling` which names are one to a file system,
//! `verdict` what a request gets, `hsts` what browsers are told to remember.

mod demands;
mod hsts;
mod place;
mod rules;
mod setting;
mod spelling;
#[cfg(test)]
mod tests;
mod verdict;

pub use demands::{Demand, Demands, Origin, TlsPolicy, Trusted};
pub(crate) use hsts::may_preload;
pub use hsts::{
    Caught, Evidence, Hsts, HstsDraft, HstsMode, HstsOrder, Unmet, Wait, caught_below, off_port, preload_unmet,
};
pub use place::{BadPlace, RulePath};
pub use rules::{Rule, RuleId, Rules};
pub use setting::{
    ClearCredentials, ClientCertificates, KeyExchange, RequireSsl, Setting, Settings, Strength, TlsVersion,
};
pub use spelling::is_one_name;
pub use verdict::{ClientCertificate, Redirect, Refusal, TlsFacts, Transport, Verdict};
