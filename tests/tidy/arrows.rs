//! Who may know whom, and where versions stand, read from each package's `Cargo.toml`.

use super::tree::Finding;

/// Each package and those of ours that it may know. Nobody may know `tests`.
pub const ARROWS: [(&str, &[&str]); 5] = [
    ("wire", &[]),
    ("firmware-shim", &["wire"]),
    ("agent", &["wire", "firmware-shim"]),
    ("cloud-sink", &["wire"]),
    ("tests", &["wire", "firmware-shim", "agent", "cloud-sink"]),
];

/// What must stay out of the packages that also run without an operating system.
const NOT_ON_A_SENSOR: [&str; 4] = ["tokio", "rumqttc", "rusqlite", "rustls"];

/// One `key = value` of a manifest, with its section.
struct Entry<'a> {
    line: usize,
    section: &'a str,
    key: String,
    value: String,
}

impl Entry<'_> {
    /// The package that this entry depends on, if it is in a table of dependencies.
    fn dependency(&self) -> Option<&str> {
        let (before, inside) = self.section.split_once("dependencies")?;
        if before.starts_with("workspace") {
            return None;
        }
        let name = inside.strip_prefix('.').unwrap_or(&self.key);
        name.split('.').next()
    }
}

/// A package of ours knows only those it may know.
pub fn arrows(path: &str, text: &str) -> Vec<Finding> {
    let Some((package, known)) = row_of(path) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for entry in entries(text) {
        let Some(name) = entry.dependency() else {
            continue;
        };
        let ours = ARROWS.iter().any(|(one, _)| *one == name);
        let mut complain = |cure: String| findings.push(Finding::new(path, entry.line, cure));
        if ours && !known.contains(&name) {
            complain(format!("`{package}` must not know `{name}`: ARROWS in tests/tidy/arrows.rs"));
        }
        let bare = ["wire", "firmware-shim"].contains(&package);
        if bare && NOT_ON_A_SENSOR.contains(&name) {
            complain(format!("`{package}` runs without an operating system: no `{name}`"));
        }
        let loose = entry.section == "dependencies" && !entry.value.contains("optional = true");
        if package == "agent" && name == "firmware-shim" && loose {
            complain("`firmware-shim` is optional here: behind the feature `onboard`".to_owned());
        }
    }
    findings
}

/// Members take every dependency from the workspace: a version stands once, at the top.
pub fn versions(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for entry in entries(text) {
        let Some(name) = entry.dependency() else {
            continue;
        };
        let whole = entry.section.ends_with("dependencies");
        let shared = if whole {
            entry.key.ends_with(".workspace") || entry.value.contains("workspace = true")
        } else {
            !["version", "path", "git"].contains(&entry.key.as_str())
        };
        if !shared {
            let cure = format!(
                "`{name}`: put the version in the root Cargo.toml, `workspace = true` here"
            );
            findings.push(Finding::new(path, entry.line, cure));
        }
    }
    findings
}

/// A package is named for its folder, is not published, and has the workspace's version.
pub fn packages(path: &str, text: &str) -> Vec<Finding> {
    let folder = path.split('/').next().unwrap_or_default();
    let has = |wanted: &[(&str, &str)]| {
        entries(text).iter().any(|entry| {
            entry.section == "package"
                && wanted.contains(&(entry.key.as_str(), entry.value.as_str()))
        })
    };
    let name = format!("\"{folder}\"");
    let mut findings = Vec::new();
    if !has(&[("name", &name)]) {
        findings.push(Finding::new(path, 1, format!("name the package for its folder, {name}")));
    }
    if !has(&[("publish.workspace", "true"), ("publish", "false")]) {
        findings.push(Finding::new(path, 1, "add `publish.workspace = true`"));
    }
    if !has(&[("version.workspace", "true")]) {
        findings.push(Finding::new(path, 1, "add `version.workspace = true`"));
    }
    findings
}

