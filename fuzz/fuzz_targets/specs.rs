//! What `rump_server` is told of drives, links and sizes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use server::link::NetSpec;
use server::spec::{DriveSpec, parse_size};

fuzz_target!(|text: &str| {
    if let Ok(size) = parse_size(text) {
        assert_eq!(parse_size(&size.to_string()), Ok(size));
    }
    let _ = DriveSpec::parse(text);
    let _ = NetSpec::parse(text);
});
