//! Who a certificate is for: the answers of the request wizard.

mod countries;
mod of_leaf;

use serde::{Deserialize, Serialize};

use self::countries::meant;
pub use self::countries::{countries, country_name};
use crate::certificate::SubjectName;

/// The subject and alternative names of a certificate request, each proven by [`Subject::parse`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Common name (2.5.4.3), at most 64 characters. Always one of `names` where it is a name.
    pub common_name: String,
    /// Organization (2.5.4.10), at most 64 characters.
    pub organization: Option<String>,
    /// Organizational unit (2.5.4.11), at most 64 characters.
    pub organizational_unit: Option<String>,
    /// City/locality (2.5.4.7), at most 128 characters.
    pub locality: Option<String>,
    /// State/province (2.5.4.8), at most 128 characters.
    pub state: Option<String>,
    /// Country/region (2.5.4.6): two capital letters of ISO 3166-1.
    pub country: Option<String>,
    /// Alternative names, each once.
    pub names: Vec<SubjectName>,
}

/// The answers as typed, one text a field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectAnswers {
    /// Common name.
    pub common_name: String,
    /// Organization.
    pub organization: String,
    /// Organizational unit.
    pub organizational_unit: String,
    /// City/locality.
    pub locality: String,
    /// State/province.
    pub state: String,
    /// Country/region.
    pub country: String,
    /// Alternative names, one on each line or separated by commas.
    pub names: String,
}

/// A field of [`SubjectAnswers`], to put a message beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectField {
    /// Common name.
    CommonName,
    /// Organization.
    Organization,
    /// Organizational unit.
    OrganizationalUnit,
    /// City/locality.
    Locality,
    /// State/province.
    State,
    /// Country/region.
    Country,
    /// Alternative names.
    Names,
}

/// What is wrong with one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectError {
    /// Which answer.
    pub field: SubjectField,
    /// What to do about it, as a sentence.
    pub message: String,
}

impl Subject {
    /// The most alternative names of one request. Public CAs take 100.
    pub const MAX_NAMES: usize = 100;

    /// Reads the wizard's answers. Length is counted in characters (X.520, upper bounds in RFC 5280 §A.1).
    ///
    /// # Errors
    /// Every answer that can't stand, in the order of the fields.
    pub fn parse(answers: &SubjectAnswers) -> Result<Self, Vec<SubjectError>> {
        use SubjectField::*;
        let mut errors = Vec::new();
        let mut keep = |field, read: Result<Option<String>, String>| {
            read.unwrap_or_else(|message| {
                errors.push(SubjectError { field, message });
                None
            })
        };
        let common_name = parse_common_name(&answers.common_name);
        let named = common_name.as_ref().ok().cloned();
        keep(CommonName, common_name.map(|_| None));
        let subject = Self {
            common_name: named.as_ref().map(SubjectName::to_string).unwrap_or_default(),
            organization: keep(Organization, parse_text("Organization", &answers.organization, 64)),
            organizational_unit: keep(
                OrganizationalUnit,
                parse_text("Organizational unit", &answers.organizational_unit, 64),
            ),
            locality: keep(Locality, parse_text("City/locality", &answers.locality, 128)),
            state: keep(State, parse_text("State/province", &answers.state, 128)),
            country: keep(Country, parse_country(&answers.country)),
            names: Vec::new(),
        };
        let names = parse_names(named, &answers.names);
        match names {
            Ok(names) if errors.is_empty() => Ok(Self { names, ..subject }),
            Ok(_) => Err(errors),
            Err(message) => {
                errors.push(SubjectError { field: Names, message });
                Err(errors)
            }
        }
    }
}

/// The common name must be a name that visitors type, because browsers look at the alternative names only and it is
/// put among them.
fn parse_common_name(text: &str) -> Result<SubjectName, String> {
    if text.trim().is_empty() {
        return Err("Enter the name visitors type to reach the site, such as shop.example.".into());
    }
    let name = SubjectName::parse(text).map_err(|error| error.to_string())?;
    if name.to_string().len() > 64 {
        return Err(
            "A common name has at most 64 characters. Enter a shorter name here, and this one under the alternative names."
                .into(),
        );
    }
    Ok(name)
}

/// One answer of at most `most` characters; an empty one is none.
///
/// # Errors
/// A sentence, with `what` as the answer's name.
pub fn parse_text(what: &str, text: &str, most: usize) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().any(breaks_the_line) {
        return Err(format!("{what} has no line breaks or control characters."));
    }
    match text.chars().count() {
        count if count > most => Err(format!("{what} has at most {most} characters; this has {count}.")),
        _ => Ok(Some(text.to_string())),
    }
}

