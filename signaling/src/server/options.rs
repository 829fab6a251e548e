//! What a server is started with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::server::{Listen, Webhooks};
use crate::sessions::{GRACE, PARTICIPANTS_PER_WORKER, Rate};

#[derive(Clone, Debug)]
pub struct Options {
    pub listen: Listen,
    pub tls: Tls,
    /// Whose tokens let people in; None: everybody may enter and do everything.
    pub keys: Option<Arc<access::VerifyingKeys>>,
    /// What tokens that are asked for over the API are signed with; None: it gives none out.
    pub signer: Option<Arc<access::SigningKey>>,
    /// Serve without keys on addresses that others can reach.
    pub open: bool,
    /// Where messages, and what was revoked, are kept; None: in memory, until the process ends.
    pub data: Option<PathBuf>,
    /// Who is told what happens; None: nobody.
    pub webhooks: Option<Webhooks>,
    pub media: sfu::Config,
    pub rooms: rooms::Limits,
    /// Joins from one network address.
    pub joins: Rate,
    /// TCP connections at the same time, of all and of one address.
    pub connections: usize,
    pub connections_per_address: usize,
    /// From the first byte of a connection, or the last answer, to the end of a request's header.
    pub header_timeout: Duration,
    /// A connection that stays plain HTTP ends after this.
    pub http_lifetime: Duration,
    /// A WebSocket that sends nothing for so long, not even a pong, ends. Pings go out three times as often.
    pub silence: Duration,
    /// How long a room waits for somebody whose connection was lost.
    pub grace: Duration,
    /// Of one room on one worker of the media plane.
    pub participants_per_worker: usize,
    /// Unread messages and bytes that are kept for one client.
    pub queue_messages: usize,
    pub queue_bytes: usize,
    /// Serve the page from this folder instead of the one in the binary.
    pub web: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    Off,
    SelfSigned,
    /// Certificate chain and key, PEM.
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Listen::Everywhere(8080),
            tls: Tls::Off,
            data: None,
            keys: None,
            signer: None,
            webhooks: None,
            open: false,
            media: sfu::Config::default(),
            rooms: rooms::Limits::default(),
            joins: Rate { burst: 100, per_second: 10.0 },
            connections: 10_000,
            connections_per_address: 1_000,
            header_timeout: Duration::from_secs(10),
            http_lifetime: Duration::from_secs(120),
            silence: Duration::from_secs(15),
            grace: GRACE,
            participants_per_worker: PARTICIPANTS_PER_WORKER,
            queue_messages: 256,
            queue_bytes: 1 << 20,
            web: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_document_states_the_limits_of_a_server_without_options() {
        let document = include_str!("../../wire/PROTOCOL.md");
        let options = Options::default();
        let limits = [
            format!("not even a pong, for {} s", options.silence.as_secs()),
            format!("for {} s after the last sign of life", options.grace.as_secs()),
            format!("{} messages or {} MiB", options.queue_messages, options.queue_bytes >> 20),
            format!("| tracks of a participant | {} |", options.rooms.tracks_per_participant),
            format!("| slot pairs of a participant | {} |", options.rooms.slots_per_participant),
            format!("| names | {} characters |", options.rooms.room_name_chars),
        ];
        for limit in limits {
            assert!(document.contains(&limit), "PROTOCOL.md does not say `{limit}`");
        }
        assert_eq!(options.rooms.room_name_chars, options.rooms.participant_name_chars);
    }
}
