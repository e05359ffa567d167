//! Where it is known from what a CA of a trust list revoked: an address, or a list that somebody brings.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use siteward_core::ledger::Revision;
use siteward_core::store::{CrlSource, Store, StoreError, TrustListView, TrustedCa};
use siteward_core::trust_list::{Crl, CrlAddress, CrlError, TrustListId, TrustedCaId};
use time::OffsetDateTime;

use super::preview::{self, PREVIEW, Panel};
use super::{SECTION, find_ca, version, words};
use crate::brought::Brought;
use crate::error::Answer;
use crate::form::{At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};

/// The largest body of an upload, in bytes: a revocation list in PEM, with room for the form around it.
pub(crate) const MAX_UPLOAD: usize = Crl::MAX_LEN / 2 * 3;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SourceForm {
    address: String,
    /// `never` where nothing is to be asked any more; `preview` or [`PREVIEW_NEVER`] where nothing is to be saved yet.
    #[serde(rename = "do")]
    action: String,
    version: Revision,
    /// The source in words when the form was opened.
    was: Vec<String>,
}

impl SourceForm {
    fn of(list: &TrustListView, ca: &TrustedCa) -> Self {
        let address = match &ca.source {
            CrlSource::Fetched(Some(address)) => address.to_string(),
            CrlSource::Fetched(None) | CrlSource::Never | CrlSource::Uploaded | CrlSource::Own => String::new(),
        };
        Self { address, action: String::new(), version: list.version, was: shown(ca) }
    }

    fn parse(&self) -> Result<Option<CrlAddress>, Errors> {
        match self.action.as_str() {
            NEVER | PREVIEW_NEVER => Ok(None),
            _ => CrlAddress::parse(&self.address).map(Some).map_err(|error| Errors::one("address", error)),
        }
    }

    fn in_words(&self) -> Vec<String> {
        vec![match self.parse() {
            Ok(None) => NOT_CHECKED.into(),
            Ok(Some(address)) => address.to_string(),
            Err(_) => self.address.trim().to_owned(),
        }]
    }
}

const NOT_CHECKED: &str = "Not checked";

/// What the buttons that end checking send as `do`.
const NEVER: &str = "never";
const PREVIEW_NEVER: &str = "preview-never";

fn shown(ca: &TrustedCa) -> Vec<String> {
    vec![match &ca.source {
        CrlSource::Never => NOT_CHECKED.into(),
        CrlSource::Uploaded => "Lists that are brought".into(),
        CrlSource::Fetched(Some(address)) => address.to_string(),
        CrlSource::Fetched(None) => "An address that can’t be read".into(),
        CrlSource::Own => "This server".into(),
    }]
}

#[derive(Template, WebTemplate)]
#[template(path = "trust_lists/source.html")]
struct SourcePage {
    shell: Shell,
    list: TrustListView,
    ca: TrustedCa,
    form: SourceForm,
    text: String,
    panel: Option<Panel>,
    errors: Errors,
    now: OffsetDateTime,
}

async fn page(
    session: &Session,
    list: TrustListView,
    ca: TrustedCa,
    form: SourceForm,
    (text, panel): (String, Option<Panel>),
    errors: Errors,
) -> Answer {
    let (shell, now) = (session.shell(SECTION).await?, session.now);
    Ok((errors.status(), SourcePage { shell, list, ca, form, text, panel, errors, now }).into_response())
}

/// What is known of a CA's revocations, and the forms that say from where.
pub(crate) async fn edit(session: Session, At((id, ca)): At<(TrustListId, TrustedCaId)>) -> Answer {
    let list = session.store().find_trust_list(id).await?;
    let ca = find_ca(&list, ca)?.clone();
    let form = SourceForm::of(&list, &ca);
    page(&session, list, ca, form, Default::default(), Errors::default()).await
}

/// Saves from where revocation lists are fetched, or shows whom that would turn away.
pub(crate) async fn update(
    session: Session,
    At((id, ca)): At<(TrustListId, TrustedCaId)>,
    Fields(mut form): Fields<SourceForm>,
) -> Answer {
    match save(&session, id, ca, &form).await {
        Ok(Some(panel)) => {
            let list = session.store().find_trust_list(id).await?;
            let ca = find_ca(&list, ca)?.clone();
            page(&session, list, ca, form, (String::new(), Some(panel)), Errors::default()).await
        }
        Ok(None) => Ok(session.saved(&format!("{SECTION}/{id}/cas/{ca}"), Saved::CrlSource).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let list = session.store().find_trust_list(id).await?;
            let ca = find_ca(&list, ca)?.clone();
            errors.compare(&["Revocation list"], &form.was, &shown(&ca), form.in_words());
            if errors.conflict().is_some() {
                (form.version, form.was) = (list.version, shown(&ca));
            }
            page(&session, list, ca, form, Default::default(), errors).await
        }
    }
}

