//! The extensions of a certificate, or those that a request asks for.

use std::net::IpAddr;

use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::extensions::{
    DistributionPointName, ExtendedKeyUsage, GeneralName, NameConstraints, ParsedExtension, X509Extension,
};
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer;

use super::facts::{Name, key_usages};
use super::oid::{named, short};
use super::text::{any, hex, shown};
use super::{Facts, Fields, elements};

/// Describes one extension and notes what rules look at.
pub(super) fn describe(extension: &X509Extension<'_>, facts: &mut Facts, fields: &mut Fields) {
    let critical = if extension.critical { ", critical" } else { "" };
    let label = format!("{}{critical}", short(&extension.oid));
    match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => {
            for name in &names.general_names {
                facts.names.push(fact(name));
                fields.add_list(format!("{}{critical}", kind(name)), &general_name(name));
            }
            if names.general_names.is_empty() {
                fields.add(label, "No name");
            }
        }
        ParsedExtension::KeyUsage(usage) => {
            facts.key_usage = Some(usage.flags);
            let names = key_usages(usage.flags);
            fields.add(label, if names.is_empty() { "Nothing" } else { &names });
        }
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let purposes = purposes(usage, extension.value);
            facts.purposes = Some(purposes.iter().map(Oid::to_id_string).collect());
            fields.add(label, &purposes.iter().map(short).collect::<Vec<_>>().join(", "));
        }
        ParsedExtension::BasicConstraints(constraints) => {
            facts.is_ca = constraints.ca;
            let length = constraints.path_len_constraint.map(|length| format!(", at most {length} CAs below it"));
            let value = if constraints.ca { "A CA" } else { "Not a CA" };
            fields.add(label, &format!("{value}{}", length.unwrap_or_default()));
        }
        ParsedExtension::SubjectKeyIdentifier(id) => fields.add_code(label, &hex(id.0)),
        ParsedExtension::AuthorityKeyIdentifier(id) => match &id.key_identifier {
            Some(id) => fields.add_code(label, &hex(id.0)),
            None => fields.add(label, "No key identifier"),
        },
        ParsedExtension::CRLDistributionPoints(points) => {
            for point in points.iter() {
                if let Some(DistributionPointName::FullName(names)) = &point.distribution_point {
                    names.iter().for_each(|name| fields.add_list(label.clone(), &general_name(name)));
                }
            }
        }
        ParsedExtension::AuthorityInfoAccess(access) => {
            for place in access.iter() {
                fields.add_list(short(&place.access_method), &general_name(&place.access_location));
            }
        }
        ParsedExtension::CertificatePolicies(policies) => {
            for policy in policies {
                fields.add_list(label.clone(), &named(&policy.policy_id));
            }
        }
        ParsedExtension::NameConstraints(constraints) => name_constraints(constraints, fields),
        ParsedExtension::SCT(stamps) => fields.add(label, &format!("{} timestamps", stamps.len())),
        ParsedExtension::NsCertComment(comment) => fields.add(label, comment),
        _ => fields.add(label, &by_number(extension, facts)),
    }
}

/// Extensions that the library does not read.
fn by_number(extension: &X509Extension<'_>, facts: &mut Facts) -> String {
    let value = Any::from_der(extension.value).ok().map(|(_, value)| value);
    let decoded = match (extension.oid.to_id_string().as_str(), value) {
        ("1.3.6.1.5.5.7.1.24", Some(features)) => tls_features(&features, facts),
        ("1.3.6.1.4.1.11129.2.4.3", _) => Some("Never to be trusted: a CA sends this to logs only".into()),
        ("1.3.6.1.4.1.311.20.2", Some(name)) => Some(any(&name)),
        ("1.3.6.1.4.1.311.21.7", Some(template)) => template_information(&template),
        _ => None,
    };
    decoded.unwrap_or_else(|| hex(extension.value))
}

