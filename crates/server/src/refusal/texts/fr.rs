//! In French.

use super::{SecureChannel, Text, Texts};

pub(in crate::refusal) static TEXTS: Texts = Texts {
    tag: "fr",
    reference: "Référence",
    secure_channel: SecureChannel {
        title: "Utilisez https:// pour cette page",
        text: Text {
            heading: "Cette page demande une connexion sécurisée",
            sentence: "Elle ne s’affiche que par une connexion sécurisée. Votre demande est arrivée par http://, où d’autres \
                 peuvent la lire en chemin. Écrivez https:// au début de l’adresse.",
        },
        before_link: "Elle ne s’affiche que par une connexion sécurisée. Votre demande est arrivée par http://, où d’autres \
             peuvent la lire en chemin. Écrivez https:// au début de l’adresse, ou suivez ce lien\u{a0}:",
        after_link: "Avez-vous suivi un favori ou un lien\u{a0}? Remplacez-y aussi http:// par https://.",
    },
    moved: Text {
        heading: "Cette page a une adresse sécurisée",
        sentence: "Votre navigateur s’y rend de lui-même, ou suivez ce lien\u{a0}:",
    },
    tls_too_old: Text {
        heading: "Cette page demande une connexion sécurisée plus récente",
        sentence: "Elle ne s’affiche que par TLS 1.3. Les navigateurs et programmes actuels en sont capables.",
    },
    cipher_too_weak: Text {
        heading: "Cette page demande un chiffrement plus fort",
        sentence: "Elle ne s’affiche qu’avec un chiffrement à 256\u{a0}bits, AES-256 ou ChaCha20. Les navigateurs et \
             programmes actuels en sont capables.",
    },
    not_post_quantum: Text {
        heading: "Cette page demande un chiffrement plus fort",
        sentence: "Elle ne s’affiche que si les clés sont convenues avec ML-KEM, qui résiste aux ordinateurs quantiques. Les \
             navigateurs et programmes actuels en sont capables.",
    },
    certificate_required: Text {
        heading: "Cette page demande un certificat client",
        sentence: "Votre navigateur n’en a pas envoyé. Installez celui qui vous a été remis, fermez le navigateur, puis \
             ouvrez de nouveau la page.",
    },
    certificate_not_allowed: Text {
        heading: "Votre certificat client n’ouvre pas cette page",
        sentence: "Il est authentique, mais son titulaire ne fait pas partie des personnes qui peuvent voir cette page.",
    },
    certificate_revoked: Text {
        heading: "Votre certificat client a été révoqué",
        sentence: "Demandez-en un nouveau à qui l’a délivré.",
    },
    certificate_untrusted: Text {
        heading: "Votre certificat client n’est pas reconnu ici",
        sentence: "Il n’a pas été délivré pour ce site, ou il est endommagé. Choisissez-en un autre, ou demandez-en un.",
    },
    certificate_out_of_date: Text {
        heading: "Votre certificat client n’est pas valable en ce moment",
        sentence: "Il a expiré, ou n’est pas encore valable. Vérifiez l’horloge de votre ordinateur, ou demandez un nouveau \
             certificat.",
    },
    host_missing: Text {
        heading: "Cette demande ne peut pas recevoir de réponse",
        sentence: "Elle ne dit pas à quel hôte elle s’adresse.",
    },
    several_hosts: Text {
        heading: "Cette demande ne peut pas recevoir de réponse",
        sentence: "Elle nomme plus d’un hôte.",
    },
    host_unreadable: Text {
        heading: "Cette demande ne peut pas recevoir de réponse",
        sentence: "L’hôte auquel elle s’adresse est illisible.",
    },
    path_unreadable: Text {
        heading: "Cette demande ne peut pas recevoir de réponse",
        sentence: "Le chemin de cette adresse est illisible.",
    },
    no_site: Text {
        heading: "Il n’y a pas de site à cette adresse",
        sentence: "Vérifiez l’orthographe du nom d’hôte.",
    },
    no_page: Text {
        heading: "Il n’y a pas de page à cette adresse",
        sentence: "Elle a peut-être été déplacée, ou l’adresse est mal orthographiée.",
    },
    method: Text {
        heading: "Rien ne peut être envoyé ici",
        sentence: "Les pages à cette adresse peuvent seulement être lues.",
    },
    misdirected: Text {
        heading: "Cette page relève d’une autre connexion",
        sentence: "Ouvrez de nouveau l’adresse, au besoin dans une nouvelle fenêtre.",
    },
    unreadable: Text { heading: "Cette page ne peut pas être lue", sentence: "Réessayez plus tard." },
    stopped: Text { heading: "Ce site est fermé pour le moment", sentence: "Réessayez plus tard." },
    busy: Text { heading: "Trop d’envois sont en cours", sentence: "Réessayez dans un instant." },
};
