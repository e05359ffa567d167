//! Which place of a site demands what, and where each demand comes from.

use std::collections::HashMap;

use super::place::RulePath;
use super::setting::{ClearCredentials, ClientCertificates, KeyExchange, RequireSsl, Settings, Strength, TlsVersion};
use super::spelling;
use crate::certificate::Fingerprint;
use crate::path::UrlPath;
use crate::site::DEFAULT_DOCUMENTS;
use crate::trust_list::TrustListId;

/// The row id of a rule.
pub type RuleId = i64;

/// What one place of a site sets: the whole site, a folder or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Row id.
    pub id: RuleId,
    /// Where it holds, and below.
    pub path: RulePath,
    /// What it sets.
    pub settings: Settings,
    /// Why, in the team's words; may be empty.
    pub reason: String,
}

/// Where a demand comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// Nobody set it.
    #[default]
    BuiltIn,
    /// The rule at this place of [`Rules::list`].
    Rule(u32),
}

/// What is demanded of one kind, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand<T> {
    /// The value that holds.
    pub value: T,
    /// The last place on the way that set it.
    pub origin: Origin,
}

/// Whose certificates of visitors a place trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Trusted {
    /// Nobody's: no place on the way names a trust list.
    #[default]
    Unset,
    /// Those that this trust list lets in.
    List(TrustListId),
    /// Nobody's: what the path may lead to names several lists, or a list and none.
    Conflict,
}

/// Everything that a place demands, its own settings and inherited ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demands {
    /// What plain HTTP gets.
    pub require_ssl: Demand<RequireSsl>,
    /// The least version of TLS.
    pub min_tls: Demand<TlsVersion>,
    /// The least strength of the cipher.
    pub strength: Demand<Strength>,
    /// The least key exchange.
    pub key_exchange: Demand<KeyExchange>,
    /// What is done about certificates of visitors.
    pub client_certificates: Demand<ClientCertificates>,
    /// Whose certificates of visitors are trusted.
    pub trust: Demand<Trusted>,
    /// What credentials in clear get where others are redirected.
    pub clear_credentials: Demand<ClearCredentials>,
}

/// What handshakes for a site keep to: what all its places demand alike, since none of them is known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TlsPolicy {
    /// No place takes an older version.
    pub min_tls: TlsVersion,
    /// No place takes a weaker cipher.
    pub strength: Strength,
    /// No place takes less.
    pub key_exchange: KeyExchange,
    /// Some place wants to know the client's certificate.
    pub ask_certificate: bool,
    /// Which CAs are trusted there, as one digest: a connection that was asked for another's certificate is another one.
    pub trust: Fingerprint,
}

/// The rules of one site, ready to be asked. Asking costs what the path is long, however many rules there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// By path.
    list: Vec<Rule>,
    root: Node,
    /// The strictest value of each kind that any rule sets.
    strictest: Demands,
    tls: TlsPolicy,
    /// The trust lists of all places that look at certificates, each once.
    trust_lists: Vec<TrustListId>,
}

/// A place that is, or leads to, a rule's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    /// Its rules: one for each spelling.
    rules: Vec<u32>,
    /// By the form that all spellings of a name have in common.
    children: HashMap<Box<str>, Node>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::new([])
    }
}

