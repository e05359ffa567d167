//! Bindings of a site. The site's version guards them too.

use std::num::NonZeroU16;

use serde_json::{Value, json};

use super::rows::FactsRow;
use super::write::{Entry, Write};
use super::{Result, Store, StoreError, switches};
use crate::binding::{Binding, BindingId, Place, Protocol, parse_ip};
use crate::certificate::{CertificateFacts, CertificateId};
use crate::chain;
use crate::host::HostPattern;
use crate::ledger::{Author, Revision, Thing};
use crate::site::SiteId;

/// A binding to create, or what one is to become.
#[derive(Debug, Clone)]
pub struct BindingDraft {
    /// Where the site is reached.
    pub place: Place,
    /// The certificate of an https binding; ignored for http.
    pub certificate: Option<CertificateId>,
    /// Take a certificate that is expired, not yet valid, or does not cover the host name.
    pub confirmed: bool,
}

impl Store {
    /// Adds a binding to a site.
    ///
    /// # Errors
    /// `Gone`, `PlaceTaken`, `PortSpeaks`, `CertificateNeeded`, `Doubtful`.
    pub async fn create_binding(&self, site: SiteId, draft: BindingDraft, by: &Author) -> Result<BindingId> {
        self.create_bindings(site, vec![draft], by).await
    }

    /// Adds bindings to a site, all of them or none; the id of the first.
    ///
    /// # Errors
    /// As [`Store::create_binding`]; `Gone` too where there is nothing to add.
    pub async fn create_bindings(&self, site: SiteId, drafts: Vec<BindingDraft>, by: &Author) -> Result<BindingId> {
        let mut write = self.begin(by).await?;
        let site = write.any_site(site)?;
        let (mut added, mut doubts) = (Vec::new(), Vec::new());
        for draft in &drafts {
            place_is_free(&mut write, &draft.place, None).await?;
            match certificate(&mut write, draft).await {
                Err(StoreError::Doubtful(more)) => doubts.extend(more),
                certificate => {
                    let certificate = certificate?;
                    let certificate_id = certificate.as_ref().map(|c| c.id);
                    let id = insert(&mut write, site.id, None, &draft.place, certificate_id).await?;
                    added.push((id, certificate));
                }
            }
        }
        if !doubts.is_empty() {
            doubts.dedup();
            return Err(StoreError::Doubtful(doubts));
        }
        let (id, certificate) = added.first().ok_or(StoreError::Gone)?;
        let (what, after) = match drafts.as_slice() {
            [draft] => ("a binding".into(), facts(&draft.place, certificate.as_ref())),
            many => {
                let each = many.iter().zip(&added).map(|(draft, (id, own))| {
                    let mut facts = facts(&draft.place, own.as_ref());
                    facts["id"] = (*id).into();
                    facts
                });
                (format!("{} bindings", many.len()), json!({ "bindings": each.collect::<Vec<_>>() }))
            }
        };
        let id = *id;
        let entry = Entry {
            thing: Thing::Binding,
            id,
            site: Some(site.id),
            summary: format!("added {what} to {}", site.name),
            before: None,
            after: Some(after),
            touched: vec![site.id],
        };
        write.commit(entry).await?;
        Ok(id)
    }

    /// Changes a binding, if nobody changed its site since `version`.
    ///
    /// # Errors
    /// As [`Store::create_binding`], and `Stale`.
    pub async fn update_binding(
        &self,
        site: SiteId,
        id: BindingId,
        version: Revision,
        draft: BindingDraft,
        by: &Author,
    ) -> Result<()> {
        let mut write = self.begin(by).await?;
        let site = write.site(site, version).await?;
        let before = find(&site.bindings, id)?;
        place_is_free(&mut write, &draft.place, Some(id)).await?;
        let certificate = certificate(&mut write, &draft).await?;
        change(&mut write, before, &draft.place, certificate.as_ref()).await?;
        let entry = Entry {
            thing: Thing::Binding,
            id,
            site: Some(site.id),
            summary: format!("changed a binding of {}", site.name),
            before: Some(facts_of(before)),
            after: Some(facts(&draft.place, certificate.as_ref())),
            touched: vec![site.id],
        };
        write.commit(entry).await
    }

    /// Removes a binding, if nobody changed its site since `version`.
    ///
    /// # Errors
    /// `Gone`, `Stale`.
    pub async fn delete_binding(&self, site: SiteId, id: BindingId, version: Revision, by: &Author) -> Result<()> {
        let mut write = self.begin(by).await?;
        let site = write.site(site, version).await?;
        let before = find(&site.bindings, id)?;
        remove(&mut write, id).await?;
        let entry = Entry {
            thing: Thing::Binding,
            id,
            site: Some(site.id),
            summary: format!("removed a binding of {}", site.name),
            before: Some(facts_of(before)),
            after: None,
            touched: vec![site.id],
        };
        write.commit(entry).await
    }
}

pub(super) fn find(bindings: &[Binding], id: BindingId) -> Result<&Binding> {
    bindings.iter().find(|binding| binding.id == id).ok_or(StoreError::Gone)
}

