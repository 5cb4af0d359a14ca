//! send(2), recv(2), and what poll(2) and `TCP_INFO` say.

use abi::Errno;

use crate::{
    Stack,
    report::TcpInfo,
    slab::Key,
    socket::{Kind, Socket, Tcp},
    tcp::{
        connection::{Connection, Owner},
        engine::{OutOfBand, SCALE},
    },
    types::{Readiness, SocketId},
};

impl Stack {
    pub(crate) fn tcp_send(&mut self, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        let sent = self.tcp_queue(id, data)?;
        self.tcp_push(id);
        Ok(sent)
    }

    /// Sends what is queued as far as it can be.
    fn tcp_push(&mut self, id: SocketId) {
        if let Some(key) = self.connection_of(id) {
            self.queue_output(key);
            self.pump();
        }
    }

    fn tcp_queue(&mut self, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        let socket = self.sockets.find_mut(id)?;
        socket.check_error()?;
        let key = socket.connection().ok_or(Errno::EPIPE)?;
        let connection = self.connections.get_mut(key).ok_or(Errno::EPIPE)?;
        if socket.write_shut || connection.over {
            return Err(Errno::EPIPE);
        }
        if connection.is_opening() {
            return Err(Errno::EAGAIN);
        }
        let sent = connection.engine.send(self.now_ns, data);
        if sent == 0 && !data.is_empty() {
            return Err(Errno::EAGAIN);
        }
        Ok(sent)
    }

    pub(crate) fn tcp_recv(&mut self, id: SocketId, buf: &mut [u8], peek: bool) -> Result<usize, Errno> {
        let socket = self.sockets.find_mut(id)?;
        if let Kind::Tcp(Tcp::Listening(_)) = socket.kind {
            return Err(Errno::ENOTCONN);
        }
        let Some(key) = socket.connection() else {
            socket.check_error()?;
            return if socket.read_shut { Ok(0) } else { Err(Errno::ENOTCONN) };
        };
        let connection = self.connections.get_mut(key).ok_or(Errno::ENOTCONN)?;
        if connection.is_opening() {
            return if socket.read_shut { Ok(0) } else { Err(Errno::EAGAIN) };
        }
        if buf.is_empty() && connection.engine.out_of_band() > 0 {
            // There is a byte, and so much of it was wanted (net/ipv4/tcp.c, tcp_recvmsg_locked).
            return Ok(0);
        }
        if connection.engine.recv_queue() == connection.engine.out_of_band() {
            if !peek {
                // A read passes over an urgent byte even if nothing is behind it.
                connection.engine.recv(&mut [], false);
            }
            // The order is tcp_recvmsg's: the end of the stream, then the error, then our own shutdown.
            if connection.fin_received {
                return Ok(0);
            }
            socket.check_error()?;
            let ended = socket.read_shut || connection.over;
            return if ended { Ok(0) } else { Err(Errno::EAGAIN) };
        }
        let received = connection.engine.recv(buf, peek);
        if !peek {
            connection.told_unread = connection.engine.recv_queue();
            self.queue_output(key);
            self.pump();
        }
        Ok(received)
    }

    /// `MSG_OOB` of send(2): the last of these bytes is urgent.
    pub(crate) fn tcp_send_urgent(&mut self, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        let sent = self.tcp_queue(id, data)?;
        if let Some(connection) = self.connection_of(id).and_then(|key| self.connections.get_mut(key)) {
            connection.engine.mark_urgent();
        }
        self.tcp_push(id);
        Ok(sent)
    }