/// Control characters, and those that end a line or turn its direction: what is shown would not be what is signed.
fn breaks_the_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A country or region by its two letters; an empty text is none.
///
/// # Errors
/// A sentence.
pub fn parse_country(text: &str) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let code = text.to_ascii_uppercase();
    if country_name(&code).is_some() {
        return Ok(Some(code));
    }
    match meant(text) {
        Some(code) => Err(format!("Use the two-letter code: {code}, not {text}.")),
        None => Err("Choose a country or region, or enter its two-letter code, such as GB.".into()),
    }
}

/// The first name, then each alternative name once: one on each line, or separated by commas.
///
/// # Errors
/// A sentence that names each bad one.
pub fn parse_names(first: Option<SubjectName>, text: &str) -> Result<Vec<SubjectName>, String> {
    let mut names = Vec::from_iter(first);
    let mut bad = Vec::new();
    for piece in text.split([',', '\n', '\r']).map(str::trim).filter(|piece| !piece.is_empty()) {
        match SubjectName::parse(piece) {
            Ok(name) if names.contains(&name) => {}
            Ok(name) => names.push(name),
            Err(error) => bad.push((piece, error)),
        }
        if names.len() + bad.len() > Subject::MAX_NAMES {
            return Err(format!("Enter at most {} names, the common name included.", Subject::MAX_NAMES));
        }
    }
    if bad.is_empty() {
        return Ok(names);
    }
    let sentences: Vec<_> = bad.iter().map(|(piece, error)| format!("“{}”: {error}", shortened(piece))).collect();
    Err(sentences.join(" "))
}

