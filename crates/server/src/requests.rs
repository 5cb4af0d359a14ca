//! What clients ask (rump_sp(7)). Everything in a frame is hostile until checked; the answer to what makes no sense
//! is a refusal, as section 10 of the protocol's description lists, and never the end of the server.

use crate::credentials;
use crate::lane::Lane;
use crate::link::Refused;
use crate::server::{Pending, Server};
use crate::session::SessionId;
use crate::sitelists::{Asker, Encoded, Wanted};
use abi::private::LinkOp;
use abi::{Errno, private, table};
use kernel::{Call, CallId, Descriptors, FileId, UserMem};
use rustix::net::sockopt;
use std::os::fd::OwnedFd;
use wire::call::Request;
use wire::{Frame, Header, Message, class, error, handshake, kind, option, relay};

/// More pieces of memory in one CALL are malformed: an iovec array has at most 1,024 (`UIO_MAXIOV`), and a call
/// names a few more.
pub(crate) const SEGMENTS_MAX: usize = 4096;

/// What there is to a call besides its number, its arguments and its memory.
#[derive(Default)]
struct Asked {
    /// Where its paths start.
    place: u16,
    /// How many descriptors came along.
    passed: usize,
    /// The cell of the lane that it came by.
    cell: Option<usize>,
}

impl Server {
    /// Serves one frame of one client.
    pub(crate) fn serve(&mut self, id: SessionId, frame: Frame<&[u8]>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.pid.is_none() {
            return self.first_frame(id, frame);
        }
        let Header { reqno, class, kind, word } = frame.header;
        match (class, kind) {
            (class::REQ, kind::SYSCALL) => self.syscall(id, &frame),
            (class::REQ, kind::CALL) => self.call(id, &frame, None),
            (class::REQ, kind::CANCEL) => self.cancel(id, &frame),
            // There was something in the lane, which was looked at when this was read.
            (class::REQ, kind::KNOCK) => {}
            (class::REQ, kind::OPTIONS) => self.options(id, &frame),
            (class::REQ, kind::GONE) => self.gone(id, &frame),
            (class::REQ, kind::PREFORK) => self.prefork(id, &frame),
            (class::REQ, kind::HANDSHAKE) if word == handshake::EXEC => self.exec(id, &frame),
            (class::REQ, kind::HANDSHAKE) => self.refuse_and_end(id, reqno, error::MALFORMED),
            (class::RESP, _) => self.supplied(id, frame),
            (class::ERROR, _) if session.copyins.contains_key(&reqno) => self.supplied(id, frame),
            _ => session.refuse(reqno, error::MALFORMED),
        }
    }

    fn first_frame(&mut self, id: SessionId, frame: Frame<&[u8]>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if (frame.header.class, frame.header.kind) != (class::REQ, kind::HANDSHAKE) {
            return self.refuse_and_end(id, frame.header.reqno, error::AUTH);
        }
        match frame.header.word {
            handshake::GUEST if !session.heir => self.guest(id, &frame),
            handshake::FORK => self.fork(id, &frame),
            _ => self.refuse_and_end(id, frame.header.reqno, error::AUTH),
        }
    }

    fn guest(&mut self, id: SessionId, frame: &Frame<&[u8]>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let pid = self.kernel.attach(session.who.clone(), name(frame.payload), Descriptors::Strong);
        session.pid = Some(pid);
        self.by_pid.insert(pid, id);
        self.accept_handshake(id, frame.header.reqno);
    }

