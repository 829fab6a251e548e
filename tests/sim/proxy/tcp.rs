//! One TCP connection through the links: two sockets, two streams of segments.

use crate::stream::{SEGMENT_BYTES, Stream};
use netem::Direction;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

/// Bytes of one direction that may wait inside the proxy; more is left in the kernel, which stops the sender.
const WAITING_MAX: usize = 256 << 10;

pub(super) enum Chunk {
    /// SYN, and its answer.
    Opens,
    Bytes(Vec<u8>),
    Ends,
}

pub(super) struct Connection {
    /// Whose links it crosses.
    pub host: IpAddr,
    pub server: SocketAddr,
    pub up: Stream<Chunk>,
    pub down: Stream<Chunk>,
    client: Side,
    /// None until the opening has crossed.
    far: Option<Side>,
    /// What the client said before the opening was answered.
    held: Option<Vec<Vec<u8>>>,
}

/// A socket: bytes to write go to a thread of its own, so that nobody waits for it.
struct Side {
    writer: Option<Sender<Vec<u8>>>,
    socket: TcpStream,
    waiting: Arc<AtomicUsize>,
}

impl Side {
    /// `tell`: bytes that were read; empty at the end. It says whether anybody listens.
    fn new(socket: TcpStream, tell: impl Fn(Vec<u8>) -> bool + Send + 'static) -> std::io::Result<Self> {
        let _ = socket.set_nodelay(true);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (writer, to_write) = channel::<Vec<u8>>();
        let (mut reads, mut writes, counted) = (socket.try_clone()?, socket.try_clone()?, waiting.clone());
        thread::spawn(move || {
            let mut buffer = [0; SEGMENT_BYTES];
            loop {
                while counted.load(Ordering::Relaxed) > WAITING_MAX {
                    thread::sleep(Duration::from_millis(2));
                }
                let length = reads.read(&mut buffer).unwrap_or(0);
                counted.fetch_add(length, Ordering::Relaxed);
                if !tell(buffer[..length].to_vec()) || length == 0 {
                    return;
                }
            }
        });
        thread::spawn(move || {
            while let Ok(bytes) = to_write.recv() {
                if writes.write_all(&bytes).is_err() {
                    return;
                }
            }
            let _ = writes.shutdown(Shutdown::Write);
        });
        Ok(Self { writer: Some(writer), socket, waiting })
    }

    fn write(&mut self, bytes: Vec<u8>) {
        if let Some(writer) = &self.writer {
            // A socket that is gone reads its end, too.
            let _ = writer.send(bytes);
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Wakes the reader; the writer ends when it has written what it was given.
        let _ = self.socket.shutdown(Shutdown::Read);
    }
}

impl Connection {
    pub fn open(
        client: TcpStream,
        server: SocketAddr,
        tell: impl Fn(Vec<u8>) -> bool + Send + 'static,
    ) -> std::io::Result<Self> {
        let host = client.peer_addr()?.ip();
        let mut up = Stream::default();
        up.send(0, Chunk::Opens);
        let client = Side::new(client, tell)?;
        // Our server asks for linear timeouts; what the client asks for is not known here, and browsers do not.
        let down = Stream::default().linear();
        Ok(Self { host, server, up, down, client, far: None, held: Some(Vec::new()) })
    }

    pub fn stream(&mut self, direction: Direction) -> &mut Stream<Chunk> {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    /// One of the sockets said something; nothing: it ends.
    pub fn read(&mut self, from: Direction, bytes: Vec<u8>) {
        match (from, &mut self.held) {
            (Direction::Up, Some(held)) => held.push(bytes),
            _ => put(self.stream(from), bytes),
        }
    }

    /// What has crossed goes to the sockets. `connect` opens the server's. False: the connection is over.
    pub fn deliver(&mut self, connect: impl Fn(SocketAddr) -> Option<TcpStream>, tell: Tell) -> bool {
        while let Some(chunk) = self.up.poll_message() {
            match chunk {
                Chunk::Opens => {
                    let far =
                        connect(self.server).and_then(|socket| Side::new(socket, tell.clone().read()).ok());
                    if far.is_none() {
                        return false;
                    }
                    self.far = far;
                    self.down.send(0, Chunk::Opens);
                }
                Chunk::Bytes(bytes) => {
                    self.client.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                    if let Some(far) = &mut self.far {
                        far.write(bytes);
                    }
                }
                Chunk::Ends => drop(self.far.as_mut().and_then(|far| far.writer.take())),
            }
        }
        while let Some(chunk) = self.down.poll_message() {
            match chunk {
                Chunk::Opens => {
                    let held = self.held.take();
                    held.into_iter().flatten().for_each(|bytes| put(&mut self.up, bytes));
                }
                Chunk::Bytes(bytes) => {
                    if let Some(far) = &self.far {
                        far.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                    }
                    self.client.write(bytes);
                }
                Chunk::Ends => drop(self.client.writer.take()),
            }
        }
        let both_ended =
            self.client.writer.is_none() && self.far.as_ref().is_some_and(|far| far.writer.is_none());
        !both_ended
    }
}

/// How the server's reader tells what it read.
#[derive(Clone)]
pub(super) struct Tell(pub Arc<dyn Fn(Vec<u8>) -> bool + Send + Sync>);

impl Tell {
    fn read(self) -> impl Fn(Vec<u8>) -> bool + Send + 'static {
        move |bytes| (self.0)(bytes)
    }
}

fn put(stream: &mut Stream<Chunk>, bytes: Vec<u8>) {
    match bytes.len() {
        0 => stream.send(0, Chunk::Ends),
        length => stream.send(length, Chunk::Bytes(bytes)),
    }
}
