//! Attributes of interfaces (Documentation/ABI/testing/sysfs-class-net, sysfs-class-net-statistics).

use super::{Content, Row};
use crate::socket::interface::{self, OperationalState};
use abi::Errno;
use tcpip::{LinkCounters, LinkInfo, Medium, Stack};

pub(super) type Show = fn(&LinkInfo) -> Result<String, Errno>;
pub(super) type Store = fn(&mut Stack, &LinkInfo, &str) -> Result<(), Errno>;

/// Flags that come from elsewhere: a device's own word has none of those that say whether it runs.
const OWN_FLAGS: u32 = 0xffff & !0x40;

pub(super) const ROWS: &[Row] = &[
    ("addr_assign_type", Content::Text("0\n")),
    ("addr_len", Content::Interface(|link| line(addresses(link)[0].len()))),
    ("address", Content::Interface(|link| line(colons(&addresses(link)[0])))),
    ("broadcast", Content::Interface(|link| line(colons(&addresses(link)[1])))),
    ("carrier", Content::Interface(|link| while_up(link, u8::from(link.running)))),
    ("dev_id", Content::Text("0x0\n")),
    ("dev_port", Content::Text("0\n")),
    ("dormant", Content::Interface(|link| while_up(link, 0))),
    ("duplex", Content::Interface(|link| of_ethernet(link, "full"))),
    (
        "flags",
        Content::Setting(|link| line(format_args!("{:#x}", interface::flags(link) & OWN_FLAGS)), set_flags),
    ),
    ("ifalias", Content::Text("")),
    ("ifindex", Content::Interface(|link| line(link.id.index()))),
    ("iflink", Content::Interface(|link| line(link.id.index()))),
    ("link_mode", Content::Text("0\n")),
    ("mtu", Content::Setting(|link| line(link.mtu), set_mtu)),
    ("name_assign_type", Content::Text("2\n")),
    ("netdev_group", Content::Text("0\n")),
    ("operstate", Content::Interface(|link| line(state(link)))),
    ("proto_down", Content::Text("0\n")),
    // Nobody knows how fast the line is.
    ("speed", Content::Interface(|link| of_ethernet(link, "-1"))),
    ("statistics/collisions", NONE),
    ("statistics/multicast", Content::Interface(|link| count(link, |c| c.multicast))),
    ("statistics/rx_bytes", Content::Interface(|link| count(link, |c| c.rx_bytes))),
    ("statistics/rx_compressed", NONE),
    ("statistics/rx_crc_errors", NONE),
    ("statistics/rx_dropped", Content::Interface(|link| count(link, |c| c.rx_dropped))),
    ("statistics/rx_errors", Content::Interface(|link| count(link, |c| c.rx_errors))),
    ("statistics/rx_fifo_errors", NONE),
    ("statistics/rx_frame_errors", NONE),
    ("statistics/rx_length_errors", NONE),
    ("statistics/rx_missed_errors", NONE),
    ("statistics/rx_nohandler", NONE),
    ("statistics/rx_over_errors", NONE),
    ("statistics/rx_packets", Content::Interface(|link| count(link, |c| c.rx_packets))),
    ("statistics/tx_aborted_errors", NONE),
    ("statistics/tx_bytes", Content::Interface(|link| count(link, |c| c.tx_bytes))),
    ("statistics/tx_carrier_errors", NONE),
    ("statistics/tx_compressed", NONE),
    ("statistics/tx_dropped", Content::Interface(|link| count(link, |c| c.tx_dropped))),
    ("statistics/tx_errors", Content::Interface(|link| count(link, |c| c.tx_errors))),
    ("statistics/tx_fifo_errors", NONE),
    ("statistics/tx_heartbeat_errors", NONE),
    ("statistics/tx_packets", Content::Interface(|link| count(link, |c| c.tx_packets))),
    ("statistics/tx_window_errors", NONE),
    ("subsystem", Content::Link("../../../../class/net")),
    ("testing", Content::Interface(|link| while_up(link, 0))),
    ("tx_queue_len", Content::Interface(|_| line(interface::TX_QUEUE_LEN))),
    ("type", Content::Interface(|link| line(interface::hardware(link)))),
    (
        "uevent",
        Content::Interface(|link| Ok(format!("INTERFACE={}\nIFINDEX={}\n", link.name, link.id.index()))),
    ),
];

/// What only cards count.
const NONE: Content = Content::Text("0\n");

fn line(value: impl std::fmt::Display) -> Result<String, Errno> {
    Ok(format!("{value}\n"))
}

fn count(link: &LinkInfo, of: fn(&LinkCounters) -> u64) -> Result<String, Errno> {
    line(of(&link.counters))
}

/// What is not to be had of an interface that is down (net/core/net-sysfs.c).
fn while_up(link: &LinkInfo, value: u8) -> Result<String, Errno> {
    if link.up { line(value) } else { Err(Errno::EINVAL) }
}

/// What only cards know, while they run.
fn of_ethernet(link: &LinkInfo, value: &str) -> Result<String, Errno> {
    match link.medium {
        Medium::Ethernet { .. } if link.up && link.running => line(value),
        Medium::Ethernet { .. } | Medium::Ip => Err(Errno::EINVAL),
    }
}

/// Its own address and that of all; empty where the medium has none.
fn addresses(link: &LinkInfo) -> [Vec<u8>; 2] {
    interface::hardware_addresses(link)
        .map(|(own, broadcast)| [own.to_vec(), broadcast.to_vec()])
        .unwrap_or_default()
}

fn colons(address: &[u8]) -> String {
    let bytes: Vec<String> = address.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

fn state(link: &LinkInfo) -> &'static str {
    match interface::operational_state(link) {
        OperationalState::Unknown => "unknown",
        OperationalState::Down => "down",
        OperationalState::Up => "up",
    }
}

fn set_mtu(stack: &mut Stack, link: &LinkInfo, text: &str) -> Result<(), Errno> {
    stack.set_mtu(link.id, number(text)?)
}

fn set_flags(stack: &mut Stack, link: &LinkInfo, text: &str) -> Result<(), Errno> {
    interface::set_flags(stack, link, u32::try_from(number(text)?).map_err(|_| Errno::ERANGE)?, u32::MAX)
}

/// A number as kstrtoul() with base 0 takes it.
fn number(text: &str) -> Result<usize, Errno> {
    let parsed = match (text.strip_prefix("0x").or(text.strip_prefix("0X")), text.strip_prefix('0')) {
        (Some(hex), _) => usize::from_str_radix(hex, 16),
        (None, Some(octal)) if !octal.is_empty() => usize::from_str_radix(octal, 8),
        _ => text.parse(),
    };
    parsed.map_err(|_| Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_base_that_they_name() {
        assert_eq!(["1500", "0x10", "010", "0"].map(number), [Ok(1500), Ok(16), Ok(8), Ok(0)]);
        for text in ["", "x", "08", "0x", "-1", "15 00"] {
            assert_eq!(number(text), Err(Errno::EINVAL), "{text:?}");
        }
    }
}
