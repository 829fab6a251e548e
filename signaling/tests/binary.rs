//! The program as somebody starts it: what it prints, and what it says when it cannot start.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn sampan() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sampan"));
    command.args(["--workers", "1"]);
    command
}

/// Ends the process whatever happens in the test.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    /// As printed after `page`.
    url: String,
}

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut command = sampan();
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut url = None;
        while url.is_none() {
            let mut line = String::new();
            assert_ne!(out.read_line(&mut line).unwrap(), 0, "ended without printing an address");
            url = line.trim().strip_prefix("page ").map(|url| url.trim().to_owned());
        }
        Self { child, out, url: url.unwrap() }
    }

    fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Asks it to end as an operator does; what it has logged.
    fn stop(mut self) -> String {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: a signal to a process of our own that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        let since = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(10)),
            }
            assert!(since.elapsed() < Duration::from_secs(20), "does not end");
        };
        assert!(status.success(), "{status}");
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// One line on standard error, nothing on standard output, and the exit code.
fn complaint(output: &Output) -> (String, i32) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("sampan: "), "{text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    (text, output.status.code().unwrap())
}

fn fails(args: &[&str]) -> (String, i32) {
    complaint(&sampan().args(args).output().unwrap())
}

#[test]
fn it_prints_its_address_serves_both_families_and_ends_when_asked() {
    let server = Running::start(&["--http", "localhost:0"]);
    assert!(server.url.starts_with("http://localhost:"), "{}", server.url);
    let port = server.port();
    assert!(get(&format!("127.0.0.1:{port}"), "localhost").starts_with("HTTP/1.1 200"));
    if TcpListener::bind("[::1]:0").is_ok() {
        assert!(get(&format!("[::1]:{port}"), "localhost").starts_with("HTTP/1.1 200"));
    }
    let log = server.stop();
    assert!(log.contains("ready") && log.contains("going down"), "{log}");
}

#[test]
fn plain_http_from_another_host_is_logged_once_with_the_remedy() {
    let server = Running::start(&["--http", "127.0.0.1:0"]);
    let address = format!("127.0.0.1:{}", server.port());
    for host in ["localhost:8080", "127.0.0.1", "example.org", "example.org"] {
        get(&address, host);
    }
    let log = server.stop();
    let warnings: Vec<_> = log.lines().filter(|l| l.contains("plain HTTP")).collect();
    assert!(
        warnings.len() == 1 && warnings[0].contains("example.org") && warnings[0].contains("--tls"),
        "{log}"
    );
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (line, code) = fails(&["--http", &format!("127.0.0.1:{port}"), "--udp-port", "0"]);
    assert!(line.contains(&port) && line.contains("taken") && line.contains("--http"), "{line}");
    assert_eq!(code, 1);

    let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (line, code) = fails(&["--http", "127.0.0.1:0", "--udp-port", &port]);
    assert!(line.contains(&port) && line.contains("taken") && line.contains("--udp-port"), "{line}");
    assert_eq!(code, 1);
}

#[test]
fn a_second_server_on_the_same_ports_does_not_start() {
    let first = Running::start(&["--http", "127.0.0.1:0"]);
    let (line, _) = fails(&["--http", &format!("127.0.0.1:{}", first.port())]);
    assert!(line.contains("taken"), "{line}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_named_with_what_to_do() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("certificates");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let good = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) =
        (write("cert.pem", &good.cert.pem()), write("key.pem", &good.signing_key.serialize_pem()));
    let (empty, wrong) = (write("empty.pem", ""), write("other.pem", &other.signing_key.serialize_pem()));
    let cases = [
        ("/nonexistent/cert.pem", key.as_str(), "/nonexistent/cert.pem"),
        (&certificate, "/nonexistent/key.pem", "/nonexistent/key.pem"),
        (&empty, &key, "no certificate"),
        (&certificate, &empty, "no private key"),
        (&certificate, &wrong, "together"),
    ];
    for (certificate, key, expected) in cases {
        let (line, code) = fails(&["--http", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]);
        assert!(line.contains(expected), "{line}");
        assert_eq!(code, 1);
    }
    let server = Running::start(&["--http", "localhost:0", "--tls-cert", &certificate, "--tls-key", &key]);
    assert!(server.url.starts_with("https://localhost:"), "{}", server.url);
}

#[test]
fn with_tls_plain_requests_are_sent_to_https() {
    let server = Running::start(&["--http", "localhost:0", "--tls", "self-signed"]);
    let host = format!("localhost:{}", server.port());
    let response = get(&format!("127.0.0.1:{}", server.port()), &host);
    assert!(response.starts_with("HTTP/1.1 308"), "{response}");
    assert!(response.contains(&format!("location: https://{host}/")), "{response}");
}

#[test]
fn a_wrong_command_line_is_one_line_and_another_code() {
    for args in
        [&["--nonsense"][..], &["--http", "x"], &["--tls-cert", "a"], &["--log", "=="], &["--workers", "0"]]
    {
        let (line, code) = fails(args);
        assert_eq!(code, 2, "{line}");
    }
    let (line, code) = fails(&["--http", "127.0.0.1:0", "--web", "/nonexistent"]);
    assert!(code == 1 && line.contains("--web"), "{line}");
    let help = Command::new(env!("CARGO_BIN_EXE_sampan")).arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--udp-port"));
}

#[test]
fn without_keys_others_are_let_in_only_on_purpose() {
    let (line, code) = fails(&["--http", "0.0.0.0:0", "--udp-port", "0"]);
    assert!(line.contains("--token-secret-file") && line.contains("--open"), "{line}");
    assert_eq!(code, 1);
    let open = Running::start(&["--http", "0.0.0.0:0", "--open"]);
    let log = open.stop();
    assert!(log.contains("everybody may enter every room"), "{log}");
}

#[test]
fn a_token_from_the_command_line_opens_the_door_of_a_server_with_that_secret() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tokens");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let secret = write("secret", "0123456789abcdef0123456789abcdef\n");
    let token = |args: &[&str]| {
        let room = ["token", "--room", "demo", "--identity", "ann"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_sampan"));
        let output = command.args(room).args(args).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (printed, _) = token(&["--secret-file", &secret, "--publish", "camera", "--moderate"]);
    let mut keys = access::VerifyingKeys::default();
    keys.add_secret(b"0123456789abcdef0123456789abcdef").unwrap();
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = keys.verify(printed.trim(), now_s).unwrap();
    assert_eq!((claims.room.as_str(), claims.sub.as_str()), ("demo", "ann"));
    assert_eq!((claims.grants.publish, claims.grants.moderate), (vec!["camera".to_owned()], true));

    let pair = rcgen::KeyPair::generate().unwrap();
    let (private, public) =
        (write("private.pem", &pair.serialize_pem()), write("public.pem", &pair.public_key_pem()));
    let (printed, complaint) = token(&["--private-key", &private]);
    assert!(printed.starts_with("ey") && complaint.is_empty(), "{complaint}");
    let server = Running::start(&[
        "--http",
        "0.0.0.0:0",
        "--token-public-key",
        &public,
        "--token-secret-file",
        &secret,
    ]);
    assert!(server.stop().contains("ready"));

    let short = write("short", "too short");
    for (args, expected) in [
        (["--token-secret-file", &short], "at least 32 bytes"),
        (["--token-secret-file", "/nonexistent"], "/nonexistent"),
        (["--token-public-key", &secret], "--token-public-key"),
    ] {
        let (line, code) = fails(&args);
        assert!(line.contains(expected) && code == 1, "{line}");
    }
    assert!(token(&["--secret-file", &short]).1.contains("at least 32 bytes"));
}
