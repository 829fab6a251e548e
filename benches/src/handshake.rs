//! How fast a real browser connects, by DTLS role and version and by network: the choice of `DtlsConfig::default`.
//!
//! One page in headless Chromium makes one connection after the other to a bare `transport` behind a link of `netem`:
//!
//! ```text
//! Chromium <--loopback UDP--> socket <-> links (delay, loss) <-> Transport        offers and answers: HTTP, no delay
//! ```
//! Times count from the moment the answer is handed over, as in the design's table.

use crate::report::{Report, percentile};
use anyhow::Context as _;
use netem::{Link, LinkConfig, Loss};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use transport::{
    Candidate, Certificate, Config, DtlsConfig, DtlsVersion, Event, IceCredentials, IceMode, Incoming,
    Output, Profile, Transport,
};

#[derive(clap::Args)]
pub struct Options {
    /// Connections per role, version and network
    #[arg(long, default_value_t = 30)]
    trials: usize,
    /// `chromium` or `firefox-esr`, or a path
    #[arg(long, default_value = "chromium")]
    browser: String,
    /// Only roles whose name contains this, e.g. `server_12`
    #[arg(long, default_value = "")]
    role: String,
    /// Only networks whose name contains this, e.g. `loss30`
    #[arg(long, default_value = "")]
    network: String,
    /// Milliseconds until an unanswered flight of ours is repeated
    #[arg(long, default_value_t = 50)]
    repeat_ms: u64,
    /// As DTLS client, offer AES-CM too
    #[arg(long)]
    offer_all: bool,
    /// Give up one connection after this many seconds
    #[arg(long, default_value_t = 15)]
    patience: u64,
}

/// What we are in the handshake; the browser is the other.
const ROLES: [(&str, DtlsVersion, bool); 6] = [
    ("server_12", DtlsVersion::V12, false),
    ("server_13", DtlsVersion::V13, false),
    ("server_auto", DtlsVersion::Auto, false),
    ("client_12", DtlsVersion::V12, true),
    ("client_13", DtlsVersion::V13, true),
    ("client_auto", DtlsVersion::Auto, true),
];

/// Round trip in milliseconds and loss in each direction.
const NETWORKS: [(&str, u64, f64); 5] = [
    ("rtt0", 0, 0.0),
    ("rtt100", 100, 0.0),
    ("rtt100_loss10", 100, 0.1),
    ("rtt100_loss30", 100, 0.3),
    ("rtt300_loss10", 300, 0.1),
];

const CHROMIUM: &str = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync \
    --autoplay-policy=no-user-gesture-required --disable-background-timer-throttling --disable-renderer-backgrounding";

/// Sound without a click, and candidates without a camera permission.
const FIREFOX_PREFERENCES: &str = "user_pref('media.autoplay.default', 0);
user_pref('media.autoplay.blocking_policy', 0);
user_pref('media.peerconnection.ice.loopback', true);
user_pref('media.peerconnection.ice.obfuscate_host_addresses', false);
user_pref('browser.shell.checkDefaultBrowser', false);
user_pref('datareporting.policy.dataSubmissionEnabled', false);
";

const PAGE: &str = r#"<!doctype html><title>handshakes</title><script type="module">
const post = async (path, body) => (await fetch(path, { method: 'POST', body })).text();
const context = new AudioContext();
const tone = new OscillatorNode(context);
const sink = context.createMediaStreamDestination();
tone.connect(sink);
tone.start();
const track = sink.stream.getAudioTracks()[0];
async function connect(patience) {
  const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  pc.addTransceiver(track, { direction: 'sendonly' });
  pc.addTransceiver('video', { direction: 'recvonly' });
  await pc.setLocalDescription(await pc.createOffer());
  const sdp = await post('/offer', pc.localDescription.sdp);
  const start = performance.now();
  const connected = new Promise(resolve => pc.addEventListener('connectionstatechange', () => {
    if (pc.connectionState === 'connected') resolve(performance.now() - start);
    if (pc.connectionState === 'failed') resolve(null);
  }));
  await pc.setRemoteDescription({ type: 'answer', sdp });
  const late = new Promise(resolve => setTimeout(resolve, patience, null));
  const page_ms = await Promise.race([connected, late]);
  // Let the first media arrive.
  if (page_ms !== null) await new Promise(resolve => setTimeout(resolve, 500));
  const again = await post('/done', JSON.stringify({ page_ms }));
  pc.close();
  return again === 'again';
}
while (await connect(PATIENCE)) {}
</script>"#;

enum Request {
    Offer(String, Sender<String>),
    Done(String, Sender<String>),
}

#[derive(Deserialize)]
struct Done {
    page_ms: Option<f64>,
}

/// Milliseconds since the answer.
#[derive(Default)]
struct Trial {
    /// The server has keys: it may send media.
    keys: Option<f64>,
    /// The first authentic media of the browser.
    uplink: Option<f64>,
    page: Option<f64>,
    profile: Option<Profile>,
}

