//! The console by HTTP: reads the forms of its pages, fills them in and sends them, as a browser without script does.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use hyper::{HeaderMap, Method, Request, StatusCode};
use scraper::{ElementRef, Html, Selector};

use super::client::{Connection, Failure, Visitor};

/// Separates the parts of a form with files (RFC 2046 §5.1.1).
const BOUNDARY: &str = "----siteward-journey-4d1f0c7a";

/// Somebody in front of the console.
#[derive(Debug)]
pub(crate) struct Console {
    visitor: Visitor,
    port: u16,
    connection: Option<Connection>,
    cookies: BTreeMap<String, String>,
}

/// A page of the console, or any other answer of it.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// The same as it came, for files.
    pub(crate) bytes: Bytes,
}

/// A form as a page offers it, with its fields as they stand.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    method: Method,
    action: String,
    multipart: bool,
    fields: Vec<(String, Value)>,
}

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    File { name: String, content: Vec<u8> },
}

impl Console {
    /// The same person in another window: signed in, on a connection of their own.
    pub(crate) fn another(&self) -> Self {
        let (visitor, cookies) = (self.visitor.clone(), self.cookies.clone());
        Self { visitor, port: self.port, connection: None, cookies }
    }

    /// The same person, signed in, after the console has moved to `address`.
    pub(crate) fn moved(self, address: &str, root: &str) -> Self {
        Self { cookies: self.cookies, ..Self::at(address, root) }
    }

    /// Goes to the console at `address`, trusting its `root`.
    pub(crate) fn at(address: &str, root: &str) -> Self {
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address with a port");
        Self { visitor: Visitor::trusting(root), port, connection: None, cookies: BTreeMap::new() }
    }

    /// The page at `path`, wherever it leads.
    pub(crate) async fn open(&mut self, path: &str) -> Page {
        let page = self.get(path).await;
        self.follow(page).await
    }

    /// Sends `form`, and goes where the answer leads.
    pub(crate) async fn submit(&mut self, form: Form) -> Page {
        let page = self.send(form).await;
        self.follow(page).await
    }

    /// Sends `form`; the answer itself.
    pub(crate) async fn send(&mut self, form: Form) -> Page {
        self.try_send(form).await.expect("an answer of the console")
    }

    /// Sends `form` to a console that may be gone.
    pub(crate) async fn try_send(&mut self, form: Form) -> Result<Page, Failure> {
        let Form { method, action, .. } = &form;
        let request = Request::builder().method(method).header(ORIGIN, format!("https://127.0.0.1:{}", self.port));
        let path = action.clone();
        let request = match (method == Method::GET, form.multipart) {
            (true, _) => request.uri(format!("{path}?{}", form.encoded())).body(Full::default()),
            (_, true) => request
                .uri(&path)
                .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
                .body(form.parts().into()),
            (_, false) => request
                .uri(&path)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Bytes::from(form.encoded()).into()),
        };
        self.exchange(request.expect("a form that can be sent"), &path).await
    }

    async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..5 {
            let Some(location) = page.headers.get(LOCATION).filter(|_| page.status.is_redirection()) else {
                return page;
            };
            let path = location.to_str().expect("a location in ASCII").to_owned();
            assert!(path.starts_with('/'), "the console leads elsewhere: {path}");
            page = self.get(&path).await;
        }
        panic!("the console leads in circles, to {}", page.path);
    }

    /// What is at `path` itself.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = Request::get(path).body(Full::default()).expect("a path");
        self.exchange(request, path).await.expect("an answer of the console")
    }

    /// What is at `path` of a console that may not be trusted yet.
    pub(crate) async fn try_get(&mut self, path: &str) -> Result<Page, Failure> {
        self.exchange(Request::get(path).body(Full::default())?, path).await
    }

    /// The cookies of this person, as a browser sends them.
    pub(crate) fn cookies(&self) -> String {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    async fn exchange(&mut self, mut request: Request<Full<Bytes>>, path: &str) -> Result<Page, Failure> {
        if !self.cookies.is_empty() {
            request.headers_mut().insert(COOKIE, self.cookies().parse()?);
        }
        // A connection that the console closed meanwhile, between two requests, is no answer: open another.
        let mut connection = match self.connection.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => self.visitor.connect(self.port, "127.0.0.1").await?,
        };
        let (head, body) = connection.send(request).await?.into_parts();
        self.connection = Some(connection);
        for cookie in head.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str()?;
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).ok_or("no cookie")?;
            match cookie.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.into(), value.into()),
            };
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(Page { path: path.into(), status: head.status, headers: head.headers, body: text, bytes: body })
    }
}

impl Page {
    fn html(&self) -> Html {
        Html::parse_document(&self.body)
    }

