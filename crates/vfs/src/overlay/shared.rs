//! A file system that is mounted itself and part of an overlay as well.

use crate::acl::Acl;
use crate::fs::{EachName, FileSystem, SharedMemory};
use crate::node::{Attr, Ino, NewName, NewNode, SetAttr, Time};
use crate::pseudo::Jump;
use crate::remote::Worker;
use abi::Errno;
use abi::layout::Statfs;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

type Result<T> = std::result::Result<T, Errno>;

/// One of those who use it. None of its operations calls another file system, so each is over before the next one begins.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<Box<dyn FileSystem>>>, &'static str);

impl Shared {
    pub(crate) fn new(fs: Box<dyn FileSystem>) -> Self {
        let name = fs.name();
        Self(Rc::new(RefCell::new(fs)), name)
    }
}

impl FileSystem for Shared {
    fn name(&self) -> &'static str {
        self.1
    }

    fn as_shared(&self) -> Option<Shared> {
        Some(self.clone())
    }

    fn root(&self) -> Ino {
        self.0.borrow().root()
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        self.0.borrow().attr(ino)
    }

    fn settled(&self, ino: Ino) -> Result<Attr> {
        self.0.borrow().settled(ino)
    }

    fn set_attr(&mut self, ino: Ino, change: &SetAttr, now: Time) -> Result<()> {
        self.0.borrow_mut().set_attr(ino, change, now)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        self.0.borrow().lookup(dir, name)
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        self.0.borrow().parent(dir)
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        self.0.borrow().name_of(dir)
    }

    fn create(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, now: Time) -> Result<Ino> {
        self.0.borrow_mut().create(dir, name, node, now)
    }

    fn link(&mut self, dir: Ino, name: &[u8], ino: Ino, now: Time) -> Result<()> {
        self.0.borrow_mut().link(dir, name, ino, now)
    }

    fn unlink(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        self.0.borrow_mut().unlink(dir, name, now)
    }

    fn rmdir(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        self.0.borrow_mut().rmdir(dir, name, now)
    }

    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), now: Time) -> Result<()> {
        self.0.borrow_mut().rename(from, to, now)
    }

    fn exchange(&mut self, one: (Ino, &[u8]), other: (Ino, &[u8]), now: Time) -> Result<()> {
        self.0.borrow_mut().exchange(one, other, now)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        self.0.borrow().readlink(ino)
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.0.borrow().read(ino, offset, into)
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize> {
        self.0.borrow_mut().write(ino, offset, bytes, now)
    }

    fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, now: Time) -> Result<()> {
        self.0.borrow_mut().allocate(ino, mode, offset, len, now)
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        self.0.borrow().seek(ino, offset, data)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        self.0.borrow().read_dir(dir, after, each)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        self.0.borrow().xattr(ino, name)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        self.0.borrow().xattrs(ino)
    }

    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>, now: Time) -> Result<()> {
        self.0.borrow_mut().set_xattr(ino, name, value, now)
    }

    fn has_acls(&self) -> bool {
        self.0.borrow().has_acls()
    }

    fn default_acl(&self, dir: Ino) -> Result<Option<Arc<Acl>>> {
        self.0.borrow().default_acl(dir)
    }

    fn set_acl(&mut self, ino: Ino, default: bool, acl: Option<Arc<Acl>>, now: Time) -> Result<()> {
        self.0.borrow_mut().set_acl(ino, default, acl, now)
    }

    fn hold(&mut self, ino: Ino, held: bool) {
        self.0.borrow_mut().hold(ino, held);
    }

    fn is_held(&self, ino: Ino) -> bool {
        self.0.borrow().is_held(ino)
    }

    fn statfs(&self) -> Result<Statfs> {
        self.0.borrow().statfs()
    }

    fn sync(&mut self, ino: Option<Ino>) -> Result<()> {
        self.0.borrow_mut().sync(ino)
    }

    fn write_back(&mut self) {
        self.0.borrow_mut().write_back();
    }

    fn shared_as(&self, id: u64) -> Option<Ino> {
        self.0.borrow().shared_as(id)
    }

    fn sync_shared(&mut self, ino: Ino, now: Time) -> Result<()> {
        self.0.borrow_mut().sync_shared(ino, now)
    }

    fn let_go_of_unmapped(&mut self) -> bool {
        self.0.borrow_mut().let_go_of_unmapped()
    }

    fn unmount(&mut self) -> Result<()> {
        self.0.borrow_mut().unmount()
    }

    fn share(&mut self, ino: Ino, memory: &mut dyn SharedMemory) -> Result<u64> {
        self.0.borrow_mut().share(ino, memory)
    }

    fn jump(&self, ino: Ino) -> Option<Jump> {
        self.0.borrow().jump(ino)
    }

    fn leads_outside(&self, ino: Ino) -> Option<Ino> {
        self.0.borrow().leads_outside(ino)
    }

    fn made_up(&self, ino: Ino) -> Option<(&'static str, Ino)> {
        self.0.borrow().made_up(ino)
    }

    fn find(&self, ino: Ino) -> Result<()> {
        self.0.borrow().find(ino)
    }

    fn identity(&self) -> Option<u64> {
        self.0.borrow().identity()
    }

    fn handle(&self, ino: Ino) -> Result<Vec<u8>> {
        self.0.borrow().handle(ino)
    }

    fn by_handle(&self, handle: &[u8]) -> Result<Ino> {
        self.0.borrow().by_handle(handle)
    }

    fn drive(&self) -> Option<Worker> {
        self.0.borrow().drive()
    }

    fn options(&self) -> String {
        self.0.borrow().options()
    }

    fn remount(&mut self, options: &[u8], read_only: bool) -> Result<()> {
        self.0.borrow_mut().remount(options, read_only)
    }

    fn touch(&mut self, ino: Ino, now: Time) {
        self.0.borrow_mut().touch(ino, now);
    }

    fn starts_over(&self) -> Result<()> {
        self.0.borrow().starts_over()
    }

    fn waits(&self) -> bool {
        self.0.borrow().waits()
    }

    fn will_write(&mut self, ino: Ino, now: Time) -> Result<()> {
        self.0.borrow_mut().will_write(ino, now)
    }
}
