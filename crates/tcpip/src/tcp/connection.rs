//! A connection: the engine's segments on one side, a socket, a listener's queue or nobody on the other.

use abi::Errno;

use crate::{
    Settings,
    addr::Flow,
    option::Options,
    packet::{Segment, seq_after},
    tcp::engine::{Engine, State},
    types::{Domain, LinkId, Readiness, SocketId},
};

const SECOND_NS: u64 = 1_000_000_000;
/// The longest time between two retransmissions (`TCP_RTO_MAX`).
const RTO_MAX_S: u64 = 120;
/// `net.ipv4.tcp_retries2` = 15 in tcp(7)'s words: between 13 and 30 minutes; 924.6 s with the smallest RTO.
const RETRANSMIT_NS: u64 = 924_600_000_000;
/// `net.ipv4.tcp_orphan_retries`: 8 retransmissions of what nobody holds any more.
const ORPHAN_NS: u64 = 100 * SECOND_NS;

/// An idle connection's buffers are worth more to others.
const SHRINK_NS: u64 = SECOND_NS;

/// Who has the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A listener; the handshake is not over.
    HalfOpen(SocketId),
    /// A listener; accept(2) has not been called.
    Queued(SocketId),
    Socket(SocketId),
    /// Nobody: it was closed, and the peer is still owed something.
    Orphan,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) engine: Engine,
    pub(crate) flow: Flow,
    pub(crate) link: LinkId,
    /// Family of the socket that has it, or of the listener.
    pub(crate) domain: Domain,
    pub(crate) owner: Owner,
    /// Linux's `TCP_CLOSE`: nothing is sent or taken any more. Received bytes may still be read.
    pub(crate) over: bool,
    /// The peer has sent all (`RCV_SHUTDOWN` by FIN).
    pub(crate) fin_received: bool,
    /// The segment that closed it was a RST.
    pub(crate) reset: bool,
    /// connect(2) has said that it succeeded, or need not.
    pub(crate) announced: bool,
    /// The port may be bound by others with the same option (`SO_REUSEADDR`, `SO_REUSEPORT`).
    pub(crate) sharing: bool,
    /// The engine's state when it was last looked at.
    pub(crate) last_state: State,
    /// Bytes to read when the program was last told.
    pub(crate) told_unread: usize,
    /// When the newest of them came, on the stack's clock.
    pub(crate) arrived_ns: u64,
    /// It is in the queue of those that may have to send.
    pub(crate) output_queued: bool,
    /// The routes as they were when `link` was chosen.
    pub(crate) routed: u64,
    /// The only link that it may take (`SO_BINDTODEVICE`, a scope identifier).
    pub(crate) bound: Option<LinkId>,
    /// What stood against its segments lately: told if it is given up (RFC 1122, section 4.2.3.9).
    pub(crate) soft_error: Option<Errno>,
    /// Its entry in the timers.
    pub(crate) armed: Option<u64>,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
}

/// Options that its timers and segments depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) tos: u8,
    /// `SO_MARK`.
    pub(crate) mark: u32,
    /// `SO_RCVLOWAT`.
    rcvlowat: u32,
    /// `TCP_DEFER_ACCEPT`.
    defer_ns: u64,
    keep_alive: Option<KeepAlive>,
    user_timeout_ns: Option<u64>,
    syn_sent_ns: u64,
    syn_received_ns: u64,
    fin_wait2_ns: u64,
}

#[derive(Debug, Clone, Copy)]
struct KeepAlive {
    idle_ns: u64,
    interval_ns: u64,
    count: u32,
}

/// When things happened last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) began_ns: u64,
    pub(crate) heard_ns: u64,
    /// Since when something is unacknowledged.
    pub(crate) owing_since_ns: Option<u64>,
    /// When it was last tried to give memory back.
    pub(crate) shrunk_ns: u64,
    /// Keep-alive probes without an answer.
    pub(crate) probes: u32,
    /// When the peer was last told where we are because of a segment that may not have been its own.
    pub(crate) challenged_ns: Option<u64>,
}

impl Clock {
    pub(crate) const fn new(now_ns: u64) -> Self {
        Self {
            began_ns: now_ns,
            heard_ns: now_ns,
            owing_since_ns: None,
            shrunk_ns: 0,
            probes: 0,
            challenged_ns: None,
        }
    }
}

