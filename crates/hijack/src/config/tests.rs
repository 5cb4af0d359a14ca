use super::*;
use alloc::string::ToString;
use core::num::NonZeroU32;
use proptest::prelude::*;

const AF_UNIX: u64 = 1;
const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
const AF_NETLINK: u64 = 16;
const AF_PACKET: u64 = 17;
const AF_VSOCK: u64 = 40;

fn parse(text: &str) -> Config {
    Config::parse(Some(text.as_bytes())).unwrap()
}

fn refused(text: &str) -> (String, &'static str) {
    let error = Config::parse(Some(text.as_bytes())).unwrap_err();
    (String::from_utf8(error.tuple.to_vec()).unwrap(), error.expected)
}

use alloc::string::String;

#[test]
fn unset_is_rump_and_all_families_but_local() {
    let config = Config::parse(None).unwrap();
    assert_eq!(config.path.as_deref(), Some(b"/rump".as_slice()));
    assert!(config.blankets.is_empty());
    assert!(config.families.contains(AF_INET) && config.families.contains(AF_VSOCK));
    assert!(!config.families.contains(AF_UNIX));
    assert!(config.vfs.is_empty());
    assert!(!config.sysctl);
    assert_eq!(config.fdoff, 128);
}

#[test]
fn empty_hijacks_nothing() {
    assert!(parse("").hijacks_nothing());
    assert!(parse("fdoff=8").hijacks_nothing());
    assert!(!parse("path=/rump").hijacks_nothing());
    assert!(!parse("sysctl").hijacks_nothing());
}

#[test]
fn setting_replaces_the_default_whole() {
    let config = parse("fdoff=8");
    assert_eq!(config, Config { fdoff: 8, ..Config::nothing() });
}

#[test]
fn a_later_tuple_replaces_the_earlier() {
    let config =
        parse("path=/a,socket=inet,blanket=/x:/y,path=/b,socket=inet6,blanket=/z,sysctl=yes,sysctl=no");
    assert_eq!(config.path.as_deref(), Some(b"/b".as_slice()));
    assert!(!config.families.contains(AF_INET) && config.families.contains(AF_INET6));
    assert_eq!(config.blankets, [b"/z".to_vec()]);
    assert!(!config.sysctl);
}

#[test]
fn path_is_absolute_longer_than_one_and_slashes_end_only_pure_ones() {
    assert_eq!(parse("path=//").path.as_deref(), Some(b"//".as_slice()));
    assert_eq!(parse("path=/a=b").path.as_deref(), Some(b"/a=b".as_slice()));
    for bad in ["path=rump", "path=/", "path=", "path=/rump/", "path=//x/", "path"] {
        assert_eq!(refused(bad).0, bad);
    }
}

#[test]
fn blankets_begin_with_a_slash_and_do_not_end_in_one() {
    assert_eq!(parse("blanket=/dirtoo:/dir").blankets, [b"/dirtoo".to_vec(), b"/dir".to_vec()]);
    for bad in ["blanket=/dev/", "blanket=dev", "blanket=/", "blanket=", "blanket=/a:", "blanket=/a::/b"] {
        assert_eq!(refused(bad).0, bad);
    }
}

#[test]
fn families_by_name() {
    let config = parse("socket=all:noinet:nolink");
    assert!(!config.families.contains(AF_INET) && !config.families.contains(AF_PACKET));
    assert!(config.families.contains(AF_INET6) && config.families.contains(AF_UNIX));
    let config = parse("socket=route:unix:noroute");
    assert!(config.families.contains(AF_UNIX) && !config.families.contains(AF_NETLINK));
    for name in [
        "local",
        "inet",
        "inet6",
        "link",
        "route",
        "oroute",
        "mpls",
        "netlink",
        "packet",
        "vsock",
        "bluetooth",
        "can",
    ] {
        assert!(!parse(&alloc::format!("socket={name}")).families.is_empty());
    }
    for bad in
        ["socket=", "socket=inet:all", "socket=INET", "socket=nosuch", "socket=no", "socket=inet:", "socket"]
    {
        assert_eq!(refused(bad).0, bad);
    }
}

