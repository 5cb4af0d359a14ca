//! Partitions of a disk: MBR with its logical partitions, and GPT (UEFI specification, chapter 5).
//!
//! Only what is needed to find one is read, and all of it is checked against the disk's size.

use crate::disk::Disk;
use abi::Errno;

const SECTOR: u64 = 512;
const TABLE: usize = 446;
const ENTRIES: usize = 4;
/// Partition types: a GPT's protective one, and the three of extended partitions.
const PROTECTIVE: u8 = 0xee;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// Logical partitions that are looked at: a chain may be a ring.
const LOGICAL_MAX: usize = 128;
/// Entries of a GPT that are looked at; tables have 128.
const GPT_ENTRIES_MAX: u32 = 1024;
const GPT_MAGIC: &[u8; 8] = b"EFI PART";

/// A part of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its number, as Linux counts: logical ones from 5 on.
    pub number: u32,
    /// Where it starts, in bytes.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// Why a partition cannot be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// The disk could not be read.
    #[error("reading the partition table: {0:?}")]
    Disk(Errno),
    /// There is no table.
    #[error("no partition table (neither MBR nor GPT)")]
    None,
    /// There is one without it.
    #[error("no partition {0}; the table has: {1}")]
    Missing(u32, Numbers),
}

/// The numbers of the partitions that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers(u128);

impl std::fmt::Display for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers = (0..128).filter(|number| self.0 >> number & 1 == 1).map(|number| number.to_string());
        let text = numbers.collect::<Vec<_>>().join(", ");
        f.write_str(if text.is_empty() { "none" } else { &text })
    }
}

/// The partition with this number.
///
/// # Errors
/// There is none, or the table cannot be read.
pub fn find(disk: &Disk, number: u32) -> Result<Partition, PartitionError> {
    let all = list(disk)?;
    let numbers = all.iter().filter(|part| part.number < 128).fold(0, |bits, part| bits | 1 << part.number);
    let found = all.into_iter().find(|part| part.number == number);
    found.ok_or(PartitionError::Missing(number, Numbers(numbers)))
}

/// All partitions. Those that reach over the end of the disk are left out.
///
/// # Errors
/// There is no table, or it cannot be read.
pub fn list(disk: &Disk) -> Result<Vec<Partition>, PartitionError> {
    let sector = read_sector(disk, 0)?;
    if sector[510..] != [0x55, 0xaa] {
        return Err(PartitionError::None);
    }
    let entries = mbr_entries(&sector);
    if entries.iter().any(|entry| entry.kind == PROTECTIVE) {
        return gpt(disk);
    }
    // The first sector of a FAT or NTFS file system ends in the same two bytes.
    if entries.iter().any(|entry| !matches!(entry.status, 0 | 0x80))
        || entries.iter().all(|entry| entry.kind == 0)
    {
        return Err(PartitionError::None);
    }
    let mut found = Vec::new();
    for (entry, number) in entries.iter().zip(1..) {
        if EXTENDED.contains(&entry.kind) {
            logical(disk, u64::from(entry.start), &mut found)?;
        } else if entry.kind != 0 {
            found.extend(entry.partition(disk, number, 0));
        }
    }
    found.sort_by_key(|part| part.number);
    Ok(found)
}

struct Entry {
    status: u8,
    kind: u8,
    start: u32,
    sectors: u32,
}

impl Entry {
    fn partition(&self, disk: &Disk, number: u32, base: u64) -> Option<Partition> {
        within(disk, number, base + u64::from(self.start), u64::from(self.sectors))
    }
}

/// A partition of so many sectors, if the disk has them.
fn within(disk: &Disk, number: u32, start: u64, sectors: u64) -> Option<Partition> {
    let (start, size) = (start.checked_mul(SECTOR)?, sectors.checked_mul(SECTOR)?);
    let fits = start > 0 && size > 0 && start.checked_add(size)? <= disk.size();
    fits.then_some(Partition { number, start, size })
}

fn mbr_entries(sector: &[u8; 512]) -> [Entry; ENTRIES] {
    std::array::from_fn(|at| {
        let entry = &sector[TABLE + at * 16..][..16];
        Entry { status: entry[0], kind: entry[4], start: u32_at(entry, 8), sectors: u32_at(entry, 12) }
    })
}

/// The chain of tables in an extended partition.
fn logical(disk: &Disk, base: u64, found: &mut Vec<Partition>) -> Result<(), PartitionError> {
    let mut at = base;
    for number in (5..).take(LOGICAL_MAX) {
        let sector = match read_sector(disk, at) {
            Ok(sector) if sector[510..] == [0x55, 0xaa] => sector,
            // A chain that leads nowhere ends there.
            _ => return Ok(()),
        };
        let [this, next, ..] = mbr_entries(&sector);
        if this.kind != 0 {
            found.extend(this.partition(disk, number, at));
        }
        if !EXTENDED.contains(&next.kind) || next.start == 0 {
            return Ok(());
        }
        at = base + u64::from(next.start);
    }
    Ok(())
}

fn gpt(disk: &Disk) -> Result<Vec<Partition>, PartitionError> {
    let mut header = read_sector(disk, 1)?;
    if header[..8] != *GPT_MAGIC {
        // The copy at the end of the disk.
        header = read_sector(disk, (disk.size() / SECTOR).saturating_sub(1))?;
        if header[..8] != *GPT_MAGIC {
            return Err(PartitionError::None);
        }
    }
    let (table, count, size) = (u64_at(&header, 72), u32_at(&header, 80), u64::from(u32_at(&header, 84)));
    if !(128..=4096).contains(&size) {
        return Err(PartitionError::None);
    }
    let mut found = Vec::new();
    for number in 0..count.min(GPT_ENTRIES_MAX) {
        let mut entry = [0; 128];
        let place = table.checked_mul(SECTOR).and_then(|table| table.checked_add(u64::from(number) * size));
        let place = place.ok_or(PartitionError::None)?;
        disk.read_at(&mut entry, place).map_err(PartitionError::Disk)?;
        let (first, last) = (u64_at(&entry, 32), u64_at(&entry, 40));
        if entry[..16] != [0; 16] && last >= first {
            found.extend(within(disk, number + 1, first, (last - first).saturating_add(1)));
        }
    }
    Ok(found)
}

fn read_sector(disk: &Disk, number: u64) -> Result<[u8; 512], PartitionError> {
    let mut sector = [0; 512];
    let offset = number.checked_mul(SECTOR).ok_or(PartitionError::None)?;
    if offset.saturating_add(SECTOR) > disk.size() {
        return Err(PartitionError::None);
    }
    disk.read_at(&mut sector, offset).map_err(PartitionError::Disk)?;
    Ok(sector)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}
