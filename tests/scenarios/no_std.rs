//! wire and firmware-shim stand without std and without a heap: std anywhere below fails to link.

use std::path::Path;
use std::process::Command;

#[test]
fn what_runs_on_a_device_links_without_std() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let said = Command::new(top.join("tests/legs/no_std")).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}