/// At most 60 characters of what was typed, for a message.
fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !breaks_the_line(*c)).take(60).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use SubjectField::*;
    use proptest::prelude::*;

    fn answers(common_name: &str) -> SubjectAnswers {
        SubjectAnswers { common_name: common_name.into(), ..Default::default() }
    }

    fn message(answers: &SubjectAnswers, field: SubjectField) -> String {
        let errors = Subject::parse(answers).unwrap_err();
        errors.into_iter().find(|error| error.field == field).expect("an error at the field").message
    }

    fn names(subject: &Subject) -> Vec<String> {
        subject.names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_answers_are_kept_trimmed() {
        let subject = Subject::parse(&SubjectAnswers {
            common_name: " shop.example ".into(),
            organization: " Bücher & Söhne <script> ".into(),
            organizational_unit: "Web team".into(),
            locality: "Zürich".into(),
            state: "ZH".into(),
            country: "ch".into(),
            names: "www.shop.example\r\n*.shop.example, 192.0.2.7".into(),
        });
        let subject = subject.unwrap();
        assert_eq!(subject.common_name, "shop.example");
        assert_eq!(subject.organization.as_deref(), Some("Bücher & Söhne <script>"));
        assert_eq!(subject.country.as_deref(), Some("CH"));
        assert_eq!(names(&subject), ["shop.example", "www.shop.example", "*.shop.example", "192.0.2.7"]);
    }

    #[test]
    fn only_the_common_name_is_needed_and_it_heads_the_names() {
        for (typed, name) in [
            ("shop.example", "shop.example"),
            ("Bücher.example.", "xn--bcher-kva.example"),
            ("*.shop.example", "*.shop.example"),
            ("plan8", "plan8"),
            ("[2001:db8::1]", "2001:db8::1"),
        ] {
            let subject = Subject::parse(&answers(typed)).unwrap();
            assert_eq!(subject.common_name, name);
            assert_eq!(names(&subject), [name]);
            assert_eq!(subject.organization, None);
        }
    }

    #[test]
    fn a_common_name_that_no_visitor_can_type_is_refused() {
        for typed in ["", " ", "My Server", "shop_1.example", "https://shop.example/", "a\0b", "<script>"] {
            message(&answers(typed), CommonName);
        }
        let long = format!("{}.{}.example", "a".repeat(40), "b".repeat(40));
        assert!(message(&answers(&long), CommonName).contains("64"));
    }

    #[test]
    fn a_line_break_or_control_character_is_refused_in_every_field() {
        for bad in ["a\nb", "a\rb", "a\0b", "a\u{1b}b", "a\u{202e}b", "a\u{2028}b"] {
            let answers = SubjectAnswers {
                common_name: bad.into(),
                organization: bad.into(),
                organizational_unit: bad.into(),
                locality: bad.into(),
                state: bad.into(),
                country: bad.into(),
                names: String::new(),
            };
            let fields: Vec<_> = Subject::parse(&answers).unwrap_err().into_iter().map(|error| error.field).collect();
            assert_eq!(fields, [CommonName, Organization, OrganizationalUnit, Locality, State, Country], "{bad:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        let with = |organization: String| SubjectAnswers { organization, ..answers("shop.example") };
        assert!(Subject::parse(&with("ß".repeat(64))).is_ok());
        let message = message(&with("ß".repeat(65)), Organization);
        assert_eq!(message, "Organization has at most 64 characters; this has 65.");
    }

    #[test]
    fn a_field_of_64_kib_gets_a_short_sentence() {
        let long = "a".repeat(65_536);
        let answers = SubjectAnswers {
            common_name: long.clone(),
            organization: long.clone(),
            organizational_unit: long.clone(),
            locality: long.clone(),
            state: long.clone(),
            country: long.clone(),
            names: long,
        };
        let errors = Subject::parse(&answers).unwrap_err();
        assert_eq!(errors.len(), 7);
        assert!(errors.iter().all(|error| error.message.len() < 250), "{errors:?}");
        let commas = SubjectAnswers { names: "a b,".repeat(16_384), ..super::tests::answers("shop.example") };
        assert_eq!(message(&commas, Names), "Enter at most 100 names, the common name included.");
    }

    #[test]
    fn a_country_is_two_letters_of_iso_3166() {
        let with = |country: &str| SubjectAnswers { country: country.into(), ..answers("shop.example") };
        assert_eq!(Subject::parse(&with("us")).unwrap().country.as_deref(), Some("US"));
        assert_eq!(message(&with("USA"), Country), "Use the two-letter code: US, not USA.");
        assert_eq!(message(&with("UK"), Country), "Use the two-letter code: GB, not UK.");
        assert_eq!(message(&with("Germany"), Country), "Use the two-letter code: DE, not Germany.");
        message(&with("ZZ"), Country);
        message(&with("1"), Country);
        assert_eq!(country_name("GB"), Some("United Kingdom"));
        assert_eq!(countries().count(), 249);
    }

    #[test]
    fn each_bad_alternative_name_is_named_and_none_counts_twice() {
        let with = |names: &str| SubjectAnswers { names: names.into(), ..answers("shop.example") };
        let subject = Subject::parse(&with("SHOP.example.,\n\n www.shop.example,,www.shop.example")).unwrap();
        assert_eq!(names(&subject), ["shop.example", "www.shop.example"]);
        let message = message(&with("ok.example\nmy server\nhttps://x.example"), Names);
        assert!(message.contains("“my server”: A host name has no spaces"), "{message}");
        assert!(message.contains("“https://x.example”"), "{message}");
    }

    #[test]
    fn a_request_has_at_most_100_names() {
        let with = |count: usize| {
            let names: Vec<_> = (0..count).map(|i| format!("n{i}.example")).collect();
            SubjectAnswers { names: names.join("\n"), ..answers("shop.example") }
        };
        assert_eq!(Subject::parse(&with(99)).unwrap().names.len(), 100);
        message(&with(100), Names);
    }
    proptest! {
        #[test]
        fn whatever_is_typed_is_a_subject_that_is_read_again_or_is_refused_in_sentences(
            common_name in "[a-z*._-]{0,20}|\\PC{0,80}",
            organization in "\\PC{0,80}",
            country in "[a-zA-Z]{0,3}|\\PC{0,20}",
            names in "([a-z*._-]{0,20}[,\n])*|\\PC{0,200}",
        ) {
            let answers = SubjectAnswers { common_name, organization, country, names, ..Default::default() };
            match Subject::parse(&answers) {
                Ok(subject) => {
                    prop_assert_eq!(subject.names[0].to_string(), subject.common_name.as_str());
                    let names: Vec<_> = subject.names.iter().map(ToString::to_string).collect();
                    let again = SubjectAnswers {
                        common_name: subject.common_name.clone(),
                        organization: subject.organization.clone().unwrap_or_default(),
                        country: subject.country.clone().unwrap_or_default(),
                        names: names.join(","),
                        ..Default::default()
                    };
                    prop_assert_eq!(Subject::parse(&again), Ok(subject));
                }
                Err(errors) => prop_assert!(errors.iter().all(|error| error.message.ends_with('.')), "{:?}", errors),
            }
        }
    }
}
