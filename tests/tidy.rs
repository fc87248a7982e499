//! The style of this tree as tests: each rule is one test and names every place that breaks it.
//!
//! The rules are plain functions over a path and a text, in `tidy/`, each with a planted bad sample
//! beside it. Exceptions stand in a list beside their rule, each with its reason.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use tree::{Finding, Tree, none_of};

/// Packages whose sources ship.
const PRODUCT: [&str; 4] = ["wire/src/", "firmware-shim/src/", "agent/src/", "cloud-sink/src/"];

static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::at(top()));

fn top() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the package tests lies in the workspace")
}

fn in_rust(rule: fn(&str, &str) -> Vec<Finding>) {
    none_of(TREE.rust().flat_map(|(path, text)| rule(path, text)));
}

fn in_product(rule: fn(&str, &str) -> Vec<Finding>) {
    let files = TREE.rust().filter(|(path, _)| PRODUCT.iter().any(|one| path.starts_with(one)));
    none_of(files.flat_map(|(path, text)| rule(path, text)));
}

fn in_members(rule: fn(&str, &str) -> Vec<Finding>) {
    let manifest = |(package, _)| format!("{package}/Cargo.toml");
    none_of(arrows::ARROWS.map(manifest).iter().flat_map(|path| match TREE.texts.get(path) {
        Some(text) => rule(path, text),
        None => vec![Finding::new(path, 1, "the package is not there")],
    }));
}

fn in_markdown(rule: impl Fn(&str, &str) -> Vec<Finding>) {
    none_of(TREE.with_ending(".md").flat_map(|(path, text)| rule(path, text)));
}

#[test]
fn the_tree_is_found_and_holds_this_file() {
    assert!(TREE.rust().any(|(path, _)| path == "tests/tidy.rs"));
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    in_rust(sizes::opening);
}

#[test]
fn no_line_is_wider_than_a_hundred_columns() {
    in_rust(sizes::columns);
}

#[test]
fn no_file_is_longer_than_four_hundred_lines_before_its_tests() {
    in_rust(sizes::file_lines);
}

#[test]
fn no_function_is_longer_than_sixty_lines() {
    in_rust(sizes::function_lines);
}

#[test]
fn product_code_does_not_unwrap_and_expects_only_with_a_reason() {
    in_product(words::unwraps);
}

#[test]
fn nothing_in_the_code_is_left_for_later() {
    in_rust(words::unfinished);
}

#[test]
fn nothing_in_the_documents_is_left_for_later() {
    in_markdown(words::unfinished_prose);
}

#[test]
fn nothing_is_unsafe_outside_the_named_files() {
    in_rust(words::unsafes);
}

#[test]
fn whoever_silences_the_compiler_or_a_test_says_why() {
    in_rust(words::silences);
}

#[test]
fn the_agent_touches_files_only_through_its_disk() {
    in_rust(words::files);
}

#[test]
fn only_the_clock_reads_a_clock() {
    in_rust(words::clocks);
}

#[test]
fn nothing_lives_in_a_drawer_for_the_homeless() {
    in_rust(words::homes);
}

#[test]
fn every_name_says_what_it_is() {
    in_rust(words::names);
}

#[test]
fn packages_know_only_whom_they_may_know() {
    in_members(arrows::arrows);
}

#[test]
fn versions_stand_only_in_the_root() {
    in_members(arrows::versions);
}

#[test]
fn packages_are_named_for_their_folders_and_stay_unpublished() {
    in_members(arrows::packages);
}

#[test]
fn the_workspace_has_exactly_the_packages_whose_arrows_are_drawn() {
    let text = TREE.texts.get("Cargo.toml").expect("the workspace has a manifest");

    none_of(arrows::workspace("Cargo.toml", text));
}

#[test]
fn every_link_leads_somewhere() {
    in_markdown(|path, text| links::links(path, text, &TREE));
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    none_of(TREE.texts.iter().flat_map(|(path, text)| links::machine_paths(path, text)));
}

#[test]
fn every_requirement_names_tests_that_exist() {
    let functions: BTreeSet<String> =
        TREE.rust().flat_map(|(_, text)| words::functions(text)).collect();
    let path = "docs/measures.md";
    if let Some(text) = TREE.texts.get(path) {
        none_of(links::measures(path, text, &functions, &TREE));
    }
}

#[test]
#[cfg(unix)]
fn every_script_of_the_gate_can_be_run() {
    use std::os::unix::fs::PermissionsExt;

    let scripts = TREE
        .texts
        .iter()
        .filter(|(path, _)| path.starts_with(".ci/") || path.starts_with("tests/legs/"));
    none_of(scripts.flat_map(|(path, text)| {
        let meta = top().join(path).metadata().expect("the file was there a moment ago");
        links::run_bit(path, text, meta.permissions().mode())
    }));
}