/// What the stack, not the engine, has to do for a connection after some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// Give it up: `ETIMEDOUT`.
    GiveUp,
    /// It is accepted without having sent anything (`TCP_DEFER_ACCEPT`).
    Accept,
    /// Send a keep-alive probe (RFC 9293, section 3.8.4).
    Probe,
    /// Nothing has happened for a while: give memory back.
    Shrink,
}

impl Limits {
    pub(crate) fn new(options: &Options, settings: &Settings) -> Self {
        let seconds = |s: u32| u64::from(s) * SECOND_NS;
        let keep_alive = KeepAlive {
            idle_ns: seconds(options.keep_idle),
            interval_ns: seconds(options.keep_intvl),
            count: options.keep_cnt,
        };
        let user_timeout_ns = u64::from(options.user_timeout_ms) * 1_000_000;
        Self {
            tos: options.tos,
            mark: options.mark,
            rcvlowat: options.rcvlowat,
            defer_ns: seconds(options.defer_accept),
            keep_alive: options.keep_alive.then_some(keep_alive),
            user_timeout_ns: (user_timeout_ns > 0).then_some(user_timeout_ns),
            syn_sent_ns: patience_ns(settings.tcp_syn_retries),
            syn_received_ns: patience_ns(settings.tcp_synack_retries),
            fin_wait2_ns: seconds(settings.tcp_fin_timeout),
        }
    }
}

/// How long so many retransmissions go on without an answer: 1 + 2 + 4 + … s (RFC 6298, section 5.5).
fn patience_ns(retries: u32) -> u64 {
    let rto_s = |n: u32| 1u64.checked_shl(n).map_or(RTO_MAX_S, |s| s.min(RTO_MAX_S));
    (0..=retries).map(rto_s).sum::<u64>() * SECOND_NS
}

impl Connection {
    /// What is to be done next without the engine, and when.
    pub(crate) fn alarm(&self) -> Option<(u64, Alarm)> {
        let orphan = self.owner == Owner::Orphan;
        let clock = &self.clock;
        let owing = clock.owing_since_ns.map(|since| since.max(clock.heard_ns));
        let give_up = |since: u64, after: u64| Some((since.saturating_add(after), Alarm::GiveUp));
        let patience = self.limits.user_timeout_ns;
        match self.engine.state() {
            State::SynSent => give_up(clock.began_ns, patience.unwrap_or(self.limits.syn_sent_ns)),
            State::SynReceived => give_up(clock.began_ns, self.limits.syn_received_ns),
            State::Established if matches!(self.owner, Owner::HalfOpen(_)) => {
                Some((clock.began_ns.saturating_add(self.limits.defer_ns), Alarm::Accept))
            }
            State::FinWait2 if orphan => {
                give_up(clock.heard_ns.max(clock.began_ns), self.limits.fin_wait2_ns)
            }
            _ => match owing {
                Some(since) if orphan => give_up(since, patience.unwrap_or(ORPHAN_NS)),
                Some(since) => give_up(since, patience.unwrap_or(RETRANSMIT_NS)),
                None => [self.keep_alive_alarm(), self.shrink_alarm()].into_iter().flatten().min(),
            },
        }
    }

    fn shrink_alarm(&self) -> Option<(u64, Alarm)> {
        let idle = self.engine.recv_queue() == 0 && self.engine.is_grown();
        idle.then(|| (self.clock.heard_ns.max(self.clock.shrunk_ns).saturating_add(SHRINK_NS), Alarm::Shrink))
    }

    fn keep_alive_alarm(&self) -> Option<(u64, Alarm)> {
        let keep = self.limits.keep_alive?;
        let waited = keep.interval_ns.saturating_mul(u64::from(self.clock.probes));
        let at_ns = self.clock.heard_ns.saturating_add(keep.idle_ns).saturating_add(waited);
        let alarm = if self.clock.probes >= keep.count { Alarm::GiveUp } else { Alarm::Probe };
        Some((at_ns, alarm))
    }

