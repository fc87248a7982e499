//! What is asked of a section before it is taken.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wire::identity::Lane;

use super::file::{
    EnrolSection, ExportSection, NotifySection, RetentionSection, SignOnSection, ViewSection,
};
use super::{ConfigError, EnrolConfig, SignOn, ViewConfig};
use crate::feed::{Engine, Feed, Server, Target};
use crate::incident::Kind;
use crate::keys::KeyFolder;
use crate::notify::{Addresses, Channel, Mailbox, mail_server};
use crate::retention::Rule;

/// Whether what is said to an address does not leave this machine in the clear.
pub(crate) fn is_sealed(address: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(address) else { return false };
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_near = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    is_plain && (url.scheme() == "https" || url.scheme() == "http" && is_near)
}

fn must_be_sealed(path: &Path, key: &'static str, address: &str) -> Result<(), ConfigError> {
    if is_sealed(address) {
        return Ok(());
    }
    Err(ConfigError::Clear { path: path.to_owned(), key, address: address.to_owned() })
}

fn read(path: PathBuf) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(&path).map_err(|error| ConfigError::Read { path, error })
}

fn read_secret(path: PathBuf) -> Result<String, ConfigError> {
    Ok(String::from_utf8_lossy(&read(path)?).trim().to_owned())
}

impl ViewSection {
    pub(super) fn check(self, path: &Path, folder: &Path) -> Result<ViewConfig, ConfigError> {
        let Self { listen, url, certificate, key } = self;
        let wrong = |cure| Err(ConfigError::View { path: path.to_owned(), cure });
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
            (None, None) => None,
            _ => return wrong("has one of `certificate` and `key`: give both, or neither"),
        };
        if tls.is_some() && url.is_none() && listen.ip().is_unspecified() {
            return wrong("listens on every address: `url` has to say by which name it is reached");
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = url.unwrap_or_else(|| format!("{scheme}://{listen}"));
        Ok(ViewConfig { listen, url: url.trim_end_matches('/').to_owned(), tls })
    }
}

impl EnrolSection {
    pub(super) fn check(self, path: &Path, host: &str) -> Result<EnrolConfig, ConfigError> {
        let Self { listen, url } = self;
        let url = url.unwrap_or_else(|| format!("https://{host}:{}", listen.port()));
        if !url.starts_with("https://") {
            return Err(ConfigError::Enrol { path: path.to_owned(), url });
        }
        Ok(EnrolConfig { listen, url: url.trim_end_matches('/').to_owned() })
    }
}

impl NotifySection {
    /// The channels of a block: each person who is told by mail has one, so that nobody waits for
    /// another's mailbox.
    pub(super) fn check(
        self,
        path: &Path,
        folder: &Path,
        keys: &Path,
    ) -> Result<Vec<Channel>, ConfigError> {
        let Self { name, url, to, from, token, ca, after_seconds, kinds, ward } = self;
        let mail = addresses(path, &url, &to, from.as_deref())?;
        if mail.is_empty() {
            must_be_sealed(path, "[[notify]] url", &url)?;
        }
        let is_kind = |word: &String| Kind::ALL.iter().any(|kind| kind.name() == word);
        if let Some(word) = kinds.iter().find(|word| !is_kind(word)) {
            let all: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            let cure = format!("kinds are {}", all.join(", "));
            return Err(ConfigError::Notify { path: path.to_owned(), word: word.clone(), cure });
        }
        let token = token.map(|name| read_secret(keys.join(name))).transpose()?;
        let ca = ca.map(|ca| read(folder.join(ca))).transpose()?;
        let after = Duration::from_secs(after_seconds.into());
        let hook = Channel { name, url, mail: None, token, ca, after, kinds, ward };
        if mail.is_empty() {
            return Ok(vec![hook]);
        }
        let to_one = |addresses: Addresses| Channel {
            name: format!("{} to {}", hook.name, addresses.to.email),
            mail: Some(addresses),
            ..hook.clone()
        };
        Ok(mail.into_iter().map(to_one).collect())
    }
}

/// Who writes to whom, each pair, if a mail server is named.
fn addresses(
    path: &Path,
    url: &str,
    to: &[String],
    from: Option<&str>,
) -> Result<Vec<Addresses>, ConfigError> {
    let wrong = |word: &str, cure: String| ConfigError::Notify {
        path: path.to_owned(),
        word: word.to_owned(),
        cure,
    };
    let is_mail = ["smtps://", "smtp://"].iter().any(|scheme| url.starts_with(scheme));
    match (is_mail, to, from) {
        (false, [], None) => Ok(Vec::new()),
        (false, ..) => Err(wrong(url, "mail goes by smtps:// or smtp://".into())),
        (true, [], _) | (true, _, None) => Err(wrong(url, "mail needs `to` and `from`".into())),
        (true, to, Some(from)) => {
            // The address itself is not said again: it may hold a password.
            mail_server(url).map_err(|error| wrong("url", error))?;
            let parse = |word: &str| -> Result<Mailbox, ConfigError> {
                let parsed = word.parse();
                parsed.map_err(|error| wrong(word, format!("this is no mail address: {error}")))
            };
            let from = parse(from)?;
            let pair = |word: &String| Ok(Addresses { from: from.clone(), to: parse(word)? });
            to.iter().map(pair).collect()
        }
    }
}

