//! What a certificate is worth now: dates, then revocation, then the allow rules.

use std::fmt;
use std::sync::Arc;

use imbl::HashMap;
use time::OffsetDateTime;

use super::path::{Link, Path, Untrusted};
use super::{AllowRule, Ca, Checked, Crl, TrustList, WhenStale};
use crate::certificate::Fingerprint;
use crate::ssl::ClientCertificate;

/// What Siteward's own authorities have revoked, by the key that signs for them; `None` where that can't be read.
pub type OwnLists = HashMap<Fingerprint, Option<Arc<Crl>>>;

/// What was found about a client's certificate. Shown, it is a sentence or two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding<'a> {
    /// The client sent none.
    NoneSent,
    /// No trust list is chosen for the place, so nobody is trusted.
    NoList,
    /// Several trust lists are meant, so nobody is trusted.
    Conflict,
    /// The trust list can't be read, so nobody is trusted.
    ListGone,
    /// No path leads to a CA of the list.
    Untrusted(Untrusted),
    /// A certificate of the path has expired or is not valid yet.
    OutOfDate {
        /// Whose.
        name: &'a str,
        /// Valid from.
        not_before: OffsetDateTime,
        /// Valid until.
        not_after: OffsetDateTime,
    },
    /// A certificate of the path is on the list of its CA.
    Revoked {
        /// Whose.
        name: &'a str,
        /// When the list was made.
        list_of: OffsetDateTime,
    },
    /// What the CA of a certificate revoked can't be known, and the trust list is to be closed then.
    Unknown {
        /// Whose certificate it is.
        name: &'a str,
        /// When its list ran out; `None` where there is none about it.
        since: Option<OffsetDateTime>,
    },
    /// No allow rule lets its holder in.
    NotAllowed,
    /// Everything is as it must be.
    Good {
        /// The CA of the list.
        ca: &'a str,
        /// The first rule that lets its holder in, where there are rules.
        rule: Option<&'a AllowRule>,
        /// Whether it was known for every certificate of the path, and with a list of today, that it is not revoked.
        is_checked: bool,
    },
}

impl Finding<'_> {
    /// As the SSL settings ask for it.
    pub fn client(&self) -> ClientCertificate {
        match self {
            Self::NoneSent => ClientCertificate::None,
            Self::NoList | Self::Conflict | Self::ListGone | Self::Untrusted(_) => ClientCertificate::Untrusted,
            Self::OutOfDate { .. } => ClientCertificate::OutOfDate,
            Self::Revoked { .. } | Self::Unknown { .. } => ClientCertificate::Revoked,
            Self::NotAllowed => ClientCertificate::NotAllowed,
            Self::Good { .. } => ClientCertificate::Good,
        }
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneSent => f.write_str("No certificate was sent."),
            Self::NoList => f.write_str("No trust list is chosen for this place, so no certificate is trusted here."),
            Self::Conflict => f.write_str(
                "Rules with different trust lists may be meant by this path, so no certificate is trusted here.",
            ),
            Self::ListGone => f.write_str("The trust list can’t be read, so no certificate is trusted here."),
            Self::Untrusted(why) => why.fmt(f),
            Self::OutOfDate { name, not_before, not_after } => {
                write!(
                    f,
                    "The certificate of {name} is valid from {} until {} only.",
                    day(*not_before),
                    day(*not_after)
                )
            }
            Self::Revoked { name, list_of } => {
                write!(f, "The certificate of {name} is on the revocation list that its CA made on {}.", day(*list_of))
            }
            Self::Unknown { name, since: Some(since) } => write!(
                f,
                "Whether the certificate of {name} was revoked can’t be known: the revocation list of its CA ran out on {}.",
                day(*since)
            ),
            Self::Unknown { name, since: None } => write!(
                f,
                "Whether the certificate of {name} was revoked can’t be known: there is no revocation list of its CA about it."
            ),
            Self::NotAllowed => f.write_str("It is genuine, but no allow rule lets its holder in."),
            Self::Good { ca, rule, is_checked } => {
                write!(f, "It was issued under {ca}")?;
                if let Some(rule) = rule {
                    write!(f, " and let in by the rule “{rule}”")?;
                }
                f.write_str(if *is_checked {
                    ", and is not revoked."
                } else {
                    ". Not all of its CAs tell what they revoked."
                })
            }
        }
    }
}

/// `24 November 2026`.
pub(super) fn day(time: OffsetDateTime) -> String {
    format!("{} {} {}", time.day(), time.month(), time.year())
}

/// What is known of whether one certificate is revoked.
enum Status {
    Revoked(OffsetDateTime),
    NotRevoked,
    Unknown(Option<OffsetDateTime>),
    Unchecked,
}

impl TrustList {
    /// What a certificate with this path is worth at `now`. The path is one of this very list, as its identity tells.
    pub fn judge<'a>(&'a self, path: &'a Path, own: &OwnLists, now: OffsetDateTime) -> Finding<'a> {
        self.admit(path, own, now).unwrap_or_else(|refusal| refusal)
    }

