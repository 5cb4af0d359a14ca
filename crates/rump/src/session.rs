//! A session with a server, for one call at a time.

use crate::cli::ServerOption;
use abi::Errno;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use wire::banner::Banner;
use wire::call::{Reply, emit_request};
use wire::url::Url;
use wire::{Decoder, Frame, Header, Message, class, handshake, kind, option};

/// Any addresses will do: this program has no memory that a call is about.
const TEXT: u64 = 0x1000;
const BUFFER: u64 = 0x2_0000;

/// Why there is no session, or none any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "which server? Say --server URL or RUMP_SERVER=URL; `rump_server unix:///tmp/rump` starts one at \
         unix:///tmp/rump"
    )]
    NoUrl,
    #[error("'{url}': {refused}")]
    Url { url: String, refused: wire::url::Refused },
    #[error("{url}: {source}{}", advice(.source))]
    Connect { url: String, source: io::Error },
    #[error("{url}: no rump kernel of ours answers there (its banner: {banner:?})")]
    Stranger { url: String, banner: String },
    #[error("{url}: the connection was lost: {source}")]
    Lost { url: String, source: io::Error },
    #[error("{url}: {why}")]
    Explained { url: String, why: String },
    #[error("{url}: the server refused: {errno}")]
    Refused { url: String, errno: Errno },
    #[error("{0}")]
    Why(String),
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; no server was started there",
        io::ErrorKind::ConnectionRefused => "; the server that was there is gone: start it again",
        io::ErrorKind::PermissionDenied => "; the socket belongs to another user",
        _ => "",
    }
}

trait Stream: Read + Write + Send {
    fn set_patience(&self, patience: Duration) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))
    }
}

impl Stream for TcpStream {
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))
    }
}

/// A session.
pub(crate) struct Session {
    url: String,
    stream: Box<dyn Stream>,
    decoder: Decoder,
    reqno: u64,
}

/// What a call answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) result: Result<u64, Errno>,
    /// The bytes for the caller's memory, all segments one behind the other.
    pub(crate) out: Vec<u8>,
}

/// An argument of a call.
pub(crate) enum Arg<'a> {
    /// A number.
    Number(u64),
    /// A string in memory.
    Text(&'a str),
}

impl From<u64> for Arg<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Arg<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl Session {
    /// Connects to the server that the user named.
    pub(crate) fn open(server: &ServerOption) -> Result<Self, Error> {
        let url = server.server.clone().filter(|url| !url.is_empty()).ok_or(Error::NoUrl)?;
        Self::connect(url, "rump")
    }

    /// Connects as a process of this name.
    pub(crate) fn connect(url: String, name: &str) -> Result<Self, Error> {
        let stream = open_stream(&url)?;
        let mut session = Self { url, stream, decoder: Decoder::default(), reqno: 0 };
        session.read_banner()?;
        let name = Message::Name { kind: handshake::GUEST, name: name.as_bytes().to_vec() };
        session.request(kind::HANDSHAKE, handshake::GUEST, &name.payload())?;
        session.response()?;
        session.request(kind::OPTIONS, 0, &option::CALL.to_le_bytes())?;
        Ok(session)
    }

