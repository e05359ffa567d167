//! Trust lists as pages show them.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::allow_rule;
use crate::chain::X509;
use crate::ledger::Revision;
use crate::ssl::Trusted;
use crate::store::rows::readable;
use crate::store::{AuthorityId, Result, Store, StoreError, from_millis};
use crate::table::SiteTable;
use crate::trust_list::{AllowRule, CrlAddress, TrustListId, TrustedCaId, WhenStale};

/// A trust list with all that is known of its CAs.
#[derive(Debug, Clone)]
pub struct TrustListView {
    /// Row id.
    pub id: TrustListId,
    /// Unique name.
    pub name: String,
    /// What is done where a revocation list is missing or out of date.
    pub when_stale: WhenStale,
    /// The revision of the last change to it, which its forms carry.
    pub version: Revision,
    /// In the order in which they were added.
    pub cas: Vec<TrustedCa>,
    /// Whom it lets in: who meets any of these, or everybody where there are none.
    pub allow: Vec<AllowRule>,
    /// Whether every part of it can be read that decides on anybody. As long as one can't, which may be missing here, it
    /// lets nobody in.
    pub is_readable: bool,
}

/// A CA on a trust list.
#[derive(Debug, Clone)]
pub struct TrustedCa {
    /// Row id.
    pub id: TrustedCaId,
    /// Where its certificate comes from.
    pub origin: CaOrigin,
    /// Its certificate; of an authority of Siteward's own, the newest.
    pub certificate: X509,
    /// Where it is known from what it revoked.
    pub source: CrlSource,
    /// The revocation list that counts now; `None` where there is none, whatever the source.
    pub crl: Option<CrlFacts>,
    /// What became of fetching last; `None` where nothing is fetched, or nothing has been yet.
    pub fetched: Option<Fetched>,
}

/// Where the certificate of a CA comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaOrigin {
    /// Somebody brought it.
    Uploaded,
    /// It is one of Siteward's own authorities.
    Own(AuthorityId),
}

/// Where it is known from what a CA revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrlSource {
    /// Nowhere: nothing is ever taken for revoked.
    Never,
    /// Somebody brings its lists.
    Uploaded,
    /// They are fetched from here; `None` where the address can't be read, so that nothing is.
    Fetched(Option<CrlAddress>),
    /// Siteward itself publishes them.
    Own,
}

/// A revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlFacts {
    /// Its number in hexadecimal, where it has one.
    pub number: Option<String>,
    /// When it was made.
    pub this_update: OffsetDateTime,
    /// Until when it may be relied on.
    pub next_update: OffsetDateTime,
    /// How many certificates it names.
    pub revoked: usize,
    /// Whether it is about all certificates of its CA; what it does not name may be revoked otherwise.
    pub is_whole: bool,
    /// When it was brought or fetched; of Siteward's own, when it was made.
    pub taken_at: OffsetDateTime,
}

/// What became of fetching a revocation list last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// When.
    pub at: OffsetDateTime,
    /// Why no list came, as a sentence; `None` where one did.
    pub error: Option<String>,
    /// How often in a row it failed.
    pub failures: i64,
    /// When it is tried again.
    pub due_at: OffsetDateTime,
}

struct CaRow {
    id: i64,
    list_id: i64,
    authority_id: Option<i64>,
    der: Option<Vec<u8>>,
    crl: String,
    address: String,
    fetched_at: Option<i64>,
    fetch_due_at: Option<i64>,
    fetch_failures: i64,
    fetch_error: Option<String>,
    number: Option<Vec<u8>>,
    this_update: Option<i64>,
    next_update: Option<i64>,
    revoked: Option<i64>,
    taken_at: Option<i64>,
}

impl Store {
    /// Every trust list, by name.
    ///
    /// # Errors
    /// `Database`.
    pub async fn list_trust_lists(&self) -> Result<Vec<TrustListView>> {
        self.views(None).await
    }

    /// The trust list with this id.
    ///
    /// # Errors
    /// `Gone`.
    pub async fn find_trust_list(&self, id: TrustListId) -> Result<TrustListView> {
        self.views(Some(id)).await?.pop().ok_or(StoreError::Gone)
    }