    /// Of several certificates of the CA any will do that is valid, allows the length, and is not revoked itself.
    fn admit<'a>(&'a self, path: &'a Path, own: &OwnLists, now: OffsetDateTime) -> Result<Finding<'a>, Finding<'a>> {
        if let Some(link) = path.links.iter().find(|link| !link.is_valid(now)) {
            let Link { name, not_before, not_after, .. } = link;
            return Err(Finding::OutOfDate { name, not_before: *not_before, not_after: *not_after });
        }
        let valid = || self.same(path.ca).filter(|ca| ca.is_valid(now));
        if valid().next().is_none() {
            let ca = &self.cas[path.ca];
            return Err(Finding::OutOfDate { name: &ca.name, not_before: ca.not_before, not_after: ca.not_after });
        }
        let mut fitting = valid().filter(|ca| ca.allows_below(path.links.len() - 1));
        let first = fitting.next().ok_or(Finding::Untrusted(Untrusted::PathLength))?;
        // A CA that the client brings along has no list here; where those on the list have one, nobody gets past that.
        let is_strict =
            self.when_stale == WhenStale::Closed && self.same(path.ca).any(|ca| ca.checked != Checked::Never);
        let is_brought = |link: &Link| !self.cas.iter().any(|ca| ca.key_id == link.issuer_key);
        let is_known_below = self.unrevoked(&path.links, |link| is_strict && is_brought(link), own, now)?;
        let judged = |ca: &'a Ca| Ok((ca, self.unrevoked(&ca.above, |_| false, own, now)?));
        let (ca, is_known) = judged(first).or_else(|refusal| fitting.find_map(|ca| judged(ca).ok()).ok_or(refusal))?;
        let rule = self.allow.iter().find(|rule| rule.admits(&path.holder));
        if rule.is_none() && !self.allow.is_empty() {
            return Err(Finding::NotAllowed);
        }
        Ok(Finding::Good { ca: &ca.name, rule, is_checked: is_known_below && is_known })
    }

    /// Whether it is known of each of these that it is not revoked; or the first that is, or that could be where the trust
    /// list is closed then. Of those that must be `checked`, no CA may leave it open.
    fn unrevoked<'a>(
        &self,
        links: &'a [Link],
        checked: impl Fn(&Link) -> bool,
        own: &OwnLists,
        now: OffsetDateTime,
    ) -> Result<bool, Finding<'a>> {
        let mut is_known = true;
        for link in links {
            let name = &link.name;
            match self.status(link, own, now) {
                Status::Revoked(list_of) => return Err(Finding::Revoked { name, list_of }),
                Status::Unchecked if checked(link) => return Err(Finding::Unknown { name, since: None }),
                Status::Unknown(since) if self.when_stale == WhenStale::Closed => {
                    return Err(Finding::Unknown { name, since });
                }
                Status::NotRevoked => {}
                Status::Unknown(_) | Status::Unchecked => is_known = false,
            }
        }
        Ok(is_known)
    }

    /// The CA at this place of the list: it may be there with an older certificate and a newer one.
    fn same(&self, place: usize) -> impl Iterator<Item = &Ca> {
        let same = self.cas.iter().zip(&self.anchors).filter(move |(_, anchor)| **anchor == self.anchors[place]);
        same.map(|(ca, _)| ca)
    }

    /// Asks every list of the CA that signed it. One that names it counts for ever, whatever it is about; one that does not
    /// only where it is about the certificate and current. Of those one is enough.
    fn status(&self, link: &Link, own: &OwnLists, now: OffsetDateTime) -> Status {
        let (mut is_current, mut unknown) = (false, None);
        for crl in self.lists_of(link.issuer_key, own) {
            match crl.filter(|crl| crl.is_of(link)) {
                Some(crl) if crl.names(&link.serial) => return Status::Revoked(crl.this_update),
                Some(crl) if !crl.covers(link) => unknown = unknown.or(Some(None)),
                Some(crl) if crl.is_current(now) => is_current = true,
                Some(crl) => unknown = Some(Some(crl.next_update)),
                None => unknown = unknown.or(Some(None)),
            }
        }
        match unknown {
            _ if is_current => Status::NotRevoked,
            Some(since) => Status::Unknown(since),
            None => Status::Unchecked,
        }
    }

    /// The revocation lists of the CA with this key; `None` for one that should be there. Siteward's own authorities are
    /// asked wherever they stand in a path.
    fn lists_of<'a>(&'a self, key: Fingerprint, own: &'a OwnLists) -> impl Iterator<Item = Option<&'a Crl>> {
        let listed = self.cas.iter().filter(move |ca| ca.key_id == key);
        let given = listed.clone().filter_map(|ca| match &ca.checked {
            Checked::By(crl) => Some(crl.as_deref()),
            Checked::Never | Checked::Own => None,
        });
        let published = own.get(&key).map(Option::as_deref);
        let is_awaited = published.is_none() && listed.clone().any(|ca| ca.checked == Checked::Own);
        given.chain(published).chain(is_awaited.then_some(None))
    }
}