async fn save(
    session: &Session,
    id: TrustListId,
    ca: TrustedCaId,
    form: &SourceForm,
) -> Result<Option<Panel>, Refusal> {
    let list = session.store().find_trust_list(id).await?;
    let own = list.cas.iter().find(|own| own.id == ca).ok_or(StoreError::Gone)?;
    let version = version(&list, form.version, &form.was, &shown(own));
    let (address, by) = (form.parse()?, session.author());
    let is_preview = [PREVIEW, PREVIEW_NEVER].contains(&form.action.as_str());
    let preview = is_preview.then(|| in_words(own, address.as_ref()));
    let change = async |store: Store| store.set_crl_address(id, version, ca, address.as_ref(), &by).await;
    preview::save(session, id, preview, change).await
}

/// What would be new where lists of a CA are fetched from this address, or from nowhere.
fn in_words(ca: &TrustedCa, address: Option<&CrlAddress>) -> String {
    let name = &ca.certificate.subject;
    match address {
        None => format!("Without asking what {name} revoked"),
        Some(address) if ca.crl.is_some() => format!("With revocation lists of {name} from {address}"),
        Some(address) => format!("With revocation lists of {name} from {address}, until the first one is fetched"),
    }
}

/// Takes a revocation list that somebody brought, or shows whom it would turn away.
pub(crate) async fn upload(
    session: Session,
    At((id, ca)): At<(TrustListId, TrustedCaId)>,
    body: axum::extract::Request,
) -> Answer {
    let Some(brought) = Brought::receive_within(MAX_UPLOAD, body).await? else {
        let list = session.store().find_trust_list(id).await?;
        let ca = find_ca(&list, ca)?.clone();
        let (form, errors) = (SourceForm::of(&list, &ca), Errors::one("reply", CrlError::TooLarge));
        return page(&session, list, ca, form, Default::default(), errors).await;
    };
    match take(&session, id, ca, &brought).await {
        Ok(Some(panel)) => {
            let list = session.store().find_trust_list(id).await?;
            let ca = find_ca(&list, ca)?.clone();
            let (form, (text, hint)) = (SourceForm::of(&list, &ca), kept(&brought));
            page(&session, list, ca, form, (text, Some(Panel { hint, ..panel })), Errors::default()).await
        }
        Ok(None) => Ok(session.saved(&format!("{SECTION}/{id}/cas/{ca}"), Saved::CrlBrought).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?.at("reply", brought.field());
            let list = session.store().find_trust_list(id).await?;
            let ca = find_ca(&list, ca)?.clone();
            let form = SourceForm::of(&list, &ca);
            page(&session, list, ca, form, (brought.text(), None), errors).await
        }
    }
}

/// An address that something was sent to, typed or loaded again.
pub(crate) async fn back(_: Session, At((id, ca)): At<(TrustListId, TrustedCaId)>) -> Answer {
    Ok(Redirect::to(&format!("{SECTION}/{id}/cas/{ca}")).into_response())
}

async fn take(
    session: &Session,
    id: TrustListId,
    ca: TrustedCaId,
    brought: &Brought,
) -> Result<Option<Panel>, Refusal> {
    let parts =
        brought.parts().map_err(|_| Errors::one("reply", "Choose the file with the list, or paste its text."))?;
    let [(_, bytes)] = parts.as_slice() else {
        return Err(Errors::one("reply", "Bring one list at a time.").into());
    };
    let (bytes, by) = (bytes.to_vec(), session.author());
    let preview = (brought.answer("do") == PREVIEW).then(|| "With the revocation list that was brought".to_owned());
    preview::save(session, id, preview, async |store| store.upload_crl(id, ca, bytes, &by).await).await
}

/// The list that was brought as text for the form, and what is said of it.
fn kept(brought: &Brought) -> (String, &'static str) {
    let part = |(_, bytes): &(&str, &[u8])| Crl::der_in(bytes).ok().map(|der| Crl::to_pem(&der));
    preview::kept(brought, || brought.parts().ok()?.iter().map(part).collect())
}