    /// Every list, or the one that is chosen, at one moment.
    async fn views(&self, chosen: Option<TrustListId>) -> Result<Vec<TrustListView>> {
        let mut db = self.reader().begin().await?;
        let lists = sqlx::query_as!(
            ListRow,
            "SELECT id, name, when_stale, version FROM trust_lists WHERE ?1 IS NULL OR id = ?1 ORDER BY name",
            chosen
        );
        let lists = lists.fetch_all(&mut *db).await?;
        let cas = sqlx::query_as!(
            CaRow,
            r#"SELECT c.id, c.list_id, c.authority_id, coalesce(c.der, a.der) AS "der: Vec<u8>", c.crl, c.address,
               c.fetched_at, c.fetch_due_at, c.fetch_failures, c.fetch_error, r.number,
               r.this_update AS "this_update?", r.next_update AS "next_update?", r.revoked AS "revoked?",
               r.taken_at AS "taken_at?"
               FROM trusted_cas c LEFT JOIN authorities a ON a.id = c.authority_id
               LEFT JOIN revocation_lists r ON r.ca_id = c.id WHERE ?1 IS NULL OR c.list_id = ?1 ORDER BY c.id"#,
            chosen
        );
        let cas = cas.fetch_all(&mut *db).await?;
        let rules = sqlx::query_as!(
            RuleRow,
            "SELECT id, list_id, field, pattern FROM allow_rules WHERE ?1 IS NULL OR list_id = ?1 ORDER BY id",
            chosen
        );
        let rules = rules.fetch_all(&mut *db).await?;
        let table = self.table();
        let mut views: Vec<TrustListView> = lists.into_iter().map(|row| row.read(&table)).collect();
        let places: HashMap<TrustListId, usize> = views.iter().enumerate().map(|(at, view)| (view.id, at)).collect();
        for row in cas {
            let Some(&at) = places.get(&row.list_id) else { continue };
            views[at].cas.extend(readable(row.read(&table)));
        }
        for row in rules {
            let Some(&at) = places.get(&row.list_id) else { continue };
            views[at].allow.extend(readable(allow_rule(row.id, &row.field, &row.pattern)));
        }
        Ok(views)
    }
}

struct ListRow {
    id: i64,
    name: String,
    when_stale: String,
    version: i64,
}

struct RuleRow {
    id: i64,
    list_id: i64,
    field: String,
    pattern: String,
}

impl ListRow {
    /// The list without what is on it. Whether it can be read, the table alone tells, for that is what decides: it leaves
    /// out a list of which it can't read a part.
    fn read(self, table: &SiteTable) -> TrustListView {
        TrustListView {
            id: self.id,
            name: self.name,
            when_stale: WhenStale::parse(&self.when_stale).unwrap_or_default(),
            version: self.version,
            cas: Vec::new(),
            allow: Vec::new(),
            is_readable: table.trust_list(Trusted::List(self.id)).is_ok(),
        }
    }
}

impl CaRow {
    fn read(self, table: &SiteTable) -> Result<TrustedCa> {
        let broken = || StoreError::Internal(format!("trusted CA {} can't be read", self.id));
        let certificate = X509::parse(self.der.as_deref().ok_or_else(broken)?)?;
        let source = match self.crl.as_str() {
            "none" => CrlSource::Never,
            "uploaded" => CrlSource::Uploaded,
            "fetched" => CrlSource::Fetched(readable(CrlAddress::parse(&self.address).map_err(|_| broken()))),
            "own" => CrlSource::Own,
            _ => return Err(broken()),
        };
        let crl = match source {
            CrlSource::Own => table.own_lists().get(&certificate.key_id).and_then(Option::as_ref).map(|crl| CrlFacts {
                number: crl.number.as_deref().map(hex),
                this_update: crl.this_update,
                next_update: crl.next_update,
                revoked: crl.len(),
                is_whole: crl.is_whole(),
                taken_at: crl.this_update,
            }),
            _ => readable(self.crl_facts(table)).flatten(),
        };
        let fetched = readable(self.fetched()).flatten(); // neither of these columns decides on anybody
        let origin = self.authority_id.map_or(CaOrigin::Uploaded, CaOrigin::Own);
        Ok(TrustedCa { id: self.id, origin, certificate, source, crl, fetched })
    }

    fn fetched(&self) -> Result<Option<Fetched>> {
        let (Some(at), Some(due_at)) = (self.fetched_at, self.fetch_due_at) else { return Ok(None) };
        Ok(Some(Fetched {
            at: from_millis(at)?,
            error: self.fetch_error.clone(),
            failures: self.fetch_failures,
            due_at: from_millis(due_at)?,
        }))
    }

    fn crl_facts(&self, table: &SiteTable) -> Result<Option<CrlFacts>> {
        let (Some(this_update), Some(next_update), Some(revoked), Some(taken_at)) =
            (self.this_update, self.next_update, self.revoked, self.taken_at)
        else {
            return Ok(None);
        };
        let in_force = table.trust_list(Trusted::List(self.list_id)).ok().and_then(|list| list.crl(self.id));
        Ok(Some(CrlFacts {
            number: self.number.as_deref().map(hex),
            this_update: from_millis(this_update)?,
            next_update: from_millis(next_update)?,
            revoked: usize::try_from(revoked).unwrap_or_default(),
            is_whole: in_force.is_none_or(|crl| crl.is_whole()),
            taken_at: from_millis(taken_at)?,
        }))
    }
}

fn hex(number: &[u8]) -> String {
    number.iter().map(|byte| format!("{byte:02X}")).collect()
}
