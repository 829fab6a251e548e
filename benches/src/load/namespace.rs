//! A network namespace of the bench's own, for servers that want an address which is not a loopback one, and for sending into
//! nowhere. Between processes in it packets take the way of the loopback device, whatever the address. It ends with the bench.

use anyhow::{Context, ensure};
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

/// Of a veth end: where servers are reached.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 66, 0, 1));
/// Behind a device that drops everything: the whole transmit path and nothing else.
pub const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 67, 0, 2));

/// Moves this process, and those it starts, into a new namespace. Before any thread is started.
///
/// # Errors
/// No right to (it needs root or `CAP_NET_ADMIN`), or no `ip` command.
pub fn enter() -> anyhow::Result<()> {
    // SAFETY: a plain system call on the calling thread, which is the only one.
    let entered = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0;
    ensure!(entered, "a network namespace needs root: {}", std::io::Error::last_os_error());
    for arguments in [
        "link set lo up",
        "link add bench0 type veth peer name bench1",
        "addr add 10.66.0.1/24 dev bench0",
        "link set bench0 up",
        "link set bench1 up",
    ] {
        ip(arguments)?;
    }
    // Kernels are built with one or the other; an `ifb` drops what no filter sent to it.
    let nowhere = ["ifb", "dummy"].map(|kind| ip(&format!("link add bench2 type {kind}")));
    ensure!(nowhere.iter().any(Result::is_ok), "a device that drops everything: {nowhere:?}");
    ip("addr add 10.67.0.1/24 dev bench2")?;
    ip("link set bench2 up")
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let command = Command::new("ip").args(arguments.split(' ')).output();
    let output = command.context("the command `ip` (Debian: iproute2)")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {arguments}: {}", error.trim());
    Ok(())
}
