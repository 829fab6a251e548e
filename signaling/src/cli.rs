//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, ValueEnum};

use crate::keys;
use signaling::server::{Listen, Options, Tls, Url};
use signaling::sessions::Rate;

/// A self-hosted server for real-time audio and video calls.
///
/// Without any option: the demo page on http://localhost:8080, for this machine alone, and everybody may enter every room.
/// Others get in with tokens (--token-secret-file, --token-public-key; `sampan token` makes them) or without (--open). Browsers
/// give camera and microphone only to pages from localhost or from HTTPS (--tls). `sampan lab` starts the weak-network lab.
#[derive(Parser, Debug)]
#[command(name = "sampan", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Subcommand>,

    #[command(flatten)]
    pub serve: Serve,
}

#[derive(clap::Subcommand, Debug)]
pub enum Subcommand {
    /// Prints an access token for one participant of one room, or with --admin for your own server.
    Token(TokenArgs),
    /// Prints the JSON Schema of the messages on the WebSocket (PROTOCOL.md says what they mean).
    Schema,
    /// Prints the OpenAPI document of the server API (a running server has it at /v1, too).
    Openapi,
}

#[derive(clap::Args, Debug)]
pub struct Serve {
    /// Where to serve the page and the WebSocket: a port (every address of the machine), or address and port, as in
    /// localhost:8080, 0.0.0.0:8080, [::1]:8080. Port 0: the system chooses [default: 8080; without keys and --open
    /// localhost:8080]
    #[arg(long, value_name = "[ADDRESS:]PORT")]
    http: Option<Listen>,

    /// Let in whoever has a token that was signed with the secret in this file (HS256; its bytes without surrounding white space,
    /// at least 32). May be repeated
    #[arg(long, value_name = "FILE")]
    token_secret_file: Vec<PathBuf>,

    /// Let in whoever has a token that was signed with the private key of this public one (PEM; Ed25519 or P-256). May be
    /// repeated
    #[arg(long, value_name = "FILE")]
    token_public_key: Vec<PathBuf>,

    /// Keep messages here, across restarts [default: in memory]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,

    /// Tell this URL everything that happens in rooms, and who is called (may be repeated). Events are signed, sent again until they
    /// are taken, and kept in --data meanwhile
    #[arg(long, value_name = "URL", requires = "webhook_secret_file")]
    webhook: Vec<Url>,

    /// Sign webhooks with the secret in this file, as Standard Webhooks does (at least 24 bytes, or whsec_ and base64)
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_secret_file: Option<PathBuf>,

    /// Let everybody who reaches the server into every room, to do everything there
    #[arg(long, conflicts_with_all = ["token_secret_file", "token_public_key"])]
    open: bool,

    /// UDP port of all media [default: the number of the HTTP port]. 0: the system chooses
    #[arg(long, value_name = "PORT")]
    udp_port: Option<u16>,

    /// One UDP port per worker instead of one for all: --udp-port and the ones above it
    #[arg(long)]
    udp_ports: bool,

    /// Threads that forward media [default: one per core]
    #[arg(long, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    workers: Option<usize>,

    /// Participants of one room that one of these threads serves; whoever comes then is served by another, if it has time
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().participants_per_worker,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    participants_per_worker: usize,

    /// Tell clients this address instead of the machine's own (may be repeated): the public one, behind a NAT that forwards
    /// the UDP port
    #[arg(long, value_name = "IP")]
    announce_ip: Vec<IpAddr>,

    /// Offer clients AES-CM too, for those without AES-GCM. Browsers then choose it, at several times the CPU a packet
    #[arg(long)]
    aes_cm: bool,

    /// Send nobody more pictures at once than this: the pinned, the loudest and the largest come first [default: as many as
    /// the link carries]
    #[arg(long, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    last_n: Option<usize>,

    /// Let no more people of a room be heard at once than this: the loudest [default: everybody]
    #[arg(long, value_name = "COUNT", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    loudest_n: Option<usize>,

    /// Serve HTTPS with a certificate made at every start. Browsers warn about it once
    #[arg(long, value_name = "KIND", conflicts_with_all = ["tls_cert", "tls_key"])]
    tls: Option<TlsKind>,

