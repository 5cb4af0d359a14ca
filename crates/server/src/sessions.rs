//! All sessions, and which of them were touched since they were last looked after.

use crate::session::{Session, SessionId};
use std::collections::HashMap;

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

    /// Those touched since the last time. Those that are gone meanwhile may be among them.
    pub(crate) fn take_touched(&mut self) -> Vec<SessionId> {
        let touched = std::mem::take(&mut self.touched);
        for id in &touched {
            if let Some(session) = self.sessions.get_mut(id) {
                session.touched = false;
            }
        }
        touched
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }
}
