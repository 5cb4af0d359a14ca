//! One file per call, named after it: decode, find the object, ask it, return.

use crate::call::Answer;
use crate::cx::Cx;

/// Serves one call.
type Handler = fn(&mut Cx<'_>) -> Answer;

macro_rules! handlers {
    ($($nr:path => $file:ident;)*) => {
        $(mod $file;)*

        /// The handler of a call number.
        pub(crate) fn handler(nr: u32) -> Option<Handler> {
            match nr {
                $($nr => Some($file::$file),)*
                _ => None,
            }
        }
    };
}

// In alphabetical order.
handlers! {
    abi::nr::READ => read;
    abi::nr::WRITE => write;
    abi::private::HALT => rump_halt;
    abi::private::INFO => rump_info;
    abi::private::WATCH => rump_watch;
}
