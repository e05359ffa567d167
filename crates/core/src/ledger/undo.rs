//! How a change is undone, or why it can't be: by what the ledger has of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Change, Thing};

/// How a change is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// A site's name, folder or state.
    Site,
    /// A site that was added or deleted, with everything it has.
    WholeSite,
    /// What a site demands where no folder or file sets anything else.
    Ssl,
    /// What a site tells browsers to remember.
    Hsts,
    /// What a folder or file demands.
    Rule,
    /// SSL settings that are tried and reported only.
    Trial,
    /// What a site answers CAs in clear.
    Exemption,
    /// A page of a site's own.
    Page,
    /// One binding or several of a site.
    Bindings,
    /// Bindings that went from one certificate to another; what else the change did stays.
    Switch,
    /// What the team added to a certificate.
    Certificate,
    /// Where an authority's documents are fetched.
    Address,
    /// A root that the team trusts.
    Root,
    /// Whose client certificates are trusted.
    TrustList,
    /// Whose word is believed at a listener.
    Proxies,
}

const OLD: &str = "It was saved before Siteward kept enough to undo it.";
const COUNTED: &str = "What was counted can’t be told apart from the rest any more.";
const KEY: &str = "The private key was destroyed with it.";

impl Undo {
    /// How `change` is undone.
    ///
    /// # Errors
    /// Why it can't be, as a sentence.
    pub fn of(change: &Change) -> Result<Self, &'static str> {
        match change.thing {
            Thing::Site => site(change),
            Thing::Binding => {
                match change.sides().all(|side| side.get("bindings").is_some() || knows_certificate(side)) {
                    true => Ok(Self::Bindings),
                    false => Err(OLD),
                }
            }
            Thing::Rule => Ok(Self::Rule),
            Thing::Trial => Ok(Self::Trial),
            Thing::Exemption => change.kept("content", Self::Exemption),
            Thing::Page => Ok(Self::Page),
            Thing::Request | Thing::Certificate => certificate(change),
            Thing::Authority => authority(change),
            Thing::Root => change.kept("der", Self::Root),
            Thing::TrustList if change.sides().any(|side| side["crl"] == "uploaded") => Err(
                "A revocation list that was brought is not kept beside another. Choose on the page of the trust list.",
            ),
            Thing::TrustList => Ok(Self::TrustList),
            Thing::Proxies if change.sides().count() == 0 => {
                Err("It changed nothing: nobody was believed before it either.")
            }
            Thing::Proxies => Ok(Self::Proxies),
            Thing::Vault => {
                Err("Every private key is sealed under the new master key; the old one is of no use any more.")
            }
            Thing::User => Err(person(change)),
        }
    }
}

fn site(change: &Change) -> Result<Undo, &'static str> {
    let has = |field: &str| change.sides().any(|side| side.get(field).is_some());
    match () {
        () if has("imported_requests") || has("leaked_requests") => Err(COUNTED),
        () if change.before.is_some() != change.after.is_some() => change.kept("rules", Undo::WholeSite),
        () if has("hsts") => Ok(Undo::Hsts),
        () if has("folder") => Ok(Undo::Site),
        () if has("require_ssl") => Ok(Undo::Ssl),
        () => Err(OLD),
    }
}

/// A binding's certificate is known by its id, where it has one.
fn knows_certificate(side: &Value) -> bool {
    side.get("protocol").is_some() && (side.get("certificate_id").is_some() || side["certificate"].is_null())
}

/// The owner of a certificate is known by their id, where there is one.
fn knows_owner(side: &Value) -> bool {
    side.get("owner_id").is_some() || side["owner"].is_null()
}