/// A SEQUENCE of numbers of TLS extensions (RFC 7633 §4).
fn tls_features(features: &Any<'_>, facts: &mut Facts) -> Option<String> {
    let numbers: Vec<u32> = elements(features.data)?.into_iter().map(|own| own.u32().ok()).collect::<Option<_>>()?;
    facts.must_staple = numbers.contains(&5);
    let name = |number: &u32| match number {
        5 => "status request, 5 (must-staple)".to_string(),
        17 => "multiple status request, 17".to_string(),
        number => number.to_string(),
    };
    Some(numbers.iter().map(name).collect::<Vec<_>>().join(", "))
}

/// The template's number, and its version as major and minor.
fn template_information(template: &Any<'_>) -> Option<String> {
    let parts = elements(template.data)?;
    let (id, versions) = parts.split_first()?;
    let id = id.as_oid().ok()?.to_id_string();
    let versions: Vec<String> =
        versions.iter().map(|own| own.clone().u32().ok().map(|n| n.to_string())).collect::<Option<_>>()?;
    Some(if versions.is_empty() { id } else { format!("{id}, version {}", versions.join(".")) })
}

/// In the order written, which the library does not keep.
fn purposes(usage: &ExtendedKeyUsage<'_>, value: &[u8]) -> Vec<Oid<'static>> {
    let sequence = Any::from_der(value).ok().and_then(|(_, sequence)| elements(sequence.data));
    let written = sequence.map(|parts| parts.into_iter().filter_map(|part| part.oid().ok()).collect::<Vec<_>>());
    let purposes = written.unwrap_or_else(|| usage.other.clone());
    purposes.into_iter().map(|oid| oid.to_owned()).collect()
}

fn name_constraints(constraints: &NameConstraints<'_>, fields: &mut Fields) {
    for (label, trees) in [
        ("Names allowed below this CA", &constraints.permitted_subtrees),
        ("Names forbidden below this CA", &constraints.excluded_subtrees),
    ] {
        for tree in trees.iter().flatten() {
            fields.add_list(label.into(), &general_name(&tree.base));
        }
    }
}

/// What kind of name it is.
fn kind(name: &GeneralName<'_>) -> &'static str {
    match name {
        GeneralName::DNSName(_) => "DNS name",
        GeneralName::IPAddress(_) => "IP address",
        GeneralName::RFC822Name(_) => "Email address",
        GeneralName::URI(_) => "Address (URI)",
        GeneralName::DirectoryName(_) => "Directory name",
        GeneralName::RegisteredID(_) => "Registered identifier",
        GeneralName::Invalid(Tag(2), _) => "DNS name",
        _ => "Other name",
    }
}

fn fact(name: &GeneralName<'_>) -> Name {
    match name {
        GeneralName::DNSName(_) | GeneralName::Invalid(Tag(2), _) => Name::Dns(shown(&general_name(name))),
        GeneralName::IPAddress(bytes) => ip(bytes).map_or(Name::Other("damaged IP address"), Name::Ip),
        GeneralName::RFC822Name(_) => Name::Other("email address"),
        GeneralName::URI(_) => Name::Other("URI"),
        _ => Name::Other("name of another kind"),
    }
}

/// Its value; addresses with their mask where they have one, as in name constraints.
fn general_name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => (*text).into(),
        GeneralName::IPAddress(bytes) => match bytes.split_at_checked(bytes.len() / 2) {
            Some((address, mask)) if matches!(bytes.len(), 8 | 32) => {
                let both = ip(address).zip(ip(mask));
                both.map_or_else(|| hex(bytes), |(address, mask)| format!("{address} with mask {mask}"))
            }
            _ => ip(bytes).map_or_else(|| hex(bytes), |ip| ip.to_string()),
        },
        GeneralName::DirectoryName(name) => name
            .iter_attributes()
            .map(|attribute| format!("{} {}", short(attribute.attr_type()), any(attribute.attr_value())))
            .collect::<Vec<_>>()
            .join(", "),
        GeneralName::RegisteredID(oid) => oid.to_id_string(),
        GeneralName::OtherName(oid, value) => format!("{} {}", oid.to_id_string(), hex(value)),
        GeneralName::Invalid(_, bytes) => String::from_utf8_lossy(bytes).into_owned(),
        GeneralName::X400Address(value) | GeneralName::EDIPartyName(value) => hex(value.data),
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(v6)
}