impl ExportSection {
    pub(super) fn check(
        self,
        path: &Path,
        folder: &Path,
        keys: &Path,
    ) -> Result<Feed, ConfigError> {
        let Self { name, to, plain, ca, token, flagged } = self;
        let wrong = |word: &str, cure: &'static str| ConfigError::Export {
            path: path.to_owned(),
            word: word.to_owned(),
            cure,
        };
        let ca = ca.map(|ca| folder.join(ca));
        if let Some(place) = to.strip_prefix("mllp://") {
            let says = "an engine is mllp://HOST:PORT";
            let (host, port) = place.rsplit_once(':').ok_or_else(|| wrong(&to, says))?;
            let port = port.parse().map_err(|_| wrong(&to, says))?;
            let is_near = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
            let keys = KeyFolder(keys.to_owned());
            let ca = ca.unwrap_or_else(|| keys.path("ca.pem"));
            let tls = (!plain && !is_near).then_some((keys, ca));
            let host = host.trim_matches(['[', ']']).to_owned();
            let to = Target::Mllp(Engine::new(host, port, tls));
            return Ok(Feed { name, to, flagged });
        }
        must_be_sealed(path, "[[export]] to", &to)?;
        let token = token.map(|name| read_secret(keys.join(name))).transpose()?;
        let ca = ca.map(read).transpose()?;
        let server = Server::new(to.clone(), token, ca.as_deref());
        let server = server.map_err(|_| wrong(&to, "`ca` holds certificates, PEM"))?;
        Ok(Feed { name, to: Target::Fhir(server), flagged })
    }
}

impl SignOnSection {
    pub(super) fn check(
        self,
        path: &Path,
        folder: &Path,
        keys: &Path,
    ) -> Result<SignOn, ConfigError> {
        let Self { issuer, client, secret, ca, scope, role_claim, ward_claim } = self;
        must_be_sealed(path, "[sign_on] issuer", &issuer)?;
        let secret = read_secret(keys.join(secret))?;
        let ca = ca.map(|ca| read(folder.join(ca))).transpose()?;
        Ok(SignOn { issuer, client, secret, ca, scope, role_claim, ward_claim })
    }
}

/// Feeds whose places cannot be taken for each other's.
pub(super) fn named_apart(path: &Path, feeds: Vec<Feed>) -> Result<Vec<Feed>, ConfigError> {
    let is_twice = |at: usize| feeds[..at].iter().any(|other| other.name == feeds[at].name);
    match (0..feeds.len()).find(|at| is_twice(*at)) {
        Some(at) => Err(ConfigError::Export {
            path: path.to_owned(),
            word: feeds[at].name.clone(),
            cure: "each block has a name of its own",
        }),
        None => Ok(feeds),
    }
}

/// Days of a rule: more than a day, so that nothing goes which is still on its way; a century.
const DAYS: std::ops::RangeInclusive<u32> = 1..=36_500;

pub(super) fn rules(path: &Path, sections: &[RetentionSection]) -> Result<Vec<Rule>, ConfigError> {
    let mut rules: Vec<Rule> = Vec::with_capacity(sections.len());
    for RetentionSection { lane: word, ward, days } in sections {
        let wrong =
            |word: String, cure| Err(ConfigError::Retention { path: path.to_owned(), word, cure });
        let Some(lane) = Lane::from_name(word) else {
            return wrong(word.clone(), "lane is alert, vital, wave or health");
        };
        if !DAYS.contains(days) {
            return wrong(format!("days = {days}"), "days are 1 to 36500");
        }
        if rules.iter().any(|rule| rule.lane == lane && rule.ward == *ward) {
            return wrong(word.clone(), "one rule a lane and ward is enough: delete one");
        }
        rules.push(Rule { lane, ward: ward.clone(), days: *days });
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_spoken_to_in_the_clear() {
        for good in [
            "https://a.example/x",
            "http://127.0.0.1:8080/",
            "http://[::1]:1/",
            "http://localhost/",
        ] {
            assert!(is_sealed(good), "{good}");
        }
        for wrong in [
            "http://a.example/",
            "http://localhost:x@a.example/",
            "http://localhost.a.example/",
            "http://127.0.0.1@a.example/",
            "https://user:word@a.example/",
            "ftp://127.0.0.1/",
            "a.example",
        ] {
            assert!(!is_sealed(wrong), "{wrong}");
        }
    }
}
