//! `/metrics` in the Prometheus text format, version 0.0.4.

use std::fmt::{Display, Write};
use std::sync::atomic::Ordering;

use sfu::{ReceiveDrop, SendDrop, Shedding};
use wire::ErrorCode;

use super::limits::ConnectionCap;
use crate::sessions::{Histogram, Stats};

pub(super) fn text(
    sessions: &Stats,
    media: &sfu::Stats,
    cap: &ConnectionCap,
    hooks: Option<&hooks::Stats>,
) -> String {
    let mut page = Page(String::with_capacity(16 * 1024));
    signaling(&mut page, sessions, cap);
    forwarder(&mut page, media);
    shell(&mut page, media);
    if let Some(hooks) = hooks {
        webhooks(&mut page, hooks);
    }
    page.0
}

fn webhooks(page: &mut Page, hooks: &hooks::Stats) {
    page.counter("sampan_events_total", "Events that webhooks are told.", hooks.recorded);
    page.counter(
        "sampan_events_lost_total",
        "Events given up because they could not be stored for too long.",
        hooks.lost,
    );
    type Figure = (&'static str, &'static str, &'static str, fn(&hooks::TargetStats) -> u64);
    let figures: [Figure; 4] = [
        ("sampan_webhook_rooms_behind", "gauge", "Rooms with events that were not taken yet.", |t| {
            t.rooms_behind as u64
        }),
        ("sampan_webhook_taken_total", "counter", "Events taken.", |t| t.taken),
        ("sampan_webhook_failed_total", "counter", "Attempts that failed.", |t| t.failed),
        ("sampan_webhook_cut_total", "counter", "Rooms whose events were kept no longer untaken.", |t| t.cut),
    ];
    for (name, kind, help, of) in figures {
        page.family(name, kind, help);
        for (webhook, target) in hooks.targets.iter().enumerate() {
            page.sample(name, &[("webhook", &webhook.to_string())], of(target));
        }
    }
}

fn signaling(page: &mut Page, sessions: &Stats, cap: &ConnectionCap) {
    page.gauge("sampan_http_connections", "Open TCP connections, WebSockets included.", cap.open());
    let refused = [("total", &cap.refused_total), ("per_address", &cap.refused_address)];
    page.family(
        "sampan_http_refused_total",
        "counter",
        "Connections turned away, by the limit that was reached.",
    );
    for (limit, count) in refused {
        page.sample("sampan_http_refused_total", &[("limit", limit)], count.load(Ordering::Relaxed));
    }
    page.gauge("sampan_connections", "Open WebSockets.", sessions.connections);
    page.gauge("sampan_rooms", "Rooms with somebody in them.", sessions.rooms);
    page.gauge("sampan_participants", "Participants in all rooms.", sessions.participants);
    page.counter("sampan_joins_total", "Participants that came.", sessions.joins);
    page.counter("sampan_leaves_total", "Participants that went.", sessions.leaves);
    page.gauge(
        "sampan_participants_away",
        "Participants whose connection is lost, and who are waited for.",
        sessions.away,
    );
    page.gauge("sampan_held", "People in the lobby for whom a media path is ready.", sessions.held);
    page.gauge("sampan_waiting", "People whom a moderator has to let in.", sessions.waiting);
    page.counter(
        "sampan_resumes_total",
        "Participants that came back on a new connection.",
        sessions.resumes,
    );
    page.counter("sampan_given_up_total", "Participants that did not come back in time.", sessions.given_up);
    page.gauge("sampan_calls", "Calls that ring or go on.", sessions.calls);
    page.gauge("sampan_devices", "Devices that would ring.", sessions.devices);
    page.counter("sampan_invitations_total", "Calls that began to ring.", sessions.invitations);
    page.counter("sampan_missed_calls_total", "Calls that nobody answered.", sessions.missed_calls);
    page.counter("sampan_messages_total", "Messages from clients.", sessions.messages);
    page.counter(
        "sampan_posts_total",
        "Messages of rooms that were stored and acknowledged.",
        sessions.posts,
    );
    page.counter(
        "sampan_not_stored_total",
        "Batches of messages that could not be stored.",
        sessions.not_stored,
    );
    page.family("sampan_errors_total", "counter", "Errors told to clients, by code.");
    for code in ErrorCode::ALL {
        let count = sessions.errors.get(&code).copied().unwrap_or_default();
        page.sample("sampan_errors_total", &[("code", code.name())], count);
    }
    page.family("sampan_denied_total", "counter", "Access tokens that were refused, by the reason.");
    for (denied, count) in &sessions.denied {
        page.sample("sampan_denied_total", &[("reason", &denied.to_string())], *count);
    }
    page.family(
        "sampan_media_closed_total",
        "counter",
        "Media sessions that ended by themselves, by reason.",
    );
    for (reason, count) in &sessions.media_closed {
        page.sample("sampan_media_closed_total", &[("reason", reason)], count);
    }
    let name = "sampan_connect_stage_seconds";
    page.family(
        name,
        "histogram",
        "Stages of connecting, as clients report them and as the media plane saw them.",
    );
    let sides = [("client", &sessions.client_stages), ("server", &sessions.server_stages)];
    for (side, stages) in sides {
        for (stage, histogram) in stages {
            page.histogram(name, &[("side", side), ("stage", stage)], histogram);
        }
    }
}

type RouterCounter = (&'static str, &'static str, fn(&sfu_core::Stats) -> u64);

const ROUTER_COUNTERS: [RouterCounter; 24] = [
    ("sampan_sfu_datagrams_in_total", "Datagrams that reached the forwarder.", |s| s.datagrams_in),
    ("sampan_sfu_bytes_in_total", "Bytes that reached the forwarder.", |s| s.bytes_in),
    ("sampan_sfu_packets_in_total", "RTP packets taken in.", |s| s.packets_in),
    ("sampan_sfu_packets_forwarded_total", "RTP packets sent on, per subscriber.", |s| s.packets_forwarded),
    ("sampan_sfu_datagrams_out_total", "Datagrams given to the kernel.", |s| s.datagrams_out),
    ("sampan_sfu_bytes_out_total", "Bytes given to the kernel.", |s| s.bytes_out),
    ("sampan_sfu_batches_out_total", "Batches that the datagrams were sent in.", |s| s.transmits),
    ("sampan_sfu_nacks_sent_total", "Packets asked for again from publishers.", |s| s.nacks_sent),
    ("sampan_sfu_packets_recovered_total", "Packets that came after being asked for.", |s| {
        s.packets_recovered
    }),
    ("sampan_sfu_fec_received_total", "Repair packets (FEC) of publishers.", |s| s.fec_received),
    ("sampan_sfu_fec_recovered_total", "Packets that came back out of publishers' repair packets.", |s| {
        s.fec_recovered
    }),
    ("sampan_sfu_fec_sent_total", "Repair packets (FEC) sent to subscribers.", |s| s.fec_sent),
    ("sampan_sfu_copies_ahead_total", "Packets sent once more before anybody missed them.", |s| {
        s.copies_ahead
    }),
    ("sampan_sfu_nacks_received_total", "Packets that subscribers asked for again.", |s| s.nacks_received),
    ("sampan_sfu_retransmissions_total", "Packets sent again to subscribers.", |s| s.retransmissions),
    ("sampan_sfu_subscriber_feedbacks_total", "Transport-wide feedback of subscribers.", |s| {
        s.feedbacks_received
    }),
    ("sampan_sfu_probes_total", "Probe clusters sent to subscribers.", |s| s.probes_sent),
    ("sampan_sfu_padding_bytes_total", "Bytes that only filled probes.", |s| s.padding_bytes),
    ("sampan_sfu_keyframes_requested_total", "Keyframes asked for from publishers.", |s| {
        s.keyframes_requested
    }),
    ("sampan_sfu_keyframes_wanted_total", "Keyframes that subscribers asked for.", |s| s.keyframes_wanted),
    ("sampan_sfu_feedbacks_sent_total", "Transport-wide feedback messages to publishers.", |s| {
        s.feedbacks_sent
    }),
    ("sampan_sfu_packets_relayed_total", "Packets handed over to other workers, once each.", |s| {
        s.packets_relayed
    }),
    ("sampan_sfu_data_received_total", "Data messages of participants.", |s| s.data_received),
    ("sampan_sfu_data_forwarded_total", "Data messages sent on, per receiver.", |s| s.data_forwarded),
];

fn forwarder(page: &mut Page, media: &sfu::Stats) {
    let routers: Vec<_> = media.workers.iter().flatten().map(|w| &w.router).collect();
    let sum = |of: fn(&sfu_core::Stats) -> usize| routers.iter().map(|s| of(s)).sum::<usize>();
    page.gauge("sampan_sfu_peers", "Media sessions.", sum(|s| s.peers));
    page.gauge("sampan_sfu_connected", "Media sessions that are connected.", sum(|s| s.connected));
    page.gauge("sampan_sfu_data_open", "Participants with open data channels.", sum(|s| s.data_open));
    for (name, help, of) in ROUTER_COUNTERS {
        page.counter(name, help, routers.iter().map(|s| of(s)).sum::<u64>());
    }
    let name = "sampan_sfu_dropped_total";
    page.family(name, "counter", "Datagrams and packets that went no further, by reason.");
    let mut reasons = std::collections::BTreeMap::new();
    for (reason, count) in routers.iter().flat_map(|s| &s.dropped) {
        *reasons.entry(*reason).or_insert(0) += count;
    }
    for (reason, count) in reasons {
        page.sample(name, &[("reason", reason)], count);
    }
}

fn shell(page: &mut Page, media: &sfu::Stats) {
    page.gauge("sampan_workers", "Worker threads of the media plane.", media.workers.len());
    let answering = media.workers.iter().flatten().count();
    page.gauge(
        "sampan_workers_answering",
        "Worker threads that answered when these figures were taken.",
        answering,
    );
    let (receive, send) = (media.receive(), media.send());
    page.counter("sampan_udp_receives_total", "System calls that received something.", receive.receives);
    page.counter("sampan_udp_received_total", "Datagrams received.", receive.datagrams);
    page.counter("sampan_udp_received_bytes_total", "Bytes received.", receive.bytes);
    page.counter(
        "sampan_udp_handed_over_total",
        "Datagrams that came to the wrong worker.",
        receive.handed_over,
    );
    page.counter("sampan_udp_sends_total", "System calls that sent something.", send.sends);
    page.counter("sampan_udp_sent_total", "Datagrams sent.", send.datagrams);
    page.counter("sampan_udp_sent_bytes_total", "Bytes sent.", send.bytes);
    page.counter("sampan_udp_gso_failures_total", "Batches that the kernel refused.", send.gso_failures);
    let name = "sampan_udp_receive_dropped_total";
    page.family(name, "counter", "Datagrams that did not reach the forwarder, by reason.");
    for reason in ReceiveDrop::ALL {
        page.sample(name, &[("reason", reason.name())], receive.dropped(reason));
    }
    let name = "sampan_udp_send_dropped_total";
    page.family(name, "counter", "Datagrams that were not sent, by reason.");
    for reason in SendDrop::ALL {
        page.sample(name, &[("reason", reason.name())], send.dropped(reason));
    }
    let name = "sampan_worker_cpu_seconds_total";
    page.family(name, "counter", "CPU time of each worker thread.");
    for (index, worker) in media.workers.iter().enumerate() {
        if let Some(worker) = worker {
            page.sample(name, &[("worker", &index.to_string())], worker.cpu_us as f64 / 1e6);
        }
    }
    let name = "sampan_worker_busy_ratio";
    page.family(name, "gauge", "Share of its time that each worker works; new rooms are refused from 0.85.");
    for (index, worker) in media.workers.iter().enumerate() {
        if let Some(worker) = worker {
            page.sample(name, &[("worker", &index.to_string())], f64::from(worker.load_percent) / 100.0);
        }
    }
    let name = "sampan_worker_shedding";
    page.family(name, "gauge", "1 while a worker that cannot keep up leaves this out.");
    for (index, worker) in media.workers.iter().enumerate() {
        for what in [Shedding::Enhancement, Shedding::LeastWatched] {
            let sheds = worker.as_ref().is_some_and(|worker| worker.shedding >= what);
            let labels = [("worker", index.to_string()), ("what", what.name().to_owned())];
            page.sample(name, &labels.each_ref().map(|(k, v)| (*k, v.as_str())), u8::from(sheds));
        }
    }
    let name = "sampan_udp_buffer_bytes";
    page.family(name, "gauge", "Socket buffers that the system granted.");
    page.sample(name, &[("way", "receive")], media.buffers.receive);
    page.sample(name, &[("way", "send")], media.buffers.send);
    let restarts = media.workers.iter().flatten().map(|w| w.restarts).sum::<u64>();
    page.counter("sampan_worker_restarts_total", "Forwarders started anew after they had failed.", restarts);
}

/// Label values here are names of our own and need no escaping.
struct Page(String);

// Writing to a string does not fail.
impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        for (bound, count) in histogram.cumulative() {
            let bound = bound.map_or("+Inf".to_owned(), |ms| (f64::from(ms) / 1000.0).to_string());
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(&format!("{name}_bucket"), &labels, count);
        }
        self.sample(&format!("{name}_sum"), labels, histogram.sum_ms() / 1000.0);
        self.sample(&format!("{name}_count"), labels, histogram.count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_belongs_to_the_family_above_it() {
        let mut sessions = Stats::default();
        sessions.media_closed.insert("handshake", 3);
        sessions.client_stages.entry("ice").or_default().record_ms(30.0);
        let media = sfu::Stats { workers: vec![Some(Default::default()), None], ..Default::default() };
        let hooks = hooks::Stats { targets: vec![hooks::TargetStats::default()], ..Default::default() };
        let text = text(&sessions, &media, &ConnectionCap::new(1, 1), Some(&hooks));
        let mut family = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split(' ').next().unwrap();
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                let base =
                    ["_bucket", "_sum", "_count"].iter().find_map(|s| name.strip_suffix(s)).unwrap_or(name);
                assert!(name == family || base == family, "{line} below {family}");
                assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
            }
        }
        for line in [
            "sampan_errors_total{code=\"room_full\"} 0",
            "sampan_media_closed_total{reason=\"handshake\"} 3",
            "sampan_connect_stage_seconds_bucket{side=\"client\",stage=\"ice\",le=\"0.05\"} 1",
            "sampan_connect_stage_seconds_bucket{side=\"client\",stage=\"ice\",le=\"+Inf\"} 1",
            "sampan_connect_stage_seconds_sum{side=\"client\",stage=\"ice\"} 0.03",
            "sampan_workers_answering 1",
        ] {
            assert!(text.lines().any(|l| l == line), "no line {line}");
        }
    }
}
