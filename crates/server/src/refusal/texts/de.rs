//! In German.

use super::{SecureChannel, Text, Texts};

pub(in crate::refusal) static TEXTS: Texts = Texts {
    tag: "de",
    reference: "Referenz",
    secure_channel: SecureChannel {
        title: "Für diese Seite bitte https:// verwenden",
        text: Text {
            heading: "Diese Seite braucht eine sichere Verbindung",
            sentence: "Sie lässt sich nur über eine verschlüsselte Verbindung ansehen. Ihre Anfrage kam über http://, wo andere \
                 unterwegs mitlesen können. Schreiben Sie https:// an den Anfang der Adresse.",
        },
        before_link: "Sie lässt sich nur über eine verschlüsselte Verbindung ansehen. Ihre Anfrage kam über http://, wo andere \
             unterwegs mitlesen können. Schreiben Sie https:// an den Anfang der Adresse, oder folgen Sie diesem Link:",
        after_link: "Kamen Sie über ein Lesezeichen oder einen Link? Ändern Sie auch dort http:// in https://.",
    },
    moved: Text {
        heading: "Diese Seite hat eine sichere Adresse",
        sentence: "Ihr Browser geht von selbst dorthin, oder folgen Sie diesem Link:",
    },
    tls_too_old: Text {
        heading: "Diese Seite braucht eine neuere Art der sicheren Verbindung",
        sentence: "Sie wird nur über TLS 1.3 gezeigt. Aktuelle Browser und Programme können das.",
    },
    cipher_too_weak: Text {
        heading: "Diese Seite braucht eine stärkere Verschlüsselung",
        sentence: "Sie wird nur mit 256-Bit-Verschlüsselung gezeigt, also mit AES-256 oder ChaCha20. Aktuelle Browser und \
             Programme können das.",
    },
    not_post_quantum: Text {
        heading: "Diese Seite braucht eine stärkere Verschlüsselung",
        sentence: "Sie wird nur gezeigt, wenn die Schlüssel mit ML-KEM vereinbart werden, das auch Quantencomputern \
             standhält. Aktuelle Browser und Programme können das.",
    },
    certificate_required: Text {
        heading: "Diese Seite braucht ein Client-Zertifikat",
        sentence: "Ihr Browser hat keines gesendet. Installieren Sie das Zertifikat, das Sie erhalten haben, schließen Sie \
             den Browser, und öffnen Sie die Seite noch einmal.",
    },
    certificate_not_allowed: Text {
        heading: "Ihr Client-Zertifikat öffnet diese Seite nicht",
        sentence: "Es ist echt, gehört aber niemandem, der diese Seite sehen darf.",
    },
    certificate_revoked: Text {
        heading: "Ihr Client-Zertifikat wurde widerrufen",
        sentence: "Bitten Sie die Stelle, die es ausgestellt hat, um ein neues.",
    },
    certificate_untrusted: Text {
        heading: "Ihrem Client-Zertifikat wird hier nicht vertraut",
        sentence: "Es wurde nicht für diese Website ausgestellt, oder es ist beschädigt. Wählen Sie ein anderes, oder bitten \
             Sie um eines.",
    },
    certificate_out_of_date: Text {
        heading: "Ihr Client-Zertifikat ist zurzeit nicht gültig",
        sentence: "Es ist abgelaufen, oder es gilt noch nicht. Prüfen Sie die Uhr Ihres Computers, oder bitten Sie um ein \
             neues.",
    },
    host_missing: Text {
        heading: "Diese Anfrage lässt sich nicht beantworten",
        sentence: "Sie sagt nicht, für welchen Host sie bestimmt ist.",
    },
    several_hosts: Text {
        heading: "Diese Anfrage lässt sich nicht beantworten",
        sentence: "Sie nennt mehr als einen Host.",
    },
    host_unreadable: Text {
        heading: "Diese Anfrage lässt sich nicht beantworten",
        sentence: "Der Host, für den sie bestimmt ist, lässt sich nicht lesen.",
    },
    path_unreadable: Text {
        heading: "Diese Anfrage lässt sich nicht beantworten",
        sentence: "Der Pfad dieser Adresse lässt sich nicht lesen.",
    },
    no_site: Text {
        heading: "Unter dieser Adresse gibt es keine Website",
        sentence: "Prüfen Sie, ob der Hostname richtig geschrieben ist.",
    },
    no_page: Text {
        heading: "Unter dieser Adresse gibt es keine Seite",
        sentence: "Sie ist vielleicht umgezogen, oder die Adresse ist falsch geschrieben.",
    },
    method: Text {
        heading: "Hierhin lässt sich nichts senden",
        sentence: "Seiten unter dieser Adresse kann man nur lesen.",
    },
    misdirected: Text {
        heading: "Diese Seite gehört zu einer anderen Verbindung",
        sentence: "Öffnen Sie die Adresse noch einmal, nötigenfalls in einem neuen Fenster.",
    },
    unreadable: Text {
        heading: "Diese Seite lässt sich nicht lesen",
        sentence: "Versuchen Sie es später noch einmal.",
    },
    stopped: Text {
        heading: "Diese Website ist vorübergehend geschlossen",
        sentence: "Versuchen Sie es später noch einmal.",
    },
    busy: Text { heading: "Zurzeit wird zu viel gesendet", sentence: "Versuchen Sie es gleich noch einmal." },
};
