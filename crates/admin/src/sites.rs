//! All sites: the list, and the form that adds one.

use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::response::IntoResponse;
use serde::Deserialize;
use siteward_core::binding::{Place, Protocol, parse_ip, parse_port};
use siteward_core::site::{Enforcement, Site, SiteId};
use siteward_core::ssl::{RequireSsl, Setting};
use siteward_core::store::{Folder, NewSite};
use siteward_core::table::SiteTable;
use time::OffsetDateTime;

use crate::error::{Answer, Failure};
use crate::form::{self, Asked, Errors, Fields, Refusal, address};
use crate::pager::Pager;
use crate::session::Session;
use crate::shell::{Saved, Shell};
use crate::words::{self, State};

/// The saved views of the list: the word in the address, the label, and what it shows.
const VIEWS: [(&str, &str, Option<Enforcement>); 5] = [
    ("", "All", None),
    ("open", "Open", Some(Enforcement::Open)),
    ("redirects", "Redirects", Some(Enforcement::Redirects)),
    ("refuses", "Refuses", Some(Enforcement::Refuses)),
    ("closed", "Closed", Some(Enforcement::Closed)),
];

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    f: String,
    #[serde(default)]
    view: String,
    #[serde(default)]
    per: String,
    #[serde(default)]
    page: String,
}

struct View {
    label: &'static str,
    href: String,
    count: usize,
    current: bool,
}

/// One site in a list.
pub(crate) struct Row {
    pub(crate) id: SiteId,
    pub(crate) name: String,
    pub(crate) running: State,
    pub(crate) hosts: String,
    pub(crate) more_hosts: usize,
    /// Text and class of each of the first bindings.
    pub(crate) chips: Vec<(String, &'static str)>,
    pub(crate) more_chips: usize,
    /// The soonest to expire of its certificates, and that one's issuer.
    pub(crate) certificate: Option<(State, String)>,
    pub(crate) enforcement: State,
}

impl Row {
    const HOSTS: usize = 2;
    const CHIPS: usize = 4;

