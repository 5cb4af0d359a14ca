//! Rules that say which routing table is looked at (ip-rule(8)).
#![allow(missing_docs)]

mod common;

use std::net::IpAddr;

use abi::Errno;
use common::{at, lan::Lan, net::MS};
use smoltcp::wire::{EthernetFrame, Ipv4Packet};
use tcpip::{Domain, Opt, Route, RouteKind, RouteMatch, RouteUpdate, Rule, RuleAction, Stack};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A host with two addresses and two gateways, of which `10.0.0.2` is the one of table main and `10.0.0.3` that of table 77.
fn host() -> Lan {
    let mut lan = Lan::flat(3, 3);
    let own = lan.join(0, 1, &["10.9.0.1/24"]);
    assert!(lan.stacks[0].link(own).is_ok());
    let stack = &mut lan.stacks[0];
    for (gateway, table) in [("10.0.0.2", Route::TABLE_MAIN), ("10.0.0.3", 77)] {
        let route = Route { table, ..Route::default_via(ip(gateway), None) };
        stack.add_route(route, RouteUpdate::Add).expect("a route");
    }
    lan
}

fn gateway(stack: &Stack, source: Option<&str>, mark: u32) -> Result<Option<IpAddr>, Errno> {
    stack.route_for(ip("192.0.2.1"), None, source.map(ip), mark).map(|route| route.gateway)
}

fn add(stack: &mut Stack, rule: Rule) {
    stack.add_rule(rule, false, true).expect("a rule");
}

fn to_77() -> Rule {
    Rule::new(false, 0, 77)
}

#[test]
fn a_table_is_looked_at_only_where_a_rule_says_so() {
    let mut lan = host();
    let stack = &mut lan.stacks[0];
    assert_eq!(gateway(stack, None, 0), Ok(Some(ip("10.0.0.2"))));
    add(stack, Rule { mark: (5, 0xff), ..to_77() });
    assert_eq!(gateway(stack, None, 0), Ok(Some(ip("10.0.0.2"))));
    assert_eq!(gateway(stack, None, 0x105), Ok(Some(ip("10.0.0.3"))));
    add(stack, Rule { from: Some((ip("10.9.0.0"), 24)), ..to_77() });
    assert_eq!(gateway(stack, Some("10.9.0.1"), 0), Ok(Some(ip("10.0.0.3"))));
    assert_eq!(gateway(stack, Some("10.0.0.1"), 0), Ok(Some(ip("10.0.0.2"))));
    let priorities: Vec<_> = stack.rules().iter().filter(|rule| !rule.v6).map(|rule| rule.priority).collect();
    assert_eq!(priorities, [32764, 32765, 32766, 32767]);
    let by_source = |rule: &Rule| rule.from.is_some();
    assert_eq!(stack.remove_rule(by_source), Ok(()));
    assert_eq!(stack.remove_rule(by_source), Err(Errno::ENOENT));
    assert_eq!(gateway(stack, Some("10.9.0.1"), 0), Ok(Some(ip("10.0.0.2"))));
}

#[test]
fn rules_refuse_and_pass_over() {
    let mut lan = host();
    let stack = &mut lan.stacks[0];
    add(stack, Rule { action: RuleAction::Refuse(RouteKind::Prohibit), mark: (9, u32::MAX), ..to_77() });
    assert_eq!(gateway(stack, None, 9), Err(Errno::EACCES));
    // As wg-quick(8) has it: all that is not marked goes elsewhere, but for what table main knows better than by its default.
    add(stack, Rule { mark: (7, u32::MAX), invert: true, ..to_77() });
    add(stack, Rule { suppress_prefix_len: Some(0), ..Rule::new(false, 0, Route::TABLE_MAIN) });
    assert_eq!(gateway(stack, None, 0), Ok(Some(ip("10.0.0.3"))));
    assert_eq!(gateway(stack, None, 7), Ok(Some(ip("10.0.0.2"))));
    let near = stack.route_to(ip("10.9.0.7"), None).expect("a neighbour");
    assert_eq!(near.gateway, None);
    // An empty table says nothing.
    assert_eq!(stack.remove_route(&RouteMatch { table: 77, ..RouteMatch::to(ip("0.0.0.0"), 0) }), Ok(()));
    assert_eq!(gateway(stack, None, 0), Ok(Some(ip("10.0.0.2"))));
}

/// To which station the datagrams of a socket with this mark go.
fn next_station(lan: &mut Lan, mark: u32) -> u8 {
    let id = lan.stacks[0].udp_socket(Domain::Inet);
    lan.stacks[0].set_option(id, Opt::Mark(mark)).expect("an option");
    lan.stacks[0].send_to(id, b"x", Some(at("192.0.2.1:9"))).expect("sent");
    lan.run(100 * MS);
    let to = |frame: &Vec<u8>| {
        let frame = EthernetFrame::new_checked(frame.as_slice()).ok()?;
        let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
        let dst = IpAddr::from(packet.dst_addr());
        (dst == ip("192.0.2.1")).then(|| frame.dst_addr().0[4])
    };
    let sent = lan.seen.iter().rev().filter(|(host, _)| *host == 0).find_map(|(_, frame)| to(frame));
    sent.expect("a datagram to the other side")
}

/// Two gateways on one link: the packet itself has to go to the right one.
#[test]
fn marked_packets_go_to_the_gateway_of_their_table() {
    let mut lan = host();
    add(&mut lan.stacks[0], Rule { mark: (5, u32::MAX), ..to_77() });
    assert_eq!(next_station(&mut lan, 0), 1);
    assert_eq!(next_station(&mut lan, 5), 2);
    assert_eq!(next_station(&mut lan, 0), 1);
}

#[test]
fn what_is_made_here_comes_from_lo() {
    let mut lan = host();
    let stack = &mut lan.stacks[0];
    add(stack, Rule { iif: Some("eth1".to_owned()), ..to_77() });
    assert_eq!(gateway(stack, None, 0), Ok(Some(ip("10.0.0.2"))));
    add(
        stack,
        Rule { iif: Some("lo".to_owned()), action: RuleAction::Refuse(RouteKind::Unreachable), ..to_77() },
    );
    assert_eq!(gateway(stack, None, 0), Err(Errno::EHOSTUNREACH));
}
