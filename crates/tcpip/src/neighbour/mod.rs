//! Neighbours: which station on an Ethernet link has which IP address (`ip neighbour`, arp(7)).
//!
//! * `table` what is known, and what can be set;
//! * `resolve` packets that wait for an answer, and neighbours that are asked;
//! * `arp` the messages of IPv4 (RFC 826), `nd` those of IPv6 (RFC 4861).
//!
//! The states are Linux's (include/net/neighbour.h), which are RFC 4861's (section 7.3.2).

mod arp;
mod nd;
mod resolve;
mod table;

pub(crate) use nd::{raw, solicited_node};
pub(crate) use table::Neighbours;
pub use table::{Neighbour, NeighbourState};
