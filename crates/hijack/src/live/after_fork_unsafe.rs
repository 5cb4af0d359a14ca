//! The child of a fork.

use super::Live;

impl Live {
    /// Starts the session afresh.
    pub(super) fn after_fork(&self, auth: Option<[u8; 16]>) {
        // SAFETY: the interceptor calls this on the child's first thread, in memory of its own, before code of the
        // program could have made another.
        unsafe { self.session.after_fork(auth) }
    }
}
