//! The architecture rule for a module that shares its crate with a server: `signaling::sessions` does no I/O, asks for no
//! time and no randomness, and iterates over nothing unordered. (The crates of the cores have a `clippy.toml` for that.)

use std::path::Path;

const FORBIDDEN: [&str; 14] = [
    "Instant::now",
    ".elapsed()",
    "SystemTime",
    "HashMap",
    "HashSet",
    "tokio",
    "axum",
    "async ",
    "std::fs",
    "std::thread",
    "TcpStream",
    "UdpSocket",
    "getrandom",
    "crate::server",
];

#[test]
fn sessions_do_no_io_and_ask_for_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sessions");
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        // Tests take an instant to count from.
        let code = source.split("#[cfg(test)]").next().unwrap();
        let code: String =
            code.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for word in FORBIDDEN {
            assert!(!code.contains(word), "{} uses {word}", path.display());
        }
        files += 1;
    }
    assert!(files > 5, "the module has moved");
}
