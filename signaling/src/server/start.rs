//! Starting and stopping.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use history::StoreError;
use sfu::Sfu;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::engine::{Engine, INPUT_QUEUE, Input};
use super::hooks;
use super::http::{self, Shared};
use super::limits::ConnectionCap;
use super::listen::{Accept, TURNING_AWAY_MAX};
use super::options::{Options, Tls};
use super::pages::Pages;
use super::store::{self, Disk, Memory, Store};
use super::tls::{self, TlsError};
use crate::sessions::{Config, Sessions};

/// Every sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("TCP port {} is taken on {}: stop the program that uses it (`ss -ltnp 'sport = :{}'` names it) or choose another port with --http", address.port(), address.ip(), address.port())]
    PortTaken { address: SocketAddr },
    #[error("TCP port {} needs more rights than this process has: choose a port from 1024 up with --http", address.port())]
    PortForbidden { address: SocketAddr },
    #[error("cannot listen on {address}: {error}; choose another address with --http")]
    Listen { address: SocketAddr, error: io::Error },
    #[error("without keys everybody who reaches {address} may enter every room and do everything there: give keys with --token-secret-file or --token-public-key, say that this is meant with --open, or serve this machine alone with --http localhost:{}", address.port())]
    OpenToAll { address: SocketAddr },
    #[error("there is no folder {0} to serve the page from: check --web")]
    NoWebFolder(String),
    #[error(
        "messages cannot be kept in {folder}: {error}; check --data, and that no other server uses the folder"
    )]
    Store { folder: String, error: StoreError },
    #[error(transparent)]
    Media(#[from] sfu::StartError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot start a thread: {0}; raise `ulimit -u`")]
    Thread(io::Error),
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// A running server. Must be made and stopped inside a Tokio runtime.
pub struct Server {
    addresses: Vec<SocketAddr>,
    is_tls: bool,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    accepting: Vec<JoinHandle<()>>,
    engine: JoinHandle<()>,
}

/// For clients to read that the server goes down.
const FAREWELL: Duration = Duration::from_secs(3);

impl Server {
    /// Everything that can fail fails here: ports first, because that is what fails most.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let listeners = options.listen.bind().map_err(|(address, error)| match error.kind() {
            io::ErrorKind::AddrInUse => StartError::PortTaken { address },
            io::ErrorKind::PermissionDenied => StartError::PortForbidden { address },
            _ => StartError::Listen { address, error },
        })?;
        let addresses: Vec<_> = listeners.iter().filter_map(|l| l.local_addr().ok()).collect();
        let public = addresses.iter().find(|a| !a.ip().is_loopback());
        if let (Some(&address), None, false) = (public, &options.keys, options.open) {
            return Err(StartError::OpenToAll { address });
        }
        let pages = match &options.web {
            Some(folder) if !folder.join("index.html").is_file() => {
                return Err(StartError::NoWebFolder(folder.display().to_string()));
            }
            Some(folder) => Pages::Folder(folder.clone()),
            None => Pages::embedded(),
        };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(StartError::Random)?;
        let mut hook_seeds = [[0; 8]; 2];
        getrandom::fill(hook_seeds.as_flattened_mut()).map_err(StartError::Random)?;

        let (events_in, events) = mpsc::unbounded_channel();
        let sfu = Sfu::start(options.media.clone(), move |event| drop(events_in.send(event)))?;
        let candidates: Vec<_> = (0..sfu.workers()).map(|worker| sfu.candidates(worker).to_vec()).collect();
        let names: Vec<_> = candidates.iter().flatten().map(|c| c.address.ip()).collect();
        let tls = tls::acceptor(&options.tls, &names)?;

        let epoch = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let mut config = Config::new(candidates, sfu.fingerprint(), epoch, seed);
        config.keys = options.keys.clone();
        config.signer = options.signer.clone();
        config.limits = options.rooms.clone();
        config.joins = options.joins;
        config.grace = options.grace;
        config.participants_per_worker = options.participants_per_worker;
        let sfu = Arc::new(sfu);
        let (engine_in, inputs) = mpsc::channel(INPUT_QUEUE);
        let mut store: Box<dyn Store> = match &options.data {
            Some(folder) => {
                let named = |error| StartError::Store { folder: folder.display().to_string(), error };
                Box::new(Disk::open(folder).map_err(named)?)
            }
            None => Box::new(Memory::default()),
        };
        let mut sessions = Sessions::new(config);
        let folder = || options.data.as_ref().map(|f| f.display().to_string()).unwrap_or_default();
        let named = |error| StartError::Store { folder: folder(), error };
        sessions.import_revoked(store.revoked().map_err(named)?);
        let hooks = match &options.webhooks {
            Some(webhooks) => {
                let log = format!("e{:016x}", u64::from_le_bytes(hook_seeds[0]));
                let seed = u64::from_le_bytes(hook_seeds[1]);
                Some(hooks::start(webhooks, options.data.as_deref(), &log, seed).map_err(named)?)
            }
            None => None,
        };
        let (store_in, jobs) = std::sync::mpsc::channel();
        let answers = engine_in.clone();
        std::thread::Builder::new()
            .name("store".into())
            .spawn(move || {
                store::run(store, &jobs, |answer| answers.blocking_send(Input::Stored(answer)).is_ok())
            })
            .map_err(StartError::Thread)?;
        let engine = Engine {
            sessions,
            sfu: sfu.clone(),
            outboxes: HashMap::new(),
            store: store_in,
            requests: Default::default(),
            hooks: hooks.clone(),
        };
        let engine = tokio::spawn(engine.run(inputs, events));

        let is_tls = options.tls != Tls::Off;
        let cap = ConnectionCap::new(options.connections, options.connections_per_address);
        let shared = Arc::new(Shared {
            options: Arc::new(options),
            pages,
            engine: engine_in,
            hooks,
            sfu,
            cap: Arc::new(cap),
            next_connection: AtomicU64::new(0),
            is_ready: AtomicBool::new(true),
            metrics: Default::default(),
            warned_hosts: Default::default(),
        });
        let (stop, is_stopping) = watch::channel(false);
        let router = http::router(shared.clone());
        let turning_away = Arc::new(Semaphore::new(TURNING_AWAY_MAX));
        let accept = Arc::new(Accept { shared: shared.clone(), router, tls, is_stopping, turning_away });
        let accepting =
            listeners.into_iter().map(|listener| tokio::spawn(accept.clone().run(listener))).collect();
        Ok(Self { addresses, is_tls, shared, stop, accepting, engine })
    }

    /// Where HTTP is served.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// For a browser on this machine.
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let Some(address) = self.addresses.first() else { return String::new() };
        let host = match address.ip() {
            ip if ip.is_loopback() && self.addresses.len() == 1 => address.to_string(),
            ip if ip.is_loopback() || ip.is_unspecified() => format!("localhost:{}", address.port()),
            _ => address.to_string(),
        };
        format!("{scheme}://{host}")
    }

    /// For a browser on another machine: the URL, where browsers would give camera and microphone to the page.
    pub fn url_for_others(&self) -> Option<String> {
        let port = self.addresses.first().filter(|a| self.is_tls && a.ip().is_unspecified())?.port();
        let candidates = (0..self.media().workers()).flat_map(|worker| self.media().candidates(worker));
        let ip = candidates.map(|c| c.address.ip()).find(|ip| ip.is_ipv4() && !ip.is_loopback())?;
        Some(format!("https://{ip}:{port}"))
    }

    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Without keys: everybody who reaches it may do everything.
    pub fn is_open(&self) -> bool {
        self.shared.options.keys.is_none()
    }

    /// No other machine can reach it.
    pub fn is_local(&self) -> bool {
        self.addresses.iter().all(|address| address.ip().is_loopback())
    }

    pub fn media(&self) -> &Sfu {
        &self.shared.sfu
    }

    /// Resolves when the task that owns all sessions has failed: nothing can be saved then, and a new process serves
    /// everybody better. Otherwise never.
    pub async fn failed(&mut self) {
        let _ = (&mut self.engine).await;
        self.shared.is_ready.store(false, Ordering::Relaxed);
    }

    /// Tells every client, waits until they have read it but not for long, and says goodbye to the media peers.
    pub async fn shut_down(self) {
        self.shared.is_ready.store(false, Ordering::Relaxed);
        self.stop.send_replace(true);
        for task in self.accepting {
            let _ = task.await;
        }
        let _ = self.shared.engine.send(Input::ShutDown).await;
        let give_up_at = Instant::now() + FAREWELL;
        while self.shared.cap.open() > 0 && Instant::now() < give_up_at {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.engine.abort();
        let _ = self.engine.await;
        if let Some(hooks) = &self.shared.hooks {
            hooks.stop();
        }
        let sfu = self.shared.sfu.clone();
        drop(self.shared);
        // Somebody who did not read in time may still hold on to it; then it ends with the process.
        match Arc::into_inner(sfu) {
            Some(sfu) => drop(tokio::task::spawn_blocking(move || sfu.shutdown()).await),
            None => tracing::debug!("media ends with the process"),
        }
    }
}
