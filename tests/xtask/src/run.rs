//! One program: started, watched, its output passed on line by line and its test results counted.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Tests as the runners counted them themselves; zero where a program runs none.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counted {
    pub passed: u32,
    pub failed: u32,
    /// Not run although asked for: `#[ignore]`, `skip`.
    pub skipped: u32,
}

impl Counted {
    pub fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    /// Reads cargo's `test result:` lines (one a test binary) and the closing lines of Node's runner.
    fn add_line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(result) = line.strip_prefix("test result: ") {
            for part in result.split(['.', ';']) {
                match part.trim().split_once(' ') {
                    Some((n, "passed")) => self.passed += n.parse().unwrap_or(0),
                    Some((n, "failed")) => self.failed += n.parse().unwrap_or(0),
                    Some((n, "ignored")) => self.skipped += n.parse().unwrap_or(0),
                    _ => {}
                }
            }
        } else if let Some(result) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# ")) {
            match result.split_once(' ') {
                Some(("pass", n)) => self.passed += n.parse().unwrap_or(0),
                Some(("fail" | "cancelled", n)) => self.failed += n.parse().unwrap_or(0),
                Some(("skipped" | "todo", n)) => self.skipped += n.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

pub struct Invocation {
    command: Command,
    shown: String,
}

impl Invocation {
    pub fn new(program: impl AsRef<OsStr>, arguments: &[&str], directory: &Path) -> Self {
        let mut command = Command::new(program.as_ref());
        command.args(arguments).current_dir(directory);
        let shown = format!("{} {}", program.as_ref().to_string_lossy(), arguments.join(" "));
        Self { command, shown }
    }

    pub fn environment(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.command.env(name, value);
    }

    pub fn without_environment(&mut self, name: &str) {
        self.command.env_remove(name);
    }

    /// Ok only if the program ended by itself, with success, within `limit`.
    pub fn run(mut self, limit: Duration) -> Result<Counted> {
        println!("$ {}", self.shown);
        let shown = self.shown;
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        own_group_on_a_build_machine(&mut self.command);
        let mut child = self.command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
        let errors = child.stderr.take().map(|pipe| thread::spawn(move || pass_on(pipe, std::io::stderr())));
        let output = child.stdout.take().map(|pipe| thread::spawn(move || pass_on(pipe, std::io::stdout())));
        let status = wait(&mut child, limit)?;
        let Some(status) = status else {
            // Its readers are left behind on purpose: a grandchild may hold the pipes open for ever.
            bail!("`{shown}` was ended after {} minutes", limit.as_secs() / 60);
        };
        let mut counted = Counted::default();
        for reader in [errors, output].into_iter().flatten() {
            if let Ok(lines) = reader.join() {
                counted = counted.plus(lines);
            }
        }
        if !status.success() {
            bail!("`{shown}` ended with {status}{}", failures(counted));
        }
        Ok(counted)
    }
}

fn failures(counted: Counted) -> String {
    if counted.failed == 0 { String::new() } else { format!(", {} tests failed", counted.failed) }
}

fn pass_on(from: impl Read, mut to: impl Write) -> Counted {
    let mut counted = Counted::default();
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        counted.add_line(&String::from_utf8_lossy(&line));
        // A closed terminal must not end the check itself.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        line.clear();
    }
    counted
}

fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > limit {
            end(child);
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// A terminal's Ctrl-C reaches only the foreground group, so people keep the shared group; where nobody types, a group of
/// its own lets a time limit end the browsers that a test has started too.
fn own_group_on_a_build_machine(command: &mut Command) {
    #[cfg(unix)]
    if std::env::var_os("CI").is_some() {
        std::os::unix::process::CommandExt::process_group(command, 0);
    }
}

fn end(child: &mut Child) {
    if std::env::var_os("CI").is_some() {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Invocation {
        Invocation::new("sh", &["-c", script], Path::new("/"))
    }

    #[test]
    fn closing_lines_of_cargo_and_node_are_counted() {
        let mut counted = Counted::default();
        counted.add_line("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out");
        counted.add_line("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out");
        counted.add_line("ℹ pass 5\n");
        counted.add_line("ℹ skipped 2");
        counted.add_line("# fail 1");
        counted.add_line("test a::passed ... ok");
        assert_eq!(counted, Counted { passed: 19, failed: 5, skipped: 3 });
    }

    #[test]
    fn a_program_that_fails_is_missing_or_hangs_is_an_error() {
        let long = Duration::from_secs(20);
        assert!(shell("exit 0").run(long).is_ok());
        let error = shell("exit 7").run(long).unwrap_err();
        assert!(error.to_string().contains("`sh -c exit 7` ended with exit status: 7"), "{error}");
        let error = Invocation::new("sampan-has-no-such-tool", &[], Path::new("/")).run(long).unwrap_err();
        assert!(error.to_string().contains("cannot start"), "{error}");
        let error = shell("exec sleep 20").run(Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("was ended"), "{error}");
    }
}
