//! The disk and the clock as `rsext4` wants them.

use crate::disk::Disk;
use rsext4::{
    BlockIo, Clock, DeviceCapabilities, DeviceGeometry, Ext4Error, Ext4Result, Ext4Timestamp, SectorId,
    WriteFlags,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vfs::Time;

const SECTOR: u32 = 512;
const SECOND_NS: u64 = 1_000_000_000;

pub(super) struct Device(Disk);

impl Device {
    pub(super) const fn new(disk: Disk) -> Self {
        Self(disk)
    }
}

fn offset(sector: SectorId) -> Ext4Result<u64> {
    sector.raw().checked_mul(u64::from(SECTOR)).ok_or_else(Ext4Error::overflow)
}

impl BlockIo for Device {
    fn write(&mut self, buffer: &[u8], sector: SectorId, _count: u32) -> Ext4Result<()> {
        self.0.write_at(buffer, offset(sector)?).map_err(|_| Ext4Error::io())
    }

    fn read(&mut self, buffer: &mut [u8], sector: SectorId, _count: u32) -> Ext4Result<()> {
        self.0.read_at(buffer, offset(sector)?).map_err(|_| Ext4Error::io())
    }

    fn write_with_flags(
        &mut self,
        buffer: &[u8],
        sector: SectorId,
        count: u32,
        flags: WriteFlags,
    ) -> Ext4Result<()> {
        self.write(buffer, sector, count)?;
        if flags.contains(WriteFlags::FUA) { self.flush() } else { Ok(()) }
    }

    fn geometry(&self) -> DeviceGeometry {
        DeviceGeometry::new(SECTOR, self.0.size() / u64::from(SECTOR))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities {
            read_only: self.0.is_read_only(),
            flush: true,
            barrier: true,
            fua: true,
            ..DeviceCapabilities::default()
        }
    }

    fn flush(&mut self) -> Ext4Result<()> {
        self.0.sync().map_err(|_| Ext4Error::io())
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
