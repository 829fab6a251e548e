//! Data channels of a session: SCTP packets as application data of DTLS.
//!
//! ```text
//! (nothing) --accept_data--> waits for the peer's first packet --INIT--> association --> DataOpened ... DataClosed
//!           --open_data----> begins as soon as there are keys ---------/
//! ```
//! Who never says anything costs a port number.

use super::{State, Transport};
use crate::dtls::Step;
use crate::output::{Event, Output, Transmit};
use crate::sctp::{self, Association, Message};
use crate::{DataCloseReason, DropReason, IceMode};
use packet::data::Channel;
use std::time::{Duration, Instant};

/// Packets of one peer that a server looks at in a second: five times what a megabit takes, with acknowledgements. One
/// costs a hundred times an RTP packet that is dropped.
const PACKETS_PER_SECOND: u32 = 500;

/// What is known of the peer's channels, and what there is of them.
#[derive(Default)]
pub(super) struct Data {
    /// Where SCTP is expected: the peer's port.
    port: Option<u16>,
    /// We begin.
    begins: bool,
    association: Option<Box<Association>>,
    is_open: bool,
    /// Since when packets are counted, and how many came.
    received: (Option<Instant>, u32),
    /// Of the packet that is being handled.
    refused: Option<DropReason>,
}

impl Data {
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.association.as_ref().and_then(|association| association.poll_timeout())
    }

    pub fn take_refused(&mut self) -> Option<DropReason> {
        self.refused.take()
    }

    /// Counts a packet; false: there were too many of late.
    fn admit(&mut self, now: Instant) -> bool {
        let (began, count) = &mut self.received;
        if began.is_none_or(|began| now >= began + Duration::from_secs(1)) {
            (*began, *count) = (Some(now), 0);
        }
        *count += 1;
        *count <= PACKETS_PER_SECOND
    }
}

impl Transport {
    /// From now on the peer may begin an association.
    pub fn accept_data(&mut self, remote_port: u16) {
        self.data.port = Some(remote_port);
    }

    /// Begins an association, now or as soon as there are keys.
    pub fn open_data(&mut self, now: Instant, remote_port: u16) {
        self.now = now;
        (self.data.port, self.data.begins) = (Some(remote_port), true);
        self.begin_data(now);
        self.settle(now);
    }

    /// A message can be sent.
    pub fn is_data_open(&self) -> bool {
        self.data.is_open
    }

    /// False: there is no association, the message is too large, or too much waits.
    pub fn send_message(&mut self, now: Instant, channel: Channel, bytes: &[u8]) -> bool {
        self.now = now;
        let sent = match &mut self.data.association {
            Some(association) if self.data.is_open => association.send(now, channel, bytes),
            _ => false,
        };
        self.settle(now);
        sent
    }

    /// An SCTP packet of the caller's making: for peers under test.
    pub fn send_packet(&mut self, now: Instant, packet: &[u8]) {
        self.now = now;
        if let Some(dtls) = &mut self.dtls {
            dtls.send(now, packet, &mut self.steps);
        }
        self.settle(now);
    }

    /// Bytes of messages that were not sent even once.
    pub fn data_unsent(&self) -> usize {
        self.data.association.as_ref().map_or(0, |association| association.unsent())
    }

    /// The next whole message of the peer. What is not asked for keeps the peer from sending more.
    pub fn next_message(&mut self) -> Option<Message> {
        let association = self.data.association.as_mut()?;
        let message = association.next_message();
        self.data.refused = association.take_refused().or(self.data.refused);
        message
    }

    /// Ends the association; the peer is told, and may begin another.
    pub fn close_data(&mut self, now: Instant) {
        self.now = now;
        if let Some(association) = &mut self.data.association {
            association.close();
        }
        self.settle(now);
        self.data_closed(DataCloseReason::Local);
    }

    /// After the keys are there.
    pub(super) fn begin_data(&mut self, now: Instant) {
        if self.state == State::Connected
            && self.data.begins
            && self.data.association.is_none()
            && let Some(port) = self.data.port
        {
            self.data.begins = false;
            self.data.association = Some(Box::new(Association::connect(now, port)));
        }
    }

    pub(super) fn take_sctp(&mut self, now: Instant, packet: &[u8]) {
        if self.config.ice == IceMode::Lite && !self.data.admit(now) {
            self.data.refused = Some(DropReason::SctpFlood);
            return;
        }
        let result = match (&mut self.data.association, self.data.port) {
            (Some(association), _) => association.handle(now, packet),
            (None, Some(port)) => Association::accept(now, port, packet)
                .and_then(|fresh| self.data.association.insert(Box::new(fresh)).handle(now, packet)),
            (None, None) => Err(DropReason::SctpNotExpected),
        };
        self.data.refused = result.err().or(self.data.refused);
    }

    pub(super) fn data_timeout(&mut self, now: Instant) {
        if let Some(association) = &mut self.data.association
            && association.poll_timeout().is_some_and(|at| now >= at)
        {
            association.handle_timeout(now);
        }
    }

    /// What the association has to say, through DTLS.
    pub(super) fn drain_data(&mut self, now: Instant) {
        let mut steps = Vec::new();
        while let Some(step) = self.data.association.as_mut().and_then(|association| association.poll()) {
            match step {
                sctp::Step::Send { packet, has_data } => {
                    let Some(dtls) = &mut self.dtls else { continue };
                    dtls.send(now, &packet, &mut steps);
                    for step in steps.drain(..) {
                        match (step, self.path) {
                            (Step::Send(bytes), Some(path)) => {
                                let datagram = Transmit { from: path.local, to: path.remote, bytes };
                                self.outputs.push_back(match has_data {
                                    true => Output::Data(datagram),
                                    false => Output::Transmit(datagram),
                                });
                            }
                            (Step::Send(_), None) => {}
                            (other, _) => self.steps.push(other),
                        }
                    }
                }
                sctp::Step::Opened => {
                    if !std::mem::replace(&mut self.data.is_open, true) {
                        self.outputs.push_back(Output::Event(Event::DataOpened));
                    }
                }
                sctp::Step::Closed(reason) => return self.data_closed(reason),
            }
        }
    }

    fn data_closed(&mut self, reason: DataCloseReason) {
        let was_there = self.data.association.take().is_some();
        self.data.is_open = false;
        if was_there {
            self.outputs.push_back(Output::Event(Event::DataClosed(reason)));
        }
    }

    /// Without a word: the session is over.
    pub(super) fn forget_data(&mut self) {
        self.data = Data::default();
    }
}
