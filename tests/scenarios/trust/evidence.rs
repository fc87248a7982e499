//! RQ-75, RQ-76: a bundle holds for whoever checks it, and one changed bit is named.

use std::fs;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value;

use super::{LOOK, PATIENCE, Place, run, text};

fn verify(place: &Place, file: &str, more: &[&str]) -> Output {
    let mut command = Command::new(&place.site.programs().agent);
    command.args(["verify-evidence", file]).args(more).output().unwrap()
}

fn make(place: &Place, name: &str) -> String {
    let out = place.below(name).to_str().unwrap().to_owned();
    let device = "0242ACFFFE000001";
    let time = ["--from", "2020-01-01T00:00:00Z", "--to", "2090-01-01T00:00:00Z"];
    let options = [&["--device", device, "--out", &out], &time[..]].concat();
    place.site.sink(&["evidence"], &options).unwrap();
    out
}

/// Entries of the gateway's own trail that the sink has.
fn trail(place: &Place) -> usize {
    let said = place.site.sink(&["audit"], &["--gateway", "gw-1", "--json"]).unwrap();
    let listing: Value = serde_json::from_str(said.trim()).unwrap();
    listing["entries"].as_array().unwrap().len()
}

/// The file with one bit of a line changed, in the middle of its hexadecimal digits if it has any.
fn spoil(lines: &[String], number: usize) -> String {
    let mut lines = lines.to_vec();
    let line = &mut lines[number];
    let at = line.rfind("ab").or_else(|| line.rfind('1')).unwrap_or(line.len() / 2);
    let mut bytes = line.clone().into_bytes();
    bytes[at] ^= 1;
    *line = String::from_utf8(bytes).unwrap();
    lines.join("\n") + "\n"
}

#[test]
fn a_bundle_holds_and_each_changed_line_is_named() {
    run(async {
        let mut place = Place::running().await;
        place.say(30).await;
        place.settled().await;
        place.site.sink(&["keys", "rotate", "recipient"], &[]).unwrap();
        place.say(10).await;
        place.settled().await;

        let until = Instant::now() + PATIENCE;
        while trail(&place) < 3 {
            assert!(Instant::now() < until, "the gateway's trail does not come");
            tokio::time::sleep(LOOK).await;
        }

        let file = make(&place, "one.evidence");
        let good = verify(&place, &file, &["--json"]);
        let report: Value = serde_json::from_slice(&good.stdout).unwrap();
        assert!(report["ok"] == true && report["readings"].as_u64() >= Some(40), "{report}");
        assert!(report["records"].as_u64() > Some(3) && report["receipts"].as_u64() > Some(0));
        assert!(report["audit"].as_u64() >= Some(3), "{report}");
        assert!(report["trail"].as_u64() >= Some(3), "{report}");
        let root = fs::read(place.keys().join("roots")).unwrap();
        let digits: String = root[1..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(verify(&place, &file, &["--root", &digits]).status.success());
        let stranger = verify(&place, &file, &["--root", &"00".repeat(32)]);
        assert!(text(&stranger).contains("the roots are not those that you gave"));

        let whole = fs::read_to_string(&file).unwrap();
        let lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        let spoilt = place.below("spoilt").to_str().unwrap().to_owned();
        for number in 0..lines.len() {
            fs::write(&spoilt, spoil(&lines, number)).unwrap();
            let found = verify(&place, &spoilt, &[]);
            let words = text(&found);
            assert!(!found.status.success(), "line {}: {words}", number + 1);
            assert!(
                words.contains(&format!("line {}:", number + 1)),
                "line {}: {words}",
                number + 1
            );
        }
        fs::write(&spoilt, lines[..lines.len() - 1].join("\n")).unwrap();
        assert!(text(&verify(&place, &spoilt, &[])).contains("ends without its seal"));
        place.keep_for_judges(&file);
    });
}
