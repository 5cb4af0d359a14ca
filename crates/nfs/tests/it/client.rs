//! A client that speaks XDR by hand: what it sends and expects is written down here once more.

use nfs::export::{Client as ExportClient, Options};
use nfs::{Export, Peer, Server};
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Start, Vfs, Who};

pub(crate) const NFS: u32 = 100_003;
pub(crate) const MOUNT: u32 = 100_005;
pub(crate) const PORTMAP: u32 = 100_000;
pub(crate) const ROOT: Who<'_> = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };

/// A tree with an exported directory /srv, a server, and who asks it.
pub(crate) struct World {
    pub(crate) vfs: Vfs,
    pub(crate) server: Server,
    pub(crate) peer: Peer,
    pub(crate) now: u64,
    pub(crate) user: (u32, u32, Vec<u32>),
    xid: u32,
}

/// Arguments, and results as they are taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Words(pub(crate) Vec<u8>);

impl Words {
    pub(crate) fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend((bytes.len() as u32).to_be_bytes());
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// `sattr3` with a mode alone.
    pub(crate) fn mode(self, mode: u32) -> Self {
        self.u32(1).u32(mode).u32(0).u32(0).u32(0).u32(0).u32(0)
    }

    pub(crate) fn take_u32(&mut self) -> u32 {
        let (number, rest) = self.0.split_first_chunk::<4>().expect("a word");
        let number = u32::from_be_bytes(*number);
        self.0 = rest.to_vec();
        number
    }

    pub(crate) fn take_u64(&mut self) -> u64 {
        u64::from(self.take_u32()) << 32 | u64::from(self.take_u32())
    }

    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        let len = self.take_u32() as usize;
        let bytes = self.0[..len].to_vec();
        self.0 = self.0[len.next_multiple_of(4)..].to_vec();
        bytes
    }

    /// `post_op_attr`: size and user, if they are there.
    pub(crate) fn take_attr(&mut self) -> Option<(u64, u32)> {
        if self.take_u32() == 0 {
            return None;
        }
        let attr = self.0[..84].to_vec();
        self.0 = self.0[84..].to_vec();
        let word = |at: usize| u32::from_be_bytes(attr[at..at + 4].try_into().unwrap());
        Some((u64::from(word(20)) << 32 | u64::from(word(24)), word(12)))
    }
}

impl World {
    pub(crate) fn new(clients: &[&str]) -> Self {
        let now = 1_000_000_000_000;
        let mut vfs = Vfs::new(Tmpfs::new(16 << 20, now), [7; 32], now).unwrap();
        let start = Start { root: vfs.root(), dir: vfs.root() };
        vfs.mkdir(&ROOT, start, b"srv", 0o1777, now).unwrap();
        let mut world = Self {
            vfs,
            server: Server::new([9; 8]),
            peer: Peer {
                address: [10, 0, 0, 2].into(),
                port: 700,
                stream: true,
                local: [10, 0, 0, 1].into(),
            },
            now,
            user: (1000, 100, vec![7]),
            xid: 1,
        };
        world.export(b"/srv", clients);
        world
    }

    pub(crate) fn export(&mut self, path: &[u8], clients: &[&str]) {
        let start = self.start();
        let root = self.vfs.lookup(&ROOT, start, path, Follow::Yes).unwrap();
        let clients = clients.iter().map(|text| ExportClient::parse(text, Options::default()).unwrap());
        self.server.exports.add(Export::new(path.to_vec(), root, clients.collect())).unwrap();
    }

    pub(crate) fn start(&self) -> Start {
        Start { root: self.vfs.root(), dir: self.vfs.root() }
    }

    /// The bytes of a call.
    pub(crate) fn call(&mut self, program: u32, version: u32, procedure: u32, args: Words) -> Vec<u8> {
        self.xid += 1;
        let (uid, gid, groups) = self.user.clone();
        let mut sys = Words::default().u32(0).bytes(b"host").u32(uid).u32(gid).u32(groups.len() as u32);
        for group in groups {
            sys = sys.u32(group);
        }
        let head = Words::default().u32(self.xid).u32(0).u32(2).u32(program).u32(version).u32(procedure);
        let head = head.u32(1).bytes(&sys.0).u32(0).u32(0);
        [head.0, args.0].concat()
    }