    /// `MSG_OOB` of recv(2) (net/ipv4/tcp.c, tcp_recv_urg). It never waits.
    pub(crate) fn tcp_recv_urgent(&mut self, id: SocketId, peek: bool) -> Result<Option<u8>, Errno> {
        let socket = self.sockets.find(id)?;
        let (read_shut, key) = (socket.read_shut, socket.connection());
        if let Kind::Tcp(Tcp::Listening(_)) = socket.kind {
            return Err(Errno::ENOTCONN);
        }
        let Some(connection) = key.and_then(|key| self.connections.get_mut(key)) else {
            return Err(Errno::EINVAL);
        };
        let ended = read_shut || connection.fin_received || connection.over;
        match connection.engine.recv_urgent(peek) {
            OutOfBand::There(byte) => Ok(Some(byte)),
            OutOfBand::Announced if ended => Ok(None),
            OutOfBand::Announced => Err(Errno::EAGAIN),
            OutOfBand::Nothing => Err(Errno::EINVAL),
        }
    }

    fn connection_of(&self, id: SocketId) -> Option<Key> {
        self.sockets.get(id.0).and_then(Socket::connection)
    }

    /// `tcp_poll`, the pending error aside.
    pub(crate) fn tcp_readiness(&self, tcp: &Tcp, read_shut: bool, write_shut: bool) -> Readiness {
        match tcp {
            Tcp::Closed => Readiness {
                readable: read_shut,
                rdhup: read_shut,
                writable: true,
                hup: true,
                ..Readiness::default()
            },
            Tcp::Listening(listener) => {
                Readiness { readable: !listener.queue.is_empty(), ..Readiness::default() }
            }
            Tcp::Connection(key) => self
                .connections
                .get(*key)
                .map_or_else(Readiness::default, |c| c.readiness(read_shut, write_shut)),
        }
    }

    /// Tells the program of its connection's news.
    pub(crate) fn note_connection(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let Owner::Socket(id) = connection.owner else { return };
        let unread = connection.engine.recv_queue();
        let more = unread > std::mem::replace(&mut connection.told_unread, unread);
        if more {
            connection.arrived_ns = self.now_ns;
            self.note_arrival(id);
        }
        self.note(id);
    }

    pub(crate) fn tcp_report(&self, id: SocketId) -> Result<TcpInfo, Errno> {
        match &self.sockets.find(id)?.kind {
            Kind::Udp(_) | Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
            Kind::Tcp(Tcp::Closed) => Ok(TcpInfo { state: 7, ..TcpInfo::default() }),
            Kind::Tcp(Tcp::Listening(listener)) => {
                let unacked = u32::try_from(listener.queue.len()).unwrap_or(u32::MAX);
                Ok(TcpInfo { state: 10, unacked, ..TcpInfo::default() })
            }
            Kind::Tcp(Tcp::Connection(key)) => {
                Ok(self.connections.get(*key).map_or_else(TcpInfo::default, |c| info(c)))
            }
        }
    }
}

fn info(connection: &Connection) -> TcpInfo {
    let bytes = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let engine = &connection.engine;
    let ledger = engine.ledger();
    let mss = bytes(engine.max_segment_size(connection.flow));
    let peer = engine.peer();
    let micros = |ns: u64| u32::try_from(ns / 1000).unwrap_or(u32::MAX);
    let ((srtt_ns, rttvar_ns), (ecn, marked)) = (engine.round_trip_ns(), engine.ecn());
    TcpInfo {
        state: connection.state_name().1,
        options: u8::from(engine.is_stamped())
            | u8::from(peer.sack) << 1
            | u8::from(peer.scale.is_some()) << 2
            | u8::from(ecn) << 3
            | u8::from(marked) << 4,
        wscale: peer.scale.map_or((0, 0), |scale| (scale, SCALE)),
        rtt_us: micros(srtt_ns),
        rttvar_us: micros(rttvar_ns),
        rto_us: micros(engine.timeout_ns()),
        backoff: u8::try_from(engine.backoff()).unwrap_or(u8::MAX),
        snd_mss: mss.min(engine.peer_mss()),
        rcv_mss: mss,
        unacked: bytes(engine.send_queue()),
        rcv_space: bytes(engine.recv_capacity()),
        total_retrans: ledger.retrans,
        segs_out: ledger.segs_out,
        segs_in: ledger.segs_in,
    }
}