struct Case {
    name: String,
    dtls: DtlsConfig,
    link: LinkConfig,
}

pub fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("handshake");
    let cases = cases(options);
    anyhow::ensure!(!cases.is_empty(), "no role and network have such names");
    let mut bench = Bench::start(options)?;
    for case in &cases {
        let mut trials = Vec::new();
        for number in 0..options.trials {
            trials.push(bench.trial(case, number as u64)?);
        }
        summarise(&mut report, &case.name, &trials);
    }
    bench.finish();
    report.note(
        "keys: the server may send media. uplink: the browser's first media arrived authentic. page: the browser says \
         connected. All in milliseconds since the answer was handed over, over the connections that made it.",
    );
    Ok(report)
}

fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for (network, rtt_ms, loss) in NETWORKS.iter().filter(|it| it.0.contains(&options.network)) {
        for (role, version, active_if_free) in ROLES.iter().filter(|it| it.0.contains(&options.role)) {
            let link = LinkConfig {
                delay: Duration::from_millis(rtt_ms / 2),
                loss: if *loss > 0.0 { Loss::Random(*loss) } else { Loss::None },
                ..LinkConfig::default()
            };
            let dtls = DtlsConfig {
                version: *version,
                active_if_free: *active_if_free,
                offer_gcm_only: !options.offer_all,
                repeat_after: Duration::from_millis(options.repeat_ms),
            };
            cases.push(Case { name: format!("{role}_{network}"), dtls, link });
        }
    }
    cases
}

fn summarise(report: &mut Report, name: &str, trials: &[Trial]) {
    let connected = trials.iter().filter(|trial| trial.keys.is_some() && trial.page.is_some()).count();
    let mut profiles = BTreeMap::new();
    for profile in trials.iter().filter_map(|trial| trial.profile) {
        *profiles.entry(profile.name()).or_insert(0) += 1;
    }
    let row = |pick: fn(&Trial) -> Option<f64>, share| {
        percentile(&mut trials.iter().filter_map(pick).collect::<Vec<_>>(), share)
    };
    eprintln!(
        "{name}: {connected}/{} keys {:.0}/{:.0} uplink {:.0}/{:.0} page {:.0}/{:.0} {profiles:?}",
        trials.len(),
        row(|it| it.keys, 0.5),
        row(|it| it.keys, 0.95),
        row(|it| it.uplink, 0.5),
        row(|it| it.uplink, 0.95),
        row(|it| it.page, 0.5),
        row(|it| it.page, 0.95),
    );
    report.figure(
        format!("{name}_connected"),
        connected as f64,
        format!("of {}, {profiles:?}", trials.len()),
    );
    for (what, pick) in [
        ("keys", (|it| it.keys) as fn(&Trial) -> Option<f64>),
        ("uplink", |it| it.uplink),
        ("page", |it| it.page),
    ] {
        report.figure(format!("{name}_{what}_p50_ms"), row(pick, 0.5), "");
        report.figure(format!("{name}_{what}_p95_ms"), row(pick, 0.95), "");
    }
}

struct Bench {
    socket: UdpSocket,
    local: SocketAddr,
    requests: Receiver<Request>,
    browser: Child,
    profile: std::path::PathBuf,
    certificate: Arc<Certificate>,
    /// The page waits for the verdict on its last connection.
    verdict: Option<Sender<String>>,
}