    fn fork(&mut self, id: SessionId, frame: &Frame<&[u8]>) {
        let Some(Message::Fork { auth, cancel }) = Message::parse(frame) else {
            return self.refuse_and_end(id, frame.header.reqno, error::MALFORMED);
        };
        let Some(prefork) = self.preforks.take(&auth) else {
            return self.refuse_and_end(id, frame.header.reqno, error::INVALID_PREFORK);
        };
        let Some(session) = self.sessions.get_mut(id) else { return };
        if cancel {
            self.kernel.detach(prefork.pid);
            return self.close(id);
        }
        session.pid = Some(prefork.pid);
        // Since its parent announced it, it may have become somebody else. ESRCH cannot be: it waited for this.
        let _ = self.kernel.set_credentials(prefork.pid, session.who.clone());
        session.files = prefork.files;
        session.fresh = false;
        self.by_pid.insert(prefork.pid, id);
        self.accept_handshake(id, frame.header.reqno);
    }

    /// The program was replaced: what its threads still waited for is forgotten (execve(2) ends them).
    fn exec(&mut self, id: SessionId, frame: &Frame<&[u8]>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(pid) = session.pid else { return };
        session.calls.clear();
        session.calls_waiting = 0;
        session.copyins.clear();
        // Descriptors that no call has claimed are those of calls behind this: they came with the same read.
        session.lane = None;
        let left: Vec<CallId> =
            self.calls.iter().filter(|(_, pending)| pending.session == id).map(|(call, _)| *call).collect();
        for call in left {
            self.calls.remove(&call);
            self.kernel.cancel(call);
        }
        // ESRCH cannot be: the session's process lives as long as the session.
        let _ = self.kernel.exec(pid, name(frame.payload));
        self.accept_handshake(id, frame.header.reqno);
    }

