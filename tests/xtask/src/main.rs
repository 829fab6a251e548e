//! `cargo xtask`: everything that a developer or the build machine runs, in one place and in one order.
//!
//! It starts other programs and reports what they said. It never decides that something missing is fine: a tool that is
//! not there, a directory without tests and a check that was not run are failures.

mod checks;
mod hidden_path;
mod report;
mod run;
mod scorer;
mod tools;

use anyhow::{Context, Result, bail};
use checks::Check;
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  test                  install what is missing (Debian 12 as root), then run every check
  test --only A,B       only these checks, with only the tools they need
  tools                 only install what the checks need, or say what to install
  scorer                install what `benches -- jitter` needs for speech scores and peers
  --help                this text

Checks, in their order:
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match command(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn command(arguments: &[String]) -> Result<bool> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["test"] => test(Check::ALL),
        ["test", "--only", names] => test(&chosen(names)?),
        ["tools"] => {
            let root = workspace_root()?;
            tools::provide(&root, Check::ALL)?;
            println!("xtask: every tool that the checks need is here");
            Ok(true)
        }
        ["scorer"] => {
            scorer::provide(&workspace_root()?, tools::may_install())?;
            Ok(true)
        }
        ["--help" | "-h" | "help"] => {
            print!("{HELP}");
            for check in Check::ALL {
                println!("  {:<21} {}", check.name(), check.what());
            }
            Ok(true)
        }
        [] => bail!("no command; `cargo xtask --help` lists them"),
        _ => bail!("cannot read `{}`; `cargo xtask --help` lists the commands", arguments.join(" ")),
    }
}

fn chosen(names: &str) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for name in names.split(',') {
        let known = Check::ALL.iter().find(|check| check.name() == name);
        let check =
            known.with_context(|| format!("no check is called `{name}`; see `cargo xtask --help`"))?;
        checks.push(*check);
    }
    Ok(checks)
}

/// Runs every check even after one failed, so that one run shows all there is to repair.
fn test(checks: &[Check]) -> Result<bool> {
    let root = workspace_root()?;
    tools::provide(&root, checks)?;
    let mut rows = Vec::new();
    for &check in checks {
        println!("\n== {}: {} ==", check.name(), check.what());
        rows.push(report::Row::of(check, &root));
    }
    print!("{}", report::table(&rows));
    Ok(rows.iter().all(report::Row::passed))
}

/// Two folders above this crate; the commands work from any directory.
fn workspace_root() -> Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).context("this crate does not lie in tests/xtask any more")?;
    Ok(root.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_takes_names_of_checks() {
        assert_eq!(chosen("fmt,rust").unwrap(), [Check::Fmt, Check::Rust]);
        let error = chosen("fmt,rsut").unwrap_err().to_string();
        assert!(error.contains("`rsut`"), "{error}");
        assert!(chosen("").is_err());
    }

    #[test]
    fn an_unknown_command_is_an_error_not_a_pass() {
        assert!(command(&["tset".to_string()]).is_err());
        assert!(command(&[]).is_err());
    }
}
