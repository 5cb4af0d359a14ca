//! Requests in a TCP stream: record marking (RFC 5531, section 11).

/// The last fragment of a record.
const LAST: u32 = 1 << 31;
/// No request is longer: a WRITE of the most that is taken, and what stands around it.
pub const RECORD_MAX: usize = crate::nfs3::TRANSFER_MAX as usize + 4096;

/// A record is longer than any request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Cuts a stream into records.
#[derive(Debug, Default)]
pub struct Records {
    /// What has arrived and was not looked at: from here on.
    bytes: Vec<u8>,
    at: usize,
    /// Fragments of the record that is on its way.
    record: Vec<u8>,
    /// What is missing of a fragment, and whether it is the record's last.
    fragment: Option<(usize, bool)>,
}

impl Records {
    /// What has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.at));
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that are kept.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len() - self.at + self.record.len()
    }

    /// Whether nothing waits for the rest of a record.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0 && self.fragment.is_none()
    }

    /// The next whole record.
    ///
    /// # Errors
    /// [`TooLong`]: nothing more can be read from this stream.
    pub fn next_record(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some((missing, last)) = self.fragment else {
                let Some(mark) = rest.first_chunk::<4>() else { return Ok(None) };
                let mark = u32::from_be_bytes(*mark);
                let len = usize::try_from(mark & !LAST).map_err(|_| TooLong)?;
                if self.record.len().saturating_add(len) > RECORD_MAX {
                    return Err(TooLong);
                }
                self.at += 4;
                self.fragment = Some((len, mark & LAST != 0));
                continue;
            };
            let here = rest.get(..missing).unwrap_or(rest);
            self.record.extend_from_slice(here);
            self.at += here.len();
            if here.len() < missing {
                self.fragment = Some((missing - here.len(), last));
                return Ok(None);
            }
            self.fragment = None;
            if last {
                return Ok(Some(std::mem::take(&mut self.record)));
            }
        }
    }
}

/// A reply as a record of one fragment.
#[must_use]
pub fn mark(reply: &[u8]) -> Vec<u8> {
    let len = u32::try_from(reply.len()).unwrap_or(LAST - 1) | LAST;
    [&len.to_be_bytes(), reply].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_come_out_however_the_stream_is_cut(
            records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6),
            fragment in 1..20usize,
            piece in 1..9usize,
        ) {
            let mut stream = Vec::new();
            for record in &records {
                let mut rest = record.as_slice();
                while rest.len() > fragment {
                    let (first, others) = rest.split_at(fragment);
                    stream.extend((fragment as u32).to_be_bytes());
                    stream.extend(first);
                    rest = others;
                }
                stream.extend(mark(rest));
            }
            let (mut cutter, mut found) = (Records::default(), Vec::new());
            for bytes in stream.chunks(piece) {
                cutter.push(bytes);
                while let Ok(Some(record)) = cutter.next_record() {
                    found.push(record);
                }
            }
            prop_assert_eq!(found, records);
            prop_assert!(cutter.is_empty());
        }

        #[test]
        fn any_stream_keeps_little(stream in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut cutter = Records::default();
            cutter.push(&stream);
            while let Ok(Some(record)) = cutter.next_record() {
                prop_assert!(record.len() <= stream.len());
            }
            prop_assert!(cutter.len() <= stream.len());
        }
    }

    #[test]
    fn a_record_has_an_end() {
        let mut cutter = Records::default();
        cutter.push(&[0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(cutter.next_record(), Err(TooLong));
    }
}
