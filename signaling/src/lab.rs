//! `sampan lab ...`: starts the weak-network lab, which is a program of its own because it needs Opus and the server must not.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

const NAME: &str = "sampan-lab";

/// The arguments behind `lab`, if the command line begins with it.
pub fn asked(mut arguments: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let first = arguments.nth(1)?;
    (first == "lab").then(|| arguments.collect())
}

/// Becomes the lab if it lies beside `own`, the server's binary; returns why not.
pub fn start(own: &Path, arguments: &[OsString]) -> String {
    let beside = own.with_file_name(NAME);
    if !beside.exists() {
        return format!(
            "{NAME} is not beside this program ({}). Build it with `cargo build --release -p lab` (it needs cmake for \
             Opus), or start it with `cargo run --release -p lab -- --help`",
            beside.display()
        );
    }
    format!("{}: {}", beside.display(), Command::new(&beside).args(arguments).exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_first_word_of_lab_asks_for_it() {
        let line = |words: &[&str]| asked(words.iter().map(OsString::from));
        assert_eq!(line(&["sampan", "lab", "run", "S2"]), Some(vec!["run".into(), "S2".into()]));
        assert_eq!(line(&["sampan", "--log", "lab"]), None);
        assert_eq!(line(&["sampan"]), None);
    }

    #[test]
    fn a_lab_that_is_not_there_is_answered_with_how_to_build_it() {
        let why = start(Path::new("/nowhere/sampan"), &[]);
        assert!(why.contains("/nowhere/sampan-lab") && why.contains("cargo build --release -p lab"), "{why}");
    }
}
