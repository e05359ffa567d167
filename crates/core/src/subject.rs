//! Who a certificate is for: the answers of the request wizard.

use serde::{Deserialize, Serialize};

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
    /// Reads the wizard's answers.
    ///
    /// # Errors
    /// Every answer that can't stand, in the order of the fields.
    pub fn parse(answers: &SubjectAnswers) -> Result<Self, Vec<SubjectError>> {
        let _ = answers;
        todo!()
    }
}