/// The workspace has exactly the packages of the table, and publishes none.
pub fn workspace(path: &str, text: &str) -> Vec<Finding> {
    let entries = entries(text);
    let value = |section: &str, key: &str| {
        let mut found = entries.iter().filter(|one| one.section == section && one.key == key);
        found.next().map_or(String::new(), |one| one.value.clone())
    };
    let members = value("workspace", "members");
    let mut listed: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    listed.sort_unstable();
    let mut ours: Vec<&str> = ARROWS.iter().map(|(package, _)| *package).collect();
    ours.sort_unstable();
    let mut findings = Vec::new();
    if listed != ours {
        let cure =
            "the members are not those of ARROWS in tests/tidy/arrows.rs: decide who knows them";
        findings.push(Finding::new(path, 1, cure));
    }
    if value("workspace.package", "publish") != "false" {
        findings.push(Finding::new(path, 1, "add `publish = false` to [workspace.package]"));
    }
    findings
}

fn row_of(path: &str) -> Option<(&'static str, &'static [&'static str])> {
    let folder = path.strip_suffix("/Cargo.toml")?;
    ARROWS.iter().copied().find(|(package, _)| *package == folder)
}

/// The entries of a manifest; a value over several lines is joined.
fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut found: Vec<Entry<'_>> = Vec::new();
    let (mut section, mut open) = ("", 0i32);
    for (at, raw) in text.lines().enumerate() {
        let line = raw.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let depth =
            line.matches(['[', '{']).count() as i32 - line.matches([']', '}']).count() as i32;
        if open > 0 {
            if let Some(entry) = found.last_mut() {
                entry.value = format!("{} {line}", entry.value);
            }
            open += depth;
        } else if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).trim();
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim().replace('"', ""), value.trim().to_owned());
            found.push(Entry { line: at + 1, section, key, value });
            open = depth;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(findings: &[Finding]) -> Vec<String> {
        let texts = findings.iter().map(ToString::to_string);
        texts.map(|text| text.split(": ").next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_is_found() {
        let sink = "[dependencies]\nwire = { workspace = true }\nagent = { workspace = true }\n\
                    [dev-dependencies]\ntests.workspace = true\n";
        let wire = "[dependencies]\ntokio = { workspace = true }\n\
                    [target.'cfg(unix)'.dependencies.agent]\nworkspace = true\n";

        let found = arrows("cloud-sink/Cargo.toml", sink);
        assert_eq!(lines_of(&found), ["cloud-sink/Cargo.toml:3", "cloud-sink/Cargo.toml:5"]);
        let found = arrows("wire/Cargo.toml", wire);
        assert_eq!(lines_of(&found), ["wire/Cargo.toml:2", "wire/Cargo.toml:4"]);
    }

    #[test]
    fn the_agent_takes_the_shim_only_behind_a_feature() {
        let loose = "[dependencies]\nfirmware-shim = { workspace = true }\n";
        let behind = "[dependencies]\nfirmware-shim = { workspace = true, optional = true }\n";

        assert_eq!(arrows("agent/Cargo.toml", loose).len(), 1);
        assert!(arrows("agent/Cargo.toml", behind).is_empty());
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        let text = "[package]\nrust-version.workspace = true\n[dependencies]\n\
                    a = { workspace = true, features = [\n  \"x\",\n] }\nb = \"1\"\n\
                    c = { version = \"2\" }\nd.workspace = true\n[dev-dependencies.e]\n\
                    version = \"3\"\n[features]\nf = [\"dep:a\"]\n";

        let found = versions("agent/Cargo.toml", text);
        assert_eq!(
            lines_of(&found),
            ["agent/Cargo.toml:7", "agent/Cargo.toml:8", "agent/Cargo.toml:11"]
        );
    }

    #[test]
    fn a_package_with_another_name_or_up_for_publishing_is_found() {
        let good =
            "[package]\nname = \"wire\"\nversion.workspace = true\npublish.workspace = true\n";
        let bad = "[package]\nname = \"wires\"\nversion = \"1\"\n[[bin]]\npublish = false\n";

        assert!(packages("wire/Cargo.toml", good).is_empty());
        assert_eq!(packages("wire/Cargo.toml", bad).len(), 3);
    }

    #[test]
    fn a_member_that_the_table_does_not_know_is_found() {
        let text = |more: &str| {
            format!(
                "[workspace]\nmembers = [\"wire\", \"firmware-shim\", \"agent\",\n  \
                 \"cloud-sink\", \"tests\"{more}]\n[workspace.package]\npublish = false\n"
            )
        };

        assert!(workspace("Cargo.toml", &text("")).is_empty());
        assert_eq!(workspace("Cargo.toml", &text(", \"xtask\"")).len(), 1);
        assert_eq!(workspace("Cargo.toml", "[workspace]\n").len(), 2);
    }
}