impl Rules {
    /// The rules of a site.
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut list: Vec<Rule> = rules.into_iter().collect();
        list.sort_by(|a, b| a.path.cmp(&b.path));
        let mut root = Node::default();
        for (index, rule) in (0..).zip(&list) {
            root.at(&rule.path).rules.push(index);
        }
        let mut strictest = Demands::default();
        for (index, rule) in (0..).zip(&list) {
            strictest.tighten(&rule.settings, index);
        }
        let mut rules = Self { list, root, strictest, tls: TlsPolicy::default(), trust_lists: Vec::new() };
        rules.tls = TlsPolicy::of(rules.every_place());
        let asking = || rules.every_place().filter(Demands::looks_at_certificates);
        let trust = asking().map(|place| place.trust).reduce(Demand::or_conflict).unwrap_or_default();
        let mut trust_lists: Vec<TrustListId> = asking().filter_map(|place| place.trust.value.list()).collect();
        trust_lists.sort_unstable();
        trust_lists.dedup();
        rules.strictest.trust = trust;
        rules.trust_lists = trust_lists;
        rules
    }

    /// The same rules, with other settings for the whole site.
    pub fn with_site(&self, settings: Settings) -> Self {
        self.with(&RulePath::site(), settings)
    }

    /// The same rules, with other settings at this place, which may have had none of its own.
    pub fn with(&self, path: &RulePath, settings: Settings) -> Self {
        let new = || Rule { id: 0, path: path.clone(), settings, reason: String::new() };
        let own = Rule { settings, ..self.rule_at(path).cloned().unwrap_or_else(new) };
        Self::new(self.list.iter().filter(|rule| rule.path != *path).cloned().chain([own]))
    }

    /// The same rules but the one with this id.
    pub fn without(&self, id: RuleId) -> Self {
        Self::new(self.list.iter().filter(|rule| rule.id != id).cloned())
    }

    /// What is set for the whole site.
    pub fn own(&self) -> Settings {
        self.rule_at(&RulePath::site()).map(|rule| rule.settings).unwrap_or_default()
    }

    /// Every rule, by path: the whole site's first.
    pub fn list(&self) -> &[Rule] {
        &self.list
    }

    /// The rule with this id.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.list.iter().find(|rule| rule.id == id)
    }

    /// The rule that stands at exactly this place.
    pub fn rule_at(&self, path: &RulePath) -> Option<&Rule> {
        self.list.binary_search_by(|rule| rule.path.cmp(path)).ok().map(|index| &self.list[index])
    }

    /// The rule that a demand comes from.
    pub fn origin(&self, origin: Origin) -> Option<&Rule> {
        match origin {
            Origin::BuiltIn => None,
            Origin::Rule(index) => self.list.get(index as usize),
        }
    }

    /// What the site demands where no folder or file sets anything else.
    pub fn site(&self) -> Demands {
        self.walk("", false)
    }

    /// What is demanded at the place of a rule.
    pub fn at(&self, path: &RulePath) -> Demands {
        self.walk(path.as_str(), false)
    }

    /// What a place inherits, whatever it sets by itself.
    pub fn above(&self, path: &RulePath) -> Demands {
        self.walk(path.as_str().rsplit_once('/').map_or("", |(folder, _)| folder), false)
    }

    /// What a request for `path` must meet.
    ///
    /// The nearest place on the way that sets a kind decides it. A rule holds for every spelling that may reach its
    /// folder on some file system, but eases in its own spelling only: where names differ by case, another one is
    /// another folder. A folder's address demands what its default documents do, since it may be answered with one.
    pub fn demands(&self, path: &UrlPath) -> Demands {
        self.walk(path.relative(), path.is_folder())
    }

    /// What handshakes for the site keep to, but for the CAs of its trust lists, which the rules know by name only:
    /// [`SiteTable::tls`](crate::table::SiteTable::tls) adds them.
    pub fn tls(&self) -> TlsPolicy {
        self.tls
    }

    /// The trust lists that are asked at any place, each once.
    pub fn trust_lists(&self) -> &[TrustListId] {
        &self.trust_lists
    }

    fn walk(&self, path: &str, is_folder: bool) -> Demands {
        let mut demands = Demands::default();
        let mut node = &self.root;
        self.apply(node, "", &mut demands);
        let mut end = 0;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            if node.children.is_empty() {
                return demands;
            }
            let Some(child) = node.children.get(spelling::common(name).as_ref()) else {
                if spelling::is_short_for_another(name) {
                    demands.tighten_to(&self.strictest);
                }
                return demands;
            };
            end += name.len() + usize::from(end > 0);
            self.apply(child, &path[..end], &mut demands);
            node = child;
        }
        if is_folder && !node.children.is_empty() {
            for document in DEFAULT_DOCUMENTS.iter().filter_map(|name| node.children.get(*name)) {
                document.rules.iter().for_each(|&index| demands.tighten_for_document(&self.nth(index).settings, index));
            }
        }
        demands
    }

    /// The rule of this very spelling may ease; those of others only tighten what is left.
    fn apply(&self, node: &Node, path: &str, demands: &mut Demands) {
        let is_own = |index: &&u32| self.nth(**index).path.as_str() == path;
        for &index in node.rules.iter().filter(is_own) {
            demands.set(&self.nth(index).settings, index);
        }
        for &index in node.rules.iter().filter(|index| !is_own(index)) {
            demands.tighten(&self.nth(index).settings, index);
        }
    }

    /// The rule that a node names.
    fn nth(&self, index: u32) -> &Rule {
        &self.list[index as usize]
    }

    fn every_place(&self) -> impl Iterator<Item = Demands> {
        std::iter::once(self.site()).chain(self.list.iter().map(|rule| self.at(&rule.path)))
    }
}

impl Node {
    fn at(&mut self, path: &RulePath) -> &mut Self {
        let names = path.as_str().split('/').filter(|name| !name.is_empty());
        names.fold(self, |node, name| node.children.entry(spelling::common(name).into()).or_default())
    }
}

