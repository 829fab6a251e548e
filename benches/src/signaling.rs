//! Signaling: joins beside a thousand connected clients, messages in a large room, idle connections, and phones whose network is
//! cut again and again.
//!
//! The server is a process of its own, on real sockets and with its messages on disk; the clients live in this one. The phones live
//! in virtual time, against the same sessions and log.

mod client;
mod server;

use crate::report::{Report, percentile};
use anyhow::ensure;
use client::Client;
use server::Server;
pub use server::serve;
use std::time::{Duration, Instant};
use tests::phones;
use wire::{ClientMessage, HistoryFrom, ServerMessage};

#[derive(clap::Args)]
pub struct Options {
    /// Clients that are connected while others join
    #[arg(long, default_value_t = 1000)]
    connected: usize,
    /// Joins that are measured, a few at a time
    #[arg(long, default_value_t = 500)]
    joins: usize,
    /// People in the room that talks
    #[arg(long, default_value_t = 500)]
    room: usize,
    /// Messages said there, one after the other
    #[arg(long, default_value_t = 200)]
    messages: usize,
    /// Phones in virtual time
    #[arg(long, default_value_t = 100)]
    phones: usize,
    /// Cuts of each phone
    #[arg(long, default_value_t = 300)]
    cuts: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Virtual time only
    #[arg(long)]
    no_sockets: bool,
}

/// Joins under way at a time: as many as arrive when a class begins.
const JOINS_AT_ONCE: usize = 20;
/// Anything slower is a failure of the run.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("signaling");
    in_virtual_time(options, &mut report);
    if options.no_sockets {
        report.absent("join_p99_ms", "--no-sockets");
        return Ok(report);
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(on_sockets(options, &mut report))?;
    report.absent(
        "media_back_p99_ms",
        "phones in virtual time have no media; `tests/browser/calls/comeback.test.js` prints it for real Chromium",
    );
    Ok(report)
}

fn in_virtual_time(options: &Options, report: &mut Report) {
    eprintln!("{} phones, {} cuts each, in virtual time", options.phones, options.cuts);
    let setup = phones::Setup {
        phones: options.phones,
        cuts_per_phone: options.cuts,
        seed: options.seed,
        ..phones::Setup::default()
    };
    let mut outcome = phones::run(&setup, phones::native_join());
    report.heading(format!(
        "{} phones in rooms of {}, {} cuts of 0.1 to 60 s, 60 ms round trip, {} messages, {:.1} h of virtual time",
        options.phones,
        setup.phones_per_room,
        outcome.cuts,
        outcome.said,
        outcome.virtual_time.as_secs_f64() / 3600.0
    ));
    report.figure("messages_lost", outcome.lost as f64, "of what everybody in the room should have read");
    report.figure("messages_doubled", outcome.doubled as f64, "read twice");
    report.figure("messages_reordered", outcome.reordered as f64, "read after a later one");
    let p50 = percentile(&mut outcome.resume_ms, 0.50);
    let p99 = percentile(&mut outcome.resume_ms, 0.99);
    report.figure("resume_p50_ms", p50, "from a whole link to the answer of `resume` or `join`");
    report.figure("resume_p99_ms", p99, "goal: 1000");
    report.figure("resumed", outcome.resumed as f64, "sessions that went on");
    report.figure(
        "joined_anew",
        outcome.joined_anew as f64,
        "first joins, and those that came after the grace time",
    );
}

