//! The options of an overlay (Documentation/filesystems/overlayfs.rst).

use crate::call::Stop;
use crate::cx::Cx;
use abi::Errno;
use vfs::{FileSystem, Follow, Location, Start};

/// Options that say what is done anyway.
const KNOWN: &[&str] = &[
    "",
    "userxattr",
    "redirect_dir=off",
    "redirect_dir=nofollow",
    "index=off",
    "metacopy=off",
    "xino=off",
    "xino=auto",
    "xino=on",
];

/// Opens what `lowerdir`, `upperdir` and `workdir` name.
///
/// # Errors
/// `EINVAL`: an unknown option, or none of `lowerdir`; those of the paths; as [`vfs::Vfs::overlay`].
pub(crate) fn open(cx: &mut Cx<'_>, options: &[u8]) -> Result<Box<dyn FileSystem>, Stop> {
    let (mut lower, mut upper, mut work) = (Vec::new(), None, None);
    let text = std::str::from_utf8(options).map_err(|_| Errno::EINVAL)?;
    let mut shown = String::new();
    for option in text.split(',') {
        match option.split_once('=') {
            Some(("lowerdir", paths)) => {
                lower = paths.split(':').map(|path| directory(cx, path)).collect::<Result<Vec<_>, Stop>>()?;
            }
            Some(("upperdir", path)) => upper = Some(directory(cx, path)?),
            // Changes are made in place here, and need none.
            Some(("workdir", path)) => work = Some(directory(cx, path)?),
            _ if KNOWN.contains(&option) => {}
            _ => return Err(Errno::EINVAL.into()),
        }
        if option.contains("dir=") {
            shown = format!("{shown},{option}");
        }
    }
    if work.zip(upper).is_some_and(|(work, upper)| work.key().0 != upper.key().0) {
        return Err(Errno::EINVAL.into());
    }
    Ok(cx.tree()?.vfs.overlay(upper, &lower, shown)?)
}

/// The directory that a path names, with the prefix under which the caller sees our paths or without.
fn directory(cx: &mut Cx<'_>, path: &str) -> Result<Location, Stop> {
    let path = path.as_bytes();
    let prefix = cx.process()?.prefix.clone();
    let start = Start { root: cx.process()?.root(), dir: cx.process()?.cwd() };
    let tree = cx.tree()?;
    let inside =
        path.strip_prefix(prefix.as_slice()).filter(|rest| !prefix.is_empty() && rest.starts_with(b"/"));
    match tree.vfs.lookup(&tree.who, start, path, Follow::Yes) {
        Err(Errno::ENOENT) if let Some(inside) = inside => {
            Ok(tree.vfs.lookup(&tree.who, start, inside, Follow::Yes)?)
        }
        found => Ok(found?),
    }
}
