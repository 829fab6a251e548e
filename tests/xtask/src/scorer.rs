//! What `benches -- jitter` needs for its speech scores and peers: it is not part of `tools`, since no check needs it.

use crate::run::Invocation;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A corpus of speech, and GStreamer with its Python binding.
const PACKAGES: &[&str] = &[
    "pocketsphinx-testdata",
    "python3-venv",
    "python3-dev",
    "gcc",
    "python3-gst-1.0",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
];
/// A Python environment of a gigabyte over a slow line.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Packages (on Debian 12 as root, else their names are said), then an environment in the target folder, outside git.
pub fn provide(root: &Path, may_install: bool) -> Result<()> {
    if may_install {
        Invocation::new("apt-get", &["update", "-q"], root).run(LIMIT)?;
        let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
        arguments.extend(PACKAGES);
        Invocation::new("apt-get", &arguments, root).run(LIMIT)?;
    } else {
        println!("xtask: not Debian 12 as root, so not installed: {}", PACKAGES.join(" "));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let environment = target.join("scorer");
    let (Some(folder), requirements) = (environment.to_str(), "benches/scorer/requirements.txt") else {
        bail!("{} is not a name that programs can be given", environment.display());
    };
    Invocation::new("python3", &["-m", "venv", folder], root).run(LIMIT)?;
    let pip = environment.join("bin/pip");
    Invocation::new(pip, &["install", "--quiet", "--requirement", requirements], root).run(LIMIT)?;
    println!("xtask: `cargo run --release -p benches -- jitter` finds the scorer in {folder}");
    Ok(())
}
