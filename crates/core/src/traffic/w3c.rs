//! Reading the logs of other servers: the W3C extended format, as IIS writes it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, Time};

use super::{
    Answer, Cipher, Class, Client, Credentials, Exchange, Facts, Folder, Hour, Http, KEPT_DAYS, Shown, Tally,
    TlsVersion, Way, hour_of,
};

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const TIME: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second]");

/// Requests after which the counts are made small again.
const BOUND_EVERY: u64 = 10_000;

/// The most fields that a line may have.
const MAX_FIELDS: usize = 100;

/// A log while it is read, line by line. Its times are UTC.
#[derive(Debug)]
pub struct W3cLog {
    now: OffsetDateTime,
    https_ports: Vec<u16>,
    fields: Option<Fields>,
    date: Option<Date>,
    tallies: BTreeMap<Hour, Tally>,
    counted: u64,
    skipped: u64,
}

/// What a log told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// By hour.
    pub tallies: BTreeMap<Hour, Tally>,
    /// Requests that were counted.
    pub counted: u64,
    /// Lines that are too old, from the future, or that could not be read.
    pub skipped: u64,
}

/// Why nothing can be read from a log. Each message is a sentence for the person who brought it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLog {
    /// No line says which fields follow.
    #[error("This is no log in the W3C format: it has no line that begins with #Fields.")]
    NoFields,
    /// A field is missing without which nothing can be told.
    #[error("The log does not have the field {0}. Add it to the fields that the other server logs.")]
    Missing(&'static str),
    /// No line could be counted.
    #[error("No request of the last {KEPT_DAYS} days could be read from the log.")]
    Nothing,
}

/// Where in a line each field stands.
#[derive(Debug, Clone, Default)]
struct Fields {
    date: Option<usize>,
    time: usize,
    port: usize,
    status: usize,
    substatus: Option<usize>,
    path: Option<usize>,
    client: Option<usize>,
    user_agent: Option<usize>,
    user: Option<usize>,
    cookie: Option<usize>,
    version: Option<usize>,
    protocol: Option<usize>,
    cipher: Option<usize>,
}

impl W3cLog {
    /// A log in which requests to these ports came over https, read at `now`.
    pub fn new(https_ports: Vec<u16>, now: OffsetDateTime) -> Self {
        let (fields, date, tallies) = (None, None, BTreeMap::new());
        Self { now, https_ports, fields, date, tallies, counted: 0, skipped: 0 }
    }

    /// Reads the next line.
    ///
    /// # Errors
    /// `Missing`. A single line that can't be read is skipped.
    pub fn line(&mut self, line: &str) -> Result<(), NoLog> {
        let line = line.trim_end();
        if let Some(names) = line.strip_prefix("#Fields:") {
            self.fields = Some(Fields::parse(names)?);
        } else if let Some(date) = line.strip_prefix("#Date:") {
            self.date = date.split_whitespace().next().and_then(|date| Date::parse(date, DATE).ok());
        } else if !line.is_empty() && !line.starts_with('#') {
            match self.request(line) {
                Some((hour, class, client)) => {
                    self.tallies.entry(hour).or_default().count(class, client, 1);
                    self.counted += 1;
                    if self.counted.is_multiple_of(BOUND_EVERY) {
                        self.tallies.values_mut().for_each(Tally::bound);
                    }
                }
                None => self.skipped += 1,
            }
        }
        Ok(())
    }

    /// What the log told.
    ///
    /// # Errors
    /// `NoFields`, `Nothing`.
    pub fn finish(mut self) -> Result<Imported, NoLog> {
        if self.fields.is_none() {
            return Err(NoLog::NoFields);
        }
        if self.counted == 0 {
            return Err(NoLog::Nothing);
        }
        self.tallies.values_mut().for_each(Tally::bound);
        Ok(Imported { tallies: self.tallies, counted: self.counted, skipped: self.skipped })
    }

