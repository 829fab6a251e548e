//! The bench itself: a small run gives every figure that the design names, and loses nothing.

use std::process::Command;

#[test]
fn a_small_fanout_gives_every_figure() {
    let bench = Command::new(env!("CARGO_BIN_EXE_benches"))
        .args(["fanout", "--only", "--participants", "4", "--seconds", "2", "--kbps", "1000", "--json"])
        .output()
        .expect("the bench starts");
    let errors = String::from_utf8_lossy(&bench.stderr);
    assert!(bench.status.success(), "{errors}");
    let report: serde_json::Value = serde_json::from_slice(&bench.stdout).expect("one JSON object");
    assert_eq!(report["bench"], "fanout");
    let figure = |name: &str| {
        report["figures"][name].as_f64().unwrap_or_else(|| panic!("{name} is missing in {report}; {errors}"))
    };
    for name in [
        "cpu_us_per_packet",
        "packets_per_core_s",
        "limit_us_per_packet",
        "share_of_limit",
        "added_latency_p50_us",
        "added_latency_p99_us",
        "rss_kib_per_participant",
    ] {
        assert!(figure(name) > 0.0, "{name}");
    }
    assert!(figure("segments_per_send") >= 1.0);
    // 1 Mb/s in packets of at most 1160 bytes, 30 frames of 4 packets a second, to three subscribers.
    let forwarded = figure("forwarded_packets_per_s");
    assert!((270.0..450.0).contains(&forwarded), "{forwarded} packets a second");
    assert_eq!(figure("lost_packets") + figure("late_packets") + figure("dropped_datagrams"), 0.0);
}
