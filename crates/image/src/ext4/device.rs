//! The disk and the clock as `rsext4` wants them.

use crate::disk::Disk;
use rsext4::{
    BlockIo, Clock, DeviceCapabilities, DeviceGeometry, Ext4Error, Ext4Result, Ext4Timestamp, SectorId,
    WriteFlags,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use vfs::Time;

const SECTOR: u32 = 512;
const SECOND_NS: u64 = 1_000_000_000;

/// Whether the crate's commits may wait for the host's disk, told to the device that it owns.
///
/// Each operation of the crate copies all blocks of the transaction that runs, so transactions have to be short; a flush for each would
/// cost more than that saves. In a *light* commit flushes are left out: it outlives the server, and once another commit has flushed the
/// host as well. Where the journal has checksums a host that crashes meanwhile leaves transactions that are known to be broken. Where
/// it has none, the records that make a transaction valid (those that are to be written behind a flush, `FUA`) are held back: the
/// next flush writes all else first, and then them.
#[derive(Debug, Clone, Default)]
pub(super) struct Weight(Arc<(AtomicBool, AtomicU64)>);

impl Weight {
    pub(super) fn set_light(&self, light: bool) {
        self.0.0.store(light, Ordering::Relaxed);
    }

    fn is_light(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Bytes that light commits have written since they were asked for last.
    pub(super) fn take_written(&self) -> u64 {
        self.0.1.swap(0, Ordering::Relaxed)
    }
}

pub(super) struct Device {
    disk: Disk,
    weight: Weight,
    /// Whether light commits hold back their records.
    holds: bool,
    /// What is to be written behind the next flush, by its offset.
    held: BTreeMap<u64, Vec<u8>>,
}

impl Device {
    pub(super) const fn new(disk: Disk, weight: Weight, holds: bool) -> Self {
        Self { disk, weight, holds, held: BTreeMap::new() }
    }

    fn put(&mut self, buffer: &[u8], offset: u64) -> Ext4Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        self.held.retain(|at, bytes| end <= *at || at + bytes.len() as u64 <= offset);
        self.disk.write_at(buffer, offset).map_err(|_| Ext4Error::io())
    }

    fn sync(&self) -> Ext4Result<()> {
        self.disk.sync().map_err(|_| Ext4Error::io())
    }
}

fn offset(sector: SectorId) -> Ext4Result<u64> {
    sector.raw().checked_mul(u64::from(SECTOR)).ok_or_else(Ext4Error::overflow)
}

impl BlockIo for Device {
    fn write(&mut self, buffer: &[u8], sector: SectorId, _count: u32) -> Ext4Result<()> {
        if self.weight.is_light() {
            self.weight.0.1.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        }
        self.put(buffer, offset(sector)?)
    }

    fn read(&mut self, buffer: &mut [u8], sector: SectorId, _count: u32) -> Ext4Result<()> {
        let begin = offset(sector)?;
        self.disk.read_at(buffer, begin).map_err(|_| Ext4Error::io())?;
        let end = begin.saturating_add(buffer.len() as u64);
        for (at, bytes) in self.held.range(..end) {
            let (from, to) = (begin.max(*at), end.min(at + bytes.len() as u64));
            if from < to {
                let index = |from: u64, to: u64| usize::try_from(to - from).unwrap_or(usize::MAX);
                buffer[index(begin, from)..index(begin, to)]
                    .copy_from_slice(&bytes[index(*at, from)..index(*at, to)]);
            }
        }
        Ok(())
    }

    fn write_with_flags(
        &mut self,
        buffer: &[u8],
        sector: SectorId,
        count: u32,
        flags: WriteFlags,
    ) -> Ext4Result<()> {
        if !flags.contains(WriteFlags::FUA) || self.weight.is_light() && !self.holds {
            return self.write(buffer, sector, count);
        }
        if self.weight.is_light() {
            self.weight.0.1.fetch_add(buffer.len() as u64, Ordering::Relaxed);
            self.held.insert(offset(sector)?, buffer.to_vec());
            return Ok(());
        }
        self.put(buffer, offset(sector)?)?;
        self.flush()
    }

    fn geometry(&self) -> DeviceGeometry {
        DeviceGeometry::new(SECTOR, self.disk.size() / u64::from(SECTOR))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities {
            read_only: self.disk.is_read_only(),
            flush: true,
            barrier: true,
            fua: true,
            ..DeviceCapabilities::default()
        }
    }

    fn flush(&mut self) -> Ext4Result<()> {
        if self.weight.is_light() {
            return Ok(());
        }
        self.sync()?;
        if self.held.is_empty() {
            return Ok(());
        }
        for (at, bytes) in std::mem::take(&mut self.held) {
            self.disk.write_at(&bytes, at).map_err(|_| Ext4Error::io())?;
        }
        self.sync()
    }

    fn barrier(&mut self) -> Ext4Result<()> {
        self.flush()
    }
}

/// The time of the operation that is carried out.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedClock(Arc<AtomicU64>);

impl SharedClock {
    pub(super) fn set(&self, now: Time) {
        self.0.store(now, Ordering::Relaxed);
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Ext4Result<Ext4Timestamp> {
        Ok(timestamp(self.0.load(Ordering::Relaxed)))
    }
}

pub(super) fn timestamp(time: Time) -> Ext4Timestamp {
    Ext4Timestamp::new((time / SECOND_NS).cast_signed(), u32::try_from(time % SECOND_NS).unwrap_or(0))
}
