//! CALL payloads of either direction.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::call::{Reply, Request};

fuzz_target!(|bytes: &[u8]| {
    if let Some(request) = Request::parse(bytes, 1024) {
        let total: usize = request.segments.iter().map(|segment| segment.bytes.len()).sum();
        assert!(request.segments.len() <= 1024 && total <= bytes.len());
    }
    if let Some(reply) = Reply::parse(bytes) {
        assert_eq!(Reply::parse(&reply.emit()), Some(reply));
    }
});
