//! The answers with which a certificate would have been requested here.

use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::SubjectAnswers;
use crate::certificate::SubjectName;
use crate::chain::X509;
use crate::chain::x509::text;

impl SubjectAnswers {
    /// Those of a certificate: its subject and its alternative names. A common name that is no host name, as old CAs
    /// wrote it, gives way to the first alternative name. What stands there may still be refused by
    /// [`Subject::parse`](super::Subject::parse).
    pub fn of_leaf(leaf: &X509) -> Self {
        let Ok((_, parsed)) = X509Certificate::from_der(&leaf.der) else { return Self::default() };
        let subject = parsed.subject();
        let named = first(subject.iter_common_name()).filter(|name| SubjectName::parse(name).is_ok());
        let common_name = named.or_else(|| leaf.names.first().map(SubjectName::unicode)).unwrap_or_default();
        let others = leaf.names.iter().filter(|name| name.to_string() != common_name && name.unicode() != common_name);
        Self {
            organization: first(subject.iter_organization()).unwrap_or_default(),
            organizational_unit: first(subject.iter_organizational_unit()).unwrap_or_default(),
            locality: first(subject.iter_locality()).unwrap_or_default(),
            state: first(subject.iter_state_or_province()).unwrap_or_default(),
            country: country(subject).unwrap_or_default(),
            names: others.map(SubjectName::unicode).collect::<Vec<_>>().join("\n"),
            common_name,
        }
    }
}

fn first<'a>(mut attributes: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>) -> Option<String> {
    attributes.find_map(text)
}

fn country(subject: &X509Name<'_>) -> Option<String> {
    subject.iter_country().find_map(text)
}

#[cfg(test)]
mod tests {
    use super::super::Subject;
    use super::*;
    use crate::csr;
    use crate::key::{KeyKind, PrivateKey};
    use crate::testing_ca::{TestCa, openssl};

    #[test]
    fn a_certificate_gives_back_the_answers_it_was_requested_with() {
        let answers = SubjectAnswers {
            common_name: "bücher.example".into(),
            organization: "Bücher & Söhne".into(),
            organizational_unit: "Web team".into(),
            locality: "Zürich".into(),
            state: "ZH".into(),
            country: "CH".into(),
            names: "*.bücher.example\n192.0.2.7\n2001:db8::1".into(),
        };
        let subject = Subject::parse(&answers).unwrap();
        let csr = csr::sign(&subject, &PrivateKey::generate(KeyKind::EcdsaP256).unwrap()).unwrap();
        let leaf = X509::parse(&TestCa::new().sign_now(&csr)).unwrap();
        assert_eq!(Subject::parse(&SubjectAnswers::of_leaf(&leaf)).unwrap(), subject);
    }

    #[test]
    fn a_common_name_in_words_gives_way_to_the_first_alternative_name() {
        let arguments = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout"];
        let more = ["/dev/null", "-subj", "/CN=The Shop", "-addext", "subjectAltName=DNS:shop.example,DNS:b.example"];
        let pem = openssl(&[&arguments[..], &more, &["-outform", "DER"]].concat(), b"");
        let answers = SubjectAnswers::of_leaf(&X509::parse(&pem).unwrap());
        assert_eq!((answers.common_name.as_str(), answers.names.as_str()), ("shop.example", "b.example"));
    }
}
