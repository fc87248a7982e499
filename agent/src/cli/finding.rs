//! What a look at the gateway finds: each with a code that stays the same, and what to do.

use serde::Serialize;

/// How something is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Pass,
    /// It could not be looked at.
    Skip,
    /// Works, and will not for long, or not as well as it could.
    Warn,
    /// Does not work.
    Fail,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident $number:literal $name:literal $remedy:literal,)*) => {
        /// What is looked at. Numbers are never used again; each has its section in docs/codes.md.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Code { $($(#[$doc])* $code,)* }

        impl Code {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$code,)*];

            /// As it is printed.
            pub(super) const fn number(self) -> &'static str {
                match self { $(Self::$code => concat!("WL-", $number),)* }
            }

            /// In a word or two.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// What to do first.
            const fn remedy(self) -> &'static str {
                match self { $(Self::$code => $remedy,)* }
            }
        }
    };
}

codes! {
    Configuration 1001 "configuration" "correct the key it names; `wardline init` writes a file",
    SigningKey 1101 "signing key" "`wardline provision`, then enrol at the sink",
    Keyring 1102 "keyring" "`wardline provision --grant FILE` with the sink's answer",
    Certificate 1103 "certificate" "`wardline provision`, then enrol at the sink",
    State 1201 "state folder" "give the folder to the agent's user, on a writable medium",
    Room 1202 "room" "free some space, or lower buffer.quota_mib",
    Offline 1203 "days offline" "a larger medium, or a higher buffer.quota_mib",
    Intake 1301 "intake" "plug the device in, or correct [intake]",
    Broker 1401 "broker" "check name, port, network and firewall",
    Tls 1402 "TLS" "check that broker and gateway belong to one site: CA, names, dates",
    Exchange 1403 "key exchange" "use a broker with X25519MLKEM768: OpenSSL 3.5 or newer",
    Time 1501 "clock" "run systemd-timesyncd or chrony with a server that is reached",
    Running 1601 "agent" "start `wardline run`, or look into its log",
    Link 1602 "link" "see broker and TLS above; readings are kept meanwhile",
    Receipts 1603 "receipts" "look at the sink: is it running, has its disk room?",
    Storing 1604 "storing" "make room, or replace the card; devices keep what they have",
    Alarms 1605 "alarms" "each says what to do",
    Devices 1606 "devices" "check power, cable and port of the device",
    Sync 1607 "sync" "replace the card before it fails",
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    code: &'static str,
    check: &'static str,
    pub(super) level: Level,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

/// All findings of one look.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    schema: u32,
    worst: Level,
    findings: Vec<Finding>,
}

impl Default for Findings {
    fn default() -> Self {
        Self { schema: 1, worst: Level::Pass, findings: Vec::new() }
    }
}

impl Findings {
    /// Adds one.
    pub(super) fn add(&mut self, code: Code, level: Level, says: impl Into<String>) {
        let remedy = (level >= Level::Warn).then(|| code.remedy());
        self.worst = self.worst.max(level);
        let (code, check) = (code.number(), code.name());
        self.findings.push(Finding { code, check, level, says: says.into(), remedy });
    }

    /// Adds what a check says: good words, or what is wrong.
    pub(super) fn note(&mut self, code: Code, said: Result<String, String>) {
        match said {
            Ok(words) => self.add(code, Level::Pass, words),
            Err(words) => self.add(code, Level::Fail, words),
        }
    }

    /// How the worst of them is.
    pub(super) const fn worst(&self) -> Level {
        self.worst
    }

    /// Keeps those of one check, by name or code.
    pub(super) fn keep(&mut self, check: &str) {
        self.findings.retain(|found| found.check == check || found.code == check);
        let levels = self.findings.iter().map(|found| found.level);
        self.worst = levels.max().unwrap_or(Level::Pass);
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// As one line of JSON.
    pub(super) fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// Prints them, as a table or as JSON.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", self.to_json()?);
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        for Finding { code, check, level, says, remedy } in &self.findings {
            let level = match level {
                Level::Pass => "pass",
                Level::Skip => "skip",
                Level::Warn => "WARN",
                Level::Fail => "FAIL",
            };
            let remedy = remedy.map(|remedy| format!("\n-> {remedy}")).unwrap_or_default();
            table.add_row([level, code, check, &format!("{says}{remedy}")]);
        }
        println!("{table}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_a_number_of_its_own_and_its_section_in_the_documentation() {
        let pages = include_str!("../../../docs/codes.md");
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.number()), "{} is used twice", code.number());
            let title = format!("## {} {}\n", code.number(), code.name());
            assert!(pages.contains(&title), "docs/codes.md has no {title}");
        }
        assert_eq!(pages.matches("\n## WL-").count(), seen.len(), "a page without its code");
    }

    #[test]
    fn what_is_good_needs_no_remedy_and_the_worst_decides() {
        let mut findings = Findings::default();
        findings.note(Code::Room, Ok("plenty".into()));
        findings.add(Code::Time, Level::Warn, "nobody vouches for it");
        assert_eq!(findings.worst(), Level::Warn);
        let said = serde_json::to_value(&findings).unwrap();
        assert!(said["findings"][0]["remedy"].is_null());
        assert_eq!(said["findings"][1]["code"], "WL-1501");

        findings.keep("room");
        assert_eq!((findings.worst(), findings.findings.len()), (Level::Pass, 1));
    }
}
