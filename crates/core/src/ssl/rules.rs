//! Which place of a site demands what, and where each demand comes from.

use std::collections::HashMap;

use super::demands::{Demand, Demands, Origin, TlsPolicy};
use super::place::RulePath;
use super::setting::Settings;
use super::spelling;
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