#[test]
fn a_family_is_an_int() {
    let config = parse("socket=inet");
    assert!(config.families.contains(0xdead_beef_0000_0002));
    assert!(!config.families.contains(64 + AF_INET));
}

#[test]
fn vfs_by_name() {
    let config = parse("vfs=all:nonfssvc");
    assert!(config.vfs.contains(Vfs::Getvfsstat) && config.vfs.contains(Vfs::Fhcalls));
    assert!(!config.vfs.contains(Vfs::Nfssvc));
    for bad in ["vfs=", "vfs=getvfsstat:all", "vfs=stat", "vfs"] {
        assert_eq!(refused(bad).0, bad);
    }
}

#[test]
fn sysctl_words() {
    for yes in ["sysctl", "sysctl=yes", "sysctl=Y", "sysctl=Yep", "sysctl=TOTTAKAI"] {
        assert!(parse(yes).sysctl, "{yes}");
    }
    for no in ["sysctl=no", "sysctl=N"] {
        assert!(!parse(no).sysctl, "{no}");
    }
    for bad in ["sysctl=", "sysctl=maybe", "sysctl=1"] {
        assert_eq!(refused(bad).0, bad);
    }
}

#[test]
fn fdoff_is_decimal_in_range() {
    assert_eq!(parse("fdoff=3").fdoff, 3);
    assert_eq!(parse("fdoff=1073741823").fdoff, (1 << 30) - 1);
    for bad in [
        "fdoff=2",
        "fdoff=1073741824",
        "fdoff=4294967299",
        "fdoff=-8",
        "fdoff=+8",
        "fdoff=0x8",
        "fdoff=8 ",
        "fdoff=",
    ] {
        assert_eq!(refused(bad).0, bad);
    }
}

#[test]
fn the_error_quotes_the_offending_tuple_alone() {
    assert_eq!(refused("path=/rump,sokcet=inet,fdoff=1").0, "sokcet=inet");
    assert_eq!(refused("path=/rump,").0, "path=/rump,", "nothing, and what is around it");
    let error = Config::parse(Some(b"path=/rump,fdoff=\x1b")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "RUMPHIJACK: \"fdoff=\\x1b\": expected fdoff=N, a decimal number from 3 to 1073741823"
    );
}

#[test]
fn retry_modes() {
    let parse = |text: &'static str| Retry::parse(Some(text.as_bytes()));
    assert_eq!(Retry::parse(None), Ok(Retry::Never));
    assert_eq!(parse("0"), Ok(Retry::Never));
    assert_eq!(parse("inftime"), Ok(Retry::Inftime));
    assert_eq!(parse("once"), Ok(Retry::Once));
    assert_eq!(parse("die"), Ok(Retry::Die));
    assert_eq!(parse("30"), Ok(Retry::Seconds(NonZeroU32::new(30).unwrap())));
    for bad in ["", "-1", "forever", "1s", "99999999999"] {
        let error = parse(bad).unwrap_err();
        assert!(error.to_string().contains(&alloc::format!("\"{bad}\"")));
    }
}

proptest! {
    #[test]
    fn any_value_is_parsed_or_quoted(value in proptest::collection::vec(any::<u8>(), 0..64)) {
        match Config::parse(Some(&value)) {
            Ok(config) => prop_assert!((3..1 << 30).contains(&config.fdoff)),
            Err(error) => {
                prop_assert!(value.windows(error.tuple.len().max(1)).any(|part| part == error.tuple) || error.tuple.is_empty());
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }

    #[test]
    fn well_formed_tuples_survive(names in proptest::collection::vec("(path=/[a-z]{1,9}|blanket=/[a-z]{1,9}|socket=(all:no)?inet6?|vfs=all|sysctl|fdoff=[1-9][0-9]{1,5})", 1..6)) {
        prop_assert!(Config::parse(Some(names.join(",").as_bytes())).is_ok());
    }
}
