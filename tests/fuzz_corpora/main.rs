//! Replays the kept inputs of every fuzz target, so that what a fuzzer once found stays found. The bodies are the
//! fuzz project's own; a target without inputs is a failure, and so is a folder of inputs that nobody replays.

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code)]
mod fuzz;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Names inside a folder, without their ending.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let stem = |path: PathBuf| path.file_stem().expect("named").to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.expect("readable").path())).collect()
}

#[test]
fn every_target_has_a_body_a_program_and_a_folder_of_inputs() {
    let bodies: BTreeSet<String> = fuzz::TARGETS.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names(&project().join("fuzz_targets")), bodies);
    assert_eq!(names(&project().join("corpus")), bodies);
}

#[test]
fn every_kept_input_is_answered() {
    for (target, body) in fuzz::TARGETS {
        let folder = project().join("corpus").join(target);
        let mut count = 0;
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("readable").path();
            // Captured output: shown when the body panics.
            println!("replaying {}", path.display());
            body(&std::fs::read(&path).expect("readable"));
            count += 1;
        }
        assert!(count > 0, "{} holds no inputs", folder.display());
    }
}