impl<T> Demand<T> {
    fn set(&mut self, value: Option<T>, rule: u32) {
        if let Some(value) = value {
            *self = Self { value, origin: Origin::Rule(rule) };
        }
    }
}

impl<T: Copy + Ord> Demand<T> {
    fn tighten(&mut self, value: Option<T>, rule: u32) {
        self.set(value.filter(|value| *value > self.value), rule);
    }
}

impl Demand<Trusted> {
    /// What is left where both may be meant.
    fn or_conflict(self, other: Self) -> Self {
        if self.value == other.value { self } else { Self { value: Trusted::Conflict, ..other } }
    }
}

impl Trusted {
    /// The list, where there is one.
    pub fn list(self) -> Option<TrustListId> {
        match self {
            Self::List(id) => Some(id),
            Self::Unset | Self::Conflict => None,
        }
    }
}

impl Demands {
    /// Whether a visitor's certificate changes anything.
    pub fn looks_at_certificates(&self) -> bool {
        self.client_certificates.value != ClientCertificates::Ignore
    }

    /// Takes over what a rule sets.
    fn set(&mut self, settings: &Settings, rule: u32) {
        self.require_ssl.set(settings.require_ssl, rule);
        self.min_tls.set(settings.min_tls, rule);
        self.strength.set(settings.strength, rule);
        self.key_exchange.set(settings.key_exchange, rule);
        self.client_certificates.set(settings.client_certificates, rule);
        self.trust.set(settings.trust.map(Trusted::List), rule);
        self.clear_credentials.set(settings.clear_credentials, rule);
    }

    /// Takes over what a rule sets where that is stricter. No trust list is stricter than another: where they differ,
    /// nobody is trusted.
    fn tighten(&mut self, settings: &Settings, rule: u32) {
        if let Some(list) = settings.trust {
            self.trust = self.trust.or_conflict(Demand { value: Trusted::List(list), origin: Origin::Rule(rule) });
        }
        self.require_ssl.tighten(settings.require_ssl, rule);
        self.min_tls.tighten(settings.min_tls, rule);
        self.strength.tighten(settings.strength, rule);
        self.key_exchange.tighten(settings.key_exchange, rule);
        self.client_certificates.tighten(settings.client_certificates, rule);
        self.clear_credentials.tighten(settings.clear_credentials, rule);
    }

    /// The same for a default document of a folder, which may be all that is asked for: where only the document looks at
    /// certificates, its trust list alone counts.
    fn tighten_for_document(&mut self, settings: &Settings, rule: u32) {
        if !self.looks_at_certificates() && settings.client_certificates > Some(ClientCertificates::Ignore) {
            self.trust.set(settings.trust.map(Trusted::List), rule);
        }
        self.tighten(settings, rule);
    }

    /// The stricter of both, kind by kind.
    fn tighten_to(&mut self, other: &Self) {
        fn stricter<T: Copy + Ord>(own: &mut Demand<T>, other: Demand<T>) {
            if other.value > own.value {
                *own = other;
            }
        }
        if other.looks_at_certificates() {
            self.trust = if self.looks_at_certificates() { self.trust.or_conflict(other.trust) } else { other.trust };
        }
        stricter(&mut self.require_ssl, other.require_ssl);
        stricter(&mut self.min_tls, other.min_tls);
        stricter(&mut self.strength, other.strength);
        stricter(&mut self.key_exchange, other.key_exchange);
        stricter(&mut self.client_certificates, other.client_certificates);
        stricter(&mut self.clear_credentials, other.clear_credentials);
    }
}

impl Demands {
    /// Whether the same is demanded, whoever demands it.
    pub fn is_same(&self, other: &Self) -> bool {
        let values = |own: &Self| {
            let Self { require_ssl, min_tls, strength, key_exchange, client_certificates, trust, clear_credentials } =
                *own;
            let in_clear = (require_ssl.value, clear_credentials.value);
            (in_clear, (min_tls.value, strength.value, key_exchange.value), client_certificates.value, trust.value)
        };
        values(self) == values(other)
    }
}

impl TlsPolicy {
    fn of(places: impl IntoIterator<Item = Demands>) -> Self {
        let mut weakest: Option<(TlsVersion, Strength, KeyExchange)> = None;
        let mut ask_certificate = false;
        for place in places {
            let own = (place.min_tls.value, place.strength.value, place.key_exchange.value);
            weakest =
                Some(weakest.map_or(own, |weakest| (weakest.0.min(own.0), weakest.1.min(own.1), weakest.2.min(own.2))));
            ask_certificate |= place.looks_at_certificates();
        }
        let (min_tls, strength, key_exchange) = weakest.unwrap_or_default();
        Self { min_tls, strength, key_exchange, ask_certificate, trust: Fingerprint::default() }
    }
}
