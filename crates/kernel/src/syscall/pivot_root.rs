//! pivot_root(2): there is one tree for all, so the root of every process that has the old one is exchanged.

use crate::call::Answer;
use crate::cx::Cx;
use super::chdir::check_directory;
use vfs::Follow;

pub(crate) fn pivot_root(cx: &mut Cx<'_>) -> Answer {
    let new = cx.lookup(None, 0, Follow::Yes)?;
    let put_old = cx.lookup(None, 1, Follow::Yes)?;
    check_directory(cx, new)?;
    check_directory(cx, put_old)?;
    cx.check_rules()?;
    let root = cx.process()?.root();
    cx.kernel.fs.vfs.pivot_root(root, new, put_old)?;
    for process in cx.kernel.processes.iter_mut() {
        let (at_root, in_root) = (process.root() == root, process.cwd() == root);
        let change = |changed: bool, vfs: &mut vfs::Vfs| {
            if changed {
                vfs.hold(new, true);
                vfs.hold(root, false);
            }
        };
        if at_root {
            process.set_root(new);
        }
        if in_root {
            process.set_cwd(new);
        }
        change(at_root, &mut cx.kernel.fs.vfs);
        change(in_root, &mut cx.kernel.fs.vfs);
    }
    Ok(0)
}
