//! The family of a user agent: the name and version that tell whether it can meet a setting.

use std::fmt;

use arrayvec::ArrayString;

/// A family of user agents, as in `Firefox 115` or `curl/7.29`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Agent(ArrayString<28>);

/// Browsers by the product they name themselves with. One that builds on another names both, and comes first here.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg", "Edge"),
    ("EdgA", "Edge"),
    ("Edge", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("YaBrowser", "Yandex Browser"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Version", "Safari"),
    ("MSIE", "Internet Explorer"),
];

/// One that names itself with none of these.
const ANOTHER: &str = "Another browser";

/// What shows pages within another program.
const WEB_VIEW: &str = " WebView";

/// One that sends nothing to name it by.
const UNREADABLE: &str = "Unreadable";

/// Bytes of a user agent that are looked at.
const LOOKED_AT: usize = 300;

impl Agent {
    /// Whoever is not told apart.
    pub const OTHERS: Self = Self(ArrayString::new_const());

    /// The family of whoever sends this `User-Agent`.
    pub fn of(user_agent: &str) -> Self {
        let text = &user_agent[..user_agent.floor_char_boundary(LOOKED_AT)];
        let agent = Self::told(text);
        // Whoever names nothing that can be shown is still somebody.
        if agent == Self::OTHERS { Self::named(UNREADABLE, "") } else { agent }
    }

    fn told(text: &str) -> Self {
        let first = text.split(' ').next().unwrap_or_default();
        match text {
            "" => Self::named("No user agent", ""),
            _ if !first.starts_with("Mozilla/") => {
                let (name, version) = first.split_once('/').unwrap_or((first, ""));
                let minor = version.match_indices('.').nth(1).map_or(version.len(), |(end, _)| end);
                let mut agent = Self::named(name, "");
                agent.push(if version.is_empty() { "" } else { "/" });
                agent.push(&version[..minor]);
                agent
            }
            _ => Self::of_browser(text),
        }
    }

    /// Robots and browsers all begin with `Mozilla/5.0`; what they are stands among the rest.
    fn of_browser(text: &str) -> Self {
        let mut best: Option<(usize, &str)> = None;
        let (mut android, mut is_web_view) = (None, false);
        let mut words = text.split([' ', ';', '(', ')', ',']).filter(|word| !word.is_empty()).peekable();
        while let Some(word) = words.next() {
            let (name, version) = word.split_once('/').unwrap_or((word, ""));
            match name {
                "wv" => is_web_view = true,
                "Android" => android = words.peek().copied(),
                "Trident" => return Self::named("Internet Explorer", "11"),
                "MSIE" => return Self::named("Internet Explorer", major(words.peek().copied().unwrap_or_default())),
                _ if is_robot(name) => return Self::named(name, ""),
                _ => {}
            }
            let rank = BROWSERS.iter().position(|(product, _)| *product == name);
            if let Some(rank) = rank.filter(|rank| best.is_none_or(|(best, _)| *rank < best)) {
                best = Some((rank, version));
            }
        }
        match (best, android) {
            (_, Some(version)) if is_web_view => {
                let mut agent = Self::named("Android", major(version));
                agent.push(WEB_VIEW);
                agent
            }
            (Some((rank, version)), _) => Self::named(BROWSERS[rank].1, major(version)),
            (None, _) => Self::named(ANOTHER, ""),
        }
    }

    /// Whether it is one of the browsers, or shows pages with one.
    pub fn is_browser(&self) -> bool {
        let is_one =
            |name: &str| self.0.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        self.as_str() == ANOTHER || self.0.ends_with(WEB_VIEW) || BROWSERS.iter().any(|(_, name)| is_one(name))
    }

    fn named(name: &str, version: &str) -> Self {
        let mut agent = Self::OTHERS;
        agent.push(name);
        if !version.is_empty() {
            agent.push(" ");
            agent.push(version);
        }
        agent
    }

    /// Appends what fits, of the characters that can't disturb a page or a log.
    fn push(&mut self, text: &str) {
        for char in text.chars().filter(|char| char.is_ascii_graphic() || *char == ' ') {
            if self.0.try_push(char).is_err() {
                return;
            }
        }
    }

    /// In words; empty for others.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads what [`Agent::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        ArrayString::from(text).ok().map(Self)
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or_default()
}

fn is_robot(name: &str) -> bool {
    name.len() > 3 && name.is_char_boundary(name.len() - 3) && name[name.len() - 3..].eq_ignore_ascii_case("bot")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_user_agent_belongs_to_the_family_that_people_know_it_by() {
        for (user_agent, family) in [
            ("", "No user agent"),
            ("curl/7.29.0", "curl/7.29"),
            ("Java/1.8.0_392", "Java/1.8"),
            ("python-requests/2.31.0", "python-requests/2.31"),
            ("Wget", "Wget"),
            ("/", "Unreadable"),
            ("  curl", "Unreadable"),
            ("é", "Unreadable"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0", "Firefox 115"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
                "Chrome 120",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91",
                "Edge 120",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
                "Safari 17",
            ),
            (
                "Mozilla/5.0 (Linux; Android 9; SM-G960F; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/87.0 Mobile Safari/537.36",
                "Android 9 WebView",
            ),
            ("Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer 11"),
            ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1)", "Internet Explorer 8"),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
            ("Mozilla/5.0 (Unheard of)", "Another browser"),
        ] {
            assert_eq!(Agent::of(user_agent).as_str(), family, "{user_agent}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_the_family_is_short_and_plain(user_agent in "(Mozilla/5.0 )?\\PC{0,400}") {
            let agent = Agent::of(&user_agent);
            prop_assert!(agent.as_str().len() <= 28);
            prop_assert!(agent != Agent::OTHERS && !agent.as_str().trim().is_empty());
            prop_assert!(agent.as_str().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            prop_assert_eq!(Agent::parse(agent.as_str()), Some(agent));
        }
    }
}