    /// Serve HTTPS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Rooms at the same time
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().rooms.rooms)]
    max_rooms: usize,

    /// Participants of one room
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().rooms.participants_per_room)]
    max_participants: usize,

    /// TCP connections at the same time
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().connections)]
    max_connections: usize,

    /// TCP connections at the same time from one address
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().connections_per_address)]
    max_connections_per_address: usize,

    /// Seconds that a room waits for somebody whose connection was lost
    #[arg(long, value_name = "SECONDS", default_value_t = Options::default().grace.as_secs())]
    grace: u64,

    /// Joins a second from one network address; ten times as many at once
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    join_rate: u32,

    /// What to log: error, warn, info, debug or trace, also by part, as in info,signaling=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// Serve the page from this folder instead of the one built in (for working on the page)
    #[arg(long, value_name = "FOLDER")]
    web: Option<PathBuf>,
}

/// For one participant of one room, who may publish everything unless --publish names less (`none`: nothing).
#[derive(clap::Args, Debug)]
pub struct TokenArgs {
    /// The one room it is good for
    #[arg(long)]
    pub room: String,

    /// Who that is: your own id of the person, the same on every device
    #[arg(long)]
    pub identity: String,

    /// What others read [default: the client chooses]
    #[arg(long)]
    pub name: Option<String>,

    /// Good for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    pub seconds: u64,

    /// Sign with the secret in this file (HS256)
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "private_key",
        conflicts_with = "private_key"
    )]
    pub secret_file: Option<PathBuf>,

    /// Sign with this private key (PKCS #8, PEM; Ed25519 or P-256)
    #[arg(long, value_name = "FILE")]
    pub private_key: Option<PathBuf>,

    /// What it is, and may do because of that; the options below add to it
    #[arg(long, value_name = "ROLE", conflicts_with_all = ["no_subscribe", "no_data", "hidden"])]
    pub role: Option<RoleName>,

    /// It waits until a moderator lets it in
    #[arg(long)]
    pub wait: bool,

    /// What it may publish (may be repeated)
    #[arg(long, value_name = "SOURCE")]
    pub publish: Vec<PublishSource>,

    /// It may not see and hear others
    #[arg(long)]
    pub no_subscribe: bool,

    /// It may not send messages
    #[arg(long)]
    pub no_data: bool,

    /// It may mute, remove, and change what others may do
    #[arg(long)]
    pub moderate: bool,

    /// Nobody is told that it is there
    #[arg(long)]
    pub hidden: bool,

    /// It may start and stop recordings
    #[arg(long)]
    pub record: bool,

    /// For your own server instead of a participant: it may use the API (/v1) for this room, with --room '*' for all of them
    #[arg(long, conflicts_with_all = ["role", "wait", "publish", "no_subscribe", "no_data", "moderate", "hidden", "record"])]
    pub admin: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum RoleName {
    /// Everything
    Teacher,
    /// Everything but recording
    Assistant,
    /// Is seen and heard, and writes
    Student,
    /// Sees, hears and writes
    Audience,
}

