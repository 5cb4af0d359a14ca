//! Open attributes: their text is made when it is read, as sysfs makes it.

use super::Content;
use super::tree::Object;
use crate::Kernel;
use crate::call::Stop;
use crate::file::made;
use crate::file::{At, File, FileKind, OpenFile};
use abi::Errno;
use tcpip::LinkId;
use vfs::Location;

/// The longest write that is looked at (fs/kernfs/file.c: a page).
const WRITE_MAX: usize = 4096;

/// An open attribute.
pub(super) struct AttributeFile {
    pub(super) at: Location,
    pub(super) object: Object,
    pub(super) content: Content,
}

impl AttributeFile {
    /// # Errors
    /// `ENODEV`: the object is gone. The attribute's.
    fn text(&self, k: &Kernel) -> Result<String, Errno> {
        let gone = Errno::ENODEV;
        match (self.content, self.object) {
            (Content::Interface(show) | Content::Setting(show, _), Object::Interface(index)) => {
                show(&k.net.stack.link(LinkId::from_index(index)).map_err(|_| gone)?)
            }
            (Content::Drive(show), Object::Drive(number)) => {
                k.fs.vfs.drive_numbered(number).map(show).ok_or(gone)
            }
            (Content::Text(text), _) => Ok(text.into()),
            _ => Err(Errno::EIO),
        }
    }
}

impl File for AttributeFile {
    fn kind(&self) -> FileKind {
        FileKind::Regular
    }

    fn location(&self) -> Option<Location> {
        Some(self.at)
    }

    fn read(&self, k: &mut Kernel, f: &OpenFile, buf: &mut [u8], at: At) -> Result<usize, Stop> {
        f.check_reads()?;
        Ok(made::read(self.text(k)?.as_bytes(), f, buf, at))
    }

    fn write(&self, k: &mut Kernel, f: &OpenFile, data: &[u8], at: At) -> Result<usize, Stop> {
        f.check_writes()?;
        let (Content::Setting(_, store), Object::Interface(index)) = (self.content, self.object) else {
            return Err(Errno::EIO.into());
        };
        let taken = data.len().min(WRITE_MAX);
        let text = str::from_utf8(&data[..taken]).map_err(|_| Errno::EINVAL)?;
        let link = k.net.stack.link(LinkId::from_index(index)).map_err(|_| Errno::ENODEV)?;
        store(&mut k.net.stack, &link, text.trim())?;
        made::moved(f, at, taken);
        Ok(taken)
    }
}
