//! What a change of trusted proxies is: whose word is believed from then on, and whose no longer.

use super::{Listener, Networks, Proxies, Speech};
use crate::binding::Protocol;

/// Whose word is believed at a listener before and after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Where.
    pub listener: Listener,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Those who are no longer believed, or no longer in the way in which they speak by now.
    pub lost: Networks,
    /// How they speak by now.
    pub lost_speech: Speech,
    /// Those who are newly believed, or in another way.
    pub gained: Networks,
    /// How they are to speak.
    pub gained_speech: Speech,
}

impl Shift {
    /// `None` where everybody is believed as before.
    pub(crate) fn new(
        listener: Listener,
        protocol: Protocol,
        before: Option<&Proxies>,
        after: Option<&Proxies>,
    ) -> Option<Self> {
        let (nobody, silent) = (Networks::default(), Speech::default());
        let whom =
            |own: Option<&Proxies>| own.map_or((nobody.clone(), silent), |own| (own.networks.clone(), own.speech));
        let ((lost, lost_speech), (gained, gained_speech)) = (whom(before), whom(after));
        let shift = match lost_speech == gained_speech {
            true => {
                let (lost, gained) = (lost.without(&gained), gained.without(&lost));
                Self { listener, protocol, lost, lost_speech, gained, gained_speech }
            }
            false => Self { listener, protocol, lost, lost_speech, gained, gained_speech },
        };
        (!shift.lost.is_empty() || !shift.gained.is_empty()).then_some(shift)
    }

    /// Those who are believed in no way so far.
    pub fn newcomers(&self) -> Networks {
        self.gained.without(&self.lost)
    }

    /// Whether connections from somebody must begin with a header of the PROXY protocol that did not have to.
    pub fn must_announce(&self) -> bool {
        self.gained_speech == Speech::ProxyProtocol && !self.gained.is_empty()
    }

    /// Whether connections from somebody must no longer begin with such a header.
    pub fn must_not_announce(&self) -> bool {
        self.lost_speech == Speech::ProxyProtocol && !self.lost.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(speech: Speech, networks: &str) -> Proxies {
        let listener = Listener { port: std::num::NonZeroU16::MIN, ip: None };
        let networks = Networks::parse(networks).unwrap();
        Proxies { listener, protocol: Protocol::Http, speech, networks, nobody: false, version: 1 }
    }

    #[test]
    fn who_is_believed_otherwise_is_told_and_nobody_else() {
        use Speech::{Forwarded, XForwarded};
        let none = (XForwarded, "");
        for (before, after, lost, gained) in [
            (none, (XForwarded, "10.0.0.1"), "", "10.0.0.1"),
            ((Forwarded, "10.0.0.1"), none, "10.0.0.1", ""),
            ((Forwarded, "10.0.0.1\n10.0.0.2"), (Forwarded, "10.0.0.2\n::1"), "10.0.0.1", "::1"),
            ((Forwarded, "10.0.0.0/24"), (Forwarded, "10.0.0.1"), "10.0.0.0/24", ""),
            ((Forwarded, "10.0.0.1"), (Forwarded, "10.0.0.0/24"), "", "10.0.0.0/24"),
            ((XForwarded, "10.0.0.1"), (Forwarded, "10.0.0.1"), "10.0.0.1", "10.0.0.1"),
            ((Forwarded, "10.0.0.0/24\n::1"), (Forwarded, "10.0.0.0/25\n10.0.0.128/25"), "::1", ""),
            ((Forwarded, "10.0.0.0/25\n10.0.0.128/25"), (Forwarded, "10.0.0.0/24\n::1"), "", "::1"),
        ] {
            let of =
                |(speech, networks): (Speech, &str)| Some(proxies(speech, networks)).filter(|_| !networks.is_empty());
            let (before, after) = (of(before), of(after));
            let listener = proxies(XForwarded, "").listener;
            let shift = Shift::new(listener, Protocol::Http, before.as_ref(), after.as_ref()).unwrap();
            assert_eq!((shift.lost.list().join(" "), shift.gained.list().join(" ")), (lost.into(), gained.into()));
            assert_eq!(Shift::new(listener, Protocol::Http, before.as_ref(), before.as_ref()), None);
        }
    }
}
