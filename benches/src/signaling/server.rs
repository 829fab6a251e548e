//! The server in a process of its own.

use ::signaling::server::{Listen, Options, Server as Signaling};
use ::signaling::sessions::Rate;
use anyhow::Context;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

pub struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    pub fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("signaling-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().parse().context("the server printed no address")?;
        Ok(Self { child, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn rss_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Until its standard input ends.
pub fn serve() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("sampan-bench-{}", std::process::id()));
    let runtime = tokio::runtime::Runtime::new()?;
    let mut options = Options {
        listen: Listen::Address("127.0.0.1:0".parse()?),
        joins: Rate { burst: 100_000, per_second: 100_000.0 },
        connections: 100_000,
        connections_per_address: 100_000,
        data: Some(folder.clone()),
        ..Options::default()
    };
    options.rooms.participants_per_room = 10_000;
    // Everybody hears of five hundred that come: that is not what is measured.
    options.queue_messages = 10_000;
    options.queue_bytes = 64 << 20;
    options.media.udp_port = 0;
    let server = runtime.block_on(Signaling::start(options))?;
    println!("{}", server.addresses()[0]);
    std::io::stdout().flush()?;
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}
