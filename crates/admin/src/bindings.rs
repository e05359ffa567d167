//! The bindings of a site: by which protocol, address, port and host name it is reached.

mod form;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use siteward_core::binding::{Binding, BindingId, Place, Protocol};
use siteward_core::certificate::CertificateFacts;
use siteward_core::host::HostPattern;
use siteward_core::site::{Site, SiteId};
use siteward_core::store::CertificateList;

use crate::Ports;
use crate::error::{Answer, Failure};
use crate::form::{self as forms, Asked, At, Errors, Fields, Refusal};
use crate::next;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head, VersionForm};
use crate::words::{self, State};
use form::{BindingForm, LABELS, shown, shown_of};

struct Row {
    id: BindingId,
    protocol: Protocol,
    host: String,
    /// The A-labels, where they differ.
    ascii: String,
    address: String,
    certificate: Option<(i64, String, State)>,
    port: State,
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/bindings.html")]
struct ListPage {
    shell: Shell,
    head: Head,
    rows: Vec<Row>,
}

fn row(session: &Session, binding: &Binding) -> Row {
    let Place { protocol, ip, port, host } = &binding.place;
    let ip = ip.map_or("all addresses".into(), |ip| ip.to_string());
    let certificate = binding.certificate.as_ref();
    Row {
        id: binding.id,
        protocol: *protocol,
        host: if *host == HostPattern::Any { "Any host name".into() } else { host.unicode() },
        ascii: Some(host.to_string()).filter(|ascii| *ascii != host.unicode()).unwrap_or_default(),
        address: format!("Port {port}, {ip}"),
        certificate: certificate.map(|facts| (facts.id, facts.subject.clone(), words::expiry(facts, session.now))),
        port: words::port(&session.console.status, &binding.place),
    }
}

/// The bindings, and whether their ports are open now.
pub(crate) async fn list(session: Session, At(id): At<SiteId>) -> Answer {
    let site = site::find(&session, id)?;
    let rows = site.bindings.iter().map(|binding| row(&session, binding)).collect();
    let head = Head::new(&session, &site, "").await?;
    Ok(ListPage { shell: session.shell("/sites").await?, head, rows }.into_response())
}

struct Choice {
    id: String,
    label: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/binding.html")]
struct FormPage {
    shell: Shell,
    head: Head,
    form: BindingForm,
    errors: Errors,
    choices: Vec<Choice>,
    /// The binding being changed; none where one is added.
    id: Option<BindingId>,
    /// The host name in both forms, where it has two.
    both_forms: String,
    proposed: Ports,
}

async fn form_page(
    session: &Session,
    site: &Site,
    id: Option<BindingId>,
    form: BindingForm,
    errors: Errors,
) -> Result<FormPage, Failure> {
    let certificates = next::certificates(session).await?;
    let hosts = forms::hosts(&form.host, &mut Errors::default()).unwrap_or_default();
    let both_forms = hosts.iter().filter(|host| host.unicode() != host.to_string());
    Ok(FormPage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, "").await?,
        both_forms: both_forms.map(site::in_both_forms).collect::<Vec<_>>().join(", "),
        choices: choices(session, certificates, &hosts),
        id,
        proposed: session.console.proposed,
        form,
        errors,
    })
}

/// Those that fit the host names and are valid first, the longest-lived of them on top.
fn choices(session: &Session, mut certificates: Vec<CertificateList>, hosts: &[HostPattern]) -> Vec<Choice> {
    let fits =
        |facts: &CertificateFacts| facts.valid_at(session.now) && hosts.iter().all(|host| facts.covers_pattern(host));
    certificates.sort_by_key(|one| (!fits(&one.facts), std::cmp::Reverse(one.facts.not_after)));
    let choice = |one: &CertificateList| {
        let left = words::expiry(&one.facts, session.now).text;
        let label = format!("{}: {}, by {}, {left}", one.friendly_name, one.facts.subject, one.facts.issuer);
        Choice { id: one.facts.id.to_string(), label }
    };
    certificates.iter().map(choice).collect()
}

/// The form that adds bindings. What stands in the address is filled in.
pub(crate) async fn new(session: Session, At(id): At<SiteId>, Asked(mut form): Asked<BindingForm>) -> Answer {
    let site = site::find(&session, id)?;
    form.propose(&site, &next::certificates(&session).await?, session.now);
    Ok(form_page(&session, &site, None, form, Errors::default()).await?.into_response())
}

