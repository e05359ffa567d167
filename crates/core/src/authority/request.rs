//! What an authority takes from a request: its key, subject and names, and nothing else.

use rcgen::{DistinguishedName, DnType, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry as oid;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::IssueError;
use crate::certificate::SubjectName;
use crate::chain::x509::{matchable, text};
use crate::csr::country;
use crate::inspect;

/// A request whose own signature holds, by hand-picked fields.
#[derive(Debug, Clone)]
pub struct Requested {
    /// One value of each kind that a certificate's subject has, in the request's order.
    pub(super) subject: DistinguishedName,
    /// The names of hosts: the alternative names that can be matched, or else the common name.
    pub names: Vec<SubjectName>,
    /// The e-mail addresses among the alternative names.
    pub mails: Vec<String>,
    pub(super) key: SubjectPublicKeyInfo,
    pub(super) is_rsa: bool,
    /// What it asked for besides and does not get, in words.
    pub dropped: Vec<String>,
}

/// The most alternative names of one request; public CAs take 100.
const MAX_NAMES: usize = 1000;

/// The most dropped things that are listed.
const MAX_DROPPED: usize = 50;

impl Requested {
    /// Reads a request, DER.
    ///
    /// # Errors
    /// [`IssueError`] where it can't be read, or its signature does not hold or can't be checked.
    pub fn read(csr: &[u8]) -> Result<Self, IssueError> {
        let unreadable = || IssueError("the request can’t be read.".into());
        let (rest, request) = X509CertificationRequest::from_der(csr).map_err(|_| unreadable())?;
        let inspected = inspect::read(csr).map_err(|_| unreadable())?;
        if !rest.is_empty() || inspected.len() != 1 {
            return Err(unreadable());
        }
        match inspected[0].facts.holds {
            Some(true) => {}
            Some(false) => return Err(IssueError("the request’s own signature does not hold.".into())),
            None => {
                return Err(IssueError(
                    "the request’s own signature can’t be checked: its key or algorithm is too weak or not known."
                        .into(),
                ));
            }
        }
        if inspected[0].facts.names.len() > MAX_NAMES {
            return Err(IssueError(format!("the request has more than {MAX_NAMES} names.")));
        }
        let info = &request.certification_request_info;
        let key = SubjectPublicKeyInfo::from_der(info.subject_pki.raw)
            .map_err(|_| IssueError("no certificate can be made for a key of this kind.".into()))?;
        let is_rsa = info.subject_pki.algorithm.algorithm == oid::OID_PKCS1_RSAENCRYPTION;
        let mut read = Self {
            subject: DistinguishedName::new(),
            names: Vec::new(),
            mails: Vec::new(),
            key,
            is_rsa,
            dropped: Vec::new(),
        };
        read.take_attributes(&request);
        read.take_subject(&info.subject)?;
        if read.names.is_empty() {
            let common = info.subject.iter_common_name().filter_map(text);
            read.names.extend(common.filter_map(|name| SubjectName::parse(&name).ok()).take(1));
        }
        Ok(read)
    }

    /// The attributes, of which the alternative names are taken.
    fn take_attributes(&mut self, request: &X509CertificationRequest<'_>) {
        for attribute in request.certification_request_info.iter_attributes() {
            let parsed = attribute.parsed_attribute();
            let x509_parser::cri_attributes::ParsedCriAttribute::ExtensionRequest(asked) = parsed else {
                self.drop(inspect::named(&attribute.oid));
                continue;
            };
            for extension in &asked.extensions {
                self.take_extension(extension);
            }
        }
    }

    fn take_extension(&mut self, extension: &X509Extension<'_>) {
        let ParsedExtension::SubjectAlternativeName(alternative) = extension.parsed_extension() else {
            return self.drop(inspect::named(&extension.oid));
        };
        for name in &alternative.general_names {
            match (matchable(name), name) {
                (Some(name), _) if !self.names.contains(&name) => self.names.push(name),
                (Some(_), _) => {}
                (None, GeneralName::RFC822Name(mail)) if is_mail(mail) => self.mails.push((*mail).to_owned()),
                (None, name) => self.drop(format!("Alternative name {}", inspect::shortened(&name.to_string(), 80))),
            }
        }
    }

    fn take_subject(&mut self, subject: &X509Name<'_>) -> Result<(), IssueError> {
        let kinds = [
            (oid::OID_X509_COUNTRY_NAME, DnType::CountryName),
            (oid::OID_X509_STATE_OR_PROVINCE_NAME, DnType::StateOrProvinceName),
            (oid::OID_X509_LOCALITY_NAME, DnType::LocalityName),
            (oid::OID_X509_ORGANIZATION_NAME, DnType::OrganizationName),
            (oid::OID_X509_ORGANIZATIONAL_UNIT, DnType::OrganizationalUnitName),
            (oid::OID_X509_COMMON_NAME, DnType::CommonName),
        ];
        for attribute in subject.iter_attributes() {
            let known = kinds.iter().find(|(own, _)| own == attribute.attr_type());
            match (known, text(attribute)) {
                (Some((_, kind)), Some(value)) if self.subject.get(kind).is_none() => {
                    let value = if *kind == DnType::CountryName { country(&value)? } else { value.into() };
                    self.subject.push(kind.clone(), value);
                }
                _ => self.drop(format!("Subject: {}", inspect::named(attribute.attr_type()))),
            }
        }
        Ok(())
    }

    fn drop(&mut self, what: String) {
        if self.dropped.len() < MAX_DROPPED {
            self.dropped.push(what);
        }
    }
}

/// A mail address as certificates hold it: printable ASCII around one `@`.
pub fn is_mail(text: &str) -> bool {
    let parts = text.split_once('@').filter(|(user, host)| !user.is_empty() && !host.is_empty());
    parts.is_some_and(|(_, host)| !host.contains('@'))
        && text.len() <= 255
        && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What a server's request asks for, and its public key.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn read_request(csr: &[u8]) -> Result<(rcgen::CertificateParams, SubjectPublicKeyInfo), IssueError> {
    let read = Requested::read(csr)?;
    let mut params = crate::csr::server_params(&read.names, read.is_rsa)?;
    params.distinguished_name = read.subject;
    Ok((params, read.key))
}