fn certificate(change: &Change) -> Result<Undo, &'static str> {
    let after = |field: &str| change.after.as_ref().and_then(|after| after[field].as_str());
    if after("switched").is_some_and(|places| !places.is_empty()) {
        return match after("certificate") {
            Some(_) => Ok(Undo::Switch),
            None => Err(
                "Fresh clients did not accept the certificate. Choose it in the bindings again if you want it there.",
            ),
        };
    }
    match (change.thing, &change.before, &change.after) {
        (Thing::Certificate, Some(_), Some(after)) if after.get("text").is_some() => {
            match !change.sets("owner") || change.sides().all(knows_owner) {
                true => Ok(Undo::Certificate),
                false => Err(OLD),
            }
        }
        (Thing::Certificate, None, Some(after)) if after.get("form").is_some() => {
            Err("What has left this server can’t be called back.")
        }
        (Thing::Certificate, None, Some(_)) => Err("A certificate stays until you remove it on its page."),
        (Thing::Request, None, Some(_)) => Err("A request waits until you withdraw it on its page."),
        (Thing::Request, ..) if after("state") == Some("completed") => {
            Err("A certificate stays until you remove it on its page.")
        }
        _ => Err(KEY),
    }
}

fn authority(change: &Change) -> Result<Undo, &'static str> {
    let has = |field: &str| change.sides().any(|side| side.get(field).is_some());
    match (&change.before, &change.after) {
        (Some(_), Some(_)) if has("address") => Ok(Undo::Address),
        (Some(_), Some(_)) if has("reason") => Err("A revoked certificate stays revoked."),
        (_, Some(_)) => Err("What an authority signed stays valid until it is revoked or expires."),
        _ => Err(KEY),
    }
}

fn person(change: &Change) -> &'static str {
    let has = |field: &str| change.sides().any(|side| side.get(field).is_some());
    match (&change.before, &change.after) {
        _ if has("may_export_keys") => {
            "Who may export private keys is changed on the page Team, with your own password."
        }
        (None, Some(_)) if has("mail") => "Somebody stays in the team until they are removed on the page Team.",
        (Some(_), None) if has("mail") => "Password and sessions are gone. Invite them again on the page Team.",
        (None, Some(_)) => "An invitation is withdrawn on the page Team.",
        (Some(_), None) => "The link is worth nothing any more. Invite them again on the page Team.",
        _ => "Nobody keeps the old password.",
    }
}

impl Change {
    /// What was before and what is after, where there is any.
    fn sides(&self) -> impl Iterator<Item = &Value> {
        self.before.iter().chain(&self.after)
    }

    /// `undo` where every side has this field, which the ledger did not always keep.
    fn kept(&self, field: &str, undo: Undo) -> Result<Undo, &'static str> {
        if self.sides().all(|side| side.get(field).is_some()) { Ok(undo) } else { Err(OLD) }
    }

    /// Whether it set this field to something else. One that is not there is like one that is empty.
    pub(crate) fn sets(&self, field: &str) -> bool {
        let value = |side: &Option<Value>| side.as_ref().and_then(|side| side.get(field)).cloned().unwrap_or_default();
        value(&self.before) != value(&self.after)
    }

    /// Every field that it set to something else.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &String> {
        let all: BTreeSet<&String> = self.sides().filter_map(Value::as_object).flat_map(|side| side.keys()).collect();
        all.into_iter().filter(|field| self.sets(field))
    }

    /// Whether it set what is served anywhere.
    pub(crate) fn concerns_certificates(&self) -> bool {
        ["certificate_id", "bindings", "switched"].iter().any(|field| self.sets(field))
    }

    /// Whether another change of the same thing set something beside which this one makes sense.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        Undo::of(self).is_ok_and(|own| Undo::of(other) == Ok(own))
    }

    /// `now` with every field that it set as it was before; `None` where one of them is no longer as it left it.
    pub(crate) fn returned(&self, mut now: Value) -> Option<Value> {
        let (before, after) = (self.before.as_ref()?, self.after.as_ref()?);
        let now_fields = now.as_object_mut()?;
        for field in self.fields() {
            let value = |side: &Value| side.get(field).cloned().unwrap_or_default();
            if now_fields.get(field).cloned().unwrap_or_default() != value(after) {
                return None;
            }
            now_fields.insert(field.clone(), value(before));
        }
        Some(now)
    }
}
