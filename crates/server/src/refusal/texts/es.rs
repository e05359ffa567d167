//! In Spanish.

use super::{SecureChannel, Text, Texts};

pub(in crate::refusal) static TEXTS: Texts = Texts {
    tag: "es",
    reference: "Referencia",
    secure_channel: SecureChannel {
        title: "Use https:// para esta página",
        text: Text {
            heading: "Esta página necesita una conexión segura",
            sentence: "Solo se muestra a través de una conexión segura. Su solicitud llegó por http://, donde otros pueden leerla \
                 por el camino. Escriba https:// al principio de la dirección.",
        },
        before_link: "Solo se muestra a través de una conexión segura. Su solicitud llegó por http://, donde otros pueden leerla \
             por el camino. Escriba https:// al principio de la dirección o siga este enlace:",
        after_link: "¿Usó un marcador o un enlace? Cambie también allí http:// por https://.",
    },
    moved: Text {
        heading: "Esta página tiene una dirección segura",
        sentence: "Su navegador va allí por sí mismo; si no, siga este enlace:",
    },
    tls_too_old: Text {
        heading: "Esta página necesita una conexión segura más reciente",
        sentence: "Solo se muestra mediante TLS 1.3. Los navegadores y programas actuales lo admiten.",
    },
    cipher_too_weak: Text {
        heading: "Esta página necesita un cifrado más fuerte",
        sentence: "Solo se muestra con un cifrado de 256 bits, AES-256 o ChaCha20. Los navegadores y programas actuales lo \
             admiten.",
    },
    not_post_quantum: Text {
        heading: "Esta página necesita un cifrado más fuerte",
        sentence: "Solo se muestra si las claves se acuerdan con ML-KEM, que resiste a los ordenadores cuánticos. Los \
             navegadores y programas actuales lo admiten.",
    },
    certificate_required: Text {
        heading: "Esta página necesita un certificado de cliente",
        sentence: "Su navegador no ha enviado ninguno. Instale el que le entregaron, cierre el navegador y vuelva a abrir la \
             página.",
    },
    certificate_not_allowed: Text {
        heading: "Su certificado de cliente no abre esta página",
        sentence: "Es auténtico, pero su titular no está entre quienes pueden ver esta página.",
    },
    certificate_revoked: Text {
        heading: "Su certificado de cliente ha sido revocado",
        sentence: "Pida uno nuevo a quien lo emitió.",
    },
    certificate_untrusted: Text {
        heading: "Su certificado de cliente no es de confianza aquí",
        sentence: "No se emitió para este sitio o está dañado. Elija otro o pida uno.",
    },
    certificate_out_of_date: Text {
        heading: "Su certificado de cliente no es válido en este momento",
        sentence: "Ha caducado o todavía no es válido. Compruebe el reloj de su ordenador o pida uno nuevo.",
    },
    host_missing: Text {
        heading: "No se puede responder a esta solicitud",
        sentence: "No indica a qué host va dirigida.",
    },
    several_hosts: Text { heading: "No se puede responder a esta solicitud", sentence: "Nombra más de un host." },
    host_unreadable: Text {
        heading: "No se puede responder a esta solicitud",
        sentence: "No se puede leer el host al que va dirigida.",
    },
    path_unreadable: Text {
        heading: "No se puede responder a esta solicitud",
        sentence: "No se puede leer la ruta de esta dirección.",
    },
    no_site: Text {
        heading: "No hay ningún sitio en esta dirección",
        sentence: "Compruebe que el nombre de host esté bien escrito.",
    },
    no_page: Text {
        heading: "No hay ninguna página en esta dirección",
        sentence: "Quizá se haya movido, o la dirección esté mal escrita.",
    },
    method: Text {
        heading: "Aquí no se puede enviar nada",
        sentence: "Las páginas de esta dirección solo se pueden leer.",
    },
    misdirected: Text {
        heading: "Esta página corresponde a otra conexión",
        sentence: "Abra de nuevo la dirección, si hace falta en otra ventana.",
    },
    unreadable: Text { heading: "No se puede leer esta página", sentence: "Inténtelo de nuevo más tarde." },
    stopped: Text { heading: "Este sitio está cerrado por ahora", sentence: "Inténtelo de nuevo más tarde." },
    busy: Text { heading: "Se está enviando demasiado a la vez", sentence: "Inténtelo de nuevo en un momento." },
};
