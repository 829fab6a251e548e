//! Each invariant of `ARCHITECTURE.md` names the test that keeps it, and that test exists:
//! ``- **I-name**: sentence (test: `crate::module::test_name`)``.

use crate::metadata::ours;
use crate::{read, rust_files, workspace_root};
use std::collections::BTreeSet;

struct Invariant {
    name: String,
    tests: Vec<String>,
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let invariants = invariants(&read(&workspace_root().join("ARCHITECTURE.md")));
    assert!(!invariants.is_empty(), "ARCHITECTURE.md has no line `- **I-name**: ...`");
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for invariant in &invariants {
        if !names.insert(&invariant.name) {
            wrong.push(format!("{} is there twice", invariant.name));
        }
        if invariant.tests.is_empty() {
            wrong.push(format!("{} names no test", invariant.name));
        }
        wrong.extend(
            invariant.tests.iter().filter_map(|test| Some(format!("{}: {}", invariant.name, missing(test)?))),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn invariants(text: &str) -> Vec<Invariant> {
    // A line may be wrapped: an item ends where the next one, a heading or an empty line begins.
    let mut items: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let begins = line.trim_start().starts_with("- **I-");
        if begins {
            items.push(line.trim().to_string());
        } else if let (true, Some(item)) = (inside && line.starts_with(' '), items.last_mut()) {
            item.push(' ');
            item.push_str(line.trim());
        }
        inside = begins || (inside && line.starts_with(' '));
    }
    let name = |item: &str| item.split("**").nth(1).unwrap_or_default().to_string();
    items.iter().map(|item| Invariant { name: name(item), tests: tests_of(item) }).collect()
}

/// The paths between backticks after `(test:` or `(tests:`.
fn tests_of(item: &str) -> Vec<String> {
    let Some((_, rest)) = item.split_once("(test: ").or_else(|| item.split_once("(tests: ")) else {
        return Vec::new();
    };
    rest.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// Why there is no such test, or None if there is: `package::...::function`, each part between being a module of that
/// name or a test binary's.
fn missing(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    let [package, between @ .., function] = &parts[..] else { return Some(format!("`{path}` is no path")) };
    let Some(package) = ours().find(|p| p.name.replace('-', "_") == package.replace('-', "_")) else {
        return Some(format!("no crate `{package}`"));
    };
    let is_it = |file: &std::path::PathBuf| {
        let text = read(file);
        let place = file.strip_prefix(&package.folder).unwrap_or(file).to_string_lossy().replace(".rs", "/");
        let named =
            |part: &&str| place.contains(&format!("{part}/")) || text.contains(&format!("mod {part} {{"));
        between.iter().all(named) && has_test(&text, function)
    };
    let exists = rust_files(&package.folder).iter().any(is_it);
    (!exists).then(|| format!("there is no test `{path}`"))
}

/// A function of this name right under `#[test]` (other attributes may stand between) or inside `proptest!`.
fn has_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let wanted = format!("fn {function}(");
    lines.iter().enumerate().any(|(at, line)| {
        let attributes =
            lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        (line.starts_with(&wanted) || line.starts_with(&format!("async {wanted}")))
            && attributes.clone().any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
            && !attributes.clone().any(|line| line.starts_with("#[ignore"))
    })
}

#[test]
fn invariants_are_read_over_wrapped_lines() {
    let text =
        "# x\n- **I-one**: a\n  sentence (test: `a::b`)\n- **I-two**: none\n\n  (test: `c::d`)\n- other\n";
    let read: Vec<(String, Vec<String>)> =
        invariants(text).into_iter().map(|invariant| (invariant.name, invariant.tests)).collect();
    let wanted = [("I-one".to_string(), vec!["a::b".to_string()]), ("I-two".to_string(), Vec::new())];
    assert_eq!(read, wanted);
}

#[test]
fn a_test_that_is_missing_ignored_or_no_test_is_noticed() {
    assert_eq!(missing("tests::architecture::invariants::invariants_are_read_over_wrapped_lines"), None);
    assert!(missing("tests::architecture::licences::invariants_are_read_over_wrapped_lines").is_some());
    assert!(missing("tests::architecture::invariants::missing").is_some());
    assert!(missing("nobody::x").is_some());
    assert!(!has_test("#[test]\n#[ignore]\nfn x() {}", "x"));
    assert!(has_test("#[test]\n#[should_panic]\nfn x() {}", "x"));
}