    pub(crate) fn new(table: &SiteTable, site: &Site, now: OffsetDateTime) -> Self {
        let hosts: Vec<String> = site.hosts().iter().map(|host| host.unicode()).collect();
        let closed = site.is_closed(now);
        let chip = |place: &Place| {
            let class = match place.protocol {
                _ if closed => "x",
                Protocol::Https => "s",
                Protocol::Http => "",
            };
            (format!("{} :{}", place.protocol, place.port), class)
        };
        let mut chips: Vec<_> = site.bindings.iter().map(|binding| chip(&binding.place)).collect();
        chips.dedup();
        let certificates = site.bindings.iter().filter_map(|binding| binding.certificate.as_deref());
        let soonest = certificates.min_by_key(|certificate| certificate.not_after);
        Self {
            id: site.id,
            name: site.name.clone(),
            running: words::running(site, now),
            more_hosts: hosts.len().saturating_sub(Self::HOSTS),
            hosts: if hosts.is_empty() {
                "Any host name".into()
            } else {
                hosts[..hosts.len().min(Self::HOSTS)].join(", ")
            },
            more_chips: chips.len().saturating_sub(Self::CHIPS),
            chips: chips.into_iter().take(Self::CHIPS).collect(),
            certificate: soonest.map(|facts| (words::expiry(facts, now), facts.issuer.clone())),
            enforcement: words::enforcement(table, site, now),
        }
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    views: Vec<View>,
    rows: Vec<Row>,
    pager: Pager,
}

/// Whether a site has every word of the filter in its names, its issuers or its state; `days<30` asks for what expires.
fn is_found(table: &SiteTable, site: &Site, filter: &str, now: OffsetDateTime) -> bool {
    if filter.trim().is_empty() {
        return true;
    }
    let certificates = || site.bindings.iter().filter_map(|binding| binding.certificate.as_deref());
    let mut text = vec![site.name.clone(), words::running(site, now).text, words::enforcement(table, site, now).text];
    text.extend(site.hosts().iter().flat_map(|host| [host.to_string(), host.unicode()]));
    text.extend(certificates().map(|certificate| certificate.issuer.clone()));
    let text = text.join("\n").to_lowercase();
    filter.to_lowercase().split_whitespace().all(|word| {
        match word.strip_prefix("days<").and_then(|days| days.parse::<i64>().ok()) {
            Some(days) => certificates().any(|certificate| words::days_left(certificate, now) < days),
            None => text.contains(word),
        }
    })
}

/// The sites, by name.
pub(crate) async fn list(session: Session, Asked(query): Asked<ListQuery>) -> Answer {
    let (table, now) = (session.table(), session.now);
    let found = table.sites().filter(|site| is_found(&table, site, &query.f, now));
    let found: Vec<(&Arc<Site>, Enforcement)> = found.map(|site| (site, site.enforcement(&table, now))).collect();
    let in_view = |view: Option<Enforcement>, own: Enforcement| view.is_none_or(|view| view == own);
    let views = VIEWS.iter().map(|&(word, label, view)| View {
        label,
        href: address("/sites", &[("f", &query.f), ("view", word)]),
        count: found.iter().filter(|(_, own)| in_view(view, *own)).count(),
        current: word == query.view,
    });
    let views = views.collect();
    let view = VIEWS.iter().find(|(word, ..)| *word == query.view).and_then(|(.., view)| *view);
    let mut sites: Vec<&Arc<Site>> =
        found.into_iter().filter(|(_, own)| in_view(view, *own)).map(|(site, _)| site).collect();
    sites.sort_by_cached_key(|site| site.name.to_lowercase());

    let pager =
        Pager::new("/sites", sites.len(), &query.page, &query.per).keeping("f", &query.f).keeping("view", &query.view);
    let shown = sites.into_iter().skip(pager.offset()).take(pager.limit());
    let rows = shown.map(|site| Row::new(&table, site, now)).collect();
    let shell = session.shell("/sites").await?;
    Ok(ListPage { shell, query, views, rows, pager }.into_response())
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct SiteForm {
    #[serde(default)]
    name: String,
    /// One host name on each line.
    #[serde(default)]
    host: String,
    #[serde(default)]
    ip: String,
    #[serde(default)]
    port: String,
    /// `own` or `at`.
    #[serde(default)]
    place: String,
    #[serde(default)]
    folder: String,
    #[serde(default)]
    ssl: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "sites/new.html")]
struct NewPage {
    shell: Shell,
    form: SiteForm,
    errors: Errors,
}

impl SiteForm {
    fn parse(&self) -> Result<NewSite, Errors> {
        let mut errors = Errors::default();
        let hosts = form::hosts(&self.host, &mut errors);
        let ip = errors.check("ip", parse_ip(&self.ip));
        let port = errors.check("port", parse_port(&self.port));
        let folder = match self.place.as_str() {
            "own" => Some(Folder::Own),
            "at" => Some(Folder::At(self.folder.clone())),
            _ => errors.check("place", Err("Choose where the files are.")),
        };
        let require_ssl = errors.check("ssl", RequireSsl::parse(&self.ssl).ok_or("Choose what plain HTTP gets."));
        let new = || {
            let (ip, port) = (ip?, port?);
            let place = |host| Place { protocol: Protocol::Http, ip, port, host };
            let bindings = hosts?.into_iter().map(place).collect();
            Some(NewSite { name: self.name.clone(), folder: folder?, bindings, require_ssl: require_ssl? })
        };
        let new = new();
        errors.or(new)
    }
}

/// The form that adds a site.
pub(crate) async fn new(session: Session) -> Answer {
    let port = session.console.proposed.http.to_string();
    let form = SiteForm { port, place: "own".into(), ..SiteForm::default() };
    Ok(new_page(&session, form, Errors::default()).await?.into_response())
}

async fn new_page(session: &Session, form: SiteForm, errors: Errors) -> Result<NewPage, Failure> {
    Ok(NewPage { shell: session.shell("/sites").await?, form, errors })
}

/// Adds a site.
pub(crate) async fn create(session: Session, Fields(form): Fields<SiteForm>) -> Answer {
    match add(&session, &form).await {
        Ok(id) => Ok(session.saved(&format!("/sites/{id}"), Saved::SiteAdded).await),
        Err(refusal) => {
            let errors = refusal.errors(session.now)?;
            Ok((errors.status(), new_page(&session, form, errors).await?).into_response())
        }
    }
}

async fn add(session: &Session, form: &SiteForm) -> Result<SiteId, Refusal> {
    let new = form.parse()?;
    Ok(session.store().create_site(new, &session.author()).await?)
}

#[cfg(test)]
mod tests {
    use crate::testing::Browser;

