//! Which routing table says a packet's way (ip-rule(8)). Packets for this host never come here: the rule for table `local` is always
//! the first.

use std::net::IpAddr;

use abi::Errno;

use super::{Hints, Route, RouteKind, covers};
use crate::{
    Stack,
    event::{Change, Event},
    link::Links,
    types::LinkId,
};

/// More rules than this are nobody's: each is looked at for each packet.
const RULES_MAX: usize = 1024;

/// What a rule does with the packets that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    /// `FR_ACT_TO_TBL`: looks in a table, and goes on to the next rule if nothing is found there.
    Table(u32),
    /// `FR_ACT_BLACKHOLE`, `FR_ACT_UNREACHABLE`, `FR_ACT_PROHIBIT`: as the route of that kind.
    Refuse(RouteKind),
}

/// One rule (`struct fib_rule_hdr` and its attributes). What is not said fits every packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// It is for IPv6.
    pub v6: bool,
    /// `FRA_PRIORITY`: the lowest is looked at first.
    pub priority: u32,
    /// What it does.
    pub action: RuleAction,
    /// `FRA_SRC`, with the length of its prefix.
    pub from: Option<(IpAddr, u8)>,
    /// `FRA_DST`.
    pub to: Option<(IpAddr, u8)>,
    /// `FRA_IIFNAME`: where the packet came in; `lo` for those that are made here.
    pub iif: Option<String>,
    /// `FRA_OIFNAME`: what its socket is bound to (`SO_BINDTODEVICE`).
    pub oif: Option<String>,
    /// `FRA_FWMARK` and `FRA_FWMASK`: the mark (`SO_MARK`) under the mask.
    pub mark: (u32, u32),
    /// `FIB_RULE_INVERT`: it is about all other packets.
    pub invert: bool,
    /// `FRA_SUPPRESS_PREFIXLEN`: routes with prefixes of this length or shorter do not count.
    pub suppress_prefix_len: Option<u8>,
    /// `FRA_PROTOCOL`: who made it (`RTPROT_*`).
    pub protocol: u8,
}

impl Rule {
    /// A rule about all packets of a family.
    #[must_use]
    pub const fn new(v6: bool, priority: u32, table: u32) -> Self {
        Self {
            v6,
            priority,
            action: RuleAction::Table(table),
            from: None,
            to: None,
            iif: None,
            oif: None,
            mark: (0, 0),
            invert: false,
            suppress_prefix_len: None,
            protocol: Route::PROTOCOL_KERNEL,
        }
    }

    fn fits(&self, links: &Links, dst: IpAddr, hints: &Hints) -> bool {
        let within = |prefix: Option<(IpAddr, u8)>, ip: Option<IpAddr>| {
            prefix.is_none_or(|(net, len)| ip.is_some_and(|ip| covers(net, len, ip)))
        };
        let named = |name: &Option<String>, link: Option<LinkId>| {
            let own =
                |name: &String| link.and_then(|id| links.get(id)).is_some_and(|link| link.name == *name);
            name.as_ref().is_none_or(own)
        };
        let all = within(self.from, hints.source)
            && within(self.to, Some(dst))
            && named(&self.iif, Some(hints.from_link.unwrap_or(LinkId::LO)))
            && named(&self.oif, hints.link)
            && hints.mark & self.mark.1 == self.mark.0;
        all != self.invert
    }
}

/// The rules that were made, in the order in which they are looked at.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    /// None was made or removed yet: table main says everything.
    plain: bool,
}

impl Default for Rules {
    /// What Linux begins with. IPv6 has no table `default`.
    fn default() -> Self {
        const MAIN: u32 = 32766;
        const DEFAULT: u32 = 32767;
        let rules = vec![
            Rule::new(false, MAIN, Route::TABLE_MAIN),
            Rule::new(false, DEFAULT, Route::TABLE_DEFAULT),
            Rule::new(true, MAIN, Route::TABLE_MAIN),
        ];
        Self { rules, plain: true }
    }
}

impl Rules {
    /// What becomes of a packet: the first route that `lookup` finds in a table and that counts.
    ///
    /// # Errors
    /// `ENETUNREACH`: none. `EINVAL`, `EHOSTUNREACH`, `EACCES`: a rule says so.
    pub(super) fn find<'a>(
        &self,
        links: &Links,
        dst: IpAddr,
        hints: &Hints,
        lookup: impl Fn(u32) -> Option<&'a Route>,
    ) -> Result<&'a Route, Errno> {
        if self.plain {
            return lookup(Route::TABLE_MAIN).ok_or(Errno::ENETUNREACH);
        }
        let fitting = self.rules.iter().filter(|rule| rule.v6 == dst.is_ipv6());
        for rule in fitting.filter(|rule| rule.fits(links, dst, hints)) {
            match rule.action {
                RuleAction::Refuse(kind) => return Err(kind.refusal()),
                RuleAction::Table(table) => {
                    let counts =
                        |route: &&Route| rule.suppress_prefix_len.is_none_or(|len| route.prefix_len > len);
                    if let Some(route) = lookup(table).filter(counts) {
                        return Ok(route);
                    }
                }
            }
        }
        Err(Errno::ENETUNREACH)
    }
}

impl Stack {
    /// All rules but the one for table `local`.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules.rules
    }

    /// Whether the rules are those that every host begins with.
    #[must_use]
    pub fn rules_are_plain(&self) -> bool {
        self.rules.plain
    }

    /// `RTM_NEWRULE`. Without a priority the rule comes in front of the others.
    ///
    /// # Errors
    /// `EEXIST`: there is just the same, and `exclusive`. `ENOBUFS`: too many.
    pub fn add_rule(&mut self, mut rule: Rule, prioritized: bool, exclusive: bool) -> Result<(), Errno> {
        let rules = &mut self.rules.rules;
        if !prioritized {
            // In front of the first that is not 0 (net/core/fib_rules.c, fib_default_rule_pref).
            let first =
                rules.iter().filter(|known| known.v6 == rule.v6).map(|known| known.priority).find(|n| *n > 0);
            rule.priority = first.map_or(0, |n| n - 1);
        }
        if exclusive && rules.contains(&rule) {
            return Err(Errno::EEXIST);
        }
        if rules.len() >= RULES_MAX {
            return Err(Errno::ENOBUFS);
        }
        let at = rules.partition_point(|known| (known.v6, known.priority) <= (rule.v6, rule.priority));
        rules.insert(at, rule.clone());
        self.rules.plain = false;
        self.routes.note_change();
        self.note_event(Event::Rule(Change::New, rule));
        Ok(())
    }

    /// `RTM_DELRULE`: removes the first for which `fits` says so.
    ///
    /// # Errors
    /// `ENOENT`: none.
    pub fn remove_rule(&mut self, fits: impl Fn(&Rule) -> bool) -> Result<(), Errno> {
        let at = self.rules.rules.iter().position(fits).ok_or(Errno::ENOENT)?;
        let rule = self.rules.rules.remove(at);
        self.rules.plain = false;
        self.routes.note_change();
        self.note_event(Event::Rule(Change::Del, rule));
        Ok(())
    }
}
