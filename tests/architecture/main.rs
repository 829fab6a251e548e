//! Rules of the architecture that a compiler does not check. Each is a sentence in `ARCHITECTURE.md`.

mod cores;
mod invariants;
mod licences;
mod metadata;
mod own_crates;

use std::path::{Path, PathBuf};

/// The workspace's own files.
fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in a folder of the workspace")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// For messages: from the workspace's root.
fn shown(path: &Path) -> String {
    path.strip_prefix(workspace_root()).unwrap_or(path).display().to_string()
}

/// Rust files below a folder, in order, without those of other packages inside it.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = folder.read_dir() else { continue };
        for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            let other_package = path.is_dir() && path.join("Cargo.toml").exists();
            let skipped = path.file_name().is_some_and(|name| name == "target" || name == "node_modules");
            if path.is_dir() && !other_package && !skipped {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
