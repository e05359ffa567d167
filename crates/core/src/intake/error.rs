//! Why something can't be read, in sentences for the person who brought it.

/// Why a file or a pasted text can't be read. Each message is a sentence for the person who brought it, and says what to
/// do; none of them holds anything of the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Nothing but white space.
    #[error("The reply is empty. Paste the certificate the CA sent, with its BEGIN and END lines.")]
    Empty,
    /// Over [`MAX_REPLY`](super::MAX_REPLY).
    #[error("The reply is larger than 1 MiB. A CA's reply is a few KiB; check that this is the right file.")]
    TooLarge,
    /// Over [`MAX_CERTIFICATES`](super::MAX_CERTIFICATES).
    #[error("There are more than 100 certificates in this. Bring only the site's certificate and its issuers.")]
    TooMany,
    /// One certificate is over [`X509::MAX_LEN`](crate::chain::X509::MAX_LEN).
    #[error("One certificate in this is larger than 64 KiB, which no browser takes. Ask the CA for a smaller one.")]
    CertificateTooLarge,
    /// A PKCS#10 request.
    #[error("This is a certificate request, not a certificate. Bring what the CA sent back for it.")]
    Request,
    /// A private key, with or without certificates, where only a reply is expected.
    #[error(
        "There is a private key in this. The key of a request is already here: leave it out, and never send a key anywhere."
    )]
    PrivateKey,
    /// A web page.
    #[error("This is a web page, not a certificate. Sign in at the CA and download the certificate itself.")]
    WebPage,
    /// PKCS#7 (RFC 5652) without certificates: a signature alone, or an encrypted message.
    #[error("This PKCS#7 file holds no certificate. Ask the CA for the certificate in PEM.")]
    Pkcs7,
    /// PKCS#12, as `.pfx` and `.p12` files hold it, where only a reply is expected.
    #[error("This is PKCS#12 (.pfx), which is not read yet. Bring the certificate in PEM, without its key.")]
    Pkcs12,
    /// A ZIP archive that is damaged, encrypted, in another archive, or packed in a way other than deflate.
    #[error("This ZIP archive can't be opened here. Unpack it, and bring the files that are inside.")]
    Archive,
    /// A ZIP archive over its limits.
    #[error("This ZIP archive holds more than 50 files or 10 MiB. Unpack it, and bring only the certificates.")]
    ArchiveTooLarge,
    /// A BEGIN line without its END line, or the other way round.
    #[error("The text is cut off: a BEGIN line and its END line must both be there. Copy it again, from BEGIN to END.")]
    Truncated,
    /// The text between BEGIN and END is no base64.
    #[error("The text between BEGIN and END is damaged. Copy it again, or bring the file itself.")]
    Base64,
    /// It starts like a certificate but is none.
    #[error("A certificate in this is damaged and can't be read. Download it from the CA again.")]
    Damaged,
    /// An X.509 certificate before version 3, which has no alternative names.
    #[error("A certificate in this is of an old version that browsers refuse. Ask the CA for X.509 version 3.")]
    OldVersion,
    /// None of the above.
    #[error(
        "There is no certificate in this. Paste the text from BEGIN CERTIFICATE to END CERTIFICATE, or bring the file."
    )]
    NothingFound,
}