    /// Notes whether something is unacknowledged.
    pub(crate) fn note_owing(&mut self, now_ns: u64) {
        let fin_owed = matches!(self.engine.state(), State::FinWait1 | State::Closing | State::LastAck);
        if !fin_owed && self.engine.send_queue() == 0 {
            self.clock.owing_since_ns = None;
        } else if self.clock.owing_since_ns.is_none() {
            self.clock.owing_since_ns = Some(now_ns);
        }
    }

    /// Whether accept(2) has to wait for its first bytes (`TCP_DEFER_ACCEPT`).
    pub(crate) fn is_deferred(&self, now_ns: u64) -> bool {
        let silent = self.engine.state() == State::Established && self.engine.recv_queue() == 0;
        silent && now_ns < self.clock.began_ns.saturating_add(self.limits.defer_ns)
    }

    /// Neither side knows yet whether there is a connection.
    pub(crate) fn is_opening(&self) -> bool {
        !self.over && matches!(self.engine.state(), State::SynSent | State::SynReceived)
    }

    /// The peer's SYN has come at some time: there was a connection.
    pub(crate) fn established(&self) -> bool {
        self.engine.ledger().synchronized
    }

    /// Whether a segment brings bytes although both directions may be closed.
    pub(crate) fn has_news(&self, segment: &Segment<'_>) -> bool {
        let end = segment.seq.wrapping_add(u32::try_from(segment.data_len).unwrap_or(u32::MAX));
        let closing = matches!(self.engine.state(), State::FinWait1 | State::FinWait2);
        closing && segment.data_len > 0 && seq_after(end, self.engine.ledger().rcv_nxt)
    }

    /// `sk_stream_is_writeable`: a third of the send buffer is free.
    fn has_room(&self) -> bool {
        self.engine.send_queue() <= self.engine.send_capacity() / 3 * 2
    }

    /// poll(2) as `tcp_poll` has it, without the error.
    pub(crate) fn readiness(&self, read_shut: bool, write_shut: bool) -> Readiness {
        let no_more_in = read_shut || self.fin_received || self.over;
        let no_more_out = write_shut || self.over;
        let hup = no_more_in && no_more_out;
        if self.is_opening() {
            return Readiness { readable: no_more_in, rdhup: no_more_in, hup, ..Readiness::default() };
        }
        Readiness {
            readable: self.has_enough() || no_more_in,
            writable: no_more_out || self.has_room(),
            hup,
            rdhup: no_more_in,
            err: false,
            pri: self.engine.has_urgent(),
        }
    }

    /// `tcp_stream_is_readable`. More than half of what fits is never waited for: the peer would have no room to send it.
    fn has_enough(&self) -> bool {
        let least = usize::try_from(self.limits.rcvlowat).unwrap_or(usize::MAX);
        let least = least.min(self.engine.recv_capacity() / 2).max(1);
        self.engine.recv_queue() >= least + self.engine.out_of_band()
    }

    /// Its state as ss(8) prints it, and as linux/tcp.h numbers it.
    pub(crate) fn state_name(&self) -> (&'static str, u8) {
        if self.over {
            return ("UNCONN", 7);
        }
        match self.engine.state() {
            State::Established => ("ESTAB", 1),
            State::SynSent => ("SYN-SENT", 2),
            State::SynReceived => ("SYN-RECV", 3),
            State::FinWait1 => ("FIN-WAIT-1", 4),
            State::FinWait2 => ("FIN-WAIT-2", 5),
            State::TimeWait => ("TIME-WAIT", 6),
            State::Closed => ("UNCONN", 7),
            State::CloseWait => ("CLOSE-WAIT", 8),
            State::LastAck => ("LAST-ACK", 9),
            State::Listen => ("LISTEN", 10),
            State::Closing => ("CLOSING", 11),
        }
    }
}

/// Connections by key. Boxed: one is 2 KB, and the table of keys moves when it grows.
pub(crate) type Connections = crate::slab::Slab<Box<Connection>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmissions_double_their_distance_up_to_two_minutes() {
        assert_eq!(patience_ns(0), SECOND_NS);
        assert_eq!(patience_ns(5), 63 * SECOND_NS, "tcp_synack_retries");
        assert_eq!(patience_ns(6), 127 * SECOND_NS, "tcp_syn_retries");
        assert_eq!(patience_ns(255), (127 + 249 * 120) * SECOND_NS);
    }
}
