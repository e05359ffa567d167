//! Which names are answered over https with a certificate for them, and where.

use std::collections::HashMap;

use crate::binding::{Binding, Protocol};
use crate::certificate::SubjectName;
use crate::host::{HostName, HostPattern};

/// Names, ready to be asked whether one is among them.
#[derive(Default)]
pub(super) struct Names<'a> {
    exact: HashMap<&'a str, &'a HostPattern>,
    /// By the name after the star.
    wildcard: HashMap<&'a str, &'a HostPattern>,
    any: bool,
}

impl<'a> Names<'a> {
    pub(super) fn of(hosts: impl IntoIterator<Item = &'a HostPattern>) -> Self {
        let mut names = Self::default();
        hosts.into_iter().for_each(|host| names.insert(host));
        names
    }

    fn insert(&mut self, host: &'a HostPattern) {
        match host {
            HostPattern::Exact(name) => _ = self.exact.insert(name.as_str(), host),
            HostPattern::Wildcard(parent) => _ = self.wildcard.insert(parent.as_str(), host),
            HostPattern::Any => self.any = true,
        }
    }

    /// Whether everything under `host` is among them.
    pub(super) fn has(&self, host: &HostPattern) -> bool {
        match host {
            HostPattern::Exact(name) => self.has_name(name),
            HostPattern::Wildcard(parent) => self.any || self.wildcard.contains_key(parent.as_str()),
            HostPattern::Any => self.any,
        }
    }

    pub(super) fn has_name(&self, name: &HostName) -> bool {
        let is_below = || name.parent().is_some_and(|parent| self.wildcard.contains_key(parent));
        self.any || self.exact.contains_key(name.as_str()) || is_below()
    }

    /// Those that are told by name.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a HostPattern> {
        self.exact.values().chain(self.wildcard.values()).copied()
    }
}

/// The names that are answered over https with a certificate for them.
#[derive(Default)]
pub(super) struct Secured<'a> {
    pub(super) anywhere: Names<'a>,
    /// Where browsers go that come from port 80.
    pub(super) on_443: Names<'a>,
}

impl<'a> Secured<'a> {
    pub(super) fn of(bindings: impl IntoIterator<Item = &'a Binding>) -> Self {
        let mut secured = Self::default();
        for binding in bindings {
            for name in secured_names(binding) {
                secured.anywhere.insert(name);
                if is_default(binding, Protocol::Https) {
                    secured.on_443.insert(name);
                }
            }
        }
        secured
    }

    /// Whether browsers that come from an http binding find its names.
    pub(super) fn has(&self, http: &Binding) -> bool {
        let names = if is_default(http, Protocol::Http) { &self.on_443 } else { &self.anywhere };
        names.has(&http.place.host)
    }
}

/// The names that an https binding answers with a certificate for them.
pub(super) fn secured_names(binding: &Binding) -> impl Iterator<Item = &HostPattern> {
    let host = &binding.place.host;
    let certificate = binding.certificate.as_deref().filter(|_| binding.place.protocol == Protocol::Https);
    let own = certificate.filter(|own| *host != HostPattern::Any && own.covers_pattern(host)).map(|_| host);
    let named = certificate.filter(|_| *host == HostPattern::Any).map(|own| &own.names);
    own.into_iter().chain(named.into_iter().flatten().filter_map(|name| match name {
        SubjectName::Dns(name) => Some(name),
        SubjectName::Ip(_) => None,
    }))
}

/// Whether a binding is where browsers go by themselves that come by this protocol.
pub(super) fn is_default(binding: &Binding, protocol: Protocol) -> bool {
    binding.place.protocol == protocol && binding.place.port.get() == protocol.default_port()
}