    /// A form that would be saved, with one field changed.
    fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
        let fields = [("name", "Gift cards"), ("host", "gifts.example"), ("ip", ""), ("port", "80")];
        let more = [("place", "own"), ("folder", ""), ("ssl", "off")];
        let fields = fields.into_iter().chain(more);
        fields.map(|(own, saved)| if own == name { (own, value) } else { (own, saved) }).collect()
    }

    #[tokio::test]
    async fn a_site_is_added_served_and_shown() {
        let mut browser = Browser::signed_in().await;
        let form = browser.get("/sites/new").await;
        assert!(form.html.contains(r#"id="port" name="port" type="text" value="80""#), "{}", form.html);
        let page =
            browser.submit("/sites/new", &with("host", "gifts.example\r\n*.gifts.example\r\ngifts.example")).await;
        assert!(page.html.contains("<b>Site added.</b>"));
        assert!(page.html.contains("*.gifts.example, gifts.example"));
        let table = browser.store.table();
        let site = table.sites().next().unwrap();
        assert_eq!((site.name.as_str(), site.bindings.len()), ("Gift cards", 2));
        assert!(browser.get("/sites").await.html.contains("Gift cards"));
    }

    #[tokio::test]
    async fn an_international_name_is_accepted_and_shown_in_both_forms() {
        let mut browser = Browser::signed_in().await;
        let page = browser.submit("/sites/new", &with("host", "bücher.example")).await;
        assert!(page.html.contains("bücher.example (xn--bcher-kva.example)"), "{}", page.html);
    }

    #[tokio::test]
    async fn every_answer_that_cannot_be_used_comes_back_with_a_sentence_beside_it() {
        let mut browser = Browser::signed_in().await;
        browser.site("Bookshop", "shop.example", "off").await;
        let long = format!("{}.example", "a.".repeat(130));
        let file = browser.file();
        let data = browser.store.data_dir().display().to_string();
        let revision = browser.store.table().revision();
        for (field, value, sentence) in [
            ("name", "", "Enter a name of 1 to 100 characters"),
            ("name", "two\nlines", "Enter a name of 1 to 100 characters"),
            ("name", "nul\0", "Enter a name of 1 to 100 characters"),
            ("name", "bookshop", "There already is one named Bookshop."),
            ("host", "shop.example", "already belongs to Bookshop."),
            ("host", "gift cards.example", "“gift cards.example”: A host name has no spaces"),
            ("host", "gift_cards.example", "only letters, digits and hyphens"),
            ("host", "https://gifts.example", "Enter only the host name"),
            ("host", &long, "at most 253 characters"),
            ("host", "ok.example\n*", "A star stands alone"),
            ("ip", "10.0.0", "Enter an IPv4 or IPv6 address"),
            ("port", "0", "Enter a port from 1 to 65535."),
            ("port", "65536", "Enter a port from 1 to 65535."),
            ("port", "http", "Enter a port from 1 to 65535."),
            ("port", "", "Enter a port from 1 to 65535."),
            ("place", "", "Choose where the files are."),
            ("ssl", "<script>", "Choose what plain HTTP gets."),
        ] {
            let page = browser.post("/sites/new", &with(field, value)).await;
            assert_eq!(page.status, 422, "{field} {value:?}");
            assert!(page.html.contains("<title>Error: Add a site"), "{field} {value:?}");
            assert!(page.html.contains(&format!(r##"<a href="#{field}">"##)), "{field} {value:?}: {}", page.html);
            assert!(page.html.contains(sentence), "{field} {value:?}: {}", page.html);
        }
        for folder in ["/does/not/exist", file.as_str(), data.as_str(), "relative", "", "/tmp/\0"] {
            let mut form = with("place", "at");
            form.push(("folder", folder));
            form.retain(|field| *field != ("folder", "") || folder.is_empty());
            let page = browser.post("/sites/new", &form).await;
            assert_eq!(page.status, 422, "{folder:?}");
            assert!(page.html.contains(r#"id="folder-e""#), "{folder:?}: {}", page.html);
        }
        assert_eq!(browser.store.table().revision(), revision, "nothing was changed");
    }

    #[tokio::test]
    async fn what_was_typed_is_kept_and_escaped() {
        let mut browser = Browser::signed_in().await;
        let name = r#""><script>alert(1)</script>"#;
        let mut form = with("name", name);
        form.retain(|(field, _)| *field != "host");
        form.push(("host", "</textarea><script>\nsecond line"));
        let page = browser.post("/sites/new", &form).await;
        assert_eq!(page.status, 422);
        assert!(!page.html.contains("<script>alert") && !page.html.contains("</textarea><script>"), "{}", page.html);
        assert!(page.html.contains("&#34;&#62;&#60;script&#62;alert(1)"), "{}", page.html);
        assert!(page.html.contains("second line"));
    }

    #[tokio::test]
    async fn a_name_is_text_wherever_it_is_shown() {
        let mut browser = Browser::signed_in().await;
        let id = browser.site("<script>alert(1)</script>", "shop.example", "off").await;
        let site = format!("/sites/{id}");
        let tabs = ["", "/ssl", "/content", "/history", "/stop", "/delete", "/bindings/new"];
        let mut pages: Vec<String> = tabs.iter().map(|tab| format!("{site}{tab}")).collect();
        pages.extend(["/", "/sites", "/activity", "/search?q=script"].map(String::from));
        for path in pages {
            let page = browser.get(&path).await;
            assert_eq!(page.status, 200, "{path}");
            assert!(!page.html.contains("<script>alert"), "{path}");
            assert!(page.html.contains("&#60;script&#62;alert(1)"), "{path}");
        }
    }

    #[tokio::test]
    async fn the_list_is_filtered_by_words_and_by_view() {
        let mut browser = Browser::signed_in().await;
        browser.site("Archive", "archive.example", "off").await;
        browser.site("Returns", "returns.example", "refuse").await;
        browser.https_site("Bücher", "bücher.example", "redirect").await;
        for (path, names) in [
            ("/sites", vec!["Archive", "Bücher", "Returns"]),
            ("/sites?view=open", vec!["Archive"]),
            ("/sites?view=closed", vec!["Returns"]),
            ("/sites?view=redirects", vec!["Bücher"]),
            ("/sites?view=refuses", vec![]),
            ("/sites?f=EXAMPLE+returns", vec!["Returns"]),
            ("/sites?f=xn--bcher", vec!["Bücher"]),
            ("/sites?f=test+ca", vec!["Bücher"]),
            ("/sites?f=days%3C400", vec!["Bücher"]),
            ("/sites?f=days%3C1", vec![]),
            ("/sites?f=%3Cscript%3E", vec![]),
        ] {
            let html = browser.get(path).await.html;
            for name in ["Archive", "Bücher", "Returns"] {
                assert_eq!(html.contains(&format!(">{name}</a>")), names.contains(&name), "{path} {name}");
            }
        }
        assert!(browser.get("/sites").await.html.contains("Redirects 1</a>"));
    }

    #[tokio::test]
    async fn a_long_list_comes_in_pages() {
        let mut browser = Browser::signed_in().await;
        for n in 0..26 {
            browser.site(&format!("Site {n:02}"), &format!("s{n}.example"), "off").await;
        }
        let first = browser.get("/sites?f=site").await.html;
        assert!(first.contains("1–25 of 26") && first.contains("Site 24</a>") && !first.contains("Site 25</a>"));
        assert!(first.contains(r#"href="/sites?f=site&#38;page=2">Next page"#), "{first}");
        assert!(browser.get("/sites?page=2").await.html.contains("Site 25</a>"));
        assert!(browser.get("/sites?per=50").await.html.contains("1–26 of 26"));
    }
}
