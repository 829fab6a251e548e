//! Native participants, on our own client and on the `webrtc` crate, in one room of a real server on real sockets.

use client_demo::own::{self, Options};
use client_demo::playback::{SAMPLE_AUDIO, SAMPLE_VIDEO};
use client_demo::report::{Received, Report};
use client_demo::{independent, websocket::Url};
use signaling::server::{Listen, Options as ServerOptions, Server, Tls};
use std::time::Duration;

/// A reading in the public domain.
const SPEECH: &[u8] = include_bytes!("../../benches/speech/austen.wav");

/// Long enough for a slow start of the other implementation, short enough to run always.
const TALK: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn two_implementations_receive_each_other() {
    let server = start(Tls::Off).await;
    let url = server.url();
    let (own, webrtc) = (options(&url, "ann"), options(&url, "ben"));
    let talk = || tokio::time::sleep(TALK);
    let (ann, ben) = tokio::join!(own::run(&own, |_| {}, talk()), independent::run(&webrtc, talk()));
    let (ann, ben) = (ann.unwrap(), ben.unwrap());
    for (report, other) in [(&ann, "ben"), (&ben, "ann")] {
        assert!(report.connected && report.errors.is_empty(), "{report:#?}");
        let received = one(report, other);
        assert!(received.video.frames >= 50, "{report:#?}");
        assert!(received.audio.packets >= 100, "{report:#?}");
        assert_eq!((received.audio.lost, received.video.lost), (0, 0), "{report:#?}");
    }
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_receives_both_and_more_slots_are_offered_in_time() {
    let server = start(Tls::Off).await;
    let url = server.url();
    let talk = || tokio::time::sleep(TALK);
    // One spare pair at the start: everybody has to offer more while media flows.
    let one_pair = |name| Options { slot_pairs: 1, ..options(&url, name) };
    let (ann, ben, cem) = (one_pair("ann"), one_pair("ben"), one_pair("cem"));
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        own::run(&cem, |_| {}, tokio::time::sleep(TALK - Duration::from_secs(1))).await
    };
    let (ann, ben, cem) = tokio::join!(own::run(&ann, |_| {}, talk()), own::run(&ben, |_| {}, talk()), late);
    for (report, others) in [(ann, ["ben", "cem"]), (ben, ["ann", "cem"]), (cem, ["ann", "ben"])] {
        let report = report.unwrap();
        assert!(report.errors.is_empty() && report.slot_pairs > 1, "{report:#?}");
        for other in others {
            let received = one(&report, other);
            assert!(received.video.frames >= 40 && received.audio.packets >= 80, "{report:#?}");
        }
    }
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_from_the_lobby_has_connected_there() {
    let server = start(Tls::Off).await;
    let url = server.url();
    let ann = options(&url, "ann");
    let ben = Options { lobby: Some(Duration::from_millis(1500)), ..options(&url, "ben") };
    let talk = || tokio::time::sleep(TALK);
    let late = async {
        // A place is held where there is somebody.
        tokio::time::sleep(Duration::from_millis(500)).await;
        own::run(&ben, |_| {}, talk()).await
    };
    let (ann, ben) = tokio::join!(own::run(&ann, |_| {}, talk()), late);
    let (ann, ben) = (ann.unwrap(), ben.unwrap());
    let stages = &ben.stages;
    assert_eq!([stages.signaling_ms, stages.ice_ms, stages.dtls_ms], [Some(0.0); 3], "{ben:#?}");
    assert!(stages.first_audio_ms.is_some_and(|ms| ms > 0.0 && ms < 1000.0), "{ben:#?}");
    for (report, other) in [(&ann, "ben"), (&ben, "ann")] {
        assert!(report.errors.is_empty(), "{report:#?}");
        assert!(one(report, other).video.frames >= 30, "{report:#?}");
    }
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_server_is_joined_only_when_asked_to_trust_it() {
    let server = start(Tls::SelfSigned).await;
    let careful = options(&server.url(), "ann");
    assert!(careful.server.tls);
    let short = || tokio::time::sleep(Duration::from_secs(1));
    let refused = own::run(&careful, |_| {}, short()).await.unwrap_err();
    assert!(format!("{refused:#}").contains("--insecure"), "{refused:#}");
    let trusting = Options { insecure: true, ..careful };
    assert!(own::run(&trusting, |_| {}, short()).await.unwrap().connected);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_says_another_hears_and_records() {
    let server = start(Tls::Off).await;
    let url = server.url();
    let recorded = std::env::temp_dir().join(format!("sampan-heard-{}.wav", std::process::id()));
    let speaker = Options { audio: Some(SPEECH.into()), video: None, ..options(&url, "ann") };
    let listener = Options { audio: None, record: Some(recorded.clone()), ..options(&url, "ben") };
    let talk = || tokio::time::sleep(TALK);
    let (ann, ben) = tokio::join!(own::run(&speaker, |_| {}, talk()), own::run(&listener, |_| {}, talk()));
    let (ann, ben) = (ann.unwrap(), ben.unwrap());
    server.shut_down().await;
    let heard = loudness(hound::WavReader::open(&recorded).unwrap());
    std::fs::remove_file(&recorded).unwrap();
    let audio = &one(&ben, "ann").audio;
    assert!(audio.heard_ms["primary"] > 4000.0 && audio.concealed_pct < 10.0, "{ben:#?}");
    assert!((10.0..300.0).contains(&audio.buffer_p50_ms), "{audio:#?}");
    assert!(ann.sent.iter().any(|sent| sent.kind == wire::Kind::Audio && sent.frames > 200), "{ann:#?}");
    // The loudness of the words rises and falls as in the file, wherever the recording begins, once the buffer has settled: it begins with
    // more delay than loopback asks for.
    let said = loudness(hound::WavReader::new(std::io::Cursor::new(SPEECH)).unwrap());
    let alike = |from: usize| correlation(&heard[100..225], &said[from..from + 125]);
    let best = (0..said.len() - 125).map(alike).fold(-1.0, f64::max);
    assert!(best > 0.9, "{best}");
}

/// Of each 20 ms.
fn loudness<R: std::io::Read>(mut wav: hound::WavReader<R>) -> Vec<f64> {
    let frame = wav.spec().sample_rate as usize / 50;
    let samples: Vec<f64> = wav.samples::<i16>().map(|sample| f64::from(sample.unwrap())).collect();
    samples
        .chunks_exact(frame)
        .map(|f| (f.iter().map(|s| s * s).sum::<f64>() / frame as f64).sqrt())
        .collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum =
        |of: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(x, y)| of(x - mean_a, y - mean_b)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt().max(1e-9)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_join_ends_with_the_reason() {
    let server = start(Tls::Off).await;
    let nameless = Options { name: "  ".to_owned(), ..options(&server.url(), "") };
    let report = own::run(&nameless, |_| {}, tokio::time::sleep(TALK)).await.unwrap();
    assert!(report.participant.is_none() && report.errors.len() == 1, "{report:#?}");
    assert!(report.seconds < 2.0, "{report:#?}");
    server.shut_down().await;
}

async fn start(tls: Tls) -> Server {
    Server::start(ServerOptions { listen: Listen::Localhost(0), tls, ..ServerOptions::default() })
        .await
        .unwrap()
}

fn options(url: &str, name: &str) -> Options {
    Options {
        server: Url::parse(url).unwrap(),
        insecure: false,
        room: "native".to_owned(),
        name: name.to_owned(),
        audio: Some(SAMPLE_AUDIO.into()),
        video: Some(SAMPLE_VIDEO.into()),
        record: None,
        slot_pairs: 4,
        shown: None,
        lobby: None,
        dtls: own::dtls(),
        start: None,
    }
}

fn one<'a>(report: &'a Report, name: &str) -> &'a Received {
    report
        .received
        .iter()
        .find(|received| received.name == name)
        .unwrap_or_else(|| panic!("nothing of {name}: {report:#?}"))
}
