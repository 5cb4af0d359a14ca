//! Files whose host descriptors a relay holds, on another machine as a rule.
//!
//! A relay has one connection of its own, on which it hears of its files, and one for each of its clients. What happens
//! to a file is counted, because the relay may hear of it on either.

use crate::session::SessionId;
use foldhash::{HashMap, HashSet};
use kernel::FileId;
use wire::relay::{Ready, Token};

/// All relays.
#[derive(Default)]
pub(crate) struct Remote {
    relays: HashMap<Token, Relay>,
    files: HashMap<FileId, Token>,
    sequence: u64,
}

struct Relay {
    control: SessionId,
    files: HashSet<FileId>,
}

impl Remote {
    /// A relay that has introduced itself by this session.
    pub(crate) fn enter(&mut self, token: Token, control: SessionId) {
        self.relays.entry(token).or_insert_with(|| Relay { control, files: HashSet::default() });
    }

    pub(crate) fn knows(&self, token: &Token) -> bool {
        self.relays.contains_key(token)
    }

    /// A file was born whose host descriptor this relay makes.
    pub(crate) fn birth(&mut self, file: FileId, token: Token) {
        if let Some(relay) = self.relays.get_mut(&token) {
            relay.files.insert(file);
            self.files.insert(file, token);
        }
    }

    /// Whether this relay holds the file.
    pub(crate) fn holds(&self, token: &Token, file: FileId) -> bool {
        self.files.get(&file) == Some(token)
    }

    /// The relay's own session, if a relay holds the file.
    pub(crate) fn control(&self, file: FileId) -> Option<SessionId> {
        Some(self.relays.get(self.files.get(&file)?)?.control)
    }

    /// What a relay is to be told of a file.
    pub(crate) fn ready(&mut self, file: FileId, mask: u16, edge: bool, touched: bool) -> Ready {
        self.sequence += 1;
        Ready { file: file.0, sequence: self.sequence, mask, edge, touched }
    }

    /// The kernel has closed the file; answers the relay's own session, if a relay held it.
    pub(crate) fn forget(&mut self, file: FileId) -> Option<SessionId> {
        let relay = self.relays.get_mut(&self.files.remove(&file)?)?;
        relay.files.remove(&file);
        Some(relay.control)
    }

    /// A session has ended; if it was a relay's own, its files are gone.
    pub(crate) fn leave(&mut self, session: SessionId) -> Vec<FileId> {
        let ended = self.relays.extract_if(|_, relay| relay.control == session);
        ended.flat_map(|(_, relay)| relay.files).collect()
    }
}
