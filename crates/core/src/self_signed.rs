//! Server certificates that their own key signs: for tests, and until a CA has answered.

use rcgen::{DnType, IsCa};
use time::{Duration, OffsetDateTime};

use crate::authority::{IssueError, random_serial, start};
use crate::certificate::SubjectName;
use crate::csr::server_params;
use crate::key::PrivateKey;

/// The longest that one may last: ten years, in days.
pub const MAX_DAYS: u16 = 3650;

/// Makes one for `names`, valid from an hour ago for `days`; DER. Its common name is the first name that fits there.
///
/// # Errors
/// [`IssueError`].
pub fn create(names: &[SubjectName], key: &PrivateKey, days: u16, now: OffsetDateTime) -> Result<Vec<u8>, IssueError> {
    let mut params = server_params(names, key.kind().is_rsa())?;
    if let Some(first) = names.iter().map(ToString::to_string).find(|name| name.len() <= 64) {
        params.distinguished_name.push(DnType::CommonName, first);
    }
    params.is_ca = IsCa::ExplicitNoCa;
    params.serial_number = Some(random_serial()?);
    params.not_before = start(now);
    params.not_after = params.not_before + Duration::days(i64::from(days.clamp(1, MAX_DAYS)));
    Ok(params.self_signed(key.pair())?.der().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::X509;
    use crate::intake::pem;
    use crate::key::KeyKind;
    use crate::testing_ca::openssl;

    #[test]
    fn openssl_reads_a_server_certificate_signed_by_its_own_key() {
        for kind in [KeyKind::EcdsaP256, KeyKind::Rsa2048] {
            let key = PrivateKey::generate(kind).unwrap();
            let names = ["shop.example", "*.shop.example", "192.0.2.7"].map(|name| SubjectName::parse(name).unwrap());
            let now = OffsetDateTime::now_utc();
            let der = create(&names, &key, 30, now).unwrap();
            let leaf = X509::parse(&der).unwrap();
            assert!(leaf.is_self_signed && !leaf.is_ca);
            assert_eq!((leaf.subject.as_str(), leaf.key_id), ("shop.example", key.id()));
            assert_eq!((leaf.not_after - leaf.not_before).whole_days(), 30);
            let text = openssl(&["x509", "-noout", "-text"], pem::encode("CERTIFICATE", &der).as_bytes());
            let text = String::from_utf8(text).unwrap();
            for expected in [
                "CA:FALSE",
                "TLS Web Server Authentication",
                "DNS:shop.example, DNS:*.shop.example, IP Address:192.0.2.7",
            ] {
                assert!(text.contains(expected), "{text}");
            }
        }
    }
}
