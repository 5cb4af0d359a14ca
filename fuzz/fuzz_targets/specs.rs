//! What `rump_server` is told of drives, links and sizes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use server::spec::{DriveSpec, NetSpec, parse_size};

fuzz_target!(|text: &str| {
    if let Ok(size) = parse_size(text) {
        assert_eq!(parse_size(&size.to_string()), Ok(size));
    }
    let _ = DriveSpec::parse(text);
    if let Ok(link) = NetSpec::parse(text) {
        assert!((1..=15).contains(&link.name.len()));
    }
});
