//! Headless Chromium on a page of ours, which the server under test serves beside the demo page.

use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The web folder with pages of our own in it; gone when dropped.
pub struct Site {
    folder: PathBuf,
}

impl Site {
    /// With these files beside the demo page's: name and content.
    pub fn new(files: &[(&str, &str)]) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("sampan-bench-{}", std::process::id()));
        let site = Self { folder };
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../client-demo/web"), &site.folder)?;
        for (name, content) in files {
            std::fs::write(site.folder.join(name), content)?;
        }
        Ok(site)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Ends when dropped.
pub struct Browser(Child);

impl Browser {
    pub fn start(browser: &Path, site: &Site, address: &str) -> Result<Self> {
        Self::start_with(browser, site, address, &[])
    }

    /// With further options of the browser's command line.
    pub fn start_with(browser: &Path, site: &Site, address: &str, options: &[&str]) -> Result<Self> {
        let child = Command::new(browser)
            .args("--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run".split(' '))
            .args("--disable-background-networking --disable-component-update --disable-sync".split(' '))
            .args("--use-fake-device-for-media-stream=fps=15 --use-fake-ui-for-media-stream".split(' '))
            .args("--autoplay-policy=no-user-gesture-required --disable-renderer-backgrounding".split(' '))
            .args(["--disable-background-timer-throttling", "--window-size=1280,900"])
            .arg(format!("--user-data-dir={}", site.folder.join("profile").display()))
            .args(options)
            .arg(address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} could not be started; is it installed?", browser.display()))?;
        Ok(Self(child))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
