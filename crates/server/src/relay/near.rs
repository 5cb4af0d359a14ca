//! The client's side.

use super::Relay;
use super::pair::Pair;
use crate::files::Files;
use crate::requests::{SEGMENTS_MAX, wanted_sites};
use crate::sitelists::{Asker, Encoded};
use abi::{Errno, private};
use kernel::CallId;
use rustix::event::epoll::EventFlags;
use wire::call::{Reply, Request, Segment, number_and_place};
use wire::relay::Token;
use wire::{Frame, Header, class, kind, option};

impl Relay {
    pub(super) fn read_near(&mut self, name: u64, flags: EventFlags) {
        self.touched.push(name);
        let Some(pair) = self.pairs.get_mut(&name) else { return };
        if flags == EventFlags::OUT {
            return;
        }
        if pair.near.read(&mut self.space).is_err() {
            return self.end(name);
        }
        // What was closed before the requests were sent is told before them.
        for file in self.files.take_closed() {
            pair.far.out.frame(Header::request(0, kind::GONE, 0), &file.0.to_le_bytes());
        }
        let mut decoder = std::mem::take(&mut pair.near.decoder);
        let mut sites = Vec::new();
        loop {
            match decoder.next_view() {
                Ok(Some(frame)) if is_sites(&frame.header) => {
                    sites.push(frame.to_owned());
                }
                Ok(Some(frame)) => pair.take_near(&frame, &self.token, &self.files),
                Ok(None) => break,
                Err(_) => return self.end(name),
            }
        }
        pair.near.decoder = decoder;
        pair.near.slim(&mut self.space);
        for frame in sites {
            self.sites(name, &frame);
        }
    }

    /// Where the calls of a file of this machine are.
    fn sites(&mut self, name: u64, frame: &Frame) {
        let call = self.askers.keys().max().map_or(0, |last| last + 1);
        let view = Frame { header: frame.header, payload: frame.payload.as_slice() };
        let asked = Request::parse(view.payload, SEGMENTS_MAX)
            .and_then(|request| Some((wanted_sites(&view, request.args)?, request.args)));
        self.askers.insert(call, (name, frame.header.reqno));
        let Some((wanted, args)) = asked else {
            return self.answer_asker(Asker { call: CallId(call), buf: 0, len: 0 }, None);
        };
        let asker = Asker { call: CallId(call), buf: args[3], len: args[4] };
        if let Some(encoded) = self.site_lists.ask(wanted, asker) {
            self.answer_asker(asker, encoded);
        }
    }

    pub(super) fn answer_sites(&mut self) {
        for (asker, encoded) in self.site_lists.take_done() {
            self.answer_asker(asker, encoded);
        }
    }

    fn answer_asker(&mut self, asker: Asker, encoded: Encoded) {
        let Some((name, reqno)) = self.askers.remove(&asker.call.0) else { return };
        let Some(pair) = self.pairs.get_mut(&name) else { return };
        self.touched.push(name);
        let Some(encoded) = encoded else { return pair.answer(reqno, Err(Errno::ENOENT), &[]) };
        let fits = usize::try_from(asker.len).unwrap_or(usize::MAX).min(encoded.len());
        let out = [Segment { address: asker.buf, bytes: &encoded[..fits] }];
        pair.answer(reqno, Ok(encoded.len()), &out);
    }
}

impl Pair {
    fn take_near(&mut self, frame: &Frame<&[u8]>, token: &Token, files: &Files) {
        match (frame.header.class, frame.header.kind) {
            (class::REQ, kind::OPTIONS) => self.options(frame, token),
            // A relay's own.
            (class::REQ, kind::GONE) => {}
            (class::REQ, kind::CALL) => self.call(frame, files),
            _ => self.far.out.frame(frame.header, frame.payload),
        }
    }

    /// The client's options, and whose client it is.
    fn options(&mut self, frame: &Frame<&[u8]>, token: &Token) {
        let Some((bits, prefix)) = frame.payload.split_first_chunk::<4>() else { return };
        let bits = u32::from_le_bytes(*bits) & !option::CONTROL | option::RELAY;
        self.far.out.frame(frame.header, &[&bits.to_le_bytes()[..], token, prefix].concat());
    }

    fn call(&mut self, frame: &Frame<&[u8]>, files: &Files) {
        // Six arguments, then the number of segments, then that of descriptors.
        const PASSED: usize = 6 * 8 + 4;
        let reqno = frame.header.reqno;
        let (word, _) = number_and_place(frame.header.word);
        let passed = frame.payload.get(PASSED..).and_then(|rest| rest.first_chunk::<4>());
        let passed = passed.map_or(0, |passed| u32::from_le_bytes(*passed) as usize);
        let argument = |at: usize| {
            frame.payload.get(at * 8..).and_then(|rest| rest.first_chunk().copied()).map(u64::from_le_bytes)
        };
        let (Some(number), Some(what)) = (argument(0), argument(1)) else { return };
        let is_ours = private::names_a_host_descriptor(word, what);
        if passed == 0 && !is_ours {
            return self.far.out.frame(frame.header, frame.payload);
        }
        let came: Vec<_> = self.near.received.drain(..passed.min(self.near.received.len())).collect();
        if !is_ours {
            return self.answer(reqno, Err(Errno::EOPNOTSUPP), &[]);
        }
        let uid = self.near.who.uid;
        let found =
            if word == private::FIND { files.find(number, uid) } else { files.identify(number, uid, &came) };
        let Some(file) = found else { return self.answer(reqno, Err(Errno::ENOENT), &[]) };
        let mut payload = frame.payload.to_vec();
        payload[..8].copy_from_slice(&file.0.to_le_bytes());
        payload[PASSED..PASSED + 4].fill(0);
        self.far.out.frame(frame.header, &payload);
    }

    fn answer(&mut self, reqno: u64, result: Result<usize, Errno>, segments: &[Segment<'_>]) {
        let result = match result {
            Ok(value) => i64::try_from(value).unwrap_or(i64::MAX),
            Err(errno) => i64::from(-errno.number()),
        };
        let reply = Reply { result, drain: 0, fill: false, files: Vec::new(), segments: segments.to_vec() };
        let header = Header { reqno, class: class::RESP, kind: kind::CALL, word: 0 };
        self.near.out.frame(header, &reply.emit());
    }
}

fn is_sites(header: &Header) -> bool {
    header.kind == kind::CALL && number_and_place(header.word).0 == private::SITES
}