async fn on_sockets(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start()?;
    let join = phones::native_join();

    eprintln!("{} idle connections", options.connected);
    let before = server.rss_kib()?;
    let mut idle = Vec::new();
    for _ in 0..options.connected {
        idle.push(Client::connect(server.address()).await?);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let per_connection = (server.rss_kib()?.saturating_sub(before)) as f64 / options.connected as f64;
    report.heading(format!("beside {} connected clients, loopback, messages on disk", options.connected));
    report.figure("kib_per_idle_connection", per_connection, "resident memory of the server, WebSocket open");

    eprintln!("{} joins", options.joins);
    let began = Instant::now();
    let mut tasks = Vec::new();
    for worker in 0..JOINS_AT_ONCE {
        let (join, address, joins) = (join.clone(), server.address(), options.joins);
        tasks.push(tokio::spawn(async move {
            let (mut times, mut clients) = (Vec::new(), Vec::new());
            for index in (worker..joins).step_by(JOINS_AT_ONCE) {
                let mut client = Client::connect(address).await?;
                let began = Instant::now();
                client.join(&join, &format!("room {}", index / 8), None).await?;
                times.push(began.elapsed().as_secs_f64() * 1000.0);
                clients.push(client);
            }
            anyhow::Ok((times, clients))
        }));
    }
    let (mut times, mut clients) = (Vec::new(), Vec::new());
    for task in tasks {
        let (some, more) = task.await??;
        times.extend(some);
        clients.extend(more);
    }
    let seconds = began.elapsed().as_secs_f64();
    report.figure("joins_per_s", options.joins as f64 / seconds, "connecting included, 20 at a time");
    report.figure("join_p50_ms", percentile(&mut times, 0.50), "from `join` to `joined`");
    report.figure("join_p99_ms", percentile(&mut times, 0.99), "from `join` to `joined`");
    drop(clients);

    talk(options, report, &server, &join).await?;
    drop(idle);
    Ok(())
}

/// One after the other says something, and everybody reads it.
async fn talk(
    options: &Options,
    report: &mut Report,
    server: &Server,
    join: &ClientMessage,
) -> anyhow::Result<()> {
    eprintln!("a room of {}", options.room);
    let mut people = Vec::new();
    for _ in 0..options.room {
        let mut client = Client::connect(server.address()).await?;
        client.join(join, "large", Some(HistoryFrom::Newest { newest: 0 })).await?;
        people.push(client);
    }
    // Everybody has heard of everybody by now or does so while reading.
    let mut speaker = people.remove(0);
    let (read_in, mut read) = tokio::sync::mpsc::unbounded_channel();
    for mut client in people {
        let read = read_in.clone();
        tokio::spawn(async move {
            while let Ok(message) = client.hear().await {
                if let ServerMessage::Messages { messages, .. } = message {
                    let at = Instant::now();
                    let last = messages.last().map_or(0, |m| m.seq);
                    for message in messages {
                        let _ = read.send((message.seq, at));
                    }
                    if last.is_multiple_of(16) {
                        client.say(&ClientMessage::Received { seq: last }).await?;
                    }
                }
            }
            anyhow::Ok(())
        });
    }
    let (mut latencies, listeners) = (Vec::new(), options.room - 1);
    let began = Instant::now();
    for index in 0..options.messages {
        let said = Instant::now();
        let key = format!("key of message {index:08}");
        let post = ClientMessage::Post {
            id: index as u64 + 10,
            key,
            topic: "chat".into(),
            body: "x".repeat(100),
            room: None,
        };
        speaker.say(&post).await?;
        for _ in 0..listeners {
            let (_, at) = tokio::time::timeout(PATIENCE, read.recv()).await?.expect("listeners");
            latencies.push((at - said).as_secs_f64() * 1000.0);
        }
        // As fast as people can be: what is measured is the way of one message, not a queue of them.
        tokio::time::sleep(Duration::from_millis(60)).await;
        speaker.drain().await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    ensure!(latencies.len() == listeners * options.messages, "somebody did not read everything");
    report.figure(
        "message_p50_ms",
        percentile(&mut latencies, 0.50),
        format!("from `post` to each of {listeners} readers"),
    );
    report.figure("message_p99_ms", percentile(&mut latencies, 0.99), "the same");
    report.figure(
        "messages_per_s",
        latencies.len() as f64 / seconds,
        "deliveries, with pauses between messages",
    );
    Ok(())
}
