//! A core does no I/O and asks for no clock: its lint file is complete, and its text names nothing that would.

use crate::metadata::{ours, own};
use crate::{read, rust_files, shown};
use std::path::PathBuf;

/// Crates without I/O.
pub const CORES: &[&str] = &[
    "packet",
    "wire",
    "netem",
    "transport",
    "bwe",
    "rooms",
    "access",
    "history",
    "ring-core",
    "hooks",
    "sfu-core",
    "jitter",
    "sdp",
    "client-core",
    "voice",
];

/// What each lint file has to ban, whatever else it bans.
const BANNED: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::collections::HashMap::iter",
    "std::collections::HashMap::values",
    "std::collections::HashSet::iter",
    "std::net::UdpSocket",
    "std::fs::File",
];

/// What no lint can ban by path, outside of tests.
const FOREIGN: &[&str] =
    &["std::fs::", "std::env::var", "std::process::", "std::io::stdin", "println!(", "dbg!("];

/// Where `unsafe` has a reason: system calls, and one module that calls libopus.
const UNSAFE_ALLOWED: &[&str] = &["sfu", "benches"];
const UNSAFE_FILES: &[&str] = &["jitter/voice/src/libopus.rs"];

#[test]
fn every_core_carries_the_same_complete_lint_file() {
    let first = read(&own(CORES[0]).folder.join("clippy.toml"));
    for ban in BANNED {
        assert!(first.contains(&format!("path = \"{ban}\"")), "{ban} is not banned in {}", CORES[0]);
    }
    for core in CORES {
        let file = own(core).folder.join("clippy.toml");
        assert_eq!(read(&file), first, "{} differs from that of {}", shown(&file), CORES[0]);
    }
}

#[test]
fn a_core_reads_no_file_no_environment_and_prints_nothing() {
    let mut found = Vec::new();
    for core in CORES {
        for file in rust_files(&own(core).folder.join("src")) {
            for (number, line) in without_tests(&read(&file)).lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if FOREIGN.iter().any(|foreign| code.contains(foreign)) {
                    found.push(format!("{}:{}: {}", shown(&file), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// A `for` loop over a map goes past every method that a lint file can ban.
#[test]
fn a_core_that_hashes_is_linted_against_loops_over_hashes() {
    const LINT: &str = "#![deny(clippy::iter_over_hash_type)]";
    let mut found = Vec::new();
    for core in CORES {
        let source = own(core).folder.join("src");
        let hashes = |file: &PathBuf| {
            ["HashMap", "HashSet"].iter().any(|name| without_tests(&read(file)).contains(name))
        };
        if rust_files(&source).iter().any(hashes) && !read(&source.join("lib.rs")).contains(LINT) {
            found.push(core);
        }
    }
    assert!(found.is_empty(), "hashes without {LINT} in lib.rs: {found:?}");
}

#[test]
fn unsafe_code_is_only_where_the_system_is_called_or_libopus() {
    let mut found = Vec::new();
    for package in ours().filter(|package| !UNSAFE_ALLOWED.contains(&package.name.as_str())) {
        let files = rust_files(&package.folder.join("src"));
        for file in files.iter().filter(|file| !UNSAFE_FILES.contains(&shown(file).as_str())) {
            for (number, line) in read(file).lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if code.contains("unsafe {") || code.contains("unsafe fn ") || code.contains("unsafe impl ") {
                    found.push(format!("{}:{}", shown(file), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_crate_and_module_says_first_what_it_is() {
    let mut silent = Vec::new();
    for package in ours() {
        let modules = rust_files(&package.folder.join("src"));
        for file in package.roots.iter().chain(&modules) {
            let text = read(file);
            let first = text.lines().find(|line| !line.is_empty() && !line.starts_with("#!["));
            if !first.is_some_and(|line| line.starts_with("//! ")) {
                silent.push(shown(file));
            }
        }
    }
    silent.sort();
    silent.dedup();
    assert!(silent.is_empty(), "no `//!` at the top of {silent:#?}");
}

/// Tests stand at the bottom of a file and may do what they like.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}