    pub(crate) fn send(&mut self, message: &[u8]) -> Option<Words> {
        self.now += 1_000_000;
        self.server.answer(&mut self.vfs, self.peer, message, self.now).map(Words)
    }

    /// The results of a procedure that was accepted.
    pub(crate) fn ask(&mut self, program: u32, version: u32, procedure: u32, args: Words) -> Words {
        let message = self.call(program, version, procedure, args);
        let mut reply = self.send(&message).unwrap();
        let head: Vec<u32> = (0..6).map(|_| reply.take_u32()).collect();
        assert_eq!(head[1..], [1, 0, 0, 0, 0], "accepted, without a verifier, success");
        reply
    }

    /// A procedure of NFS: its status, and its results.
    pub(crate) fn nfs(&mut self, procedure: u32, args: Words) -> (u32, Words) {
        let mut results = self.ask(NFS, 3, procedure, args);
        (results.take_u32(), results)
    }

    /// The handle of an exported directory, or the status.
    pub(crate) fn mount(&mut self, path: &[u8]) -> Result<Vec<u8>, u32> {
        let mut results = self.ask(MOUNT, 3, 1, Words::default().bytes(path));
        match results.take_u32() {
            0 => Ok(results.take_bytes()),
            status => Err(status),
        }
    }

    pub(crate) fn lookup(&mut self, dir: &[u8], name: &[u8]) -> Result<Vec<u8>, u32> {
        match self.nfs(3, Words::default().bytes(dir).bytes(name)) {
            (0, mut results) => Ok(results.take_bytes()),
            (status, _) => Err(status),
        }
    }

    /// CREATE, guarded.
    pub(crate) fn create(&mut self, dir: &[u8], name: &[u8], mode: u32) -> Result<Vec<u8>, u32> {
        match self.nfs(8, Words::default().bytes(dir).bytes(name).u32(1).mode(mode)) {
            (0, mut results) => {
                assert_eq!(results.take_u32(), 1, "a handle follows");
                Ok(results.take_bytes())
            }
            (status, _) => Err(status),
        }
    }

    /// WRITE: how much was written, how stable it is, and the verifier.
    pub(crate) fn write(
        &mut self,
        file: &[u8],
        offset: u64,
        bytes: &[u8],
        stable: u32,
    ) -> Result<(u32, u32, u64), u32> {
        let args = Words::default().bytes(file).u64(offset).u32(bytes.len() as u32).u32(stable).bytes(bytes);
        let (status, mut results) = self.nfs(7, args);
        if results.take_u32() == 1 {
            results.take_u64();
            results.take_u64();
            results.take_u64();
        }
        results.take_attr();
        if status == 0 {
            Ok((results.take_u32(), results.take_u32(), results.take_u64()))
        } else {
            Err(status)
        }
    }

    /// READ: the bytes, and whether the file ends there.
    pub(crate) fn read(&mut self, file: &[u8], offset: u64, count: u32) -> Result<(Vec<u8>, bool), u32> {
        let (status, mut results) = self.nfs(6, Words::default().bytes(file).u64(offset).u32(count));
        results.take_attr();
        if status != 0 {
            return Err(status);
        }
        let (count, end) = (results.take_u32(), results.take_u32() == 1);
        let bytes = results.take_bytes();
        assert_eq!(bytes.len(), count as usize);
        Ok((bytes, end))
    }

    /// READDIRPLUS to its end: names, and whether each has a handle.
    pub(crate) fn list(&mut self, dir: &[u8], maxcount: u32) -> Result<Vec<(Vec<u8>, bool)>, u32> {
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            let args = Words::default().bytes(dir).u64(cookie).u64(0).u32(maxcount).u32(maxcount);
            let (status, mut results) = self.nfs(17, args);
            assert!(results.0.len() + 4 <= maxcount as usize || status != 0, "no more than was asked for");
            results.take_attr();
            if status != 0 {
                return Err(status);
            }
            results.take_u64();
            while results.take_u32() == 1 {
                let _ino = results.take_u64();
                let name = results.take_bytes();
                cookie = results.take_u64();
                results.take_attr();
                let has_handle = results.take_u32() == 1;
                if has_handle {
                    results.take_bytes();
                }
                names.push((name, has_handle));
            }
            if results.take_u32() == 1 {
                return Ok(names);
            }
        }
    }
}