impl RoleName {
    pub fn role(self) -> rooms::Role {
        match self {
            Self::Teacher => rooms::Role::Teacher,
            Self::Assistant => rooms::Role::Assistant,
            Self::Student => rooms::Role::Student,
            Self::Audience => rooms::Role::Audience,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum PublishSource {
    Microphone,
    Camera,
    Screen,
    #[value(name = "screen_audio")]
    ScreenAudio,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum TlsKind {
    SelfSigned,
}

impl Serve {
    pub fn options(&self) -> anyhow::Result<Options> {
        let keys = keys::verifying(&self.token_secret_file, &self.token_public_key)?;
        let is_local = keys.is_none() && !self.open;
        let http =
            self.http.unwrap_or(if is_local { Listen::Localhost(8080) } else { Listen::Everywhere(8080) });
        let tls = match (self.tls, &self.tls_cert, &self.tls_key) {
            (Some(TlsKind::SelfSigned), ..) => Tls::SelfSigned,
            (None, Some(certificate), Some(key)) => {
                Tls::Files { certificate: certificate.clone(), key: key.clone() }
            }
            (None, ..) => Tls::Off,
        };
        let mut options = Options {
            listen: http,
            keys: keys.map(Arc::new),
            signer: keys::signing(&self.token_secret_file)?.map(Arc::new),
            webhooks: keys::webhooks(&self.webhook, self.webhook_secret_file.as_deref())?,
            data: self.data.clone(),
            open: self.open,
            tls,
            joins: Rate { burst: self.join_rate.saturating_mul(10), per_second: f64::from(self.join_rate) },
            connections: self.max_connections,
            connections_per_address: self.max_connections_per_address,
            web: self.web.clone(),
            ..Options::default()
        };
        options.participants_per_worker = self.participants_per_worker;
        options.grace = Duration::from_secs(self.grace.min(3600));
        options.rooms.rooms = self.max_rooms;
        options.rooms.participants_per_room = self.max_participants;
        options.media.udp_port = self.udp_port.unwrap_or(http.port());
        options.media.port_per_worker = self.udp_ports;
        options.media.aes_cm = self.aes_cm;
        (options.media.last_n, options.media.loudest_n) = (self.last_n, self.loudest_n);
        options.media.workers = self.workers.unwrap_or(0);
        options.media.announce_ips = self.announce_ip.clone();
        Ok(options)
    }
}

/// What is wrong and what to do, in one line: clap alone takes a screen for it.
pub fn one_line(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let said = match error.kind() {
        ErrorKind::UnknownArgument => match text(ContextKind::SuggestedArg) {
            Some(similar) => format!("there is no option {argument}; did you mean {similar}?"),
            None => format!("there is no option {argument}"),
        },
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} needs a value"),
        ErrorKind::InvalidValue => match text(ContextKind::ValidValue) {
            Some(valid) => format!("{argument} cannot be `{value}`; it can be {valid}"),
            None => format!("{argument} cannot be `{value}`"),
        },
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(reason) => format!("{argument} cannot be `{value}`: {reason}"),
            None => format!("{argument} cannot be `{value}`"),
        },
        ErrorKind::ArgumentConflict => {
            format!("{argument} cannot be used with {}", text(ContextKind::PriorArg).unwrap_or_default())
        }
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    format!("{said} (all options: sampan --help)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(args: &[&str]) -> String {
        let error = Args::try_parse_from([&["sampan"], args].concat()).unwrap_err();
        let line = one_line(&error);
        assert!(!line.contains('\n'), "{line}");
        line
    }

    #[test]
    fn a_wrong_flag_is_explained_in_one_line() {
        assert!(complaint(&["--htp", "1"]).starts_with("there is no option --htp; did you mean --http?"));
        assert!(complaint(&["--nonsense"]).starts_with("there is no option --nonsense (all"));
        assert!(complaint(&["--udp-port", "x"]).starts_with("--udp-port <PORT> cannot be `x`: "));
        assert!(complaint(&["--udp-port"]).contains("--udp-port <PORT> needs a value"));
        assert!(complaint(&["--workers", "0"]).starts_with("--workers <COUNT> cannot be `0`: "));
        assert!(complaint(&["--http", "here"]).contains("write a port"));
        assert!(complaint(&["--tls", "no"]).contains("it can be self-signed"));
        assert!(complaint(&["--tls-cert", "x"]).contains("--tls-key <FILE> is missing"));
        let conflict = complaint(&["--tls", "self-signed", "--tls-cert", "a", "--tls-key", "b"]);
        assert!(conflict.contains("cannot be used with"), "{conflict}");
        assert!(complaint(&["join"]).contains("join"));
        let token = ["token", "--room", "a", "--identity", "b"];
        assert!(complaint(&token).contains("--secret-file <FILE> is missing"), "{}", complaint(&token));
    }

    #[test]
    fn limits_of_large_rooms_reach_the_media_plane() {
        let limits = |args: &[&str]| {
            let args = Args::try_parse_from([&["sampan"], args].concat()).unwrap();
            let media = args.serve.options().unwrap().media;
            (media.last_n, media.loudest_n)
        };
        assert_eq!(limits(&[]), (None, None));
        assert_eq!(limits(&["--last-n", "9", "--loudest-n", "3"]), (Some(9), Some(3)));
        assert!(complaint(&["--loudest-n", "0"]).starts_with("--loudest-n <COUNT> cannot be `0`: "));
    }

    #[test]
    fn without_options_media_uses_the_number_of_the_page() {
        let options = |args: &[&str]| {
            let args = Args::try_parse_from([&["sampan"], args].concat()).unwrap();
            args.serve.options().unwrap()
        };
        assert_eq!((options(&[]).listen, options(&[]).media.udp_port), (Listen::Localhost(8080), 8080));
        assert_eq!(options(&["--open"]).listen, Listen::Everywhere(8080));
        assert_eq!(options(&["--http", "localhost:0"]).media.udp_port, 0);
        assert_eq!(options(&["--http", "81", "--udp-port", "9"]).media.udp_port, 9);
    }
}
