//! The SSL settings of a site: what plain HTTP gets.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::ledger::Revision;
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::{RequireSsl, Setting, Settings};

use crate::error::{Answer, Failure};
use crate::form::{self, At, Errors, Fields, Refusal};
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head};

#[derive(Debug, Deserialize)]
pub(crate) struct SslForm {
    #[serde(default)]
    ssl: String,
    #[serde(default)]
    version: Revision,
    /// The setting in words when the form was opened.
    #[serde(default)]
    was: Vec<String>,
}

fn shown(site: &Site) -> Vec<String> {
    vec![words(site.rules.site().require_ssl.value).into()]
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/ssl.html")]
struct SslPage {
    shell: Shell,
    head: Head,
    form: SslForm,
    errors: Errors,
    /// Requiring SSL would let nobody in.
    would_close: bool,
    /// Nothing listens for plain HTTP, so the setting has nothing to refuse.
    no_http: bool,
    /// Where a redirect would lead; empty where there is nowhere.
    address: String,
}

async fn page(session: &Session, site: &Site, form: SslForm, errors: Errors) -> Result<SslPage, Failure> {
    Ok(SslPage {
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, "/ssl").await?,
        form,
        errors,
        would_close: site::would_close(site, session.now, RequireSsl::Refuse),
        no_http: !site::speaks_http(site),
        address: site.https_address(None).unwrap_or_default(),
    })
}

/// The form with a site's SSL settings.
pub(crate) async fn edit(session: Session, At(id): At<SiteId>) -> Answer {
    let site = site::find(&session, id)?;
    let form =
        SslForm { ssl: site.rules.site().require_ssl.value.as_str().into(), version: site.version, was: shown(&site) };
    Ok(page(&session, &site, form, Errors::default()).await?.into_response())
}

/// Saves a site's SSL settings.
pub(crate) async fn update(session: Session, At(id): At<SiteId>, Fields(mut form): Fields<SslForm>) -> Answer {
    match save(&session, &*site::find(&session, id)?, &form).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}/ssl"), Saved::Ssl).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            let typed = RequireSsl::parse(&form.ssl).map_or("", words);
            errors.compare(&["Require secure channel (SSL)"], &form.was, &shown(&site), vec![typed.into()]);
            if errors.conflict().is_some() {
                (form.version, form.was) = (site.version, shown(&site));
            }
            Ok((errors.status(), page(&session, &site, form, errors).await?).into_response())
        }
    }
}

async fn save(session: &Session, site: &Site, form: &SslForm) -> Result<(), Refusal> {
    let chosen = RequireSsl::parse(&form.ssl);
    let require_ssl = chosen.ok_or_else(|| Errors::one("ssl", "Choose what plain HTTP gets."))?;
    let version = form::version(site, form.version, &form.was, &shown(site));
    let settings = Settings { require_ssl: Some(require_ssl), ..site.rules.own() };
    Ok(session.store().update_ssl(site.id, version, settings, &session.author()).await?)
}

/// A setting as the form names it.
pub(crate) fn words(require_ssl: RequireSsl) -> &'static str {
    match require_ssl {
        RequireSsl::Off => "Off",
        RequireSsl::Refuse => "Refuse plain HTTP",
        RequireSsl::Redirect => "Redirect to HTTPS",
        RequireSsl::RedirectMoved => "Redirect to HTTPS with 301",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Browser;

    #[tokio::test]
    async fn requiring_ssl_is_saved_and_the_page_shows_it() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "off").await;
        let path = format!("/sites/{id}/ssl");
        for (ssl, setting) in
            [("refuse", RequireSsl::Refuse), ("redirect", RequireSsl::Redirect), ("off", RequireSsl::Off)]
        {
            let version = browser.version(id);
            let page = browser.submit(&path, &[("ssl", ssl), ("version", &version)]).await;
            assert!(page.html.contains("SSL settings saved."));
            let chosen = format!(r#"value="{ssl}" id="ssl" checked"#);
            assert!(page.html.contains(&chosen) || page.html.contains(&chosen.replace(r#" id="ssl""#, "")), "{ssl}");
            assert_eq!(browser.store.table().site(id).unwrap().rules.site().in_clear(), setting);
        }
    }

    #[tokio::test]
    async fn a_site_without_a_valid_certificate_is_warned_before_it_is_closed() {
        let mut browser = Browser::signed_in().await;
        let plain = browser.site("Plain", "plain.example", "off").await;
        let page = browser.get(&format!("/sites/{plain}/ssl")).await;
        assert!(page.html.contains("nobody would be let in at all"));
        let shop = browser.https_site("Shop", "shop.example", "off").await;
        let page = browser.get(&format!("/sites/{shop}/ssl")).await;
        assert!(!page.html.contains("nobody would be let in at all"));
    }

    #[tokio::test]
    async fn no_choice_and_an_old_page_are_refused() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "off").await;
        let path = format!("/sites/{id}/ssl");
        let opened = browser.version(id);
        let page = browser.post(&path, &[("ssl", ""), ("version", &opened)]).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("Choose what plain HTTP gets."));
        browser.submit(&path, &[("ssl", "refuse"), ("version", &opened)]).await;
        let page = browser.post(&path, &[("ssl", "redirect"), ("version", &opened)]).await;
        assert_eq!(page.status, 409);
        assert!(page.html.contains("<td>Refuse plain HTTP</td><td><ins>Redirect to HTTPS</ins></td>"), "{}", page.html);
        assert_eq!(browser.store.table().site(id).unwrap().rules.site().in_clear(), RequireSsl::Refuse);
    }
}
