//! listen(2), connect(2), accept(2).

use std::{
    collections::{HashSet, VecDeque},
    net::{IpAddr, SocketAddr},
};

use abi::Errno;

use crate::{
    Stack,
    addr::{self, Endpoint, Flow},
    frame::Carrier,
    route::{Hints, Way},
    slab::Key,
    socket::{Binding, Kind, Listener, Socket, Tcp},
    tcp::{
        connection::{Clock, Connection, Limits, Owner},
        engine::{Engine, State},
        time_wait::FlowEntry,
    },
    types::{LinkId, SocketId},
};

/// `net.core.somaxconn`.
const MAX_BACKLOG: usize = 4096;

impl Stack {
    pub(crate) fn tcp_listen(&mut self, id: SocketId, backlog: u32) -> Result<(), Errno> {
        let backlog = usize::try_from(backlog).map_or(MAX_BACKLOG, |b| b.min(MAX_BACKLOG));
        let socket = self.sockets.find_mut(id)?;
        match &mut socket.kind {
            Kind::Tcp(Tcp::Closed) => {}
            Kind::Tcp(Tcp::Listening(listener)) => {
                listener.backlog = backlog;
                return Ok(());
            }
            Kind::Tcp(Tcp::Connection(_)) => return Err(Errno::EINVAL),
            Kind::Udp(_) | Kind::Packet(_) => return Err(Errno::EOPNOTSUPP),
        }
        let binding = self.sockets.find(id)?.binding;
        if binding.is_none_or(|binding| !binding.has_port()) {
            self.bind_to(id, binding.and_then(|binding| binding.ip), 0)?;
        }
        let socket = self.sockets.find_mut(id)?;
        let binding = socket.binding.ok_or(Errno::EADDRINUSE)?;
        // Another may have begun to listen since bind(2) let both have the port (SO_REUSEADDR).
        if !self.tcp_ports.is_free(binding.port, &socket.claim(binding.ip), id) {
            return Err(Errno::EADDRINUSE);
        }
        let (queue, half_open) = (VecDeque::new(), HashSet::new());
        socket.kind = Kind::Tcp(Tcp::Listening(Listener { backlog, queue, half_open }));
        self.tcp_ports.set_listening(id, binding.port, true);
        self.note(id);
        Ok(())
    }

    pub(crate) fn tcp_connect(&mut self, id: SocketId, addr: SocketAddr) -> Result<(), Errno> {
        if let Some(result) = self.tcp_connect_again(id) {
            return result;
        }
        let socket = self.sockets.find(id)?;
        let remote = addr::from_program(socket.domain, addr)?;
        let remote = Endpoint { ip: socket.this_host(remote.ip), port: remote.port };
        let bound = addr::scope(addr, socket.options.bound_link)?;
        self.start_connect(id, remote, bound)?;
        Err(Errno::EINPROGRESS)
    }

    pub(crate) fn tcp_connect_again(&mut self, id: SocketId) -> Option<Result<(), Errno>> {
        match self.sockets.get(id.0)?.kind {
            Kind::Tcp(Tcp::Connection(key)) => Some(self.continue_connect(id, key)),
            Kind::Tcp(Tcp::Listening(_)) => Some(Err(Errno::EISCONN)),
            _ => None,
        }
    }

