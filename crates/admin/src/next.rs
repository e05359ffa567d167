//! What a site needs next on its way to HTTPS: one step, the same on every page that offers it.

use siteward_core::binding::{Binding, Protocol};
use siteward_core::certificate::CertificateFacts;
use siteward_core::host::HostPattern;
use siteward_core::site::Site;
use siteward_core::store::{CertificateList, Request, RequestState};

use crate::error::Failure;
use crate::format;
use crate::session::Session;

/// How many certificates and requests are looked through.
const READ: i64 = 1000;

/// A page to go to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What the button says.
    pub(crate) action: &'static str,
    pub(crate) href: String,
}

/// The certificates and requests at hand.
pub(crate) struct Stock {
    /// Valid now, the longest-lived first.
    certificates: Vec<CertificateFacts>,
    /// Newest first.
    requests: Vec<Request>,
}

/// The installed certificates that last longest, the soonest to expire first.
pub(crate) async fn certificates(session: &Session) -> Result<Vec<CertificateList>, Failure> {
    let skipped = (session.store().count_certificates().await? - READ).max(0);
    Ok(session.store().list_certificates(skipped, READ).await?)
}

impl Stock {
    pub(crate) async fn read(session: &Session) -> Result<Self, Failure> {
        let certificates = certificates(session).await?.into_iter().rev().map(|one| one.facts);
        Ok(Self {
            certificates: certificates.filter(|facts| facts.valid_at(session.now)).collect(),
            requests: session.store().list_requests(None, 0, READ).await?,
        })
    }

    /// The first of these that is possible:
    /// 1. switch an https binding from a certificate that is not valid to one that is;
    /// 2. bind an installed certificate;
    /// 3. bring the reply to a pending request;
    /// 4. request a certificate.
    pub(crate) fn step(&self, site: &Site) -> Step {
        if site.bindings.is_empty() {
            return add(site);
        }
        if let Some((binding, facts)) = self.switch(site) {
            let href = format!("/sites/{}/bindings/{}?certificate={}", site.id, binding.id, facts.id);
            return Step { action: "Change its certificate", href };
        }
        if let Some(facts) = site.bindings.iter().find_map(|binding| self.fitting(site, &binding.place.host)) {
            return bind(site, facts);
        }
        let pending = |request: &&Request| request.site == Some(site.id) && request.state == RequestState::Pending;
        match self.requests.iter().find(pending) {
            Some(request) => Step { action: "Open the request", href: format!("/requests/{}", request.id) },
            None => Step { action: "Request a certificate", href: format!("/requests/new?site={}", site.id) },
        }
    }

    fn switch<'a>(&'a self, site: &'a Site) -> Option<(&'a Binding, &'a CertificateFacts)> {
        let valid = |own: &CertificateFacts| self.certificates.iter().any(|facts| facts.id == own.id);
        let stale = |binding: &&Binding| binding.certificate.as_deref().is_some_and(|own| !valid(own));
        let mut stale = site.bindings.iter().filter(stale);
        stale.find_map(|binding| Some((binding, self.fitting(site, &binding.place.host)?)))
    }

    /// The longest-lived certificate for a host name of this site; for a binding without host name, one made for the site.
    fn fitting(&self, site: &Site, host: &HostPattern) -> Option<&CertificateFacts> {
        let made_for = |facts: &CertificateFacts| {
            self.requests.iter().any(|request| request.site == Some(site.id) && request.certificate == Some(facts.id))
        };
        let fits = |facts: &&CertificateFacts| match host {
            HostPattern::Any => made_for(facts),
            host => facts.covers_pattern(host),
        };
        self.certificates.iter().find(fits)
    }
}

/// The form that adds an https binding with this certificate.
pub(crate) fn bind(site: &Site, facts: &CertificateFacts) -> Step {
    let href = format!("/sites/{}/bindings/new?protocol=https&certificate={}", site.id, facts.id);
    Step { action: "Add an https binding", href }
}

/// The form that adds a binding, with what is missing filled in.
pub(crate) fn add(site: &Site) -> Step {
    Step { action: "Add a binding", href: format!("/sites/{}/bindings/new", site.id) }
}

/// The page on which an open site is shut.
pub(crate) fn review(site: &Site) -> Step {
    Step { action: "Review SSL settings", href: format!("/sites/{}/ssl", site.id) }
}

