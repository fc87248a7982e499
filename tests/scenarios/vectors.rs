//! The committed test vectors are still what this version reads and writes.

use std::path::Path;

#[test]
fn the_committed_vectors_are_read_and_made_again_byte_for_byte() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/v1");

    let found = rig::vectors::check(&folder).unwrap();

    assert!(found.files > 40 && found.frames > 10, "{found:?}");
}
