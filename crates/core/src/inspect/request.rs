//! A PKCS#10 request (RFC 2986), taken apart by hand: one odd attribute must not hide the rest.

use x509_parser::asn1_rs::{BitString, Tag};
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo, X509Name};

use super::signature::Algorithm;
use super::text::hex;
use super::{Facts, Fields, Inspected, Kind, attributes, key, only, slices, subject, summary};

/// Reads one request, or nothing where it is none.
pub(super) fn read(der: &[u8]) -> Option<Inspected> {
    let outer = only(der).filter(|outer| outer.tag() == Tag::Sequence)?;
    let [info, algorithm, signature] = slices(outer.data)?[..] else { return None };
    let parts = slices(only(info)?.data)?;
    let [version, name, public, wanted @ ..] = parts.as_slice() else { return None };
    let (_, name) = X509Name::from_der(name).ok()?;
    let (_, public) = SubjectPublicKeyInfo::from_der(public).ok()?;
    let (_, algorithm) = AlgorithmIdentifier::from_der(algorithm).ok()?;
    let (_, signature) = BitString::from_der(signature).ok()?;

    let mut facts = Facts::of(Kind::Request);
    let mut fields = Fields::new("Subject");
    subject::describe(&name, &mut fields);
    subject::note(&name, &mut facts);
    let key = key::describe(&public, &mut fields);

    fields.section = "Attributes";
    let version = only(version)?.u32().ok()?;
    fields.add("Version", &(u64::from(version) + 1).to_string());
    for attribute in
        wanted.iter().filter_map(|wanted| only(wanted)).filter_map(|set| super::elements(set.data)).flatten()
    {
        attributes::describe(&attribute, &mut facts, &mut fields);
    }

    let made_with = Algorithm::read(&algorithm);
    facts.hash = made_with.hash();
    facts.holds = made_with.holds(&key, &public.subject_public_key.data, &signature.data, info);
    facts.key = Some(key);
    fields.section = "Signature";
    fields.add("Algorithm", &made_with.label(&algorithm));
    fields.add_code("Value", &hex(&signature.data));
    fields.add(
        "Holds",
        match facts.holds {
            Some(true) => "Yes: whoever made the request has its private key",
            Some(false) => "No: the request was changed after it was signed, or another key signed it",
            None => "Can’t be checked here: this algorithm or key is too weak or not known",
        },
    );
    Some(Inspected { kind: Kind::Request, summary: summary(&facts), fields: fields.by_section(), facts })
}