    fn accept_handshake(&mut self, id: SessionId, reqno: u64) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.respond(reqno, kind::HANDSHAKE, &Message::HandshakeAnswer(0));
        }
    }

    fn refuse_and_end(&mut self, id: SessionId, reqno: u64, code: u32) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.refuse(reqno, code);
            session.ending = true;
        }
    }

    fn options(&mut self, id: SessionId, frame: &Frame<&[u8]>) {
        let unix = self.serves_unix();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some((wanted, token, prefix)) = options(frame.payload) else {
            return session.refuse(frame.header.reqno, error::MALFORMED);
        };
        if let Some(token) = token {
            if wanted & option::CONTROL != 0 {
                self.remote.enter(token, id);
            }
            session.relay = Some(token).filter(|token| self.remote.knows(token));
        }
        if wanted & option::PREFIX != 0
            && let Some(pid) = session.pid
        {
            let _ = self.kernel.set_path_prefix(pid, prefix);
        }
        // How files live is settled by the first call, or was settled by the parent.
        let held = unix || session.relay.is_some();
        if wanted & option::FILES != 0 && wanted & option::CALL != 0 && session.fresh && held {
            session.files = true;
            if let Some(pid) = session.pid {
                let _ = self.kernel.set_descriptors(pid, Descriptors::Weak);
            }
        }
        // A relay knows of no file without a host descriptor.
        if let Some(pid) = session.pid {
            let takes_lone = wanted & option::LONE != 0 && session.files && session.relay.is_none();
            let _ = self.kernel.set_takes_lone(pid, takes_lone);
        }
    }

    /// A relay tells of the last close of a file.
    fn gone(&mut self, id: SessionId, frame: &Frame<&[u8]>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        match (session.relay, relay::parse_file(frame.payload).map(FileId)) {
            (Some(token), Some(file)) => {
                if self.remote.holds(&token, file) {
                    self.kernel.file_gone(file);
                }
            }
            _ => session.refuse(frame.header.reqno, error::MALFORMED),
        }
    }

    fn prefork(&mut self, id: SessionId, frame: &Frame<&[u8]>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(parent) = session.pid else { return };
        session.fresh = false;
        if !self.preforks.has_room(parent) {
            return session.refuse(frame.header.reqno, error::NOMEM);
        }
        let mut cookie = [0; 16];
        let random = rustix::rand::getrandom(&mut cookie, rustix::rand::GetRandomFlags::empty());
        let (Ok(16), Ok(child)) = (random, self.kernel.fork(parent)) else {
            return session.refuse(frame.header.reqno, error::RFORK_FAILED);
        };
        self.preforks.enter(cookie, child, parent, session.files);
        session.respond(frame.header.reqno, kind::PREFORK, &Message::PreforkAnswer(cookie));
    }

    /// A call of plain rump_sp: its arguments as slots of 8 bytes, its memory to be asked for.
    fn syscall(&mut self, id: SessionId, frame: &Frame<&[u8]>) {
        let mut args = [0; 6];
        let slots = frame.payload.chunks_exact(8);
        let count = slots.len();
        for (arg, slot) in args.iter_mut().zip(slots) {
            *arg = u64_at(slot, 0).unwrap_or_default();
        }
        let declared = table::lookup(frame.header.word).map_or(0, |row| row.args().len());
        if count < declared {
            if let Some(session) = self.sessions.get_mut(id) {
                session.refuse(frame.header.reqno, error::MALFORMED);
            }
            return;
        }
        self.submit(id, frame, args, UserMem::new(), Asked::default());
    }

    /// A call with the bytes that it names, in a frame or in a cell of the session's lane.
    pub(crate) fn call(&mut self, id: SessionId, frame: &Frame<&[u8]>, cell: Option<usize>) {
        let Some(request) = Request::parse(frame.payload, SEGMENTS_MAX) else {
            return self.refuse_call(id, frame, cell);
        };
        let mut mem = UserMem::new();
        for segment in &request.segments {
            mem.add(segment.address, segment.bytes.to_vec());
        }
        let (number, place) = wire::call::number_and_place(frame.header.word);
        let header = Header { word: number, ..frame.header };
        let frame = Frame { header, payload: frame.payload };
        let what = Asked { place, passed: request.passed as usize, cell };
        self.submit(id, &frame, request.args, mem, what);
    }

    fn refuse_call(&mut self, id: SessionId, frame: &Frame<&[u8]>, cell: Option<usize>) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.refuse(frame.header.reqno, error::MALFORMED);
            session.look_at_the_socket(cell);
        }
    }

    fn submit(
        &mut self,
        id: SessionId,
        frame: &Frame<&[u8]>,
        mut args: [u64; 6],
        mem: UserMem,
        Asked { place, passed, cell }: Asked,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(pid) = session.pid else { return };
        if passed > session.received.len() {
            return self.refuse_call(id, frame, cell);
        }
        session.fresh = false;
        let came_along: Vec<_> = session.received.drain(..passed).collect();
        self.last_call += 1;
        let call_id = CallId(self.last_call);
        session.calls.insert(frame.header.reqno, call_id);
        session.calls_waiting += 1;
        let call_frame = frame.header.kind == kind::CALL;
        self.calls.insert(call_id, Pending { session: id, reqno: frame.header.reqno, call_frame, cell });
        if private::names_a_host_descriptor(frame.header.word, args[1]) {
            let (number, uid) = (args[0], session.who.uid);
            let file = match session.relay {
                // It has identified the descriptor.
                Some(token) => Some(FileId(number)).filter(|file| self.remote.holds(&token, *file)),
                None if frame.header.word == private::FIND => self.files.find(number, uid),
                None => self.files.identify(number, uid, &came_along),
            };
            match file {
                Some(file) => args[0] = file.0,
                None => return self.answer(call_id, Err(Errno::ENOENT), Vec::new()),
            }
        }
        if frame.header.word == private::MSYNC {
            match self.memory.find(args[0]) {
                Some(id) => args[0] = id,
                None => return self.answer(call_id, Ok(0), Vec::new()),
            }
        }
        if frame.header.word == private::SITES {
            return self.sites(call_id, frame, args);
        }
        if frame.header.word == private::LINK {
            return self.link(id, call_id, frame, args);
        }
        if frame.header.word == private::CREDENTIALS {
            return self.credentials(id, call_id, args[0], &came_along);
        }
        if frame.header.word == private::LANE {
            return self.lane(id, call_id);
        }
        let mut call = Call::new(call_id, pid, frame.header.word, args, mem);
        call.place = place;
        for fd in came_along {
            self.last_passed += 1;
            self.passed.insert(self.last_passed, fd);
            call.passed.push(self.last_passed);
        }
        self.kernel.submit(call);
    }

    /// `rump_credentials(how)`: what the host says of the socket that came along, or of who sent the request, counts, and that only for
    /// the session's own process.
    fn credentials(&mut self, id: SessionId, call: CallId, how: u64, shown: &[OwnedFd]) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let shown = match how {
            0 => shown.first().and_then(|socket| credentials::of_peer(socket).ok()),
            1 => {
                let asked = sockopt::set_socket_passcred(&session.stream, true);
                let asked = asked.map_err(|errno| Errno::from_number(errno.raw_os_error()));
                return self.answer(call, asked.map(|()| 0), Vec::new());
            }
            _ => session.sender.take().and_then(credentials::of_sender),
        };
        if how != 0 {
            // From here on nobody asks who sends. Where that cannot be set it costs time and changes nothing.
            let _ = sockopt::set_socket_passcred(&session.stream, false);
        }
        let changed = match (shown, session.pid) {
            (Some(who), Some(pid)) if who.host_pid == session.who.host_pid && who.host_pid != 0 => {
                session.who = who.clone();
                self.kernel.set_credentials(pid, who)
            }
            _ => Err(Errno::EPERM),
        };
        if changed.is_ok() {
            self.take_heirs();
        }
        self.answer(call, changed.map(|()| 0), Vec::new());
    }

    /// `rump_lane()`.
    fn lane(&mut self, id: SessionId, call: CallId) {
        let unix = self.serves_unix();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let made = match &session.lane {
            None if session.files && session.relay.is_none() && unix => {
                Lane::new().map_err(|errno| Errno::from_number(errno.raw_os_error()))
            }
            None => Err(Errno::EOPNOTSUPP),
            Some(_) => Err(Errno::EBUSY),
        };
        match made {
            Ok((lane, file)) => {
                session.lane = Some(lane);
                self.answer_with_file(call, file);
            }
            Err(errno) => self.answer(call, Err(errno), Vec::new()),
        }
    }

    /// `rump_sites(path, build_id, size, buf, len)`, which is no business of the kernel's. Answers the list's
    /// whole length, so that a caller with too small a buffer knows how much to bring.
    fn sites(&mut self, call: CallId, frame: &Frame<&[u8]>, args: [u64; 6]) {
        let asker = Asker { call, buf: args[3], len: args[4] };
        match wanted_sites(frame, args) {
            Some(wanted) => {
                if let Some(encoded) = self.site_lists.ask(wanted, asker) {
                    self.answer_asker(asker, encoded);
                }
            }
            None => self.answer(call, Err(Errno::EINVAL), Vec::new()),
        }
    }

    /// `rump_link(op, text, len, buf, size)`: links are the server's.
    fn link(&mut self, id: SessionId, call: CallId, frame: &Frame<&[u8]>, args: [u64; 6]) {
        let uid = self.sessions.get(id).map_or(u32::MAX, |session| session.who.uid);
        let (Some(op), Some(text)) = (LinkOp::from_number(args[0]), memory_at(frame, args[1], args[2]))
        else {
            return self.answer(call, Err(Errno::EINVAL), Vec::new());
        };
        if op != LinkOp::List && !self.kernel.is_ruled_by(uid) {
            return self.answer(call, Err(Errno::EPERM), Vec::new());
        }
        // To make a link opens files and starts programs of this host, which nobody may who comes over tcp://.
        let control = match op {
            LinkOp::Add if !self.serves_unix() => Err(Refused::over_tcp()),
            op => self.links.control(&mut self.kernel, op, &text),
        };
        let (result, mut told) = match control {
            Ok(told) => (Ok(told.len() as u64), told.into_bytes()),
            Err(refused) => (Err(refused.errno), refused.why.into_bytes()),
        };
        told.truncate(usize::try_from(args[4]).unwrap_or(usize::MAX));
        self.answer(call, result, vec![(args[3], told)]);
    }

    /// Answers those whose site lists have become known.
    pub(crate) fn answer_sites(&mut self) {
        for (asker, encoded) in self.site_lists.take_done() {
            self.answer_asker(asker, encoded);
        }
    }

    fn answer_asker(&mut self, asker: Asker, encoded: Encoded) {
        let Some(encoded) = encoded else { return self.answer(asker.call, Err(Errno::ENOENT), Vec::new()) };
        let fits = usize::try_from(asker.len).unwrap_or(usize::MAX).min(encoded.len());
        let out = vec![(asker.buf, encoded[..fits].to_vec())];
        self.answer(asker.call, Ok(encoded.len() as u64), out);
    }

    fn cancel(&mut self, id: SessionId, frame: &Frame<&[u8]>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(reqno) = u64_at(frame.payload, 0) else {
            return session.refuse(frame.header.reqno, error::MALFORMED);
        };
        // One that is not known any more was answered: the answer is on its way.
        if let Some(call) = session.calls.get(&reqno) {
            self.kernel.cancel(*call);
        }
    }

    /// The answer to a COPYIN or COPYINSTR of ours. One that we did not ask for is ignored.
    fn supplied(&mut self, id: SessionId, frame: Frame<&[u8]>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some((call, want)) = session.copyins.remove(&frame.header.reqno) else { return };
        let len = frame.payload.len() as u64;
        let whole = match want.string {
            true => len <= want.len && (len == want.len || frame.payload.contains(&0)),
            false => len == want.len,
        };
        let bytes = match frame.header.class {
            class::RESP if whole && len > 0 => Ok(frame.payload.to_vec()),
            _ => Err(Errno::EFAULT),
        };
        self.kernel.supply(call, want.addr, bytes);
    }
}

