//! What we build on may be handed on under our licence: the list is that of `deny.toml`.

use crate::metadata::PACKAGES;
use crate::{read, workspace_root};
use std::collections::BTreeSet;

#[test]
fn every_dependency_has_an_accepted_licence() {
    let accepted = accepted();
    let refused: Vec<String> = PACKAGES
        .iter()
        .filter_map(|package| {
            let license = package.license.as_deref().unwrap_or("no licence named");
            (!is_accepted(license, &accepted)).then(|| format!("{}: {license}", package.name))
        })
        .collect();
    assert!(refused.is_empty(), "not accepted by deny.toml: {refused:#?}");
}

fn accepted() -> BTreeSet<String> {
    let text = read(&workspace_root().join("deny.toml"));
    let (_, list) = text.split_once("allow = [").expect("deny.toml allows licences");
    let (list, _) = list.split_once(']').expect("the list ends");
    list.split(',')
        .map(|name| name.trim().trim_matches('"').to_string())
        .filter(|name| !name.is_empty())
        .collect()
}

/// An SPDX expression (`AND` binds stronger than `OR`); `/` is the old way to write `OR`.
fn is_accepted(expression: &str, accepted: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = expression.split_whitespace().collect();
    let mut rest = &words[..];
    let result = any_of(&mut rest, accepted);
    result && rest.is_empty()
}

fn any_of(words: &mut &[&str], accepted: &BTreeSet<String>) -> bool {
    let mut result = all_of(words, accepted);
    while words.first() == Some(&"OR") {
        *words = &words[1..];
        result |= all_of(words, accepted);
    }
    result
}

fn all_of(words: &mut &[&str], accepted: &BTreeSet<String>) -> bool {
    let mut result = one(words, accepted);
    while words.first() == Some(&"AND") {
        *words = &words[1..];
        result &= one(words, accepted);
    }
    result
}

fn one(words: &mut &[&str], accepted: &BTreeSet<String>) -> bool {
    match **words {
        ["(", ..] => {
            *words = &words[1..];
            let result = any_of(words, accepted);
            *words = words.strip_prefix(&[")"][..]).unwrap_or(&[]);
            result
        }
        [name, "WITH", exception, ..] => {
            *words = &words[3..];
            accepted.contains(&format!("{name} WITH {exception}"))
        }
        [name, ..] => {
            *words = &words[1..];
            accepted.contains(name)
        }
        [] => false,
    }
}

#[test]
fn licence_expressions_are_understood() {
    let accepted = BTreeSet::from(["MIT".to_string(), "Apache-2.0 WITH LLVM-exception".to_string()]);
    let table = [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND MIT", true),
        ("GPL-3.0 OR MIT AND ISC", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("", false),
        ("MIT MIT", false),
    ];
    for (expression, wanted) in table {
        assert_eq!(is_accepted(expression, &accepted), wanted, "{expression}");
    }
}
