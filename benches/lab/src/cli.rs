//! The command line.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The weak-network lab: replays bad networks against Sampan and says, in one table and one picture, whether a call stays
/// under 600 ms.
///
/// Two budgets are kept apart everywhere: connecting (from the click to the first sound and picture) and latency (mouth to
/// ear, glass to glass). One participant's leg is impaired in both directions; everybody else has 10 ms there and back.
/// Signaling crosses the same impaired link as media.
#[derive(Parser, Debug)]
#[command(name = "sampan-lab", version, max_term_width = 110, after_long_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  sampan-lab list                                    what there is, in numbers
  sampan-lab run S2 --virtual                        30 % loss, a minute of call in seconds
  sampan-lab run all --virtual --seeds 5 --report    everything, and one HTML file about it
  sampan-lab run S1 S2 --browser --p2p               Chromium through our server, and Chromium to Chromium
  sampan-lab run --trace call.pcap --trace up=drive.up
                                                     your own recordings, whatever format they have
  sampan-lab run all --virtual --thresholds mine.txt exit code 1 if a limit is missed
  sampan-lab report old new --compare                two runs beside each other
  sampan-lab proxy --to 127.0.0.1:8080 --scenario S6 a bad network in front of anything else

Exit codes: 0 done, 1 a limit was missed or a run failed, 2 the command line is wrong.";

#[derive(Subcommand, Debug)]
pub enum Command {
    /// The built-in networks, each with its numbers
    List(List),
    /// Calls over bad networks: a table, recordings, and with --report a file to look at
    Run(Run),
    /// The impairment link alone: a UDP and TCP proxy with a control page, for any other client, server or phone
    Proxy(Proxy),
    /// One self-contained HTML file about a run, or two runs beside each other
    Report(Report),
}

#[derive(clap::Args, Debug)]
pub struct List {
    /// One JSON array instead of the table
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args, Debug)]
pub struct Run {
    /// Ids as `list` names them, in either case, or `all`
    #[arg(value_name = "SCENARIO", required_unless_present = "trace")]
    pub scenarios: Vec<String>,
    /// Virtual time: minutes of call in seconds, and the same byte for byte for a seed
    #[arg(long, conflicts_with_all = ["browser", "p2p"])]
    pub r#virtual: bool,
    /// A page in headless Chromium behind the bad network, through our server
    #[arg(long)]
    pub browser: bool,
    /// Chromium to Chromium over the same link, offer and answer included: the peer to beat
    #[arg(long)]
    pub p2p: bool,
    /// The first seed; the same seed loses the same packets of the same traffic
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Calls of each kind, each with the next seed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// Seconds of each call after the join
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub seconds: u64,
    /// A recorded network, repeatable: [up=|down=][FORMAT:]FILE. Formats (found out if not named): mahimahi, loss (0/1
    /// string), rates (seconds Mbit/s), packets (CSV delay_ms,lost), arrivals (CSV), pcap (also pcapng), rtpdump
    #[arg(long, value_name = "FILE")]
    pub trace: Vec<String>,
    /// Round trip of recorded networks, which say nothing about it
    #[arg(long, value_name = "MS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=5000))]
    pub rtt: u64,
    /// Joins of each scenario into a room that talks, for the percentiles of connecting [default: 200 in virtual time, else 0]
    #[arg(long, value_name = "N")]
    pub joins: Option<u64>,
    /// Only joins, no calls
    #[arg(long, requires = "joins")]
    pub joins_only: bool,
    /// Leave the speech scores (PLCMOS, PESQ, ESTOI) out; they take longer than the calls
    #[arg(long)]
    pub no_scores: bool,
    /// Where the run and its recordings go; what is there is overwritten
    #[arg(long, value_name = "FOLDER", default_value = "target/lab/last")]
    pub out: PathBuf,
    /// Also write the HTML report into that folder
    #[arg(long)]
    pub report: bool,
    /// A file of limits, one `FIGURE <= NUMBER` a line, or `targets` for what this project aims at: exit code 1 if one is missed
    #[arg(long, value_name = "FILE")]
    pub thresholds: Option<String>,
    /// Another run: a table of both, this one second
    #[arg(long, value_name = "RUN")]
    pub compare: Option<PathBuf>,
    /// One JSON object instead of the table
    #[arg(long)]
    pub json: bool,
    /// The browser
    #[arg(long, value_name = "FILE", default_value = "chromium")]
    pub chromium: PathBuf,
    /// One more flag for the browser, repeatable: --chromium-flag=--force-fieldtrials=WebRTC-IceHandshakeDtls/Enabled/
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub chromium_flag: Vec<String>,
}

