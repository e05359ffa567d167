//! The attributes of a request (RFC 2986 §4.1), including those that Microsoft's programs write.

use x509_parser::asn1_rs::{Any, Oid};
use x509_parser::extensions::X509Extension;
use x509_parser::prelude::FromDer;

use super::oid::{named, short};
use super::text::{any, hex, string};
use super::{Facts, Fields, elements, extensions};

/// Describes one attribute, a SEQUENCE of its type and a SET of values.
pub(super) fn describe(attribute: &Any<'_>, facts: &mut Facts, fields: &mut Fields) {
    let parts = elements(attribute.data).unwrap_or_default();
    let [kind, values] = parts.as_slice() else {
        return fields.add("Damaged attribute", &hex(attribute.data));
    };
    let (Ok(kind), Some(values)) = (kind.as_oid(), elements(values.data)) else {
        return fields.add("Damaged attribute", &hex(attribute.data));
    };
    if values.is_empty() {
        return fields.add(short(&kind), "No value");
    }
    for value in &values {
        describe_value(&kind, value, facts, fields);
    }
}

fn describe_value(kind: &Oid<'_>, value: &Any<'_>, facts: &mut Facts, fields: &mut Fields) {
    match kind.to_id_string().as_str() {
        "1.2.840.113549.1.9.7" => fields.add(short(kind), "There is one. It is a secret and is not shown."),
        "1.2.840.113549.1.9.14" | "1.3.6.1.4.1.311.2.1.14" => requested(kind, value, facts, fields),
        "1.3.6.1.4.1.311.13.2.2" => enrolment_csp(kind, value, fields),
        "1.3.6.1.4.1.311.13.2.1" => name_and_value(kind, value, fields),
        "1.3.6.1.4.1.311.21.20" => client_information(kind, value, fields),
        _ => fields.add(named(kind), &any(value)),
    }
}

/// The extensions asked for, in either attribute (RFC 2985 §5.4.2).
fn requested(kind: &Oid<'_>, value: &Any<'_>, facts: &mut Facts, fields: &mut Fields) {
    let mut rest = value.data;
    let mut extensions = Vec::new();
    while let Ok((after, extension)) = X509Extension::from_der(rest) {
        extensions.push(extension);
        rest = after;
    }
    let count = extensions.len();
    let damaged = if rest.is_empty() { "" } else { ", then something damaged" };
    fields.add(named(kind), &format!("{count} extension{}{damaged}", if count == 1 { "" } else { "s" }));
    let section = std::mem::replace(&mut fields.section, "Requested extensions");
    extensions.iter().for_each(|extension| extensions::describe(extension, facts, fields));
    fields.section = section;
}

/// Which program made the key: a number for its use, the program's name, and its signature, unused by all.
fn enrolment_csp(kind: &Oid<'_>, value: &Any<'_>, fields: &mut Fields) {
    let parts = elements(value.data).unwrap_or_default();
    let [key_use, provider, signature] = parts.as_slice() else {
        return fields.add(named(kind), &hex(value.data));
    };
    let key_use = match key_use.data {
        [0] => "0, none".into(),
        [1] => "1, key exchange".into(),
        [2] => "2, signature".into(),
        other => hex(other),
    };
    fields.add(named(kind), "Which program made the key");
    fields.add("Key specification", &key_use);
    fields.add("Provider", &any(provider));
    fields.add_code("Signature of the provider", &hex(signature.data.get(1..).unwrap_or_default()));
}

fn name_and_value(kind: &Oid<'_>, value: &Any<'_>, fields: &mut Fields) {
    let parts = elements(value.data).unwrap_or_default();
    let texts: Vec<String> = parts.iter().filter_map(string).collect();
    match texts.as_slice() {
        [name, value] => {
            fields.add(named(kind), name);
            fields.add("Its value", value);
        }
        _ => fields.add(named(kind), &hex(value.data)),
    }
}

/// Which computer, person and program wrote the request.
fn client_information(kind: &Oid<'_>, value: &Any<'_>, fields: &mut Fields) {
    let parts = elements(value.data).unwrap_or_default();
    let [client, names @ ..] = parts.as_slice() else {
        return fields.add(named(kind), &hex(value.data));
    };
    let client = client.clone().u32().map_or_else(|_| hex(client.data), |number| number.to_string());
    fields.add(named(kind), &format!("Client {client}"));
    for (label, name) in ["Computer", "User", "Program"].into_iter().zip(names) {
        fields.add(label, &any(name));
    }
}