    /// The text of every element that `selector` finds, with its white space folded.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        self.html().select(&parse(selector)).map(text).collect()
    }

    /// The text of the first element that `selector` finds.
    pub(crate) fn text(&self, selector: &str) -> String {
        let first = self.texts(selector).into_iter().next();
        first.unwrap_or_else(|| panic!("no {selector} on {} {}:\n{}", self.status, self.path, self.body))
    }

    /// Where the links lead that `selector` finds.
    pub(crate) fn addresses(&self, selector: &str) -> Vec<String> {
        self.html().select(&parse(selector)).filter_map(|link| link.attr("href").map(str::to_owned)).collect()
    }

    /// The form whose button says `words`, or one of whose buttons does; with that button pressed.
    pub(crate) fn form(&self, words: &str) -> Form {
        let html = self.html();
        let button = html.select(&parse("button, input[type=submit]")).find(|button| text(*button) == words);
        let button = button.unwrap_or_else(|| panic!("no button {words:?} on {}:\n{}", self.path, self.body));
        let around =
            || button.ancestors().filter_map(ElementRef::wrap).find(|element| element.value().name() == "form");
        let form = match button.attr("form") {
            Some(id) => html.select(&parse(&format!("form[id={id:?}]"))).next(),
            None => around(),
        };
        let form = form.unwrap_or_else(|| panic!("the button {words:?} on {} has no form", self.path));
        let action = button.attr("formaction").or(form.attr("action")).unwrap_or(&self.path);
        let mut fields = fields(&html, form);
        if let Some(name) = button.attr("name") {
            fields.push((name.into(), Value::Text(button.attr("value").unwrap_or_default().into())));
        }
        Form {
            method: form.attr("method").map_or(Method::GET, |method| method.to_uppercase().parse().expect("a method")),
            action: self.resolve(action),
            multipart: form.attr("enctype") == Some("multipart/form-data"),
            fields,
        }
    }

    fn resolve(&self, address: &str) -> String {
        match address {
            "" => self.path.clone(),
            absolute if absolute.starts_with('/') => absolute.into(),
            query if query.starts_with('?') => format!("{}{query}", self.path.split('?').next().unwrap_or_default()),
            relative => panic!("a relative address on {}: {relative}", self.path),
        }
    }
}

/// The successful controls of a form (HTML, "Constructing the entry list"), inside it or naming it.
fn fields(html: &Html, form: ElementRef) -> Vec<(String, Value)> {
    let own = |field: &ElementRef| match field.attr("form") {
        Some(id) => form.attr("id") == Some(id),
        None => field.ancestors().any(|ancestor| ancestor.id() == form.id()),
    };
    let mut fields = Vec::new();
    for field in html.select(&parse("input[name], select[name], textarea[name]")).filter(own) {
        if field.attr("disabled").is_some() {
            continue;
        }
        let value = match (field.value().name(), field.attr("type")) {
            (_, Some("submit" | "button" | "reset")) => continue,
            (_, Some("checkbox" | "radio")) if field.attr("checked").is_none() => continue,
            (_, Some("checkbox" | "radio")) => Value::Text(field.attr("value").unwrap_or("on").into()),
            (_, Some("file")) => Value::File { name: String::new(), content: Vec::new() },
            ("textarea", _) => Value::Text(field.text().collect::<String>().trim_start_matches('\n').into()),
            ("select", _) => match chosen(field) {
                Some(value) => Value::Text(value),
                None => continue,
            },
            _ => Value::Text(field.attr("value").unwrap_or_default().into()),
        };
        fields.push((field.attr("name").unwrap_or_default().into(), value));
    }
    fields
}

fn chosen(select: ElementRef) -> Option<String> {
    let first = || select.select(&parse("option")).next();
    let option = select.select(&parse("option[selected]")).next().or_else(first)?;
    Some(option.attr("value").map_or_else(|| text(option), Into::into))
}

fn parse(selector: &str) -> Selector {
    Selector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error}"))
}

fn text(element: ElementRef) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Form {
    /// A form that is sent without looking at its page first.
    pub(crate) fn post(action: &str) -> Self {
        Self { method: Method::POST, action: action.into(), multipart: false, fields: Vec::new() }
    }

    /// Answers the field `name`: types into it, ticks it, or chooses it.
    pub(crate) fn with(mut self, name: &str, text: &str) -> Self {
        self.replace(name, Value::Text(text.into()));
        self
    }

    /// Gives the field `name` a file.
    pub(crate) fn with_file(mut self, name: &str, file: &str, content: &[u8]) -> Self {
        self.multipart = true;
        self.replace(name, Value::File { name: file.into(), content: content.into() });
        self
    }

    /// What the field `name` holds now.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|(field, value)| match value {
            Value::Text(text) if field == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// The names of its fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    fn replace(&mut self, name: &str, value: Value) {
        match self.fields.iter_mut().find(|(field, _)| field == name) {
            Some(field) => field.1 = value,
            None => self.fields.push((name.into(), value)),
        }
    }

    fn encoded(&self) -> String {
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.fields {
            if let Value::Text(text) = value {
                encoded.append_pair(name, text);
            }
        }
        encoded.finish()
    }

    fn parts(&self) -> Bytes {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            let (file, content) = match value {
                Value::Text(text) => (String::new(), text.as_bytes()),
                Value::File { name, content } => (format!("; filename=\"{name}\""), content.as_slice()),
            };
            let head = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.extend([head.as_bytes(), content, b"\r\n"].concat());
        }
        body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
        body.into()
    }
}
