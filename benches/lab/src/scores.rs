//! Speech scores of every recording of a run, where the Python scorer is installed.

use crate::outcome::{Run, hundredth};
use anyhow::Result;
use measure::score::{self, Task};
use std::path::Path;
use std::time::{Duration, Instant};

/// Adds them to the run; how long it took. Without the scorer that is said, loudly and in the run.
pub fn add(run: &mut Run, folder: &Path) -> Result<Duration> {
    let began = Instant::now();
    let python = match score::interpreter() {
        Ok(python) => python,
        Err(why) => {
            let why = format!("{why:#}");
            eprintln!("NO SPEECH SCORES: {why}");
            run.absent.insert("plcmos, pesq, estoi".to_owned(), why);
            return Ok(Duration::ZERO);
        }
    };
    let mut of = Vec::new();
    let mut tasks = Vec::new();
    for (number, call) in run.calls.iter().enumerate() {
        if let (Some(sent), Some(received)) = (&call.sent, &call.received) {
            of.push(number);
            tasks.push(Task { reference: folder.join(sent), heard: folder.join(received) });
        }
    }
    let progress = |done| eprint!("\r{done} of {} recordings scored ", tasks.len());
    let scores = score::all(&python, &tasks, progress)?;
    eprintln!();
    for (number, scores) in of.into_iter().zip(scores) {
        let call = &mut run.calls[number];
        match scores {
            Ok(scores) => {
                call.audio.plcmos = Some(hundredth(scores.plcmos));
                call.audio.pesq = Some(hundredth(scores.pesq));
                call.audio.estoi = Some(hundredth(scores.estoi));
            }
            Err(why) => {
                let name = format!("{} {} seed {}: scores", call.scenario, call.client.name(), call.seed);
                run.absent.insert(name, format!("{why:#}"));
            }
        }
    }
    Ok(began.elapsed())
}
