//! The checks: what each runs and what it needs.

use crate::hidden_path;
use crate::run::{Counted, Invocation};
use crate::tools::Tool;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    Fmt,
    Clippy,
    Rust,
    Sanitizer,
    Web,
    Browser,
    NoCmake,
}

/// Longest that one program of a check may take, 20 minutes: a browser that hangs must not hang the build machine, and a
/// cold build of the tests on two slow cores still fits.
const TIME_LIMIT: Duration = Duration::from_secs(20 * 60);

/// The npm package that brings every Node tool, `tsc` for the web folder included.
const NODE_PACKAGE: &str = "tests/browser";

impl Check {
    pub const ALL: &[Self] =
        &[Self::Fmt, Self::Clippy, Self::Rust, Self::Sanitizer, Self::Web, Self::Browser, Self::NoCmake];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Rust => "rust",
            Self::Sanitizer => "sanitizer",
            Self::Web => "web",
            Self::Browser => "browser",
            Self::NoCmake => "nocmake",
        }
    }

    pub fn what(self) -> &'static str {
        match self {
            Self::Fmt => "cargo fmt --check",
            Self::Clippy => "clippy on every target, warnings are errors",
            Self::Rust => "unit, scenario and architecture tests",
            Self::Sanitizer => "the calls into libopus under the address sanitizer, its C code included",
            Self::Web => "types and unit tests of the web SDK and page",
            Self::Browser => "calls between real browsers through the real server",
            Self::NoCmake => "server and native client build on a machine without cmake",
        }
    }

    pub fn tools(self) -> &'static [Tool] {
        match self {
            Self::Fmt => &[Tool::Rustfmt],
            Self::Clippy => &[Tool::Clippy, Tool::Cmake],
            Self::Rust | Self::Sanitizer => &[Tool::Cmake],
            Self::Web => &[Tool::Node, Tool::Npm],
            Self::Browser => &[Tool::Node, Tool::Npm, Tool::Cmake, Tool::Chromium, Tool::Firefox],
            Self::NoCmake => &[],
        }
    }

    pub fn run(self, root: &Path) -> Result<Counted> {
        match self {
            Self::Fmt => cargo(root, &["fmt", "--all", "--check"]).run(TIME_LIMIT),
            Self::Clippy => {
                let all = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
                cargo(root, &all).run(TIME_LIMIT)
            }
            Self::Rust => {
                let counted = cargo(root, &["test", "--workspace", "--locked"]).run(TIME_LIMIT)?;
                ensure!(counted.passed > 0, "cargo ran no test at all");
                Ok(counted)
            }
            Self::Sanitizer => sanitized(root),
            Self::Web => web(root),
            Self::Browser => browser(root),
            Self::NoCmake => without_cmake(root),
        }
    }
}

fn cargo(root: &Path, arguments: &[&str]) -> Invocation {
    Invocation::new("cargo", arguments, root)
}

/// The only crate with unsafe calls into foreign code. The stable compiler takes the sanitizer's flag with `RUSTC_BOOTSTRAP`; a target
/// has to be named, or build scripts would get it too.
fn sanitized(root: &Path) -> Result<Counted> {
    let host = host()?;
    let mut test = cargo(root, &["test", "--locked", "-p", "voice", "--tests", "--target", &host]);
    test.environment("CARGO_TARGET_DIR", target_directory(root)?.join("sanitizer"));
    test.environment("RUSTC_BOOTSTRAP", "1");
    test.environment("RUSTFLAGS", "-Zsanitizer=address");
    test.environment("CFLAGS", "-fsanitize=address -fno-omit-frame-pointer -g");
    let counted = test.run(TIME_LIMIT)?;
    ensure!(counted.passed > 0, "no test ran under the sanitizer");
    Ok(counted)
}

/// The compiler's own target.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc -vV")?;
    let output = String::from_utf8(output.stdout).context("rustc -vV is not UTF-8")?;
    let host = output.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_string())
}

/// The scripts are in `tests/browser/package.json`, so that `npm run unit` does the same by hand.
fn web(root: &Path) -> Result<Counted> {
    install_node_packages(root)?;
    npm_run(root, "types").run(TIME_LIMIT)?;
    let counted = npm_run(root, "unit").run(TIME_LIMIT)?;
    ensure!(counted.passed > 0, "no unit test of the web SDK ran");
    Ok(counted)
}

fn browser(root: &Path) -> Result<Counted> {
    install_node_packages(root)?;
    // All targets, as the tests were built: fewer would switch other features on and compile most crates once more.
    cargo(root, &["build", "--workspace", "--all-targets", "--locked"]).run(TIME_LIMIT)?;
    let built = target_directory(root)?.join("debug");
    let mut calls = npm_run(root, "calls");
    calls.environment("SAMPAN_BIN", built.join("sampan"));
    calls.environment("SAMPAN_BOT_BIN", built.join("sampan-bot"));
    calls.environment("NETEM_PROXY_BIN", built.join("netem-proxy"));
    let counted = calls.run(TIME_LIMIT)?;
    ensure!(counted.passed > 0, "no browser test ran");
    Ok(counted)
}

fn npm_run(root: &Path, script: &str) -> Invocation {
    Invocation::new("npm", &["run", script], &root.join(NODE_PACKAGE))
}

/// One build in a directory of its own: a finished build elsewhere would hide that cmake had been used.
fn without_cmake(root: &Path) -> Result<Counted> {
    let directory = target_directory(root)?.join("without-cmake");
    let path = hidden_path::without("cmake", &directory.join("path"))?;
    let mut build = cargo(root, &["build", "--locked", "-p", "signaling", "-p", "client-demo"]);
    build.environment("CARGO_TARGET_DIR", &directory);
    build.environment("PATH", &path);
    build.without_environment("CMAKE");
    build.run(TIME_LIMIT)
}

/// `npm ci` leaves its own copy of the lock file; as long as that is not older than ours nothing needs to be fetched.
fn install_node_packages(root: &Path) -> Result<()> {
    let package = root.join(NODE_PACKAGE);
    let lock = package.join("package-lock.json");
    let wanted = lock.metadata().with_context(|| format!("{NODE_PACKAGE}/package-lock.json"))?.modified()?;
    let installed = package.join("node_modules/.package-lock.json").metadata().and_then(|m| m.modified());
    if installed.is_ok_and(|installed| installed >= wanted) {
        return Ok(());
    }
    Invocation::new("npm", &["ci", "--no-audit", "--no-fund"], &package).run(TIME_LIMIT)?;
    Ok(())
}

fn target_directory(root: &Path) -> Result<PathBuf> {
    let mut metadata = Command::new("cargo");
    metadata.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root);
    let output = metadata.output().context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let output = String::from_utf8(output.stdout).context("cargo metadata is not UTF-8")?;
    let (_, rest) = output.split_once("\"target_directory\":\"").context("no target_directory")?;
    let (directory, _) = rest.split_once('"').context("no end of target_directory")?;
    Ok(PathBuf::from(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_check_says_what_it_is() {
        for (at, check) in Check::ALL.iter().enumerate() {
            assert!(!check.what().is_empty());
            assert!(Check::ALL[..at].iter().all(|earlier| earlier.name() != check.name()));
        }
    }
}