/// The host names of a site's http bindings to which none of its https bindings leads.
pub(crate) fn without_https(site: &Site) -> Vec<&HostPattern> {
    let leads_to = |own: &HostPattern, host: &HostPattern| match host {
        HostPattern::Exact(name) => own.covers(name),
        wildcard => own == wildcard || *own == HostPattern::Any,
    };
    let https = || site.bindings.iter().filter(|binding| binding.place.protocol == Protocol::Https);
    let hosts = site.hosts().into_iter();
    hosts.filter(|host| !https().any(|binding| leads_to(&binding.place.host, host))).collect()
}

/// A few host names in words; more of them by their number.
pub(crate) fn names(hosts: &[&HostPattern]) -> String {
    match hosts.len() {
        ..4 => format::list(&hosts.iter().map(|host| host.unicode()).collect::<Vec<_>>()),
        many => format!("{} host names", format::number(many)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Browser;
    use time::{Duration, OffsetDateTime};

    #[tokio::test]
    async fn a_site_is_led_from_the_request_over_the_reply_to_the_binding() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "refuse").await;
        let asks = format!(r#"href="/requests/new?site={id}">Request a certificate"#);
        for path in ["/".to_owned(), format!("/sites/{id}")] {
            assert!(browser.get(&path).await.html.contains(&asks), "{path}");
        }

        let fields = [("step", "check"), ("go", "create"), ("name", "Shop"), ("key", "ecdsa-p256")];
        let site = id.to_string();
        let answers = [&fields[..], &[("common_name", "shop.example"), ("site", &site)]].concat();
        assert_eq!(browser.post("/requests/new", &answers).await.status, 303);
        for path in ["/".to_owned(), format!("/sites/{id}")] {
            let html = browser.get(&path).await.html;
            assert!(html.contains(r#"href="/requests/1">Open the request"#), "{path}: {html}");
            assert!(!html.contains(&format!(r#"class="btn end" {asks}"#)), "{path}: {html}");
        }

        let certificate = browser.certificate("shop.example").await;
        let binds =
            format!(r#"href="/sites/{id}/bindings/new?protocol=https&#38;certificate={certificate}">Add an https"#);
        for path in ["/".to_owned(), format!("/sites/{id}"), format!("/certificates/{certificate}")] {
            let html = browser.get(&path).await.html;
            assert!(html.contains(&binds), "{path}: {html}");
        }
    }

    #[tokio::test]
    async fn an_expired_certificate_is_led_to_its_installed_successor() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "refuse").await;
        let old = browser.certificate_of("shop.example", OffsetDateTime::now_utc() - Duration::days(95)).await;
        browser.bind(id, "shop.example", old).await;
        let new = browser.certificate("shop.example").await;
        let binding =
            browser.store.table().site(id).unwrap().bindings.iter().find(|b| b.certificate.is_some()).unwrap().id;
        let leads = format!("/sites/{id}/bindings/{binding}?certificate={new}");
        assert!(browser.get("/").await.html.contains(&format!(r#"href="{leads}">Change its certificate"#)));
        let form = browser.get(&leads).await.html;
        assert!(form.contains(&format!(r#"<option value="{new}" selected>"#)), "{form}");
    }

    #[tokio::test]
    async fn a_host_name_without_https_is_called_out_until_it_has_a_binding() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example\nwww.shop.example", "refuse").await;
        let certificate = browser.certificate("shop.example").await;
        browser.bind(id, "shop.example", certificate).await;
        for path in ["/".to_owned(), format!("/sites/{id}")] {
            let html = browser.get(&path).await.html;
            assert!(html.contains("www.shop.example has no https binding"), "{path}: {html}");
            assert!(html.contains(&format!(r#"href="/sites/{id}/bindings/new">Add a binding"#)), "{path}: {html}");
        }
        let certificate = browser.certificate("www.shop.example").await;
        let html = browser.get(&format!("/sites/{id}/bindings/new")).await.html;
        assert!(html.contains(">\nwww.shop.example</textarea>"), "{html}");
        browser.bind(id, "www.shop.example", certificate).await;
        assert!(!browser.get("/").await.html.contains("has no https binding"));
    }

    #[tokio::test]
    async fn an_open_site_with_https_is_led_to_its_ssl_settings() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "off").await;
        let html = browser.get(&format!("/sites/{id}")).await.html;
        assert!(html.contains("It still answers plain HTTP") && html.contains("Open</span>"), "{html}");
        assert!(html.contains(&format!(r#"href="/sites/{id}/ssl">Review SSL settings"#)), "{html}");
        assert!(!browser.get(&format!("/sites/{id}/ssl")).await.html.contains("Review SSL settings"));
    }
}
