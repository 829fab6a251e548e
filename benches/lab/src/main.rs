//! The weak-network lab: `sampan-lab`. See `sampan-lab --help`.
//!
//! ```text
//! network (scenario, model or trace) -> call (virtual time, real sockets, browsers) -> run.json and recordings
//!                                                                          run.json -> table, report, comparison
//! ```

mod align;
mod browser;
mod cli;
mod compare;
mod figures;
mod links;
mod list;
mod native;
mod network;
mod outcome;
mod picture;
mod progress;
mod proxy;
mod report;
mod run;
mod scores;
mod table;
mod thresholds;

use clap::Parser as _;
use cli::Command;
use std::process::ExitCode;

/// A wrong command line, and a limit that was missed or anything else that failed.
const WRONG_USE: u8 = 2;
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let args = match cli::Args::try_parse() {
        Ok(args) => args,
        // `--help` and `--version`.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return complain(&cli::one_line(&error), WRONG_USE),
    };
    let held = match &args.command {
        Command::List(list) => {
            print!("{}", if list.json { list::json() + "\n" } else { list::table() });
            Ok(true)
        }
        Command::Run(options) => run::run(options),
        Command::Proxy(options) => proxy::run(options).map(|()| true),
        Command::Report(options) => report::run(options),
    };
    match held {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => complain(&format!("{error:#}"), FAILED),
    }
}

fn complain(message: &str, code: u8) -> ExitCode {
    eprintln!("sampan-lab: {message}");
    ExitCode::from(code)
}
