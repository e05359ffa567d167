//! Allow rules: who is let in of those whose certificates are trusted.

use std::fmt;

use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::X509Name;

use crate::inspect::string;

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The subject's common name.
    CommonName,
    /// The subject's organization.
    Organization,
    /// The subject's organizational unit.
    Unit,
    /// The subject's country/region.
    Country,
    /// The subject's state/province.
    State,
    /// The subject's city/locality.
    Locality,
    /// The e-mail address in the subject (PKCS#9).
    Mail,
    /// A DNS alternative name.
    AlternativeDns,
    /// An e-mail alternative name.
    AlternativeMail,
    /// A URI alternative name.
    AlternativeUri,
    /// The issuer's common name.
    IssuerCommonName,
    /// The issuer's organization.
    IssuerOrganization,
    /// The issuer's organizational unit.
    IssuerUnit,
    /// The issuer's country/region.
    IssuerCountry,
}

impl Field {
    /// Every field, as a form lists them.
    pub const ALL: [Self; 14] = [
        Self::CommonName,
        Self::Organization,
        Self::Unit,
        Self::Country,
        Self::State,
        Self::Locality,
        Self::Mail,
        Self::AlternativeDns,
        Self::AlternativeMail,
        Self::AlternativeUri,
        Self::IssuerCommonName,
        Self::IssuerOrganization,
        Self::IssuerUnit,
        Self::IssuerCountry,
    ];

    /// As stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CommonName => "cn",
            Self::Organization => "o",
            Self::Unit => "ou",
            Self::Country => "c",
            Self::State => "st",
            Self::Locality => "l",
            Self::Mail => "mail",
            Self::AlternativeDns => "san-dns",
            Self::AlternativeMail => "san-mail",
            Self::AlternativeUri => "san-uri",
            Self::IssuerCommonName => "issuer-cn",
            Self::IssuerOrganization => "issuer-o",
            Self::IssuerUnit => "issuer-ou",
            Self::IssuerCountry => "issuer-c",
        }
    }

    /// Reads what [`Field::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == text)
    }

    /// In the words of the certificate request.
    pub fn label(self) -> &'static str {
        match self {
            Self::CommonName => "Common name",
            Self::Organization => "Organization",
            Self::Unit => "Organizational unit",
            Self::Country => "Country/region",
            Self::State => "State/province",
            Self::Locality => "City/locality",
            Self::Mail => "E-mail address",
            Self::AlternativeDns => "Alternative name, DNS",
            Self::AlternativeMail => "Alternative name, e-mail",
            Self::AlternativeUri => "Alternative name, URI",
            Self::IssuerCommonName => "Issuer’s common name",
            Self::IssuerOrganization => "Issuer’s organization",
            Self::IssuerUnit => "Issuer’s organizational unit",
            Self::IssuerCountry => "Issuer’s country/region",
        }
    }

    /// The attribute of a name that it is, and whether of the issuer's (RFC 4519 §2, RFC 2985 §5.2.1).
    fn attribute(self) -> Option<(&'static str, bool)> {
        match self {
            Self::CommonName => Some(("2.5.4.3", false)),
            Self::Organization => Some(("2.5.4.10", false)),
            Self::Unit => Some(("2.5.4.11", false)),
            Self::Country => Some(("2.5.4.6", false)),
            Self::State => Some(("2.5.4.8", false)),
            Self::Locality => Some(("2.5.4.7", false)),
            Self::Mail => Some(("1.2.840.113549.1.9.1", false)),
            Self::IssuerCommonName => Some(("2.5.4.3", true)),
            Self::IssuerOrganization => Some(("2.5.4.10", true)),
            Self::IssuerUnit => Some(("2.5.4.11", true)),
            Self::IssuerCountry => Some(("2.5.4.6", true)),
            Self::AlternativeDns | Self::AlternativeMail | Self::AlternativeUri => None,
        }
    }
}

/// One rule: a field, and what one of its values must be. `*` at the beginning or the end stands for any characters, also
/// none; case and doubled spaces don't matter, as in directories (RFC 4517 §4.2.11).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AllowRule {
    /// What it looks at.
    pub field: Field,
    /// As typed.
    pattern: String,
    /// Without its stars, in the form in which values are compared.
    inner: String,
    starts_open: bool,
    ends_open: bool,
}

/// A rule's value can't be read. The message is a sentence for the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "Enter a value of 1 to 200 characters, without line breaks. A star may stand at its beginning or at its end, for anything."
)]
pub struct BadPattern;

impl AllowRule {
    /// The most characters of a value.
    pub const MAX_PATTERN: usize = 200;