/// Adds a binding for each host name, all of them or none.
pub(crate) async fn create(session: Session, At(id): At<SiteId>, Fields(form): Fields<BindingForm>) -> Answer {
    match add(&session, id, &form).await {
        Ok(_) => Ok(session.saved(&format!("/sites/{id}"), Saved::BindingAdded).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            Ok((errors.status(), form_page(&session, &site, None, form, errors).await?).into_response())
        }
    }
}

async fn add(session: &Session, id: SiteId, form: &BindingForm) -> Result<BindingId, Refusal> {
    let drafts = form.parse(session.console.proposed)?;
    Ok(session.store().create_bindings(id, drafts, &session.author()).await?)
}

fn find(site: &Site, id: BindingId) -> Result<&Binding, Failure> {
    site.bindings.iter().find(|binding| binding.id == id).ok_or(Failure::NotFound)
}

/// The form that changes a binding; with a certificate in the address, to that one.
pub(crate) async fn edit(
    session: Session,
    At((id, binding)): At<(SiteId, BindingId)>,
    Asked(asked): Asked<BindingForm>,
) -> Answer {
    let site = site::find(&session, id)?;
    let mut form = BindingForm::of(find(&site, binding)?, site.version);
    if !asked.certificate.is_empty() {
        form.certificate = asked.certificate;
    }
    Ok(form_page(&session, &site, Some(binding), form, Errors::default()).await?.into_response())
}

/// Changes a binding.
pub(crate) async fn update(
    session: Session,
    At((id, binding)): At<(SiteId, BindingId)>,
    Fields(mut form): Fields<BindingForm>,
) -> Answer {
    let site = site::find(&session, id)?;
    match change(&session, &site, find(&site, binding)?, &form).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}"), Saved::Binding).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            let saved = shown_of(find(&site, binding)?);
            if errors.conflict().is_some() {
                errors.compare(&LABELS, &form.was, &saved, typed(&session, &form).await?);
                (form.version, form.was) = (site.version, saved);
            }
            Ok((errors.status(), form_page(&session, &site, Some(binding), form, errors).await?).into_response())
        }
    }
}

/// The settings typed, in the words of those that are saved. A form with a conflict could be read.
async fn typed(session: &Session, form: &BindingForm) -> Result<Vec<String>, Failure> {
    let draft = form.parse_one(session.console.proposed).map_err(|_| Failure::Malformed)?;
    let certificate = match draft.certificate.filter(|_| draft.place.protocol == Protocol::Https) {
        Some(id) => Some(session.store().find_certificate(id).await?.facts),
        None => None,
    };
    Ok(shown(&draft.place, certificate.as_ref()))
}

