//! HSTS of a site: what browsers are told to remember, what they still remember, and how that grows.

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::host::HostPattern;
use siteward_core::ledger::Revision;
use siteward_core::site::{Site, SiteId};
use siteward_core::ssl::{Caught, Hsts, HstsDraft, HstsMode, HstsOrder, Wait, caught_below, off_port, preload_unmet};
use siteward_core::traffic::{InClear, hour_of};
use time::Duration;

use super::form::CHOOSE;
use crate::error::{Answer, Failure};
use crate::form::{At, Errors, Fields, Refusal, version};
use crate::format;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::site::{self, Head};

/// The names below that are listed.
const LISTED: usize = 20;

/// Programs that are named.
const NAMED: usize = 4;

/// How far back is looked for who came in clear, in days.
const LOOKED_BACK: i64 = 7;

/// What can be fixed by hand, in seconds and in words.
const AGES: [(u32, &str); 7] = [
    (300, "5 minutes"),
    (86_400, "1 day"),
    (604_800, "1 week"),
    (2_592_000, "30 days"),
    (15_552_000, "6 months"),
    (31_536_000, "1 year"),
    (63_072_000, "2 years"),
];

/// Seconds in words.
pub(crate) fn age(seconds: u64) -> String {
    match AGES.iter().find(|(own, _)| u64::from(*own) == seconds) {
        Some((_, words)) => (*words).to_owned(),
        None => format::count(seconds, "second", "seconds"),
    }
}