    /// Reads a rule as typed or stored.
    ///
    /// # Errors
    /// [`BadPattern`].
    pub fn parse(field: Field, pattern: &str) -> Result<Self, BadPattern> {
        let pattern = pattern.trim();
        let (inner, starts_open, ends_open) = inner(pattern);
        let fits = !pattern.is_empty()
            && pattern.chars().count() <= Self::MAX_PATTERN
            && !pattern.chars().any(char::is_control)
            && !inner.contains('*');
        match fits {
            true => Ok(Self { field, pattern: pattern.to_owned(), inner: folded(inner), starts_open, ends_open }),
            false => Err(BadPattern),
        }
    }

    /// What one of the field's values must be, as typed.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether it lets `holder` in.
    pub fn admits(&self, holder: &Holder) -> bool {
        let inner = self.inner.as_str();
        holder.values(self.field).any(|value| match (self.starts_open, self.ends_open) {
            (false, false) => value == inner,
            (true, false) => value.ends_with(inner),
            (false, true) => value.starts_with(inner),
            (true, true) => value.contains(inner),
        })
    }
}

/// `Organization is Meridian*`
impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.field.label(), self.pattern)
    }
}

/// A pattern without its stars, and whether one stood at its beginning and at its end.
fn inner(pattern: &str) -> (&str, bool, bool) {
    let (rest, starts_open) = pattern.strip_prefix('*').map_or((pattern, false), |rest| (rest, true));
    let (rest, ends_open) = rest.strip_suffix('*').map_or((rest, false), |rest| (rest, true));
    (rest, starts_open, ends_open)
}

/// The form in which values are compared. Spaces at the ends are kept as one, since a star may stand beside them.
fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        if !c.is_whitespace() {
            folded.push(c);
        } else if !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded
}

/// Who holds a certificate, as far as rules may look at it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// In the form in which they are compared.
    values: Vec<(Field, String)>,
}

impl Holder {
    /// The most values that are looked at; a certificate with more is no person's.
    const MAX: usize = 200;

    /// What a certificate says of its holder. A value with a control character in it is none: what it shows is not what
    /// it is.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let mut values = Vec::new();
        for field in Field::ALL {
            match field.attribute() {
                Some((oid, false)) => attributes(certificate.subject(), oid, field, &mut values),
                Some((oid, true)) => attributes(certificate.issuer(), oid, field, &mut values),
                None => {}
            }
        }
        let names = certificate.subject_alternative_name().ok().flatten();
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => values.push((Field::AlternativeDns, (*name).to_owned())),
                GeneralName::RFC822Name(name) => values.push((Field::AlternativeMail, (*name).to_owned())),
                GeneralName::URI(name) => values.push((Field::AlternativeUri, (*name).to_owned())),
                _ => {}
            }
        }
        values.retain(|(_, value)| !value.chars().any(char::is_control));
        values.truncate(Self::MAX);
        Self { values: values.into_iter().map(|(field, value)| (field, folded(value.trim()))).collect() }
    }

    fn values(&self, field: Field) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(own, _)| *own == field).map(|(_, value)| value.as_str())
    }
}

fn attributes(name: &X509Name<'_>, oid: &str, field: Field, values: &mut Vec<(Field, String)>) {
    let is_it = |own: &Oid<'_>| own.to_id_string() == oid;
    let found = name.iter_attributes().filter(|attribute| is_it(attribute.attr_type()));
    values.extend(found.filter_map(|attribute| Some((field, string(attribute.attr_value())?))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(field: Field, value: &str) -> Holder {
        Holder { values: vec![(field, folded(value))] }
    }

    #[test]
    fn a_rule_compares_whole_values_unless_a_star_stands_at_an_end() {
        for (pattern, value, lets_in) in [
            ("Meridian Books", "MERIDIAN  Books", true),
            ("Meridian Books", "Meridian Books Ltd", false),
            ("Meridian*", "Meridian Books Ltd", true),
            ("*@partner.example", "ann@partner.example", true),
            ("*@partner.example", "ann@partner.example.evil.test", false),
            ("*books*", "Meridian Books Ltd", true),
            ("*", "anything", true),
        ] {
            let rule = AllowRule::parse(Field::Organization, pattern).unwrap();
            assert_eq!(rule.admits(&holder(Field::Organization, value)), lets_in, "{pattern} {value}");
            assert!(!rule.admits(&holder(Field::IssuerOrganization, value)), "another field is another field");
        }
        let any = AllowRule::parse(Field::Mail, "*").unwrap();
        assert!(!any.admits(&Holder::default()), "there must be one");
    }

    #[test]
    fn a_star_in_the_middle_and_what_no_field_holds_is_refused() {
        for bad in ["", "  ", "a*b", "a\nb", "***", &"x".repeat(201)] {
            assert_eq!(AllowRule::parse(Field::CommonName, bad), Err(BadPattern), "{bad}");
        }
        assert_eq!(AllowRule::parse(Field::Unit, " Ops ").unwrap().to_string(), "Organizational unit is Ops");
        for field in Field::ALL {
            assert_eq!(Field::parse(field.as_str()), Some(field));
        }
    }
}
