//! `lab run`: which calls, one after the other or beside each other, and what is told of them.

use crate::browser::{self, Browsers};
use crate::cli;
use crate::compare::Comparison;
use crate::native::{class, joins, real_call, virtual_call};
use crate::network::{Network, Trace};
use crate::outcome::{Call, Client, Extra, FORMAT, Joins, Run};
use crate::progress::Progress;
use crate::{figures, report, scores, table, thresholds};
use anyhow::{Context as _, Result, ensure};
use measure::report::{commit, machine};
use measure::speech::{self, Speech};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Joins of each scenario in virtual time, unless told otherwise.
const VIRTUAL_JOINS: u64 = 200;
/// Speech goes on while the last of it is on its way.
const SPEECH_MORE_S: u64 = 40;

/// False: a threshold was missed.
pub fn run(options: &cli::Run) -> Result<bool> {
    let began = Instant::now();
    let thresholds = options.thresholds.as_deref().map(thresholds::load).transpose()?;
    let before = options.compare.as_deref().map(Run::load).transpose()?;
    let networks = networks(options)?;
    let folder = options.out.as_path();
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let speech = Arc::new(speech::load((options.seconds + SPEECH_MORE_S) as usize)?);
    let mut run = Run {
        format: FORMAT,
        commit: commit(),
        machine: machine(),
        speech: speech.corpus.clone(),
        seconds: options.seconds,
        ..Run::default()
    };
    if options.browser || options.p2p {
        in_browsers(options, &networks, &speech, &mut run)?;
    } else if options.r#virtual {
        in_virtual_time(options, &networks, &speech, &mut run)?;
    } else {
        over_sockets(options, &networks, &speech, &mut run)?;
    }
    let calls_took = began.elapsed();
    let scoring_took = if options.no_scores {
        run.absent.insert("plcmos, pesq, estoi".to_owned(), "--no-scores".to_owned());
        Duration::ZERO
    } else {
        scores::add(&mut run, folder)?
    };
    run.save(folder)?;
    eprintln!(
        "{} calls and {} joins in {:.0} s{}; everything is in {}",
        run.calls.len(),
        run.joins.iter().map(|joins| joins.count).sum::<u64>(),
        calls_took.as_secs_f64(),
        if scoring_took.is_zero() {
            String::new()
        } else {
            format!(", scoring {:.0} s more", scoring_took.as_secs_f64())
        },
        folder.display()
    );
    let verdicts = thresholds.as_deref().map(|thresholds| figures::judged(&run, thresholds));
    if options.report {
        let path = folder.join("report.html");
        report::write(&run, folder, &path)?;
        eprintln!("the report is {}", path.display());
    }
    match (&before, options.json) {
        (Some(before), true) => println!("{}", Comparison::of(before, &run).json()),
        (Some(before), false) => print!("{}", Comparison::of(before, &run).table()),
        (None, true) => println!("{}", table::json(&run, began)),
        (None, false) => print!("{}", table::table(&run)),
    }
    Ok(table::tell(verdicts.as_deref(), options.json))
}

fn networks(options: &cli::Run) -> Result<Vec<Network>> {
    let mut networks = Network::chosen(&options.scenarios)?;
    if !options.trace.is_empty() {
        let traces: Vec<Trace> = options.trace.iter().map(|text| Trace::read(text)).collect::<Result<_>>()?;
        networks.push(Network::recorded(&traces, Duration::from_millis(options.rtt))?);
    }
    Ok(networks)
}

