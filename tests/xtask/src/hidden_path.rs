//! A `PATH` on which one program does not exist, everything else unchanged.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Folders that hold `program` are replaced by folders of links (below `scratch`) to everything else in them.
#[cfg(unix)]
pub fn without(program: &str, scratch: &Path) -> Result<OsString> {
    let path = std::env::var_os("PATH").context("PATH is not set")?;
    let mut folders = Vec::new();
    for (number, folder) in std::env::split_paths(&path).enumerate() {
        if folder.join(program).exists() {
            let links = scratch.join(number.to_string());
            link_all_but(program, &folder, &links)?;
            folders.push(links);
        } else {
            folders.push(folder);
        }
    }
    if let Some(folder) = folders.iter().find(|folder| folder.join(program).exists()) {
        bail!("{program} is still to be found in {}", folder.display());
    }
    Ok(std::env::join_paths(folders)?)
}

#[cfg(not(unix))]
pub fn without(program: &str, _scratch: &Path) -> Result<OsString> {
    bail!("hiding {program} needs symbolic links; run this check on Linux or macOS")
}

#[cfg(unix)]
fn link_all_but(program: &str, folder: &Path, links: &Path) -> Result<()> {
    if links.exists() {
        std::fs::remove_dir_all(links).with_context(|| format!("clearing {}", links.display()))?;
    }
    std::fs::create_dir_all(links).with_context(|| format!("making {}", links.display()))?;
    let folder: PathBuf = std::path::absolute(folder)?;
    for entry in folder.read_dir().with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name() != program {
            std::os::unix::fs::symlink(entry.path(), links.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn hidden_program_is_gone_and_its_neighbours_stay() {
        let scratch = std::env::temp_dir().join(format!("xtask-hidden-{}", std::process::id()));
        let path = without("sh", &scratch).unwrap();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        assert!(folders.iter().all(|folder| !folder.join("sh").exists()));
        assert!(folders.iter().any(|folder| folder.join("ls").exists()));
        std::fs::remove_dir_all(scratch).unwrap();
    }
}
