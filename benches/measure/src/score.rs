//! Speech scores: the Python tool of `benches/scorer`, run as often as there are processors.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scorer/score.py");

/// A recording to score.
pub struct Task {
    pub reference: PathBuf,
    pub heard: PathBuf,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Scores {
    pub plcmos: f64,
    pub pesq: f64,
    pub estoi: f64,
    /// How late each window of ten seconds was, against the reference.
    pub lags_ms: Vec<f64>,
}

#[derive(Deserialize)]
struct Answer {
    id: usize,
    error: Option<String>,
    #[serde(flatten)]
    scores: Option<Scores>,
}

/// The interpreter of the scorer's own environment, which `cargo xtask scorer` makes.
pub fn interpreter() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let python = target.join("scorer/bin/python");
    if !python.exists() {
        bail!("speech scores need `cargo xtask scorer` once ({} is not there)", python.display());
    }
    Ok(python)
}

/// Scores in the order of the tasks; what could not be scored is an error that says why.
pub fn all(python: &Path, tasks: &[Task], progress: impl Fn(usize) + Sync) -> Result<Vec<Result<Scores>>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(tasks.len().max(1));
    let done = std::sync::atomic::AtomicUsize::new(0);
    let mut results: Vec<Option<Result<Scores>>> = tasks.iter().map(|_| None).collect();
    let shares = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|worker| {
                let (done, progress) = (&done, &progress);
                let mine = (worker..tasks.len()).step_by(workers).collect::<Vec<_>>();
                scope.spawn(move || {
                    one(python, tasks, &mine, || {
                        progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
                    })
                })
            })
            .collect();
        let joined =
            workers.into_iter().map(|w| w.join().unwrap_or_else(|_| bail!("a scoring thread panicked")));
        joined.collect::<Result<Vec<_>>>()
    })?;
    for (id, result) in shares.into_iter().flatten() {
        results[id] = Some(result);
    }
    let unanswered = || bail!("the scorer ended before it");
    Ok(results.into_iter().map(|result| result.unwrap_or_else(unanswered)).collect())
}

type Share = Vec<(usize, Result<Scores>)>;

fn one(python: &Path, tasks: &[Task], mine: &[usize], scored: impl Fn()) -> Result<Share> {
    let mut child = Command::new(python)
        .arg(TOOL)
        .env("OMP_NUM_THREADS", "1")
        .env("OPENBLAS_NUM_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the scorer")?;
    let mut input = child.stdin.take().context("no standard input")?;
    let lines: Vec<String> = mine
        .iter()
        .map(|&id| {
            let Task { reference, heard } = &tasks[id];
            serde_json::json!({"id": id, "reference": reference, "heard": heard}).to_string()
        })
        .collect();
    input.write_all((lines.join("\n") + "\n").as_bytes())?;
    drop(input);
    let mut share = Vec::new();
    for line in BufReader::new(child.stdout.take().context("no standard output")?).lines() {
        let line = line?;
        let answer: Answer =
            serde_json::from_str(&line).with_context(|| format!("the scorer said: {line}"))?;
        let result = match (answer.scores, answer.error) {
            (Some(scores), None) => Ok(scores),
            (_, error) => Err(anyhow::anyhow!(error.unwrap_or_else(|| "no scores".to_owned()))),
        };
        share.push((answer.id, result));
        scored();
    }
    let status = child.wait()?;
    ensure!(status.success(), "the scorer ended with {status}; `cargo xtask scorer` repairs its environment");
    Ok(share)
}
