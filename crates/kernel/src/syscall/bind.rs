//! bind(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::message::get_address;
use crate::socket::transfer;

pub(crate) fn bind(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let socket = transfer::of(&file)?;
    let addr = get_address(cx, cx.arg(1), cx.uint(2))?;
    socket.bind(cx.kernel, &file, &addr)?;
    Ok(0)
}