/// What one thread does at a time.
enum Task<'a> {
    Call(&'a Network, u64),
    Joins(&'a Network),
    Class(&'a Network, u64),
}

enum Done {
    Calls(Vec<Call>),
    Joins(Joins),
    Class(Vec<Extra>),
}

fn in_virtual_time(
    options: &cli::Run,
    networks: &[Network],
    speech: &Arc<Speech>,
    run: &mut Run,
) -> Result<()> {
    run.mode = "virtual time: nothing waits, and a seed gives the same call byte for byte".to_owned();
    run.signaling = virtual_call::SIGNALING.to_owned();
    let joins = options.joins.unwrap_or(VIRTUAL_JOINS);
    let seeds = options.seed..options.seed + options.seeds;
    let mut tasks = Vec::new();
    for network in networks {
        if network.id == "S13" {
            tasks.extend(seeds.clone().map(|seed| Task::Class(network, seed)));
        }
        if !options.joins_only {
            tasks.extend(seeds.clone().map(|seed| Task::Call(network, seed)));
        }
        if joins > 0 {
            tasks.push(Task::Joins(network));
        }
    }
    let progress = Progress::new(tasks.len());
    let work = |task: &Task<'_>| -> Result<Done> {
        let (done, what) = match *task {
            Task::Call(network, seed) => {
                let (seconds, folder) = (options.seconds, options.out.as_path());
                let setup = virtual_call::Setup { network, seed, seconds, speech, folder };
                (Done::Calls(virtual_call::call(&setup)?), format!("{} seed {seed}", network.id))
            }
            Task::Joins(network) => {
                let joins = joins::virtual_joins(network, options.seed, joins)?;
                (Done::Joins(joins), format!("{} joins", network.id))
            }
            Task::Class(network, seed) => {
                (Done::Class(class::isolation(network, seed)?), format!("{} class, seed {seed}", network.id))
            }
        };
        progress.done(&what);
        Ok(done)
    };
    for done in side_by_side(&tasks, work)? {
        match done {
            Done::Calls(calls) => run.calls.extend(calls),
            Done::Joins(joins) => run.joins.push(joins),
            Done::Class(extras) => run.extras.extend(extras),
        }
    }
    Ok(())
}

/// As many at once as there are processors; the results in the order of the tasks.
fn side_by_side<T: Sync, R: Send>(tasks: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(tasks.len().max(1));
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<R>>>> = Mutex::new(tasks.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(number) else { return };
                    let result = work(task);
                    results.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().map(|result| result.context("a call was not made")?).collect()
}

fn over_sockets(options: &cli::Run, networks: &[Network], speech: &Arc<Speech>, run: &mut Run) -> Result<()> {
    run.mode = "real server, real sockets through the impairment link, in real time".to_owned();
    run.signaling = browser::SIGNALING.to_owned();
    let runtime = tokio::runtime::Runtime::new()?;
    let progress = Progress::new(networks.len() * options.seeds as usize);
    for network in networks {
        for seed in options.seed..options.seed + options.seeds {
            let (seconds, folder) = (options.seconds, options.out.as_path());
            let setup = virtual_call::Setup { network, seed, seconds, speech, folder };
            run.calls.extend(runtime.block_on(real_call::call(&setup))?);
            progress.done(&format!("{} seed {seed}", network.id));
        }
    }
    if options.joins.is_some_and(|joins| joins > 0) {
        run.absent
            .insert("native joins".to_owned(), "only --virtual and --browser measure joins apart".to_owned());
    }
    Ok(())
}

fn in_browsers(options: &cli::Run, networks: &[Network], speech: &Arc<Speech>, run: &mut Run) -> Result<()> {
    run.mode =
        "headless Chromium, both ends in one page, real sockets through the impairment link".to_owned();
    if !options.chromium_flag.is_empty() {
        run.mode += &format!(", with {}", options.chromium_flag.join(" "));
    }
    run.signaling = browser::SIGNALING.to_owned();
    ensure!(
        !networks.iter().any(Network::is_audio_only),
        "S5 is without pictures, which the page always has; leave it out"
    );
    let mut clients = Vec::new();
    clients.extend(options.browser.then_some(Client::Page));
    clients.extend(options.p2p.then_some(Client::P2p));
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut browsers =
            Browsers::start(&options.chromium, &options.chromium_flag, &speech.at_16_khz).await?;
        calls_in(&mut browsers, options, networks, &clients, run).await?;
        browsers.stop().await;
        Ok(())
    })
}

async fn calls_in(
    browsers: &mut Browsers,
    options: &cli::Run,
    networks: &[Network],
    clients: &[Client],
    run: &mut Run,
) -> Result<()> {
    let (joins, folder) = (options.joins.unwrap_or(0), options.out.as_path());
    let calls = if options.joins_only { 0 } else { options.seeds };
    let progress = Progress::new(networks.len() * clients.len() * (calls + joins) as usize);
    for network in networks {
        for &client in clients {
            for seed in options.seed..options.seed + calls {
                let room = format!("{} {} {seed}", network.id, client.name());
                let setup =
                    browser::Setup { client, network, seed, seconds: options.seconds, room: &room, folder };
                match browsers.call(&setup).await {
                    Ok(call) => run.calls.push(call),
                    Err(error) => drop(run.absent.insert(room.clone(), format!("{error:#}"))),
                }
                progress.done(&room);
            }
            if joins > 0 {
                let tell = |number| progress.done(&format!("{} {} join {number}", network.id, client.name()));
                run.joins.push(browsers.joins((client, network), (options.seed, joins), folder, tell).await?);
            }
        }
    }
    Ok(())
}
