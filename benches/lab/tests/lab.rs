//! The program as people start it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sampan-lab")).args(arguments).output().expect("it starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_built_in_network_is_listed_with_its_numbers() {
    let output = lab(&["list"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for wanted in
        ["S13", "300 kb/s, 300 ms queue", "satellite", "300-cuts-a-day", "loss 30 % in bursts of 5.0"]
    {
        assert!(text.contains(wanted), "`{wanted}` is missing in\n{text}");
    }
}

#[test]
fn a_wrong_command_line_is_told_apart_from_a_failure() {
    let output = lab(&["run", "S2", "--sead", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("sampan-lab: there is no option --sead"), "{}", stderr(&output));
}

#[test]
fn a_broken_trace_is_told_with_its_line_and_reason() {
    let folder = folder("trace");
    let trace = folder.join("drive.up");
    std::fs::write(&trace, "1\n2\nx\n").expect("written");
    let output = lab(&["run", "--virtual", "--trace", trace.to_str().expect("a name")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("drive.up: line 3: `x` is not a whole number"), "{}", stderr(&output));
}

/// Name and bytes of every file.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("readable").path();
            (
                path.file_name().expect("named").to_string_lossy().into_owned(),
                std::fs::read(&path).expect("readable"),
            )
        })
        .collect();
    files.sort();
    files
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sampan-lab-test-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Without what its talker puts into the packets for it 18 and 25 % of a listener's sound was made up.
#[test]
fn a_listener_at_seventy_and_eighty_percent_loss_hears_words() {
    let folder = folder("words");
    let most = folder.join("most");
    std::fs::write(&most, "S4_native_concealed_pct <= 7\nS5_native_concealed_pct <= 8\n").expect("written");
    let (most, out) = (most.to_str().expect("a name"), folder.join("run"));
    let out = out.to_str().expect("a name");
    let run = "run S4 S5 --virtual --seconds 20 --seeds 3 --joins 0 --no-scores".split(' ');
    let output = lab(&run.chain(["--thresholds", most, "--out", out]).collect::<Vec<_>>());
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_virtual_run_is_the_same_byte_for_byte_gates_and_can_be_reported_and_compared() {
    let thresholds = folder("thresholds").join("limits.txt");
    std::fs::write(&thresholds, "S9_native_m2e_p95_ms <= 1\nS9_native_first_audio_p95_ms <= 5000\n")
        .expect("written");
    let run = |name: &str, seed: &str, more: &[&str]| {
        let folder = folder(name);
        let out = folder.to_str().expect("a name");
        let limits = thresholds.to_str().expect("a name");
        let line =
            ["run", "S9", "--virtual", "--seconds", "5", "--seed", seed, "--joins", "2", "--no-scores"];
        let output = lab(&[&line[..], &["--out", out, "--json", "--thresholds", limits], more].concat());
        (folder, output)
    };
    let (first, told) = run("first", "3", &[]);
    let (second, _) = run("second", "3", &[]);
    let (other, _) = run("other", "4", &["--joins-only"]);
    let said = stderr(&told);
    assert_eq!(told.status.code(), Some(1), "a limit of 1 ms cannot be held: {said}");
    assert!(said.contains("MISSED  S9_native_m2e_p95_ms") && said.contains("1 of 2 limits held"), "{said}");
    let json: serde_json::Value = serde_json::from_slice(&told.stdout).expect("one object");
    let heard = &json["figures"]["S9_native_m2e_p50_ms"];
    assert!(
        heard.as_f64().is_some_and(|ms| (80.0..900.0).contains(&ms)),
        "mouth to ear over 55 ms one way: {heard}"
    );
    let (files, again) = (content(&first), content(&second));
    assert_eq!(files.len(), 5, "the run and two recordings each way");
    for (file, other) in files.iter().zip(&again) {
        assert!(file == other, "{} differs between two runs of one seed", file.0);
    }
    assert!(files != content(&other), "another seed is another call");

    let report = lab(&["report", first.to_str().expect("a name")]);
    assert!(report.status.success(), "{}", stderr(&report));
    let html = std::fs::read_to_string(first.join("report.html")).expect("written");
    assert!(
        html.contains("<svg") && html.contains("data:audio/wav;base64,") && !html.contains("src=\"http"),
        "self-contained"
    );
    let compared =
        lab(&["report", "--compare", first.to_str().expect("a name"), other.to_str().expect("a name")]);
    let table = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert!(table.contains("S9_native_first_audio_p50_ms"), "{table}{}", stderr(&compared));
}
