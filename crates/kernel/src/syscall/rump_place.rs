//! `rump_place(op, number)`: root and working directory of a thread's own.

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use abi::private::PlaceOp;

pub(crate) fn rump_place(cx: &mut Cx<'_>) -> Answer {
    let op = PlaceOp::from_number(cx.arg(0)).ok_or(Errno::EINVAL)?;
    let number = u16::try_from(cx.arg(1)).map_err(|_| Errno::EINVAL)?;
    let process = cx.process()?;
    match op {
        PlaceOp::New => {
            let (number, places) = process.add_places()?;
            cx.kernel.hold_places(places, true);
            Ok(number.into())
        }
        PlaceOp::Free => {
            let places = process.remove_places(number)?;
            cx.kernel.hold_places(places, false);
            Ok(0)
        }
        PlaceOp::Swap => {
            process.swap_places(number)?;
            Ok(0)
        }
    }
}
