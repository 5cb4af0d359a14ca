//! Names of rump components, as -l and -m take them. All of them are built in or refused: none is loaded.

/// What is built in, by the names of NetBSD's libraries.
const KNOWN: &[&str] = &[
    "rump",
    "rumpdev",
    "rumpdev_rnd",
    "rumpfs_kernfs",
    "rumpfs_nfsserver",
    "rumpfs_tmpfs",
    "rumpkern_sysproxy",
    "rumpkern_tty",
    "rumpnet",
    "rumpnet_config",
    "rumpnet_local",
    "rumpnet_net",
    "rumpnet_netinet",
    "rumpnet_netinet6",
    "rumpuser",
    "rumpvfs",
];

/// Accepts `rumpnet`, `librumpnet` and `librumpnet.so`; answers the first form.
///
/// # Errors
/// The name is none of ours; says which are.
pub fn parse(text: &str) -> Result<String, String> {
    let name = text.rsplit('/').next().unwrap_or(text);
    let name = name.split(".so").next().unwrap_or(name);
    let name = name.strip_prefix("lib").unwrap_or(name);
    if KNOWN.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("unknown component '{text}'; known are {}", KNOWN.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_and_module_names() {
        for text in ["rumpfs_tmpfs", "librumpfs_tmpfs", "librumpfs_tmpfs.so", "/usr/lib/librumpfs_tmpfs.so.0"]
        {
            assert_eq!(parse(text), Ok("rumpfs_tmpfs".to_owned()));
        }
        let refusal = parse("rumpfs_zfs").unwrap_err();
        assert!(refusal.contains("'rumpfs_zfs'") && refusal.contains("rumpfs_tmpfs"), "{refusal}");
    }
}