impl Bench {
    fn start(options: &Options) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((own_address(), 0))?;
        let local = socket.local_addr()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let page = PAGE.replace("PATIENCE", &(options.patience * 1000).to_string());
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (page, sender) = (page.clone(), sender.clone());
                std::thread::spawn(move || {
                    let _ = answer_http(stream, &page, &sender);
                });
            }
        });
        let profile = std::env::temp_dir().join(format!("handshake-{}", std::process::id()));
        std::fs::create_dir_all(&profile)?;
        let mut command = Command::new(&options.browser);
        if options.browser.contains("firefox") {
            std::fs::write(profile.join("user.js"), FIREFOX_PREFERENCES)?;
            command.args(["--headless", "--no-remote", "--profile"]).arg(&profile).arg(url);
        } else {
            command.args(CHROMIUM.split(' '));
            command.arg(format!("--user-data-dir={}", profile.display())).arg(url);
        }
        let browser = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} could not be started; is it installed?", options.browser))?;
        let certificate = Arc::new(Certificate::generate()?);
        Ok(Self { socket, local, requests, browser, profile, certificate, verdict: None })
    }

    /// One connection from the offer to the page's word that it is over.
    fn trial(&mut self, case: &Case, number: u64) -> anyhow::Result<Trial> {
        if let Some(verdict) = self.verdict.take() {
            let _ = verdict.send("again".to_owned());
        }
        let request = self.requests.recv_timeout(Duration::from_secs(60)).context("the browser is silent")?;
        let Request::Offer(offer, reply) = request else { anyhow::bail!("the page finished twice") };
        let (text, mut peer) = self.answer(case, number, &offer)?;
        let _ = reply.send(text);
        let start = Instant::now();
        let mut links = [
            Link::new(case.link.clone(), number * 2, start),
            Link::new(case.link.clone(), number * 2 + 1, start),
        ];
        let mut trial = Trial::default();
        let since = || start.elapsed().as_secs_f64() * 1000.0;
        let mut buffer = vec![0; 2048];
        let deadline = start + Duration::from_secs(60);
        loop {
            let now = Instant::now();
            anyhow::ensure!(now < deadline, "the page does not come to an end");
            while let netem::Output::Deliver((from, bytes)) = links[0].poll_output(now) {
                let mut bytes: Vec<u8> = bytes;
                if let Ok(Incoming::Rtp { .. }) = peer.handle_datagram(now, self.local, from, &mut bytes) {
                    trial.uplink.get_or_insert_with(since);
                }
            }
            while let netem::Output::Deliver((to, bytes)) = links[1].poll_output(now) {
                self.socket.send_to(&bytes, to)?;
            }
            peer.handle_timeout(now);
            let wake = loop {
                match peer.poll_output() {
                    Output::Transmit(transmit) | Output::Data(transmit) => {
                        let bytes = transmit.bytes;
                        links[1].handle_datagram(now, bytes.len(), (transmit.to, bytes));
                    }
                    Output::Event(Event::Connected(stages)) => {
                        trial.keys = Some(since());
                        trial.profile = Some(stages.profile);
                    }
                    Output::Event(_) => {}
                    Output::Timeout(at, _) => break at,
                }
            };
            match self.requests.try_recv() {
                Ok(Request::Done(body, verdict)) => {
                    trial.page = serde_json::from_str::<Done>(&body)?.page_ms;
                    self.verdict = Some(verdict);
                    return Ok(trial);
                }
                Ok(Request::Offer(..)) => anyhow::bail!("the page started over"),
                Err(_) => {}
            }
            let wake = links.iter().filter_map(Link::poll_timeout).fold(wake, Instant::min);
            let wait = wake.saturating_duration_since(Instant::now());
            // Short enough to notice the page's word, long enough not to spin.
            let wait = wait.clamp(Duration::from_micros(100), Duration::from_millis(5));
            self.socket.set_read_timeout(Some(wait))?;
            if let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
                links[0].handle_datagram(Instant::now(), len, (from, buffer[..len].to_vec()));
            }
        }
    }

    fn answer(&self, case: &Case, number: u64, offer: &str) -> anyhow::Result<(String, Transport)> {
        let offer = sdp::Offer::parse(offer)?;
        let ice = IceCredentials {
            ufrag: format!("hs{number:06}"),
            pwd: format!("handshake-password-{number:06}"),
        };
        let params = sdp::AnswerParams {
            ice: ice.clone(),
            fingerprint: self.certificate.fingerprint(),
            setup: case.dtls.setup(),
            candidates: &[Candidate { address: self.local }],
            ice_lite: true,
            pairs: &[],
            red: false,
            data: false,
            ssrc_seed: number,
            previous: None,
            session_id: 1 + number,
            session_version: 1,
        };
        let (text, _, remote) = sdp::answer(&offer, &params)?;
        let config = Config {
            ice: IceMode::Lite,
            local: ice,
            certificate: self.certificate.clone(),
            local_addresses: vec![self.local],
            dtls: case.dtls,
        };
        Ok((text, Transport::new(config, Some(remote), Instant::now())?))
    }

    fn finish(&mut self) {
        if let Some(verdict) = self.verdict.take() {
            let _ = verdict.send("stop".to_owned());
        }
    }
}

/// The machine's own address, because Firefox does not send to 127.0.0.1; connecting a UDP socket sends nothing.
fn own_address() -> IpAddr {
    let towards_anywhere = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    };
    towards_anywhere().map_or(IpAddr::from([127, 0, 0, 1]), |address: SocketAddr| address.ip())
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.browser.kill();
        let _ = self.browser.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Just enough HTTP for one page and its two kinds of request.
fn answer_http(stream: TcpStream, page: &str, requests: &Sender<Request>) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
        let mut len = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                len = value.trim().parse()?;
            }
        }
        let mut body = vec![0; len];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body)?;
        let (reply, answer) = channel();
        let (status, text) = match path.as_str() {
            "/" => ("200 OK", page.to_owned()),
            "/offer" => {
                requests.send(Request::Offer(body, reply))?;
                ("200 OK", answer.recv()?)
            }
            "/done" => {
                requests.send(Request::Done(body, reply))?;
                ("200 OK", answer.recv()?)
            }
            _ => ("404 Not Found", String::new()),
        };
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n", text.len());
        stream.write_all((head + &text).as_bytes())?;
    }
}