    fn continue_connect(&mut self, id: SocketId, key: Key) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        let Some(connection) = self.connections.get_mut(key) else { return Err(Errno::EISCONN) };
        if connection.is_opening() {
            return Err(Errno::EALREADY);
        }
        if connection.announced {
            return Err(Errno::EISCONN);
        }
        connection.announced = true;
        // RST, FIN and RST again may have come since; only what never was a connection failed.
        if !connection.over || connection.established() {
            return Ok(());
        }
        // The socket is as good as new (Linux: __inet_stream_connect, sock_error). ECONNABORTED: SO_ERROR had it.
        let error = socket.error.take().unwrap_or(Errno::ECONNABORTED);
        socket.last_port = connection.flow.local.port;
        socket.kind = Kind::Tcp(Tcp::Closed);
        (socket.read_shut, socket.write_shut) = (false, false);
        self.connections.remove(key);
        Err(error)
    }

    fn start_connect(&mut self, id: SocketId, remote: Endpoint, bound: Option<LinkId>) -> Result<(), Errno> {
        let socket = self.sockets.find(id)?;
        if !socket.speaks(remote.ip) || !addr::is_unicast(remote.ip) {
            return Err(Errno::ENETUNREACH);
        }
        let (way, local) = self.choose_local(id, remote, bound)?;
        let (link, carrier) = (way.link, self.carrier_to(remote.ip, &way));
        let socket = self.sockets.find_mut(id)?;
        let (options, domain) = (socket.options, socket.domain);
        let flow = Flow { local, remote };
        let setup = self.setup(carrier, &options, &flow);
        let mut engine = Engine::connect(&setup, flow, self.now_ns).ok_or(Errno::EADDRNOTAVAIL)?;
        engine.set_options(&options);
        self.end_time_wait(flow);
        let key = self.add_connection(Connection {
            engine,
            flow,
            link,
            domain,
            owner: Owner::Socket(id),
            over: false,
            fin_received: false,
            reset: false,
            announced: false,
            sharing: options.reuse_addr || options.reuse_port,
            last_state: State::SynSent,
            told_unread: 0,
            arrived_ns: 0,
            output_queued: false,
            routed: self.routes.generation(),
            bound,
            soft_error: None,
            armed: None,
            limits: Limits::new(&options, &self.settings),
            clock: Clock::new(self.now_ns),
        });
        let socket = self.sockets.find_mut(id)?;
        socket.kind = Kind::Tcp(Tcp::Connection(key));
        socket.error = None;
        // It is no longer what a closed socket is to poll(2): one that connects to itself is there before anything else is looked at.
        self.note(id);
        self.counters.tcp_active_opens += 1;
        self.queue_output(key);
        self.pump();
        Ok(())
    }

    /// The way and the local end of a connection to `remote`.
    fn choose_local(
        &mut self,
        id: SocketId,
        remote: Endpoint,
        bound: Option<LinkId>,
    ) -> Result<(Way, Endpoint), Errno> {
        let socket = self.sockets.find(id)?;
        let (binding, mark) = (socket.binding, socket.options.mark);
        let source = binding.and_then(|b| b.source());
        let route = self.way(remote.ip, Hints { link: bound, source, mark, from_link: None })?;
        let ip = source.unwrap_or(route.source);
        if ip.is_ipv4() != remote.ip.is_ipv4() {
            return Err(Errno::EINVAL);
        }
        let port = match binding.filter(|binding| binding.has_port()) {
            Some(binding) => {
                let local = Endpoint { ip, port: binding.port };
                self.flow_is_free(Flow { local, remote }).then_some(binding.port)
            }
            None => self.connecting_port(ip, remote),
        };
        let port = port.ok_or(Errno::EADDRNOTAVAIL)?;
        Ok((route, Endpoint { ip, port }))
    }

    /// What the way to `dst` can carry.
    pub(crate) fn carrier_to(&self, dst: IpAddr, way: &Way) -> Carrier {
        Carrier { mtu: self.path_mtu(dst, way), ..self.links.carrier(way.link) }
    }

    /// An ephemeral port that makes the flow unique. Connections to different peers share ports.
    fn connecting_port(&mut self, ip: IpAddr, remote: Endpoint) -> Option<u16> {
        let random = self.random.next();
        crate::ports::ephemeral(self.settings.ip_local_port_range, random).find(|&port| {
            let local = Endpoint { ip, port };
            !self.tcp_ports.is_bound(port) && self.flow_is_free(Flow { local, remote })
        })
    }

    /// A TIME-WAIT on `lo` gives way: no segment of the old connection can be under way there.
    fn flow_is_free(&self, flow: Flow) -> bool {
        match self.flows.get(&flow) {
            None => true,
            Some(FlowEntry::TimeWait(wait)) => wait.link == LinkId::LO,
            Some(FlowEntry::Connection(_)) => false,
        }
    }

    pub(crate) fn tcp_accept(&mut self, id: SocketId) -> Result<(SocketId, SocketAddr), Errno> {
        let socket = self.sockets.find_mut(id)?;
        let (domain, options) = (socket.domain, socket.options);
        if !matches!(socket.kind, Kind::Tcp(_)) {
            return Err(Errno::EOPNOTSUPP);
        }
        let key = socket.listener_mut().ok_or(Errno::EINVAL)?.queue.pop_front().ok_or(Errno::EAGAIN)?;
        // The address that bind(2) gave stays when the connection is over.
        let address = socket.binding.filter(|binding| binding.ip.is_some());
        let mut accepted = Socket::new(domain, options, Kind::Tcp(Tcp::Connection(key)));
        accepted.binding = address.map(|binding| Binding { port: 0, locked: false, ..binding });
        let connection = self.connections.get_mut(key).ok_or(Errno::ECONNABORTED)?;
        if connection.over && connection.reset {
            accepted.error = Some(Errno::ECONNRESET);
        }
        let peer = addr::to_program(domain, connection.flow.remote);
        let new = SocketId(self.sockets.insert(accepted));
        if let Some(connection) = self.connections.get_mut(key) {
            connection.owner = Owner::Socket(new);
            connection.limits = Limits::new(&options, &self.settings);
        }
        self.note(id);
        self.note(new);
        Ok((new, peer))
    }
}