    fn request(&self, line: &str) -> Option<(Hour, Class, Client)> {
        let fields = self.fields.as_ref()?;
        let values: Vec<&str> = line.split(' ').take(MAX_FIELDS).collect();
        let of =
            |place: Option<usize>| place.and_then(|place| values.get(place)).copied().filter(|value| *value != "-");

        let date = of(fields.date).map_or(self.date, |date| Date::parse(date, DATE).ok())?;
        let at = date.with_time(Time::parse(of(Some(fields.time))?, TIME).ok()?).assume_utc();
        if at > self.now || self.now - at > Duration::days(KEPT_DAYS) {
            return None;
        }
        let status = of(Some(fields.status))?.parse().ok().filter(|status| (100..600).contains(status))?;
        // IIS knows greater ones than are told apart here, such as 403.501.
        let substatus: u16 = of(fields.substatus).map_or(Some(0), |substatus| substatus.parse().ok())?;
        let substatus = u8::try_from(substatus).unwrap_or_default();
        let port: u16 = of(Some(fields.port))?.parse().ok()?;
        let way = match self.https_ports.contains(&port) {
            true => Way::Tls {
                version: of(fields.protocol).map_or(TlsVersion::Unknown, version),
                cipher: of(fields.cipher).map_or(Cipher::Unknown, cipher),
                exchange: Exchange::Unknown,
                shown: Shown::Unknown,
            },
            false => Way::Clear(credentials(of(fields.user).is_some(), of(fields.cookie).is_some())),
        };
        let path = of(fields.path).unwrap_or_default().trim_start_matches('/');
        let folder = Folder::of(path.trim_end_matches('/'), path.ends_with('/') || path.is_empty());
        let address = of(fields.client).and_then(|client| client.parse().ok());
        let user_agent = of(fields.user_agent).unwrap_or_default().replace('+', " ");
        let client = Client::new(&user_agent, address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        let facts = Facts { way, http: of(fields.version).map_or(Http::Unknown, http) };
        Some((hour_of(at), Class { facts, answer: Answer { status, substatus }, folder }, client))
    }
}

impl Fields {
    fn parse(names: &str) -> Result<Self, NoLog> {
        let names: Vec<&str> = names.split_whitespace().take(MAX_FIELDS).collect();
        let place = |name: &str| names.iter().position(|own| own.eq_ignore_ascii_case(name));
        let needed = |name: &'static str| place(name).ok_or(NoLog::Missing(name));
        Ok(Self {
            date: place("date"),
            time: needed("time")?,
            port: needed("s-port")?,
            status: needed("sc-status")?,
            substatus: place("sc-substatus"),
            path: place("cs-uri-stem"),
            client: place("c-ip"),
            user_agent: place("cs(User-Agent)"),
            user: place("cs-username"),
            cookie: place("cs(Cookie)"),
            version: place("cs-version"),
            protocol: place("crypt-protocol"),
            cipher: place("crypt-cipher"),
        })
    }
}

/// Only a user whose name came with the request is logged by name.
fn credentials(user: bool, cookie: bool) -> Credentials {
    match (user, cookie) {
        (false, false) => Credentials::None,
        (false, true) => Credentials::Cookie,
        (true, false) => Credentials::Authorization,
        (true, true) => Credentials::Both,
    }
}

fn http(version: &str) -> Http {
    match version {
        "HTTP/1.0" => Http::Http10,
        "HTTP/1.1" => Http::Http11,
        "HTTP/2" | "HTTP/2.0" => Http::Http2,
        "HTTP/3" | "HTTP/3.0" => Http::Http3,
        _ => Http::Unknown,
    }
}

/// Schannel's bits of the server's side: `SP_PROT_TLS1_2_SERVER` is 0x400, `SP_PROT_TLS1_3_SERVER` 0x1000.
fn version(protocol: &str) -> TlsVersion {
    match u32::from_str_radix(protocol, 16) {
        Ok(0x400) => TlsVersion::Tls12,
        Ok(0x1000) => TlsVersion::Tls13,
        Ok(1..0x400) => TlsVersion::Older,
        _ => TlsVersion::Unknown,
    }
}

/// Schannel's names: `CALG_AES_128` is 0x660e, `CALG_AES_256` 0x6610; all others are weaker.
fn cipher(cipher: &str) -> Cipher {
    match u32::from_str_radix(cipher, 16) {
        Ok(0x660e) => Cipher::Aes128,
        Ok(0x6610) => Cipher::Aes256,
        Ok(0x6601..=0x68ff) => Cipher::Weak,
        _ => Cipher::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00 UTC);

    const IIS: &str = "#Software: Microsoft Internet Information Services 10.0\r\n\
        #Version: 1.0\r\n\
        #Date: 2026-11-22 00:00:03\r\n\
        #Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs(User-Agent) cs(Cookie) sc-status sc-substatus sc-win32-status crypt-protocol crypt-cipher\r\n\
        2026-11-22 00:00:03 10.0.0.5 GET /books/1.html - 80 - 203.0.113.77 HTTP/1.1 Java/1.8.0_392 - 200 0 0 - -\r\n\
        2026-11-22 00:10:00 10.0.0.5 GET /books/ id=5 80 - 203.0.113.78 HTTP/1.1 Java/1.8.0_392 sid=1 403 4 5 - -\r\n\
        2026-11-22 01:00:00 10.0.0.5 GET / - 443 INTRA\\inga 2001:db8:7::1 HTTP/2.0 Mozilla/5.0+(X11;+Linux+x86_64;+rv:115.0)+Gecko/20100101+Firefox/115.0 - 200 0 0 400 6610\r\n\
        2026-07-22 01:00:00 10.0.0.5 GET / - 443 - 203.0.113.77 HTTP/1.1 curl/8 - 200 0 0 400 6610\r\n\
        2026-11-22 01:00:00 10.0.0.5 GET / - what - 203.0.113.77 HTTP/1.1 curl/8 - 200 0 0 400 6610\r\n";

    fn read(text: &str) -> Result<Imported, NoLog> {
        let mut log = W3cLog::new(vec![443], NOW);
        text.lines().try_for_each(|line| log.line(line))?;
        log.finish()
    }

    #[test]
    fn a_log_of_iis_tells_how_each_request_came() {
        let imported = read(IIS).unwrap();
        assert_eq!((imported.counted, imported.skipped), (3, 2), "one is too old, one has no port");
        let told: Vec<(Hour, String)> = imported
            .tallies
            .iter()
            .flat_map(|(hour, tally)| tally.classes().map(move |(class, n)| (*hour, tally, class, n)))
            .map(|(hour, tally, class, n)| {
                let (client, _) = tally.clients(class).next().unwrap();
                let Class { facts, answer, folder } = class;
                let who = format!("{} {}", client.agent.as_str(), client.network());
                (hour, format!("{facts} {answer} {} {n} {who}", folder.as_str()))
            })
            .collect();
        let hour = hour_of(datetime!(2026-11-22 00:00 UTC));
        let expected = [
            (hour, "clear none 1.1 200 /books/ 1 Java/1.8 203.0.113.0/24"),
            (hour, "clear cookie 1.1 403.4 /books/ 1 Java/1.8 203.0.113.0/24"),
            (hour + 1, "tls1.2 aes256 - 2 200 / 1 Firefox 115 2001:db8:7::/48"),
        ];
        assert_eq!(told, expected.map(|(hour, text)| (hour, text.to_owned())));
    }

    #[test]
    fn a_log_that_tells_too_little_is_refused_with_what_it_lacks() {
        assert_eq!(read("2026-11-22 00:00:03 GET / 80 200"), Err(NoLog::NoFields));
        assert_eq!(read("#Fields: date time sc-status"), Err(NoLog::Missing("s-port")));
        assert_eq!(read("#Fields: date time s-port sc-status\n"), Err(NoLog::Nothing));
        let dated_above = "#Date: 2026-11-22 00:00:00\n#Fields: time s-port sc-status\n10:00:00 80 200\n";
        assert_eq!(read(dated_above).unwrap().counted, 1);
    }

    #[test]
    fn a_substatus_that_is_not_told_apart_here_does_not_keep_a_request_from_being_counted() {
        let fields = "#Fields: date time s-port sc-status sc-substatus";
        let line = |substatus| format!("2026-11-22 00:00:03 80 403 {substatus}");
        let read = |substatus| read(&format!("{fields}\n{}\n{}", line("4"), line(substatus))).unwrap();
        let answers = |imported: Imported| {
            let classes = imported.tallies.values().flat_map(Tally::classes);
            classes.map(|(class, _)| class.answer.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(answers(read("501")), ["403", "403.4"]);
        assert_eq!(read("x").skipped, 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_a_log_has_each_line_is_counted_or_skipped(
            lines in prop::collection::vec("[ -~é]{0,80}|2026-11-2[0-9] 1[0-9]:00:0[0-9] (80|443|x) ([0-9]{1,4}|-) [a-z/%.]{0,40}", 0..60)
        ) {
            let mut log = W3cLog::new(vec![443], NOW);
            log.line("#Fields: date time s-port sc-status cs-uri-stem").unwrap();
            let mut requests = 0;
            for line in &lines {
                requests += u64::from(!line.trim_end().is_empty() && !line.starts_with('#'));
                let _ = log.line(line); // a line may name other fields
            }
            prop_assert_eq!(log.counted + log.skipped, requests);
            prop_assert_eq!(log.tallies.values().map(Tally::requests).sum::<u64>(), log.counted);
        }
    }
}
