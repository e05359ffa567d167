//! The bindings of a site: by which protocol, address, port and host name it is reached.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::binding::{Binding, BindingId, Place, Protocol, parse_ip, parse_port};
use siteward_core::host::HostPattern;
use siteward_core::ledger::Revision;
use siteward_core::site::{Enforcement, Site, SiteId};
use siteward_core::store::{BindingDraft, CertificateList};

use crate::error::{Answer, Failure};
use crate::form::{Asked, At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head, VersionForm};
use crate::words::{self, State};

/// The most certificates that the form offers.
const OFFERED: i64 = 1000;

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
    let head = Head::new(&session, &site, "");
    Ok(ListPage { shell: session.shell("/sites").await?, head, rows }.into_response())
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct BindingForm {
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    ip: String,
    #[serde(default)]
    port: String,
    #[serde(default)]
    host: String,
    /// The certificate's id.
    #[serde(default)]
    certificate: String,
    /// `yes` where a doubtful certificate is to be served all the same.
    #[serde(default)]
    confirmed: String,
    #[serde(default)]
    version: Revision,
}

struct Choice {
    id: String,
    label: String,
    /// Valid now, and for the host name.
    fits: bool,
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
    proposed: crate::Ports,
}

impl BindingForm {
    fn parse(&self) -> Result<BindingDraft, Errors> {
        let mut errors = Errors::default();
        let protocol = Protocol::parse(&self.protocol).ok_or("Choose http or https.");
        let protocol = errors.check("protocol", protocol);
        let ip = errors.check("ip", parse_ip(&self.ip));
        let port = errors.check("port", parse_port(&self.port));
        let host = errors.check("host", HostPattern::parse(&self.host));
        let draft = || {
            let place = Place { protocol: protocol?, ip: ip?, port: port?, host: host? };
            Some(BindingDraft { place, certificate: self.certificate.parse().ok(), confirmed: self.confirmed == "yes" })
        };
        let draft = draft();
        errors.or(draft)
    }

    fn of(binding: &Binding, version: Revision) -> Self {
        let Place { protocol, ip, port, host } = &binding.place;
        Self {
            protocol: protocol.to_string(),
            ip: ip.map(|ip| ip.to_string()).unwrap_or_default(),
            port: port.to_string(),
            host: host.unicode(),
            certificate: binding.certificate.as_ref().map(|facts| facts.id.to_string()).unwrap_or_default(),
            confirmed: String::new(),
            version,
        }
    }
}

/// What is left to fill in on a new form: https on its proposed port, for the first name without https.
fn propose(form: BindingForm, site: &Site, proposed: crate::Ports) -> BindingForm {
    let has_https = |host: &HostPattern| {
        site.bindings.iter().any(|own| own.place.protocol == Protocol::Https && own.place.host == *host)
    };
    let open = site.hosts().into_iter().find(|host| !has_https(host));
    let or = |typed: String, proposal: String| if typed.is_empty() { proposal } else { typed };
    let protocol = or(form.protocol, Protocol::Https.to_string());
    let port = if protocol == "http" { proposed.http } else { proposed.https };
    BindingForm {
        protocol,
        port: or(form.port, port.to_string()),
        host: or(form.host, open.map(HostPattern::unicode).unwrap_or_default()),
        ..form
    }
}

async fn form_page(
    session: &Session,
    site: &Site,
    id: Option<BindingId>,
    form: BindingForm,
    errors: Errors,
) -> Result<FormPage, Failure> {
    let host = HostPattern::parse(&form.host).ok();
    let certificates = session.store().list_certificates(0, OFFERED).await?;
    let both_forms = host.as_ref().filter(|host| host.unicode() != host.to_string());
    Ok(FormPage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, ""),
        choices: choices(session, certificates, host.as_ref()),
        id,
        both_forms: both_forms.map(site::in_both_forms).unwrap_or_default(),
        proposed: session.console.proposed,
        form,
        errors,
    })
}

fn fits(session: &Session, host: Option<&HostPattern>, one: &CertificateList) -> bool {
    one.facts.valid_at(session.now) && host.is_none_or(|host| one.facts.covers_pattern(host))
}

/// Those that fit the host name and are valid first, the longest-lived of them on top.
fn choices(session: &Session, mut certificates: Vec<CertificateList>, host: Option<&HostPattern>) -> Vec<Choice> {
    certificates.sort_by_key(|one| (!fits(session, host, one), std::cmp::Reverse(one.facts.not_after)));
    let choice = |one: &CertificateList| {
        let left = words::expiry(&one.facts, session.now).text;
        let label = format!("{}: {}, by {}, {left}", one.friendly_name, one.facts.subject, one.facts.issuer);
        Choice { id: one.facts.id.to_string(), label, fits: fits(session, host, one) }
    };
    certificates.iter().map(choice).collect()
}

/// The form that adds a binding. What stands in the address is filled in.
pub(crate) async fn new(session: Session, At(id): At<SiteId>, Asked(form): Asked<BindingForm>) -> Answer {
    let site = site::find(&session, id)?;
    let form = propose(form, &site, session.console.proposed);
    let mut page = form_page(&session, &site, None, form, Errors::default()).await?;
    if let (true, Some(best)) = (page.form.certificate.is_empty(), page.choices.first().filter(|best| best.fits)) {
        page.form.certificate = best.id.clone();
    }
    Ok(page.into_response())
}

/// Adds a binding.
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
    Ok(session.store().create_binding(id, form.parse()?, &session.author()).await?)
}

fn find(site: &Site, id: BindingId) -> Result<&Binding, Failure> {
    site.bindings.iter().find(|binding| binding.id == id).ok_or(Failure::NotFound)
}

/// The form that changes a binding.
pub(crate) async fn edit(session: Session, At((id, binding)): At<(SiteId, BindingId)>) -> Answer {
    let site = site::find(&session, id)?;
    let form = BindingForm::of(find(&site, binding)?, site.version);
    Ok(form_page(&session, &site, Some(binding), form, Errors::default()).await?.into_response())
}

/// Changes a binding.
pub(crate) async fn update(
    session: Session,
    At((id, binding)): At<(SiteId, BindingId)>,
    Fields(mut form): Fields<BindingForm>,
) -> Answer {
    match change(&session, id, binding, &form).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}"), Saved::Binding).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            let saved = BindingForm::of(find(&site, binding)?, site.version);
            errors.compare("Protocol", saved.protocol, &form.protocol);
            errors.compare("IP address", saved.ip, &form.ip);
            errors.compare("Port", saved.port, &form.port);
            errors.compare("Host name", saved.host, &form.host);
            errors.compare("Certificate", number(&saved.certificate), number(&form.certificate));
            form.version = errors.version(site.version, form.version);
            Ok((errors.status(), form_page(&session, &site, Some(binding), form, errors).await?).into_response())
        }
    }
}

fn number(certificate: &str) -> String {
    if certificate.is_empty() { "None".into() } else { format!("No. {certificate}") }
}

async fn change(session: &Session, id: SiteId, binding: BindingId, form: &BindingForm) -> Result<(), Refusal> {
    let draft = form.parse()?;
    Ok(session.store().update_binding(id, binding, form.version, draft, &session.author()).await?)
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
    let after = site::enforcement_if(&site, session.now, without);
    let closes = after == Enforcement::Closed && site.enforcement(session.now) != Enforcement::Closed;
    let head = Head::new(session, &site, "");
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
            r#"name="port" value="443""#,
            r#"name="host" type="text" value="shop.example""#,
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
