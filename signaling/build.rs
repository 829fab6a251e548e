//! Embeds the web page: every file of `client-demo/web` that a browser needs, by path, into one table.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What is served; tests, types and package files beside them are not.
const ROOTS: [&str; 4] = ["index.html", "app", "sdk", "ui"];

fn main() {
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let web = manifest.join("../client-demo/web");
    // Cargo watches folders by their times, so a new file is noticed as well.
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    for root in ROOTS {
        println!("cargo::rerun-if-changed={}", web.join(root).display());
        assert!(
            web.join(root).exists(),
            "{} is missing: the server would have no page",
            web.join(root).display()
        );
        collect(&web.join(root), &mut files);
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let url = file.strip_prefix(&web).expect("below the folder").to_str().expect("a name in UTF-8");
        writeln!(table, "    (\"/{url}\", include_bytes!({:?}).as_slice()),", file.to_str().expect("UTF-8"))
            .expect("writing to a string");
    }
    table.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    std::fs::write(out.join("pages.rs"), table).expect("the output folder can be written");
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    if path.is_dir() {
        println!("cargo::rerun-if-changed={}", path.display());
        let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for entry in entries {
            collect(&entry.expect("a folder entry").path(), files);
        }
    } else if path.is_file() && !name.starts_with('.') {
        files.push(path.to_owned());
    }
}
