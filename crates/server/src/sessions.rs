//! All sessions, and which of them were touched since they were last looked after.

use crate::session::{Session, SessionId};
use foldhash::HashMap;

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    sessions: HashMap<SessionId, Session>,
    touched: Vec<SessionId>,
}

impl Sessions {
    pub(crate) fn insert(&mut self, id: SessionId, session: Session) {
        self.sessions.insert(id, session);
        // Touches it.
        self.get_mut(id);
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.sessions.remove(&id)
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The session, which will be looked after at the end of the turn: there may be something to send.
    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        let session = self.sessions.get_mut(&id)?;
        if !std::mem::replace(&mut session.touched, true) {
            self.touched.push(id);
        }
        Some(session)
    }

    /// The session, of which nothing will change that has to be looked after.
    pub(crate) fn look_at(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// One that was touched since it was last looked after, if it still lives.
    pub(crate) fn take_touched(&mut self) -> Option<(SessionId, &mut Session)> {
        loop {
            let id = self.touched.pop()?;
            if self.sessions.contains_key(&id) {
                let session = self.sessions.get_mut(&id)?;
                session.touched = false;
                return Some((id, session));
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }
}
