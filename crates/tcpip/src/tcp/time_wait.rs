//! TIME-WAIT: some 60 bytes in place of a connection (RFC 9293, section 3.6.1).

use std::collections::VecDeque;

use crate::{
    Stack,
    addr::Flow,
    packet::{BareSegment, Segment, seq_after},
    slab::Key,
    tcp::{connection::Connection, engine::Timestamps},
    types::{Domain, LinkId},
};

/// `TCP_TIMEWAIT_LEN`.
const TIME_WAIT_NS: u64 = 60_000_000_000;

/// Whose a flow is.
#[derive(Debug)]
pub(crate) enum FlowEntry {
    Connection(Key),
    TimeWait(TimeWait),
}

/// A connection that was closed here first.
#[derive(Debug)]
pub(crate) struct TimeWait {
    snd_nxt: u32,
    rcv_nxt: u32,
    window: u16,
    timestamps: Timestamps,
    pub(crate) link: LinkId,
    pub(crate) domain: Domain,
    pub(crate) sharing: bool,
    ends_ns: u64,
    /// The entry in the queue that stands for it; another one is left over from an earlier connection.
    queued_ns: u64,
}

/// When they end. All wait equally long, so that they end in this order, save those that were heard from again.
#[derive(Debug, Default)]
pub(crate) struct TimeWaits {
    queue: VecDeque<(u64, Flow)>,
    pub(crate) count: usize,
}

impl TimeWaits {
    pub(crate) fn next(&self) -> Option<u64> {
        self.queue.front().map(|&(ends_ns, _)| ends_ns)
    }
}

impl Stack {
    /// Puts a TIME-WAIT in the place of a connection. `false`: there are too many.
    #[must_use]
    pub(crate) fn begin_time_wait(&mut self, flow: Flow, wait: TimeWait) -> bool {
        let room = (self.time_waits.count as u64) < u64::from(self.settings.tcp_max_tw_buckets);
        if room {
            self.time_waits.queue.push_back((wait.ends_ns, flow));
            self.time_waits.count += 1;
            self.flows.insert(flow, FlowEntry::TimeWait(wait));
        }
        room
    }

    /// A segment for a connection in TIME-WAIT.
    pub(crate) fn time_wait_input(&mut self, from: LinkId, segment: &Segment<'_>) {
        let Some(FlowEntry::TimeWait(wait)) = self.flows.get_mut(&segment.flow) else { return };
        let loopback = wait.link == LinkId::LO;
        // RFC 9293, section 3.6.1: a SYN beyond the old connection may open a new one. Nothing of the old one can be
        // under way on lo.
        let later = seq_after(segment.seq, wait.rcv_nxt) || wait.timestamps.is_outlived_by(segment);
        let renews = segment.syn && segment.ack.is_none() && (loopback || later);
        // RFC 5961, section 3.2, and RFC 1337: not by any RST.
        if segment.rst && segment.seq != wait.rcv_nxt {
            return;
        }
        if renews || segment.rst {
            self.end_time_wait(segment.flow);
            if renews {
                self.listener_input(from, segment);
            }
            return;
        }
        if segment.len() == 0 && segment.seq == wait.rcv_nxt {
            return;
        }
        wait.ends_ns = self.now_ns + TIME_WAIT_NS;
        let (link, answer) = (wait.link, wait.acknowledgement(segment.flow, self.now_ns));
        self.send_bare(link, answer);
    }

    /// Frees those whose time is over.
    pub(crate) fn expire_time_waits(&mut self) {
        while let Some((queued_ns, flow)) =
            self.time_waits.queue.pop_front_if(|&mut (ends_ns, _)| ends_ns <= self.now_ns)
        {
            let Some(FlowEntry::TimeWait(wait)) = self.flows.get_mut(&flow) else { continue };
            if wait.queued_ns != queued_ns {
                continue;
            }
            if wait.ends_ns <= self.now_ns {
                self.end_time_wait(flow);
            } else {
                wait.queued_ns = wait.ends_ns;
                self.time_waits.queue.push_back((wait.ends_ns, flow));
            }
        }
    }

    /// Frees the flow of a TIME-WAIT, if it is one.
    pub(crate) fn end_time_wait(&mut self, flow: Flow) {
        if let Some(FlowEntry::TimeWait(wait)) = self.flows.get(&flow) {
            self.tcp_ports.release(flow.local.port, flow.local.ip, wait.sharing);
            self.flows.remove(&flow);
            self.time_waits.count -= 1;
        }
    }
}

impl TimeWait {
    /// What is kept of a connection.
    pub(crate) fn of(connection: &Connection, now_ns: u64) -> Self {
        let ledger = connection.engine.ledger();
        Self {
            snd_nxt: ledger.snd_nxt,
            rcv_nxt: ledger.rcv_nxt,
            window: ledger.window,
            timestamps: connection.engine.timestamps(),
            link: connection.link,
            domain: connection.domain,
            sharing: connection.sharing,
            ends_ns: now_ns + TIME_WAIT_NS,
            queued_ns: now_ns + TIME_WAIT_NS,
        }
    }

    fn acknowledgement(&self, flow: Flow, now_ns: u64) -> BareSegment {
        let (seq, ack, window) = (self.snd_nxt, Some(self.rcv_nxt), self.window);
        BareSegment { flow, rst: false, seq, ack, window, stamp: self.timestamps.stamp(now_ns), ece: false }
    }
}

#[cfg(test)]
mod tests {
    use abi::Errno;

    use crate::{Config, Domain, SocketId, Stack};

    fn connect(stack: &mut Stack, listener: SocketId) {
        let client = stack.tcp_socket(Domain::Inet);
        stack.set_option(client, crate::Opt::ReuseAddr(true)).expect("an option");
        stack.bind(client, "127.0.0.1:4000".parse().expect("an address")).expect("free");
        let server = "127.0.0.1:80".parse().expect("an address");
        assert_eq!(stack.connect(client, server), Err(Errno::EINPROGRESS));
        let (server, _) = stack.accept(listener).expect("connected");
        stack.close(client);
        stack.close(server);
    }

    #[test]
    fn the_queue_does_not_grow_with_each_reuse_of_a_flow() {
        let mut stack = Stack::new(Config { seed: 1 });
        let listener = stack.tcp_socket(Domain::Inet);
        stack.bind(listener, "127.0.0.1:80".parse().expect("an address")).expect("free");
        stack.listen(listener, 8).expect("bound");
        for second in 1..600u64 {
            stack.advance(second * 1_000_000_000);
            connect(&mut stack, listener);
            assert!(stack.time_waits.queue.len() <= 61, "{} after {second} s", stack.time_waits.queue.len());
        }
    }
}
