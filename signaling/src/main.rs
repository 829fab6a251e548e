//! The server: `sampan`. See `sampan --help`.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use signaling::server::Server;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

mod cli;
mod keys;
mod lab;

/// Exit codes: a wrong command line, and anything else that kept the server from starting.
const WRONG_USE: u8 = 2;
const FAILED: u8 = 1;

fn main() -> ExitCode {
    if let Some(arguments) = lab::asked(std::env::args_os()) {
        let own = std::env::current_exe().unwrap_or_default();
        return complain(&lab::start(&own, &arguments), FAILED);
    }
    let args = match cli::Args::try_parse() {
        Ok(args) => args,
        // `--help` and `--version`.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return complain(&cli::one_line(&error), WRONG_USE),
    };
    if let Some(cli::Subcommand::Token(token)) = &args.command {
        return match keys::token(token) {
            Ok(token) => {
                println!("{token}");
                ExitCode::SUCCESS
            }
            Err(error) => complain(&format!("{error:#}"), FAILED),
        };
    }
    match args.command {
        Some(cli::Subcommand::Schema) => return print(&wire::schema()),
        Some(cli::Subcommand::Openapi) => return print(&signaling::server::openapi()),
        _ => {}
    }
    let args = args.serve;
    let log: Targets = match args.log.parse() {
        Ok(log) => log,
        Err(error) => {
            let message =
                format!("--log {}: {error}; write for example info, or info,signaling=debug", args.log);
            return complain(&message, WRONG_USE);
        }
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(log);
    tracing_subscriber::registry().with(lines).init();
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("signaling").build() {
            Ok(runtime) => runtime,
            Err(error) => {
                return complain(&format!("cannot start threads: {error}; raise `ulimit -u`"), FAILED);
            }
        };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("{error:#}"), FAILED),
    }
}

async fn run(args: cli::Serve) -> anyhow::Result<()> {
    // Before anything else, so that no signal is missed.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut server = Server::start(args.options()?).await?;
    announce(&server);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = server.failed() => anyhow::bail!("the sessions failed, see above; start again and report this"),
    }
    tracing::info!("going down: every client is told");
    tokio::select! {
        () = server.shut_down() => {}
        // Twice means now.
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// For people and for scripts, which read the address after `page`.
fn announce(server: &Server) {
    let media = server.media();
    let addresses: Vec<_> =
        (0..media.workers()).flat_map(|w| media.candidates(w)).map(|c| c.address).collect();
    let mut unique = addresses.clone();
    unique.sort();
    unique.dedup();
    let unique: Vec<_> = unique.iter().map(ToString::to_string).collect();
    let others = match server.url_for_others() {
        Some(url) => format!("         {url} from other machines\n"),
        None if server.is_local() && server.is_open() => {
            "         (this machine alone: start with tokens or --open for others, see --help)\n".to_owned()
        }
        None if server.is_tls() || server.is_local() => String::new(),
        None => "         other machines need HTTPS: start with --tls self-signed\n".to_owned(),
    };
    let access = match (server.is_open(), server.is_local()) {
        (false, _) => "  access tokens\n",
        (true, true) => "  access OPEN, no tokens: whoever uses this machine may do everything\n",
        (true, false) => {
            "  access OPEN, no tokens: WHOEVER REACHES THIS SERVER MAY ENTER EVERY ROOM AND DO EVERYTHING THERE\n"
        }
    };
    let text = format!(
        "Sampan {} is running\n  page   {}\n{others}  media  UDP {}\n{access}  stop   Ctrl-C\n",
        env!("CARGO_PKG_VERSION"),
        server.url(),
        unique.join(", "),
    );
    // Nobody may be listening to our standard output.
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    let http: Vec<_> = server.addresses().iter().map(ToString::to_string).collect();
    if server.is_open() {
        tracing::warn!("open: everybody may enter every room and do everything there");
    }
    tracing::info!(http = http.join(" "), media = unique.join(" "), workers = media.workers(), "ready");
}

fn print(document: &serde_json::Value) -> ExitCode {
    // Whoever reads it may stop in the middle.
    let _ = writeln!(std::io::stdout(), "{document:#}");
    ExitCode::SUCCESS
}

fn complain(message: &str, code: u8) -> ExitCode {
    eprintln!("sampan: {message}");
    ExitCode::from(code)
}