/// What is told, in words.
pub(crate) fn mode(stored: &str) -> Option<&'static str> {
    match stored {
        "off" => Some("Off"),
        "ramp" => Some("Growing step by step"),
        "fixed" => Some("Fixed"),
        "unwind" => Some("Off; browsers are told to forget"),
        _ => None,
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct HstsForm {
    #[serde(default)]
    hsts: String,
    #[serde(default)]
    age: String,
    #[serde(default)]
    subdomains: String,
    #[serde(default)]
    preload: String,
    #[serde(default)]
    version: Revision,
    /// The settings in words when the form was opened.
    #[serde(default)]
    was: Vec<String>,
}

impl HstsForm {
    fn of(site: &Site) -> Self {
        let told = site.hsts.filter(|hsts| hsts.mode != HstsMode::Unwind);
        let ticked = |on: bool| if on { "yes".to_owned() } else { String::new() };
        Self {
            hsts: told.map_or("off", |hsts| hsts.mode.as_str()).into(),
            age: told.filter(|hsts| hsts.mode == HstsMode::Fixed).map_or(86_400, |hsts| hsts.max_age).to_string(),
            subdomains: ticked(told.is_some_and(|hsts| hsts.subdomains)),
            preload: ticked(told.is_some_and(|hsts| hsts.preload)),
            version: site.version,
            was: shown(site),
        }
    }

    fn parse(&self) -> Result<HstsDraft, Errors> {
        let mut errors = Errors::default();
        let order = match self.hsts.as_str() {
            "off" => Some(HstsOrder::Off),
            "ramp" => Some(HstsOrder::Ramp),
            "fixed" => errors.check("age", self.age.parse().map(HstsOrder::Fixed).map_err(|_| CHOOSE)),
            _ => errors.check("hsts", Err(CHOOSE)),
        };
        let (subdomains, preload) = (!self.subdomains.is_empty(), !self.preload.is_empty());
        errors.or(order.map(|order| HstsDraft { order, subdomains, preload }))
    }

    fn in_words(&self) -> Vec<String> {
        let age = self.age.parse().map(age).unwrap_or_default();
        let told = mode(&self.hsts).unwrap_or_default();
        let age = if self.hsts == "fixed" { age } else { String::new() };
        words(told, age, !self.subdomains.is_empty(), !self.preload.is_empty())
    }
}

const LABELS: [&str; 4] = ["HSTS", "Remembered for", "Names below too", "Built into browsers"];

fn words(told: &str, age: String, subdomains: bool, preload: bool) -> Vec<String> {
    let ticked = |on: bool| if on { "Yes" } else { "No" }.to_owned();
    vec![told.to_owned(), age, ticked(subdomains), ticked(preload)]
}

fn shown(site: &Site) -> Vec<String> {
    let Some(hsts) = site.hsts else { return words("Off", String::new(), false, false) };
    let age = if hsts.mode == HstsMode::Fixed { age(hsts.max_age.into()) } else { String::new() };
    words(mode(hsts.mode.as_str()).unwrap_or_default(), age, hsts.subdomains, hsts.preload)
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/hsts.html")]
struct HstsPage {
    shell: Shell,
    head: Head,
    form: HstsForm,
    errors: Errors,
    ages: &'static [(u32, &'static str)],
    /// What holds now: label and words.
    facts: Vec<(&'static str, String)>,
    /// Names whose https is not where browsers go, in words; empty where there are none.
    off_port: String,
    /// Names of the team below this site's that come over plain HTTP.
    caught: Vec<Caught>,
    more: bool,
    /// What is missing for being built into browsers.
    unmet: Vec<String>,
    /// Who came over plain HTTP of late, and what it means to them.
    came: Vec<String>,
}

async fn page(session: &Session, site: &Site, form: HstsForm, errors: Errors) -> Result<HstsPage, Failure> {
    let mut caught = caught_below(&session.table(), site, LISTED + 1);
    let more = caught.len() > LISTED;
    caught.truncate(LISTED);
    let (max_age, subdomains) = site.hsts.map_or((0, false), |hsts| (hsts.max_age, hsts.subdomains));
    let facts = match &site.hsts {
        Some(hsts) => facts(session, site, hsts).await?,
        None => vec![("Told to browsers", "Nothing.".into())],
    };
    let first = hour_of(session.now - Duration::days(LOOKED_BACK)) + 1;
    let came = InClear::new(&session.store().list_traffic(site.id, first).await?);
    Ok(HstsPage {
        came: told(site, &came),
        shell: session.shell("/sites").await?,
        head: Head::new(session, site, "/ssl").await?,
        form,
        errors,
        ages: &AGES,
        facts,
        off_port: names_off_port(site),
        caught,
        more,
        unmet: preload_unmet(site, max_age, subdomains).iter().map(ToString::to_string).collect(),
    })
}

fn names_off_port(site: &Site) -> String {
    let mut names: Vec<String> = off_port(site).iter().map(HostPattern::unicode).collect();
    names.truncate(LISTED);
    format::list(&names)
}

/// What HSTS means to those who came in clear, in sentences.
fn told(site: &Site, came: &InClear) -> Vec<String> {
    if came.requests == 0 {
        let why = if site::speaks_http(site) { "" } else { ": the site has no http binding" };
        return vec![format!("Nobody in the last {LOOKED_BACK} days{why}.")];
    }
    let requests = |count| format::count(count, "request", "requests");
    let mut told = vec![format!("{} in the last {LOOKED_BACK} days.", requests(came.requests))];
    if came.browsers > 0 {
        told.push(format!(
            "{} came from browsers. A browser comes over plain HTTP until it has been here over HTTPS once; from then on it \
             goes to HTTPS by itself, for as long as it is told to remember.",
            format::number(came.browsers)
        ));
    }
    let programs: Vec<String> = came.programs.iter().take(NAMED).map(|(agent, _)| agent.as_str().into()).collect();
    if !programs.is_empty() {
        told.push(format!(
            "{} came from other programs, such as {}. These do not remember: what Require SSL says is all that they get.",
            format::number(came.programs.iter().map(|(_, count)| count).sum::<u64>()),
            format::list(&programs)
        ));
    }
    if came.unknown > 0 {
        told.push(format!("Of {} it is not known who sent them.", format::number(came.unknown)));
    }
    told
}

async fn facts(session: &Session, site: &Site, hsts: &Hsts) -> Result<Vec<(&'static str, String)>, Failure> {
    let until = hsts.remembered_until(session.now);
    let told = match hsts.field(site, session.now) {
        Some(field) => format!("{field}, since {}", format::date_time(&hsts.since)),
        None => "Nothing.".into(),
    };
    let mut facts = vec![("Told to browsers", told)];
    match hsts.mode {
        HstsMode::Unwind => facts.push((
            "Until",
            format!("{}. Until then a browser may remember what it was told before.", format::date_time(&until)),
        )),
        HstsMode::Fixed | HstsMode::Ramp => {
            facts.push(("Remembered until", format!("{}, by a browser that came just now.", format::date_time(&until))))
        }
    }
    if hsts.mode == HstsMode::Ramp {
        facts.push(("Next step", next(session, site, hsts).await?));
    }
    Ok(facts)
}

/// When the ramp goes on, or why it does not.
async fn next(session: &Session, site: &Site, hsts: &Hsts) -> Result<String, Failure> {
    let receipt = session.console.status.sight(site.id).receipt;
    let good = receipt.filter(|receipt| receipt.version == site.version).map(|receipt| receipt.is_good());
    let evidence = session.store().hsts_evidence(site, good, &session.author()).await?;
    let is_fresh = hsts.judged_from(session.now) == hour_of(hsts.since) + 1;
    let looked_at = if is_fresh { "since this step" } else { "in the last week" };
    Ok(match hsts.next(evidence, session.now) {
        Ok(age) => format!("{} within the hour.", self::age(age.into())),
        Err(Wait::Done) => "None: this is the last one.".into(),
        Err(Wait::Until(due)) => format!("After {}, if nothing speaks against it by then.", format::date_time(&due)),
        Err(Wait::OffPort) => "Waits: browsers would go to port 443, where the site does not answer. See above.".into(),
        Err(Wait::NotTried) => "Waits: fresh clients have not tried the site as it is now.".into(),
        Err(Wait::Fault) => "Waits: fresh clients did not get what was intended. See what they got above.".into(),
        Err(Wait::NoTraffic) => {
            format!("Waits: nobody has come over HTTPS {looked_at}, so nothing shows that it does no harm.")
        }
        Err(Wait::Troubled(evidence)) => format!(
            "Waits: {looked_at}, {} over HTTPS came to grief, beside {}. See the page Traffic.",
            format::count(evidence.troubled, "visit", "visits"),
            format::count(evidence.secured, "secured request", "secured requests"),
        ),
    })
}

/// The form with a site's HSTS.
pub(crate) async fn edit(session: Session, At(id): At<SiteId>) -> Answer {
    let site = site::find(&session, id)?;
    Ok(page(&session, &site, HstsForm::of(&site), Errors::default()).await?.into_response())
}

/// Saves a site's HSTS.
pub(crate) async fn update(session: Session, At(id): At<SiteId>, Fields(mut form): Fields<HstsForm>) -> Answer {
    match save(&session, &*site::find(&session, id)?, &form).await {
        Ok(()) => Ok(session.saved(&format!("/sites/{id}/ssl/hsts"), Saved::Hsts).await),
        Err(refusal) => {
            let mut errors = refusal.errors(session.now)?;
            let site = site::find(&session, id)?;
            errors.compare(&LABELS, &form.was, &shown(&site), form.in_words());
            if errors.conflict().is_some() {
                (form.version, form.was) = (site.version, shown(&site));
            }
            Ok((errors.status(), page(&session, &site, form, errors).await?).into_response())
        }
    }
}

async fn save(session: &Session, site: &Site, form: &HstsForm) -> Result<(), Refusal> {
    let draft = form.parse()?;
    let version = version(site, form.version, &form.was, &shown(site));
    Ok(session.store().update_hsts(site.id, version, draft, &session.author()).await?)
}

#[cfg(test)]
mod tests {
    use crate::testing::Browser;

    #[tokio::test]
    async fn it_is_turned_on_by_steps_fixed_and_unwound_with_the_end_shown() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "redirect").await;
        let path = format!("/sites/{id}/ssl/hsts");
        assert!(browser.get(&path).await.html.contains("<dd>Nothing.</dd>"));
        let version = browser.version(id);
        let page = browser.submit(&path, &[("hsts", "ramp"), ("version", &version)]).await;
        assert!(page.html.contains("max-age=300, since"), "{}", page.html);
        assert!(page.html.contains("Waits: fresh clients have not tried the site as it is now."), "{}", page.html);

        let version = browser.version(id);
        let fixed = [("hsts", "fixed"), ("age", "31536000"), ("subdomains", "yes"), ("version", version.as_str())];
        let page = browser.submit(&path, &fixed).await;
        assert!(page.html.contains("max-age=31536000; includeSubDomains, since"), "{}", page.html);
        let version = browser.version(id);
        let page = browser.submit(&path, &[("hsts", "off"), ("version", &version)]).await;
        assert!(page.html.contains("max-age=0, since") && page.html.contains("<dt>Until</dt>"), "{}", page.html);
        let history = browser.get(&format!("/sites/{id}/history")).await.html;
        assert!(history.contains("<del>1 year</del>") && history.contains("told to forget"), "{history}");
    }

    #[tokio::test]
    async fn preload_is_refused_with_what_is_missing_and_names_below_in_clear_are_listed() {
        let mut browser = Browser::signed_in().await;
        let id = browser.https_site("Shop", "shop.example", "refuse").await;
        browser.site("Tills", "tills.shop.example", "off").await;
        browser.site("Other", "othershop.example", "off").await;
        browser.https_site("Blog", "blog.shop.example", "off").await;
        browser.https_site("Wiki", "wiki.shop.example", "redirect").await;
        let path = format!("/sites/{id}/ssl/hsts");
        let html = browser.get(&path).await.html;
        assert!(html.contains("tills.shop.example, of Tills: nothing answers there over https"), "{html}");
        assert!(html.contains("<li>blog.shop.example, of Blog</li>"), "{html}");
        assert!(!html.contains("othershop.example") && !html.contains("wiki.shop.example"), "{html}");
        let version = browser.version(id);
        let form = [("hsts", "ramp"), ("subdomains", "yes"), ("preload", "yes"), ("version", version.as_str())];
        let page = browser.post(&path, &form).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains(r#"id="preload-e""#), "{}", page.html);
        for missing in ["for a year or longer", "all names below too"] {
            assert!(page.html.contains(missing), "{missing}: {}", page.html);
        }
        let form =
            [("hsts", "fixed"), ("age", "31536000"), ("subdomains", "yes"), ("preload", "yes"), ("version", &version)];
        let page = browser.post(&path, &form).await;
        assert!(page.html.contains("http://shop.example must redirect to https on the same name."), "{}", page.html);
        for (field, value) in [("hsts", "maybe"), ("age", "7"), ("age", "x")] {
            let fixed = if field == "age" { "fixed" } else { value };
            let page = browser.post(&path, &[("hsts", fixed), ("age", value), ("version", &version)]).await;
            assert_eq!(page.status, 422, "{value}");
        }
        assert_eq!(browser.store.table().site(id).unwrap().hsts, None);
    }
    #[tokio::test]
    async fn a_name_whose_https_is_not_on_port_443_is_warned_of_and_keeps_the_ramp_waiting() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("Shop", "shop.example", "redirect").await;
        let certificate = browser.certificate("shop.example").await.to_string();
        let form =
            [("protocol", "https"), ("port", "8443"), ("host", "shop.example"), ("certificate", certificate.as_str())];
        let form: Vec<_> = form.into_iter().chain([("confirmed", "yes")]).collect();
        browser.submit(&format!("/sites/{id}/bindings/new"), &form).await;
        let path = format!("/sites/{id}/ssl/hsts");
        let version = browser.version(id);
        let html = browser.submit(&path, &[("hsts", "ramp"), ("version", &version)]).await.html;
        assert!(html.contains("On port 80, and over HTTPS on another port than 443 only: shop.example."), "{html}");
        assert!(html.contains("Waits: browsers would go to port 443"), "{html}");
        assert!(html.contains("https://shop.example must answer on port 443, with a certificate for it."), "{html}");
    }
}