    /// Ends the server, and waits until it is gone and what was written is on the disk: another can be started in its place then.
    pub(crate) fn halt(mut self) -> Result<(), Error> {
        /// Longer than large images take.
        const PATIENCE: Duration = Duration::from_secs(60);
        let answer = self.call(abi::private::HALT, &[])?;
        answer.result.map_err(|errno| self.refused(errno))?;
        self.stream.set_patience(PATIENCE).map_err(|error| self.broken(error))?;
        loop {
            match self.stream.read(&mut [0; 256]) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(
                        self.explained("the server was told to end and has not ended within a minute".into())
                    );
                }
                Ok(0) | Err(_) => return Ok(()),
            }
        }
    }

    /// Makes a call that reads no memory. What it writes comes back in the answer, whatever addresses it names.
    pub(crate) fn call(&mut self, nr: u32, args: &[u64]) -> Result<Answer, Error> {
        self.call_with(nr, args, 0, &[])
    }

    /// Makes a call that reads `bytes` at `address`.
    pub(crate) fn call_with(
        &mut self,
        nr: u32,
        args: &[u64],
        address: u64,
        bytes: &[u8],
    ) -> Result<Answer, Error> {
        let mut registers = [0; 6];
        registers.iter_mut().zip(args).for_each(|(register, arg)| *register = *arg);
        let segment = [(address, bytes.len() as u64)];
        let mut payload = emit_request(registers, 0, if bytes.is_empty() { &[] } else { &segment });
        payload.extend_from_slice(bytes);
        self.request(kind::CALL, nr, &payload)?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Answer, Error> {
        let frame = self.response()?;
        let reply = Reply::parse(&frame.payload).ok_or_else(|| self.lost("an answer that makes no sense"))?;
        let result = match u64::try_from(reply.result) {
            Ok(value) => Ok(value),
            Err(_) => Err(Errno::from_number(i32::try_from(-reply.result).unwrap_or(0))),
        };
        let out = reply.segments.iter().flat_map(|segment| segment.bytes).copied().collect();
        Ok(Answer { result, out })
    }

    /// Makes a call with numbers and strings.
    pub(crate) fn call_strings<const N: usize>(
        &mut self,
        nr: u32,
        args: [Arg<'_>; N],
    ) -> Result<Answer, Error> {
        let mut registers = [0; 6];
        let mut strings = Vec::new();
        for ((register, arg), at) in registers.iter_mut().zip(&args).zip(1u64..) {
            match arg {
                Arg::Number(number) => *register = *number,
                Arg::Text(text) => {
                    *register = at << 16;
                    strings.push((at << 16, [text.as_bytes(), &[0]].concat()));
                }
            }
        }
        let segments: Vec<_> =
            strings.iter().map(|(address, bytes)| (*address, bytes.len() as u64)).collect();
        let mut payload = emit_request(registers, 0, &segments);
        strings.iter().for_each(|(_, bytes)| payload.extend_from_slice(bytes));
        self.request(kind::CALL, nr, &payload)?;
        self.answer()
    }

    /// Makes a call of ours that takes `(op, text, len, buf, size)` and tells something, or why it refuses; however long that is.
    pub(crate) fn ask(&mut self, nr: u32, op: u64, text: &[u8]) -> Result<String, Error> {
        let mut len = 1 << 16;
        loop {
            let args = [op, TEXT, text.len() as u64, BUFFER, len];
            let answer = self.call_with(nr, &args, TEXT, text)?;
            let told = String::from_utf8_lossy(&answer.out).into_owned();
            match answer.result {
                // Only a list can be so long, and asking again for one changes nothing.
                Ok(whole) if whole > len => len = whole,
                Ok(_) => return Ok(told),
                Err(errno) if told.is_empty() => return Err(self.refused(errno)),
                Err(_) => return Err(Error::Why(told)),
            }
        }
    }

    /// What went wrong, for whom to mend it.
    pub(crate) fn explained(&self, why: String) -> Error {
        Error::Explained { url: self.url.clone(), why }
    }

    /// The error of a call that was refused.
    pub(crate) fn refused(&self, errno: Errno) -> Error {
        Error::Refused { url: self.url.clone(), errno }
    }

    fn read_banner(&mut self) -> Result<(), Error> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") && line.len() < wire::banner::LENGTH_MAX {
            let mut byte = [0; 1];
            self.stream.read_exact(&mut byte).map_err(|error| self.broken(error))?;
            line.extend(byte);
        }
        match Banner::parse(&line) {
            Some(banner) if banner.has_extensions() && banner.ostype == "Linux" => Ok(()),
            _ => {
                let banner = String::from_utf8_lossy(&line).trim_end().to_owned();
                Err(Error::Stranger { url: self.url.clone(), banner })
            }
        }
    }

    fn request(&mut self, kind: u16, word: u32, payload: &[u8]) -> Result<(), Error> {
        self.reqno += 1;
        let header = Header::request(self.reqno, kind, word);
        let bytes = Frame { header, payload: payload.to_vec() }.emit();
        self.stream.write_all(&bytes).map_err(|error| self.broken(error))
    }

    fn response(&mut self) -> Result<Frame, Error> {
        loop {
            let next = self.decoder.next_frame().map_err(|_| self.lost("a frame of an impossible length"))?;
            let Some(frame) = next else {
                self.read()?;
                continue;
            };
            if let Some(errno) = frame.refusal() {
                return Err(self.refused(errno));
            }
            if frame.header.class == class::RESP && frame.header.reqno == self.reqno {
                return Ok(frame);
            }
        }
    }

    fn read(&mut self) -> Result<(), Error> {
        let mut space = [0; 16 << 10];
        match self.stream.read(&mut space) {
            Ok(0) => Err(self.lost("the server has ended")),
            Ok(len) => {
                self.decoder.push(&space[..len]);
                Ok(())
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    fn lost(&self, why: &str) -> Error {
        self.broken(io::Error::other(why))
    }

    fn broken(&self, source: io::Error) -> Error {
        Error::Lost { url: self.url.clone(), source }
    }
}

fn open_stream(url: &str) -> Result<Box<dyn Stream>, Error> {
    let failed = |source| Error::Connect { url: url.to_owned(), source };
    let cwd = std::env::current_dir().map_err(failed)?;
    let parsed = Url::parse(url.as_bytes(), cwd.as_os_str().as_bytes())
        .and_then(Url::for_client)
        .map_err(|refused| Error::Url { url: url.to_owned(), refused })?;
    Ok(match parsed {
        Url::Unix(path) => {
            Box::new(UnixStream::connect(Path::new(OsStr::from_bytes(&path))).map_err(failed)?)
        }
        Url::Tcp(address, port) => {
            let stream =
                TcpStream::connect(SocketAddrV4::new(Ipv4Addr::from(address), port)).map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            Box::new(stream)
        }
    })
}
