//! XDR (RFC 4506): big-endian numbers, all padded to four bytes.

/// The bytes are not what the procedure takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Garbage;

type Result<T> = std::result::Result<T, Garbage>;

/// Takes arguments apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Garbage)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Garbage)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        match self.u32()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Garbage),
        }
    }

    /// `opaque<max>` and `string<max>`.
    pub(crate) fn opaque(&mut self, max: usize) -> Result<&'a [u8]> {
        let len = usize::try_from(self.u32()?).map_err(|_| Garbage)?;
        if len > max {
            return Err(Garbage);
        }
        let bytes = self.take(len)?;
        // What is in the padding RFC 4506 says to be 0, and nobody looks.
        self.take(padding(len))?;
        Ok(bytes)
    }

    /// `*type`: something or nothing.
    pub(crate) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }
}

/// Puts results together.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn u64(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn bool(&mut self, yes: bool) -> &mut Self {
        self.u32(yes.into())
    }

    /// `opaque[N]`, where N is a multiple of four.
    pub(crate) fn fixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// `opaque<>` and `string<>`.
    pub(crate) fn opaque(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(&[0; 3][..padding(bytes.len())]);
        self
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes behind so many.
pub(crate) const fn padding(len: usize) -> usize {
    len.wrapping_neg() % 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number in any::<u64>(), bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let mut writer = Writer::default();
            writer.u64(number).opaque(&bytes).bool(true).u32(7);
            let text = writer.into_bytes();
            prop_assert_eq!(text.len() % 4, 0);
            let mut reader = Reader::new(&text);
            prop_assert_eq!(reader.u64(), Ok(number));
            prop_assert_eq!(reader.opaque(50), Ok(bytes.as_slice()));
            prop_assert_eq!(reader.optional(|reader| reader.u32()), Ok(Some(7)));
            prop_assert!(reader.0.is_empty());
        }
    }

    #[test]
    fn lengths_are_not_believed() {
        assert_eq!(Reader::new(&[0xff; 4]).opaque(usize::MAX), Err(Garbage));
        assert_eq!(Reader::new(&[0, 0, 0, 3, 1, 2, 3]).opaque(8), Err(Garbage), "no padding");
        assert_eq!(Reader::new(&[0, 0, 0, 4, 1, 2, 3, 4]).opaque(3), Err(Garbage), "too long");
        assert_eq!(Reader::new(&[0, 0, 0, 2]).bool(), Err(Garbage));
    }
}
