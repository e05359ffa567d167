//! SSL settings, and what they make of a connection.

/// What a request in plain HTTP gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RequireSsl {
    /// Content, as over https.
    #[default]
    Off,
    /// 403.4 SSL required.
    Refuse,
    /// 308 to the https address (RFC 9110 §15.4.9).
    Redirect,
}

impl RequireSsl {
    /// `off`, `refuse` or `redirect`, as stored and posted.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Refuse => "refuse",
            Self::Redirect => "redirect",
        }
    }

    /// Reads what [`RequireSsl::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "refuse" => Some(Self::Refuse),
            "redirect" => Some(Self::Redirect),
            _ => None,
        }
    }

    /// What a request gets under this setting. The one place where plain HTTP is let through or not.
    pub fn verdict(self, request: Transport) -> Verdict {
        match (self, request) {
            (_, Transport::Tls) | (Self::Off, Transport::Clear { .. }) => Verdict::Go,
            // The credential has crossed the network in clear; sending it on would hide that.
            (Self::Redirect, Transport::Clear { credentials: false }) => Verdict::Redirect,
            (Self::Redirect | Self::Refuse, Transport::Clear { .. }) => Verdict::Refuse(Refusal::SslRequired),
        }
    }
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over a TLS connection that Siteward itself terminated.
    Tls,
    /// In plain HTTP.
    Clear {
        /// It carried `Authorization` or a cookie, which others on the way could read.
        credentials: bool,
    },
}

/// The outcome of the SSL settings for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it.
    Go,
    /// Send it to the https address with 308; refuse with 403.4 where there is none to send it to.
    Redirect,
    /// Refuse it.
    Refuse(Refusal),
}

/// Why a request is refused with 403, and the substatus IIS gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 403.4: the page must be viewed over a secure channel.
    SslRequired,
}

impl Refusal {
    /// The digit after the dot in `403.4`.
    pub fn substatus(self) -> u8 {
        match self {
            Self::SslRequired => 4,
        }
    }

    /// The words after the code, as in `403.4 SSL required`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::SslRequired => "SSL required",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_one_verdict_for_every_way_to_come() {
        use RequireSsl::*;
        let clear = Transport::Clear { credentials: false };
        let leaking = Transport::Clear { credentials: true };
        let refuse = Verdict::Refuse(Refusal::SslRequired);
        for (setting, transport, verdict) in [
            (Off, Transport::Tls, Verdict::Go),
            (Off, clear, Verdict::Go),
            (Off, leaking, Verdict::Go),
            (Refuse, Transport::Tls, Verdict::Go),
            (Refuse, clear, refuse),
            (Refuse, leaking, refuse),
            (Redirect, Transport::Tls, Verdict::Go),
            (Redirect, clear, Verdict::Redirect),
            (Redirect, leaking, refuse),
        ] {
            assert_eq!(setting.verdict(transport), verdict, "{setting:?} {transport:?}");
        }
    }
}
