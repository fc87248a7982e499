//! The published files beside the repository, and one case of them.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

/// What the publisher says of a case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Must be taken.
    Valid,
    /// May be refused; whoever takes it must come to what is published.
    Acceptable,
    /// Must be refused.
    Invalid,
}

/// One case, with what its group says.
pub struct Case {
    group: Value,
    test: Value,
}

impl Case {
    /// Its number in the file.
    pub fn id(&self) -> u64 {
        self.test["tcId"].as_u64().unwrap()
    }

    /// What is to come of it.
    pub fn verdict(&self) -> Verdict {
        match self.test["result"].as_str().unwrap() {
            "valid" => Verdict::Valid,
            "acceptable" => Verdict::Acceptable,
            "invalid" => Verdict::Invalid,
            other => panic!("case {}: a result {other}", self.id()),
        }
    }

    /// Whether the publisher put this flag on it.
    pub fn flagged(&self, flag: &str) -> bool {
        self.test["flags"].as_array().unwrap().iter().any(|one| one == flag)
    }

    /// What the publisher remarks, or nothing.
    pub fn comment(&self) -> &str {
        self.test["comment"].as_str().unwrap_or_default()
    }

    /// A number of its own.
    pub fn number(&self, name: &str) -> usize {
        usize::try_from(self.test[name].as_u64().unwrap()).unwrap()
    }

    /// Bytes of its own.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        unhex(self.test[name].as_str().unwrap())
    }

    /// Thirty-two bytes of its own.
    pub fn array(&self, name: &str) -> [u8; 32] {
        self.bytes(name).try_into().unwrap()
    }

    /// What the group says at this JSON pointer.
    pub fn of_group(&self, pointer: &str) -> &Value {
        self.group.pointer(pointer).unwrap()
    }
}

/// All cases of one of Wycheproof's files, as many as we know it to hold; `None` without the file.
pub fn cases(name: &str, count: usize) -> Option<Vec<Case>> {
    let mut file = read(name)?;
    let mut found = Vec::new();
    for group in file["testGroups"].as_array_mut().unwrap() {
        let Value::Array(tests) = group["tests"].take() else { panic!("{name}: no tests") };
        found.extend(tests.into_iter().map(|test| Case { group: group.clone(), test }));
    }

    assert_eq!(file["numberOfTests"], count, "{name} is another edition");
    assert_eq!(found.len(), count, "{name} says another count than it has");
    Some(found)
}

/// One published file; `None`, said aloud, where `../shared` is not there.
pub fn read(name: &str) -> Option<Value> {
    let start = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = start.ancestors().map(|folder| folder.join("../shared/data/vectors"));
    let Some(folder) = folders.find(|folder| folder.is_dir()) else {
        say(&format!("skipped: no ../shared ({name})"));
        return None;
    };
    Some(serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap())
}

/// Says it past the harness, which swallows what a good test prints.
pub fn say(line: &str) {
    let mut out = std::io::stderr().lock();
    out.write_all(format!("known answers: {line}\n").as_bytes()).unwrap();
}

/// Bytes of their hex digits.
pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "half a byte: {text}");
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}
