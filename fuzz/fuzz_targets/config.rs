//! RUMPHIJACK and RUMPHIJACK_RETRYCONNECT: a value is understood, or refused by one line that quotes a part of it.

#![no_main]

use hijack::config::Config;
use hijack::path;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let split = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (value, name) = (&bytes[..split], bytes.get(split + 1..).unwrap_or_default());
    match Config::parse(Some(value)) {
        Ok(config) => {
            assert!((3..1 << 30).contains(&config.fdoff));
            if let Some(path::Owner::Rump(path::RumpPath::From(at))) = path::absolute(&config, name) {
                assert_eq!(name.get(at), Some(&b'/'));
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
