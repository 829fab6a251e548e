//! What the checks need besides Rust and a C compiler, and how it gets onto the machine.
//!
//! On Debian 12 as root it is installed; anywhere else the one command to run is printed and nothing is touched.

use crate::checks::Check;
use crate::run::Invocation;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tool {
    Rustfmt,
    Clippy,
    /// Builds libopus for the native client and the benches; the server never needs it.
    Cmake,
    Node,
    Npm,
    Chromium,
    Firefox,
}

enum Source {
    /// Package of the distribution.
    Debian(&'static str),
    /// Component of the Rust toolchain.
    Rustup(&'static str),
}

/// Three browsers over a slow line; a mirror that is slower than this is out of order.
const INSTALL_LIMIT: Duration = Duration::from_secs(15 * 60);

impl Tool {
    /// Any of these being there is enough: program and arguments that end at once with success.
    fn probes(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Rustfmt => &[&["cargo", "fmt", "--version"]],
            Self::Clippy => &[&["cargo", "clippy", "--version"]],
            Self::Cmake => &[&["cmake", "--version"]],
            Self::Node => &[&["node", "--version"]],
            Self::Npm => &[&["npm", "--version"]],
            Self::Chromium => &[&["chromium", "--version"]],
            Self::Firefox => &[&["firefox-esr", "--version"]],
        }
    }

    fn source(self) -> Source {
        match self {
            Self::Rustfmt => Source::Rustup("rustfmt"),
            Self::Clippy => Source::Rustup("clippy"),
            Self::Cmake => Source::Debian("cmake"),
            Self::Node => Source::Debian("nodejs"),
            Self::Npm => Source::Debian("npm"),
            Self::Chromium => Source::Debian("chromium"),
            Self::Firefox => Source::Debian("firefox-esr"),
        }
    }

    fn is_here(self) -> bool {
        self.probes().iter().any(|probe| {
            let mut command = Command::new(probe[0]);
            command.args(&probe[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    }
}

/// Ok means that every tool of these checks answers now.
pub fn provide(root: &Path, checks: &[Check]) -> Result<()> {
    let missing = missing(checks);
    if missing.is_empty() {
        return Ok(());
    }
    let install = Install::of(&missing);
    if !may_install() {
        bail!("missing: {:?}. Run this and then try again:\n\n  {}\n", missing, install.for_a_person());
    }
    println!("== tools: installing {missing:?} ==");
    install.run(root)?;
    let still = self::missing(checks);
    if !still.is_empty() {
        bail!("installed, but still not answering: {still:?}");
    }
    Ok(())
}

fn missing(checks: &[Check]) -> Vec<Tool> {
    let mut missing = Vec::new();
    for &tool in checks.iter().flat_map(|check| check.tools()) {
        if !missing.contains(&tool) && !tool.is_here() {
            missing.push(tool);
        }
    }
    missing
}

struct Install {
    packages: Vec<&'static str>,
    components: Vec<&'static str>,
}

impl Install {
    fn of(tools: &[Tool]) -> Self {
        let mut install = Self { packages: Vec::new(), components: Vec::new() };
        for tool in tools {
            match tool.source() {
                Source::Debian(package) => install.packages.push(package),
                Source::Rustup(component) => install.components.push(component),
            }
        }
        install
    }

    /// Debian's names; other distributions have the same tools under theirs.
    fn for_a_person(&self) -> String {
        let mut commands = Vec::new();
        if !self.packages.is_empty() {
            let packages = self.packages.join(" ");
            commands.push(format!("sudo apt-get update && sudo apt-get install -y {packages}"));
        }
        if !self.components.is_empty() {
            commands.push(format!("rustup component add {}", self.components.join(" ")));
        }
        commands.join(" && ")
    }

    fn run(&self, root: &Path) -> Result<()> {
        if !self.packages.is_empty() {
            Invocation::new("apt-get", &["update", "-q"], root).run(INSTALL_LIMIT)?;
            let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
            arguments.extend(&self.packages);
            let mut install = Invocation::new("apt-get", &arguments, root);
            install.environment("DEBIAN_FRONTEND", "noninteractive");
            install.run(INSTALL_LIMIT)?;
        }
        if !self.components.is_empty() {
            let mut arguments = vec!["component", "add"];
            arguments.extend(&self.components);
            Invocation::new("rustup", &arguments, root).run(INSTALL_LIMIT)?;
        }
        Ok(())
    }
}

/// Only where the packages' names are known and nobody else's machine is changed.
pub fn may_install() -> bool {
    debian_12() && root_user()
}

fn debian_12() -> bool {
    is_debian_12(&std::fs::read_to_string("/etc/os-release").unwrap_or_default())
}

fn is_debian_12(os_release: &str) -> bool {
    let has = |wanted: &str| os_release.lines().any(|line| line.replace('"', "") == wanted);
    has("ID=debian") && has("VERSION_ID=12")
}

fn root_user() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_installs_packages_and_components() {
        let install = Install::of(&[Tool::Cmake, Tool::Clippy, Tool::Chromium]);
        let wanted =
            "sudo apt-get update && sudo apt-get install -y cmake chromium && rustup component add clippy";
        assert_eq!(install.for_a_person(), wanted);
    }

    #[test]
    fn only_debian_12_is_debian_12() {
        assert!(is_debian_12("NAME=x\nVERSION_ID=\"12\"\nID=debian\n"));
        assert!(!is_debian_12("VERSION_ID=\"13\"\nID=debian\n"));
        assert!(!is_debian_12("VERSION_ID=\"12\"\nID=ubuntu\n"));
        assert!(!is_debian_12(""));
    }
}