async fn change(session: &Session, site: &Site, binding: &Binding, form: &BindingForm) -> Result<(), Refusal> {
    let draft = form.parse_one(session.console.proposed)?;
    let version = forms::version(site, form.version, &form.was, &shown_of(binding));
    Ok(session.store().update_binding(site.id, binding.id, version, draft, &session.author()).await?)
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/binding_delete.html")]
struct DeletePage {
    shell: Shell,
    head: Head,
    place: String,
    /// Whether nobody is let in afterwards.
    closes: bool,
    errors: Errors,
}

async fn delete_page(session: &Session, id: SiteId, binding: BindingId, errors: Errors) -> Result<DeletePage, Failure> {
    let site = site::find(session, id)?;
    let place = find(&site, binding)?.place.to_string();
    let without = |site: &mut Site| site.bindings.retain(|own| own.id != binding);
    let closes = site::is_closed_if(&site, session.now, without) && !site.is_closed(session.now);
    let head = Head::new(session, &site, "").await?;
    Ok(DeletePage { shell: session.shell("/sites").await?, head, place, closes, errors })
}

/// Asks before a binding is removed.
pub(crate) async fn confirm_delete(session: Session, At((id, binding)): At<(SiteId, BindingId)>) -> Answer {
    Ok(delete_page(&session, id, binding, Errors::default()).await?.into_response())
}

/// Removes a binding.
pub(crate) async fn delete(
    session: Session,
    At((id, binding)): At<(SiteId, BindingId)>,
    Fields(form): Fields<VersionForm>,
) -> Answer {
    match session.store().delete_binding(id, binding, form.version, &session.author()).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}"), Saved::BindingRemoved).await),
        Err(refusal) => {
            let errors = Refusal::from(refusal).errors(session.now)?;
            Ok((errors.status(), delete_page(&session, id, binding, errors).await?).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Browser;

    fn form<'a>(host: &'a str, certificate: &'a str) -> [(&'a str, &'a str); 5] {
        [("protocol", "https"), ("ip", ""), ("port", "443"), ("host", host), ("certificate", certificate)]
    }

    #[tokio::test]
    async fn an_https_binding_is_proposed_for_the_name_that_lacks_one() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let certificate = browser.certificate("shop.example").await;
        let page = browser.get(&format!("/sites/{id}/bindings/new")).await;
        for part in [
            r#"value="https" id="protocol" checked"#,
            r#"name="port" value="""#,
            "Empty: 443 for https, 80 for http.",
            ">\nshop.example</textarea>",
            &format!(r#"<option value="{certificate}" selected>"#),
        ] {
            assert!(page.html.contains(part), "{part}: {}", page.html);
        }
    }

    #[tokio::test]
    async fn a_binding_is_added_changed_and_removed() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let certificate = browser.certificate("shop.example").await.to_string();
        let page = browser.submit(&format!("/sites/{id}/bindings/new"), &form("shop.example", &certificate)).await;
        assert!(page.html.contains("Binding added.") && page.html.contains(r#"<span class="chip s">https</span>"#));

        let binding =
            browser.store.table().site(id).unwrap().bindings.iter().find(|b| b.certificate.is_some()).unwrap().id;
        let (path, version) = (format!("/sites/{id}/bindings/{binding}"), browser.version(id));
        assert!(browser.get(&path).await.html.contains(r#"name="port" value="443""#));
        let mut changed = form("shop.example", &certificate).to_vec();
        changed.retain(|(name, _)| *name != "port");
        changed.extend([("port", "8443"), ("version", &version)]);
        let page = browser.submit(&path, &changed).await;
        assert!(page.html.contains("Binding saved.") && page.html.contains("Port 8443, all addresses"));

        let asked = browser.get(&format!("{path}/delete")).await;
        assert!(asked.html.contains("https on port 8443, shop.example"));
        let version = browser.version(id);
        let page = browser.submit(&format!("{path}/delete"), &[("version", &version)]).await;
        assert!(page.html.contains("Binding removed.") && !page.html.contains("8443"));
    }

    #[tokio::test]
    async fn several_host_names_get_their_bindings_at_once_or_none_does() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example\nwww.shop.example\nold.example", "off").await;
        let certificate = browser.certificate("*.shop.example").await.to_string();
        let form_html = browser.get(&format!("/sites/{id}/bindings/new")).await.html;
        assert!(form_html.contains(">\nwww.shop.example</textarea>"), "what the certificate covers: {form_html}");

        let path = format!("/sites/{id}/bindings/new");
        let page = browser.post(&path, &form("www.shop.example\nold.example", &certificate)).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("It does not cover old.example."), "{}", page.html);
        assert_eq!(browser.store.table().site(id).unwrap().bindings.len(), 3, "none was added");

        let page = browser.submit(&path, &form("www.shop.example\na.shop.example", &certificate)).await;
        assert!(page.html.contains("Binding added."));
        assert_eq!(browser.store.table().site(id).unwrap().bindings.len(), 5);
        let html = browser.get("/activity").await.html;
        assert!(html.contains("added 2 bindings to"), "{html}");
    }

    #[tokio::test]
    async fn an_empty_port_is_the_one_of_the_protocol() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let http = [("protocol", "http"), ("port", ""), ("host", "www.shop.example")];
        browser.submit(&format!("/sites/{id}/bindings/new"), &http).await;
        let certificate = browser.certificate("shop.example").await.to_string();
        let https = [("protocol", "https"), ("port", ""), ("host", "shop.example"), ("certificate", &certificate)];
        browser.submit(&format!("/sites/{id}/bindings/new"), &https).await;
        let places: Vec<String> =
            browser.store.table().site(id).unwrap().bindings.iter().map(|b| b.place.to_string()).collect();
        assert!(places.contains(&"http on port 80, www.shop.example".to_owned()), "{places:?}");
        assert!(places.contains(&"https on port 443, shop.example".to_owned()), "{places:?}");
    }

    #[tokio::test]
    async fn a_comparison_names_certificates_and_host_names_as_the_pages_do() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "off").await;
        let binding =
            browser.store.table().site(id).unwrap().bindings.iter().find(|b| b.certificate.is_some()).unwrap().id;
        let (path, opened) = (format!("/sites/{id}/bindings/{binding}"), browser.version(id));
        let newer = browser.certificate("shop.example").await.to_string();
        let with = |certificate: &'static str, host: &'static str| {
            let mut form = form(host, certificate).to_vec();
            form.push(("version", "0"));
            form
        };
        let mut first = form("shop.example", &newer).to_vec();
        first.push(("version", &opened));
        browser.submit(&path, &first).await;
        let page = browser.post(&path, &with("1", " Shop.Example. ")).await;
        assert_eq!(page.status, 409);
        assert!(page.html.contains("shop.example, by Test CA, until"), "{}", page.html);
        assert!(!page.html.contains("<ins>Shop.Example"), "only the spelling differs: {}", page.html);
    }

    #[tokio::test]
    async fn removing_the_last_way_in_is_said_before() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "refuse").await;
        let binding =
            browser.store.table().site(id).unwrap().bindings.iter().find(|b| b.certificate.is_some()).unwrap().id;
        let asked = browser.get(&format!("/sites/{id}/bindings/{binding}/delete")).await;
        assert!(asked.html.contains("Then nobody is let in at all."));
    }

    #[tokio::test]
    async fn a_certificate_that_does_not_fit_is_served_only_on_purpose() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let certificate = browser.certificate("other.example").await.to_string();
        let path = format!("/sites/{id}/bindings/new");
        let fresh = browser.get(&path).await;
        assert!(!fresh.html.contains("Serve it all the same"), "nothing to confirm yet");

        let page = browser.post(&path, &form("shop.example", &certificate)).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("It does not cover shop.example."), "{}", page.html);
        assert!(page.html.contains("Serve it all the same"));
        assert_eq!(browser.store.table().site(id).unwrap().bindings.len(), 1);

        let mut confirmed = form("shop.example", &certificate).to_vec();
        confirmed.push(("confirmed", "yes"));
        browser.submit(&path, &confirmed).await;
        assert_eq!(browser.store.table().site(id).unwrap().bindings.len(), 2);
    }

    #[tokio::test]
    async fn what_cannot_be_bound_comes_back_with_a_sentence_beside_it() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        browser.site("Archive", "archive.example", "off").await;
        let certificate = browser.certificate("shop.example").await.to_string();
        let http = |port, host| [("protocol", "http"), ("ip", ""), ("port", port), ("host", host), ("certificate", "")];
        for (fields, field, sentence) in [
            (form("shop.example", ""), "certificate", "Choose the certificate to serve."),
            (form("shop.example", "999"), "certificate", "Choose the certificate to serve."),
            (form("shop_1.example", &certificate), "host", "only letters, digits and hyphens"),
            (http("80", "archive.example"), "host", "already belongs to Archive."),
            (http("x", "shop.example"), "port", "Enter a port from 1 to 65535."),
        ] {
            let page = browser.post(&format!("/sites/{id}/bindings/new"), &fields).await;
            assert_eq!(page.status, 422, "{fields:?}");
            assert!(page.html.contains(sentence), "{fields:?}: {}", page.html);
            assert!(page.html.contains(&format!(r##"<a href="#{field}">"##)), "{fields:?}: {}", page.html);
        }
        let mut on_80 = form("www.shop.example", &certificate).to_vec();
        on_80.retain(|(name, _)| *name != "port");
        on_80.push(("port", "80"));
        let page = browser.post(&format!("/sites/{id}/bindings/new"), &on_80).await;
        assert!(page.html.contains("Port 80 already speaks http"), "{}", page.html);
        let no_protocol = [("protocol", "ftp"), ("port", "21")];
        let page = browser.post(&format!("/sites/{id}/bindings/new"), &no_protocol).await;
        assert!(page.html.contains("Choose http or https."));
        assert!(page.html.contains(r#"<fieldset class="field wrong" aria-describedby="protocol-e">"#), "{}", page.html);
    }

    #[tokio::test]
    async fn a_change_by_somebody_else_is_compared() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "off").await;
        let binding = browser.store.table().site(id).unwrap().bindings[0].id;
        let (path, opened) = (format!("/sites/{id}/bindings/{binding}"), browser.version(id));
        let with =
            |port| [("protocol", "http"), ("port", port), ("host", "shop.example"), ("version", opened.as_str())];
        browser.submit(&path, &with("8080")).await;
        let page = browser.post(&path, &with("8081")).await;
        assert_eq!(page.status, 409);
        assert!(page.html.contains("<td>8080</td><td><ins>8081</ins></td>"), "{}", page.html);
    }

    #[tokio::test]
    async fn both_forms_of_an_international_name_are_shown() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Bücher", "bücher.example", "off").await;
        let html = browser.get(&format!("/sites/{id}")).await.html;
        assert!(html.contains(r#"bücher.example<span class="sub">xn--bcher-kva.example</span>"#), "{html}");
        let binding = browser.store.table().site(id).unwrap().bindings[0].id;
        let html = browser.get(&format!("/sites/{id}/bindings/{binding}")).await.html;
        assert!(html.contains("bücher.example (xn--bcher-kva.example)"));
    }
}
