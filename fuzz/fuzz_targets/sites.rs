//! Lists of sites, which come from a cache directory or a server: refused, or the same when written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sitelist::SiteList;

fuzz_target!(|bytes: &[u8]| {
    let Some(list) = SiteList::decode(bytes) else { return };
    for site in &list.sites {
        let _ = (site.before(), site.after(), site.resume());
    }
    assert_eq!(SiteList::decode(&list.encode()), Some(list));
});
