//! The TCP/IP stack of one rump kernel: frames in, frames out.
//!
//! A [`Stack`] is a value. It does no I/O, reads no clock and starts no thread: frames, calls and the time go in;
//! frames, results, changes of readiness and the next deadline come out. No call blocks; what cannot be done
//! yet is `EAGAIN`, and [`Stack::next_change`] names the sockets for which trying again may help.
//!
//! The errors and the readiness of sockets are Linux's (socket(7), ip(7), tcp(7), udp(7)). Who may use a
//! privileged port is not decided here.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod addr;
mod autoconf;
mod bind;
mod bpf;
mod error_queue;
mod ethernet;
mod event;
mod extension;
pub mod fault;
mod forward;
mod fragment;
mod frame;
mod icmp;
mod ip;
mod ip_options;
mod link;
mod multicast;
mod neighbour;
mod offload;
mod option;
mod packet;
mod packet_socket;
mod path_mtu;
mod pcapng;
mod ports;
mod random;
mod raw;
mod reassembly;
mod report;
mod route;
mod settings;
mod slab;
mod socket;
mod stack;
mod tap;
mod tcp;
mod timers;
mod transparent;
mod types;
mod udp;
mod udp_header;
mod upkeep;

pub use autoconf::{DhcpOffer, Resolving};
pub use bpf::{Instruction, Program};
pub use error_queue::{Origin, QueuedError};
pub use event::{Change, Event};
pub use icmp::Problem;
pub use ip_options::IpOptions;
pub use link::Address;
pub use multicast::SourceChange;
pub use neighbour::{Neighbour, NeighbourState};
pub use offload::{Offload, Offloads, Outgoing};
pub use option::{Opt, Options};
pub use packet_socket::{Captured, FrameKind, LinkAddr, PacketStatistics};
pub use raw::RawOptions;
pub use report::{Counters, LinkCounters, LinkInfo, SocketInfo, TcpInfo};
pub use route::{Route, RouteKind, RouteMatch, RouteUpdate, Rule, RuleAction};
pub use settings::Settings;
pub use stack::Stack;
pub use tap::{TapConfig, TapId};
pub use transparent::{Intercepted, InterceptedDatagram, InterceptedSyn, Refusal, ToldError};
pub use types::{
    Config, Domain, LinkConfig, LinkId, Mac, Medium, Protocol, Readiness, Received, Sending, SocketId,
};