/// The bits, the relay's token and the prefix in OPTIONS.
fn options(payload: &[u8]) -> Option<(u32, Option<relay::Token>, &[u8])> {
    let (bits, rest) = payload.split_first_chunk::<4>()?;
    let wanted = u32::from_le_bytes(*bits);
    if wanted & option::RELAY == 0 {
        return Some((wanted, None, rest));
    }
    let (token, prefix) = rest.split_first_chunk()?;
    Some((wanted, Some(*token), prefix))
}

/// The name in a handshake: up to its NUL, which may be missing.
fn name(payload: &[u8]) -> &[u8] {
    payload.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// What rump_sites asks for. Its memory has to travel with the request: only our library asks.
pub(crate) fn wanted_sites(frame: &Frame<&[u8]>, args: [u64; 6]) -> Option<Wanted> {
    let request = Request::parse(frame.payload, SEGMENTS_MAX).filter(|_| frame.header.kind == kind::CALL)?;
    let at = |address| request.segments.iter().find(|segment| segment.address == address);
    let path = name(at(args[0])?.bytes).to_vec();
    let build_id = *at(args[1])?.bytes.first_chunk()?;
    path.starts_with(b"/").then_some(Wanted { path, build_id, size: args[2] })
}

/// What the request brought of its caller's memory. Only our tools ask so, in one segment.
fn memory_at(frame: &Frame<&[u8]>, address: u64, len: u64) -> Option<Vec<u8>> {
    if len == 0 {
        return Some(Vec::new());
    }
    let request = Request::parse(frame.payload, SEGMENTS_MAX).filter(|_| frame.header.kind == kind::CALL)?;
    let segment = request.segments.iter().find(|segment| segment.address == address)?;
    segment.bytes.get(..usize::try_from(len).ok()?).map(<[u8]>::to_vec)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
