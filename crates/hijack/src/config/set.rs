//! The value of `socket` and `vfs`: `all` as the first element, a name, or `no` and a name, split at colons.

/// Folds such a list into bits. `bits_of` answers the bits of one name.
///
/// # Errors
/// `expected`, if an element is none of the three.
pub(super) fn parse(
    value: &[u8],
    all: u64,
    bits_of: impl Fn(&[u8]) -> Option<u64>,
    expected: &'static str,
) -> Result<u64, &'static str> {
    let mut set = 0;
    for (position, element) in value.split(|&byte| byte == b':').enumerate() {
        if element == b"all" {
            if position > 0 {
                return Err("expected \"all\" only as the first element");
            }
            set = all;
        } else if let Some(bits) = bits_of(element) {
            set |= bits;
        } else if let Some(bits) = element.strip_prefix(b"no").and_then(&bits_of) {
            set &= !bits;
        } else {
            return Err(expected);
        }
    }
    Ok(set)
}
