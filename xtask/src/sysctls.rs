//! docs/SYSCTL.md, from the kernel's rows.

use std::fmt::Write as _;

const HEAD: &str = "# The sysctl tree

Generated from `crates/kernel/src/sysctl/table` by `cargo xtask docs`; a check fails when it is stale.

What is under /proc/sys of the rump kernel: every node is really read by it, and one that can be set has its effect on sockets,
connections, files and processes made from then on. Root may set; a value out of range is `EINVAL`. With `RUMPHIJACK=sysctl=yes`,
sysctl(8) and all that opens /proc/sys see this tree.

| node | holds | may be set | what it does |
|---|---|---|---|
";

/// The whole document.
pub(crate) fn markdown() -> String {
    let mut text = String::from(HEAD);
    for doc in kernel::sysctl_docs() {
        let set = if doc.writable { "yes" } else { "no" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {} | {set} | {} |", doc.name, doc.holds, doc.about);
    }
    text
}
