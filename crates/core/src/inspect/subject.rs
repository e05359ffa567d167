//! The names of a subject or an issuer.

use x509_parser::asn1_rs::Any;
use x509_parser::x509::X509Name;

use super::oid::short;
use super::text::{any, shown, string, unusual_type};
use super::{Facts, Fields};

/// Every attribute in the order written; one at the same level as the last is marked with a plus.
pub(super) fn describe(name: &X509Name<'_>, fields: &mut Fields) {
    for level in name.iter() {
        for (i, attribute) in level.iter().enumerate() {
            let value = attribute.attr_value();
            let mut label = short(attribute.attr_type());
            if i > 0 {
                label.insert_str(0, "+ ");
            }
            if let Some(kind) = unusual_type(value) {
                label.push_str(&format!(", as {kind}"));
            }
            fields.add(label, &any(value));
        }
    }
}

/// The common names and organizational units among them.
pub(super) fn note(name: &X509Name<'_>, facts: &mut Facts) {
    let text = |value: &Any<'_>| string(value).map(|text| shown(&text));
    for attribute in name.iter_attributes() {
        match attribute.attr_type().to_id_string().as_str() {
            "2.5.4.3" => facts.common_names.extend(text(attribute.attr_value())),
            "2.5.4.11" => facts.units.extend(text(attribute.attr_value())),
            _ => {}
        }
    }
}
