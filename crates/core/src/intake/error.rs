//! Why something can't be read, in sentences for the person who brought it.

/// Why a file or a pasted text can't be read. Each message is a sentence for the person who brought it, and says what to
/// do; none of them holds anything of the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// Nothing but white space.
    #[error("This is empty. Paste the certificate the CA sent, with its BEGIN and END lines.")]
    Empty,
    /// Over [`MAX_REPLY`](super::MAX_REPLY).
    #[error("This is larger than 1 MiB. A certificate is a few KiB; check that this is the right file.")]
    TooLarge,
    /// Over [`MAX_CERTIFICATES`](super::MAX_CERTIFICATES), keys counted too, or more than [`MAX_FILES`](super::MAX_FILES).
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
    #[error(
        "This is PKCS#12 (.pfx), which holds a private key. The key of a request is already here: bring the certificate alone, as the CA sent it."
    )]
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
    /// It starts like a certificate, or a file of them, but can't be read to its end.
    #[error(
        "This is damaged: it starts like a certificate or a file of them, and can't be read to its end. Download it once more."
    )]
    Damaged,
    /// A certificate has one extension twice (RFC 5280 §4.2 forbids it).
    #[error(
        "A certificate in this has the same extension twice, so programs disagree on what it says. Ask the CA for a new certificate."
    )]
    ExtensionTwice,
    /// An alternative name holds a NUL or another control character.
    #[error(
        "A name in this certificate holds an invisible control character, with which clients have been deceived. Ask the CA for a new certificate."
    )]
    ControlInName,
    /// An X.509 certificate before version 3, which has no alternative names.
    #[error("A certificate in this is of an old version that browsers refuse. Ask the CA for X.509 version 3.")]
    OldVersion,
    /// None of the above.
    #[error(
        "There is no certificate in this. Paste the text from BEGIN CERTIFICATE to END CERTIFICATE, or bring the file."
    )]
    NothingFound,
    /// It is encrypted, and no password was given.
    #[error("This is protected by a password. Type the password that it was saved with.")]
    PasswordNeeded,
    /// The MAC or the padding shows that the password is another.
    #[error("The password does not open this. Type it again, and mind capitals and the language of the keyboard.")]
    WrongPassword,
    /// A cipher, a derivation or a MAC that is not read, by name.
    #[error("This is protected with {0}, which is not read here. Export it again with AES-256, and bring that.")]
    UnsupportedCipher(String),
    /// The password would have to be hashed too often, which a forged file asks for to keep a server busy.
    #[error(
        "This asks for its password to be hashed more than two million times, which no honest program does. Export it again."
    )]
    TooManyIterations,
    /// A PFX whose content nothing protects against changes.
    #[error(
        "This PKCS#12 file has no integrity check (MAC), so nobody can tell whether it was changed. Export it again with one."
    )]
    NoMac,
    /// An RSA key of fewer than 2048 bits; its bits.
    #[error(
        "The private key is RSA with {0} bits. Browsers refuse fewer than 2048: request a certificate with a new key."
    )]
    WeakKey(usize),
    /// A kind of key that browsers refuse in a certificate, or that Siteward can't serve, by name.
    #[error(
        "The private key is of the kind {0}, which can't be used for a web site here. Use RSA with 2048, 3072 or 4096 bits, or ECDSA on P-256 or P-384."
    )]
    UnsupportedKey(String),
    /// A private key whose parts can't be read or do not belong together.
    #[error(
        "The private key in this is damaged: its parts do not fit each other. Export it again from where it was made."
    )]
    KeyDamaged,
    /// A key for SSH, of OpenSSH or PuTTY.
    #[error(
        "This is a key for SSH, which is no key for a web site. Bring the key that the certificate was requested with."
    )]
    OpenSsh,
    /// A Java key store before PKCS#12.
    #[error(
        "This is a Java key store (JKS). Convert it: keytool -importkeystore -deststoretype pkcs12, and bring the new file."
    )]
    Jks,
}
