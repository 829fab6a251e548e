//! Arrows between our crates, and what each must never need.

use crate::metadata::{PACKAGES, ours, own};
use crate::{read, shown, workspace_root};
use std::collections::{BTreeMap, BTreeSet};

/// Arrows only point to a smaller number. A crate that is not listed is an error: it has no place yet.
const LEVELS: &[(u8, &[&str])] = &[
    (0, &["packet", "wire", "netem", "xtask"]),
    (1, &["transport", "bwe", "rooms", "history", "ring-core", "hooks"]),
    (2, &["sfu-core", "jitter", "sdp", "access"]),
    (3, &["sfu", "client-core", "voice"]),
    (4, &["signaling", "client-demo"]),
    (5, &["tests", "measure"]),
    (6, &["lab", "benches"]),
];

/// (crate, what must not be built for it however indirectly, why)
const NEVER: &[(&str, &[&str], &str)] = &[
    (
        "sfu",
        &["wire", "rooms", "sdp", "serde_json", "voice", "opus", "opusic-sys"],
        "the media plane knows nothing of signaling and decodes nothing",
    ),
    (
        "jitter",
        &["wire", "sdp", "serde_json", "voice", "opus", "opusic-sys"],
        "a jitter buffer knows packets and time, and no codec",
    ),
    ("voice", &["wire", "sdp", "serde_json"], "a codec knows samples and payloads"),
    (
        "access",
        &["wire", "transport", "sfu-core"],
        "whose token is good has nothing to do with media or messages",
    ),
    ("ring-core", &["wire", "rooms", "serde_json"], "a call that rings knows no protocol and no room"),
    ("hooks", &["wire", "rooms", "serde_json"], "what is told to webhooks is a text here"),
    ("history", &["wire", "rooms", "serde_json"], "a log of messages knows no protocol and no disk"),
    ("rooms", &["wire", "transport", "sfu-core", "serde_json"], "rooms know no protocol"),
    (
        "client-core",
        &["sfu-core", "sfu", "rooms", "signaling"],
        "a client knows nothing of the server's insides",
    ),
    (
        "client-demo",
        &["sfu-core", "sfu", "rooms", "signaling"],
        "a client knows nothing of the server's insides",
    ),
    (
        "signaling",
        &["client-core", "client-demo", "jitter", "netem", "voice", "opus", "opusic-sys", "webrtc", "str0m"],
        "the server builds without the client and without Opus",
    ),
];

/// What a crate without I/O must not name itself. (What its dependencies bring along is theirs.)
const NOT_IN_A_CORE: &[&str] =
    &["tokio", "mio", "socket2", "libc", "rand", "getrandom", "tracing-subscriber", "chrono"];

const WRITES_JSON: &[&str] =
    &["wire", "access", "signaling", "client-demo", "tests", "measure", "lab", "benches"];

fn level_of(name: &str) -> u8 {
    let level = LEVELS.iter().find(|(_, names)| names.contains(&name));
    level.unwrap_or_else(|| panic!("`{name}` is in no level: give it a place here and in ARCHITECTURE.md")).0
}

#[test]
fn dependencies_only_point_down() {
    let own: BTreeMap<&str, u8> = ours().map(|p| (p.name.as_str(), level_of(&p.name))).collect();
    let mut upward = Vec::new();
    for package in ours() {
        for needed in package.needs.iter().filter(|needed| own.contains_key(needed.as_str())) {
            if own[needed.as_str()] >= own[package.name.as_str()] {
                upward.push(format!("{} -> {needed}", package.name));
            }
        }
    }
    assert!(upward.is_empty(), "arrows that do not point down: {upward:?}");
}

#[test]
fn no_crate_needs_what_it_must_not_know() {
    let mut found = Vec::new();
    for (name, never, why) in NEVER {
        let needs = own(name).needs_in_the_end();
        for needed in never.iter().filter(|never| needs.contains(**never)) {
            found.push(format!("{name} needs {needed}, but {why}"));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_the_edges_write_json() {
    let mut found = Vec::new();
    for package in ours().filter(|package| package.needs.contains("serde_json")) {
        if !WRITES_JSON.contains(&package.name.as_str()) {
            found.push(&package.name);
        }
    }
    assert!(found.is_empty(), "JSON belongs to {WRITES_JSON:?}, not to {found:?}");
}

#[test]
fn a_core_names_no_crate_that_does_io_or_chance() {
    let mut found = Vec::new();
    for core in crate::cores::CORES {
        for needed in own(core).needs.iter().filter(|needed| NOT_IN_A_CORE.contains(&needed.as_str())) {
            found.push(format!("{core} -> {needed}"));
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn crates_that_break_often_are_pinned() {
    let manifest = read(&workspace_root().join("Cargo.toml"));
    for name in ["is", "dimpl", "dcsctp"] {
        let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = ")));
        let line = line.unwrap_or_else(|| panic!("`{name}` is not in the table of versions"));
        assert!(line.contains("\"="), "an exact version is wanted: {line}");
    }
}

#[test]
fn cargo_run_at_the_root_starts_the_server_and_cargo_test_covers_everything() {
    let starts: Vec<&str> = ours().filter_map(|package| package.default_run.as_deref()).collect();
    assert_eq!(starts, ["sampan"]);
    let manifest = read(&workspace_root().join("Cargo.toml"));
    assert!(!manifest.contains("default-members"), "a plain `cargo test` would leave crates out");
}

#[test]
fn versions_stand_in_one_table() {
    let mut found = Vec::new();
    for package in ours() {
        let manifest = package.folder.join("Cargo.toml");
        let mut in_dependencies = false;
        for line in read(&manifest).lines() {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
            } else if in_dependencies && line.contains('=') && !line.contains("workspace = true") {
                found.push(format!("{}: {line}", shown(&manifest)));
            }
        }
    }
    assert!(found.is_empty(), "versions belong to the root's table: {found:#?}");
}

#[test]
fn levels_name_only_crates_that_exist() {
    let exist: BTreeSet<&str> = PACKAGES.iter().filter(|p| p.is_ours).map(|p| p.name.as_str()).collect();
    let listed = LEVELS.iter().flat_map(|(_, names)| names.iter().copied());
    let unknown: Vec<&str> = listed.filter(|name| !exist.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
