//! Banners and URLs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::banner::Banner;
use wire::url::{PATH_MAX, Url};

fuzz_target!(|bytes: &[u8]| {
    if let Some(banner) = Banner::parse(bytes) {
        assert_eq!(Banner::parse(banner.to_string().as_bytes()), Some(banner));
    }
    if let Ok(url) = Url::parse(bytes, b"/tmp") {
        let (_, address) = url.sockaddr();
        assert!(address.len() <= PATH_MAX + 3);
    }
});