#[derive(clap::Args, Debug)]
pub struct Report {
    /// A run's folder; two of them with --compare
    #[arg(value_name = "RUN", default_value = "target/lab/last")]
    pub runs: Vec<PathBuf>,
    /// The HTML file [default: report.html in the run's folder]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A table of two runs, A and B, instead of a report
    #[arg(long)]
    pub compare: bool,
    /// Limits, as for `run`; with --compare on the second run
    #[arg(long, value_name = "FILE")]
    pub thresholds: Option<String>,
    /// One JSON object instead of words
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args, Debug)]
pub struct Proxy {
    /// The server behind the link; its UDP and TCP ports are taken as the same unless --tcp-to says otherwise
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub to: SocketAddr,
    /// The server's TCP port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub tcp_to: Option<SocketAddr>,
    /// Where clients find the link, UDP and TCP alike [default: 127.0.0.1 and any port]
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Where the control page is
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub control: SocketAddr,
    /// The network to begin with
    #[arg(long, value_name = "SCENARIO", default_value = "S0", conflicts_with = "trace")]
    pub scenario: String,
    /// Recorded networks, as for `run`
    #[arg(long, value_name = "FILE")]
    pub trace: Vec<String>,
    /// Round trip of recorded networks
    #[arg(long, value_name = "MS", default_value_t = 60)]
    pub rtt: u64,
    /// The same seed loses the same packets of the same traffic
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// End by itself after so many seconds [default: run until Ctrl-C]
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
}

/// What is wrong and what to do, in one line.
pub fn one_line(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let said = match error.kind() {
        ErrorKind::UnknownArgument => format!("there is no option {argument}"),
        ErrorKind::InvalidSubcommand => {
            format!("there is no command `{}`", text(ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "no command: list, run, proxy or report".to_owned()
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => {
            format!("{argument} needs a value")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let reason =
                std::error::Error::source(error).map_or(String::new(), |reason| format!(": {reason}"));
            format!("{argument} cannot be `{value}`{reason}")
        }
        ErrorKind::ArgumentConflict => {
            format!("{argument} cannot be used with {}", text(ContextKind::PriorArg).unwrap_or_default())
        }
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    format!("{said} (everything is explained by: sampan-lab --help)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(args: &[&str]) -> String {
        let error = Args::try_parse_from([&["sampan-lab"], args].concat()).expect_err("a wrong line");
        let line = one_line(&error);
        assert!(!line.contains('\n'), "{line}");
        line
    }

    #[test]
    fn a_wrong_line_is_explained_in_one() {
        assert!(complaint(&["run"]).contains("<SCENARIO>... is missing"), "{}", complaint(&["run"]));
        assert!(complaint(&["run", "S2", "--sed", "1"]).starts_with("there is no option --sed"));
        assert!(complaint(&["run", "S2", "--seed", "x"]).starts_with("--seed <N> cannot be `x`: "));
        assert!(complaint(&["run", "S2", "--seconds", "1"]).starts_with("--seconds <N> cannot be `1`"));
        assert!(complaint(&["run", "S2", "--virtual", "--browser"]).contains("cannot be used with"));
        assert!(complaint(&["sail"]).starts_with("there is no command `sail`"));
        assert!(complaint(&["proxy"]).contains("--to <ADDRESS:PORT> is missing"));
    }

    #[test]
    fn help_can_be_made() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
        let help = Args::command().render_long_help().to_string();
        assert!(help.contains("Exit codes"));
    }
}
