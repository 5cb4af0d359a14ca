//! Names of users, by passwd(5).

use std::collections::HashMap;

/// Who a user id belongs to on this host.
pub(crate) struct Users(HashMap<u32, String>);

impl Users {
    /// Those that /etc/passwd lists.
    pub(crate) fn read() -> Self {
        Self::parse(&std::fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let (name, uid) = (fields.next()?, fields.nth(1)?);
            Some((uid.parse().ok()?, name.to_owned()))
        };
        // Of several names for one id the first counts, as getpwuid(3) has it.
        Self(text.lines().rev().filter_map(user).collect())
    }

    /// The user's name, or what was given if there is none.
    pub(crate) fn name<'a>(&'a self, uid: &'a str) -> &'a str {
        uid.parse().ok().and_then(|uid: u32| self.0.get(&uid)).map_or(uid, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_or_numbers() {
        let users = Users::parse("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nbroken\n+::::::\n");
        assert_eq!((users.name("0"), users.name("7"), users.name("?")), ("root", "7", "?"));
    }
}
