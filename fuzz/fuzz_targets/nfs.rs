//! Requests to the NFS server, and the stream that they come in.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nfs::export::{Client, Options};
use nfs::record::Records;
use nfs::{Export, Peer, Server};
use vfs::Vfs;
use vfs::tmpfs::Tmpfs;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut vfs) = Vfs::new(Tmpfs::new(1 << 20, 0), [0; 32], 0) else { return };
    let mut server = Server::new([1; 8]);
    let options = Options { writable: true, ..Options::default() };
    let Ok(client) = Client::parse("*(no_root_squash,insecure)", options) else { return };
    let _ = server.exports.add(Export::new(b"/".to_vec(), vfs.root(), vec![client]));
    let peer = Peer { address: [10, 0, 0, 2].into(), port: 9, stream: true, local: [10, 0, 0, 1].into() };
    let mut records = Records::default();
    for piece in bytes.chunks(100) {
        records.push(piece);
        while let Ok(Some(record)) = records.next_record() {
            let _ = server.answer(&mut vfs, peer, &record, 1);
        }
    }
});