/// The certificate an https binding is to serve, proven to fit its host name and this day unless confirmed.
pub(super) async fn certificate(write: &mut Write<'_>, draft: &BindingDraft) -> Result<Option<CertificateFacts>> {
    if draft.place.protocol == Protocol::Http {
        return Ok(None);
    }
    let id = draft.certificate.ok_or(StoreError::CertificateNeeded)?;
    let facts = certificate_facts(write, id).await?;
    let doubts = chain::doubts(&facts, [&draft.place.host], write.by.now);
    if !doubts.is_empty() && !draft.confirmed {
        return Err(StoreError::Doubtful(doubts));
    }
    Ok(Some(facts))
}

/// The facts of an installed certificate.
pub(super) async fn certificate_facts(write: &mut Write<'_>, id: CertificateId) -> Result<CertificateFacts> {
    let row = sqlx::query_as!(
        FactsRow,
        "SELECT id, fingerprint, subject, issuer, names, not_before, not_after FROM certificates WHERE id = ?",
        id
    );
    row.fetch_optional(write.db()).await?.ok_or(StoreError::CertificateNeeded)?.read()
}

/// Proves that the port of this place does not speak the other protocol, and that no other binding has the place.
pub(super) async fn place_is_free(write: &mut Write<'_>, place: &Place, except: Option<BindingId>) -> Result<()> {
    let (protocol, ip, port, host) = columns(place);
    let other = sqlx::query_scalar!(
        "SELECT s.name FROM bindings b JOIN sites s ON s.id = b.site_id
         WHERE b.port = ? AND b.protocol <> ? AND b.id IS NOT ? LIMIT 1",
        port,
        protocol,
        except
    );
    if let Some(site) = other.fetch_optional(write.db()).await? {
        let protocol = if place.protocol == Protocol::Http { Protocol::Https } else { Protocol::Http };
        return Err(StoreError::PortSpeaks { port: place.port.get(), protocol, site });
    }
    let taken = sqlx::query_scalar!(
        "SELECT s.name FROM bindings b JOIN sites s ON s.id = b.site_id
         WHERE b.port = ? AND b.host = ? AND b.ip = ? AND b.id IS NOT ?",
        port,
        host,
        ip,
        except
    );
    if let Some(site) = taken.fetch_optional(write.db()).await? {
        return Err(StoreError::PlaceTaken { place: place.to_string(), site });
    }
    Ok(())
}

/// Inserts a binding, under the id that it had before where there was one.
pub(super) async fn insert(
    write: &mut Write<'_>,
    site: SiteId,
    id: Option<BindingId>,
    place: &Place,
    certificate: Option<CertificateId>,
) -> Result<BindingId> {
    let (protocol, ip, port, host) = columns(place);
    let inserted = sqlx::query!(
        "INSERT INTO bindings (id, site_id, protocol, ip, port, host, certificate_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
        id,
        site,
        protocol,
        ip,
        port,
        host,
        certificate
    );
    Ok(inserted.execute(write.db()).await?.last_insert_rowid())
}

/// Puts a binding elsewhere, or lets it serve another certificate, which is a switch.
pub(super) async fn change(
    write: &mut Write<'_>,
    before: &Binding,
    place: &Place,
    certificate: Option<&CertificateFacts>,
) -> Result<()> {
    let (protocol, ip, port, host) = columns(place);
    let certificate_id = certificate.map(|c| c.id);
    sqlx::query!(
        "UPDATE bindings SET protocol = ?, ip = ?, port = ?, host = ?, certificate_id = ? WHERE id = ?",
        protocol,
        ip,
        port,
        host,
        certificate_id,
        before.id
    )
    .execute(write.db())
    .await?;
    match certificate {
        Some(certificate) => switches::record(write, before, &place.host, certificate).await,
        None => Ok(()),
    }
}

pub(super) async fn remove(write: &mut Write<'_>, id: BindingId) -> Result<()> {
    sqlx::query!("DELETE FROM bindings WHERE id = ?", id).execute(write.db()).await?;
    Ok(())
}

fn columns(place: &Place) -> (&'static str, String, u16, String) {
    let ip = place.ip.map(|ip| ip.to_string()).unwrap_or_default();
    (place.protocol.as_str(), ip, place.port.get(), place.host.to_string())
}

fn facts(place: &Place, certificate: Option<&CertificateFacts>) -> Value {
    let (protocol, ip, port, host) = columns(place);
    let (id, certificate) = (certificate.map(|c| c.id), certificate.map(CertificateFacts::in_words));
    json!({
        "protocol": protocol, "ip": ip, "port": port, "host": host, "certificate": certificate, "certificate_id": id,
    })
}

/// A binding for the ledger.
pub(super) fn facts_of(binding: &Binding) -> Value {
    facts(&binding.place, binding.certificate.as_deref())
}

/// Reads what [`facts`] wrote: the place and the certificate.
pub(super) fn read(facts: &Value) -> Option<(Place, Option<CertificateId>)> {
    let place = Place {
        protocol: Protocol::parse(facts["protocol"].as_str()?)?,
        ip: parse_ip(facts["ip"].as_str()?).ok()?,
        port: u16::try_from(facts["port"].as_u64()?).ok().and_then(NonZeroU16::new)?,
        host: HostPattern::parse(facts["host"].as_str()?).ok()?,
    };
    Some((place, facts["certificate_id"].as_i64()))
}
