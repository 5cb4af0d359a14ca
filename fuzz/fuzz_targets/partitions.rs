//! Partition tables, and what is in the partitions.

#![no_main]

#[path = "../disk.rs"]
mod disk;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(disk) = disk::of(bytes) else { return };
    let whole = bytes.len() as u64;
    for part in image::probe::parts(&disk) {
        let Some(partition) = part.partition else { continue };
        // What a table says of places behind the end of the disk may be said; it may not be read.
        let read = disk.part(partition.start, partition.size);
        assert!(read.size() <= whole.saturating_sub(partition.start.min(whole)));
    }
});
