//! Sizes, drives, and the `name=value,…` form of -d and -n (rump_server(1)).

use std::path::PathBuf;

const DRIVESPEC: &str = "key=NAME,hostpath=PATH,size=SIZE|host[,offset=SIZE][,type=blk|chr|reg]";

/// A drive, as -d describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveSpec {
    /// Its name in the rump kernel.
    pub key: String,
    /// The file of the host that holds it.
    pub hostpath: PathBuf,
    /// Bytes; none: up to the end of the file (`size=host`).
    pub size: Option<u64>,
    /// Where in the file it starts, in bytes.
    pub offset: u64,
    /// What it appears as.
    pub kind: DriveKind,
}

/// What a drive appears as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveKind {
    /// A block device.
    Blk,
    /// A character device.
    Chr,
    /// A regular file.
    Reg,
}

impl DriveSpec {
    /// Parses `key=NAME,hostpath=PATH,size=SIZE|host[,offset=SIZE][,type=blk|chr|reg]`.
    ///
    /// # Errors
    /// What is wrong, for whom to mend it.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::of(text).map_err(|why| format!("{why}; expected {DRIVESPEC}"))
    }

    fn of(text: &str) -> Result<Self, String> {
        let mut fields = Fields::parse(text, &[])?;
        let spec = Self {
            key: fields.required("key")?,
            hostpath: fields.required("hostpath")?.into(),
            size: match fields.required("size")?.as_str() {
                "host" => None,
                size => Some(parse_size(size)?),
            },
            offset: fields.take("offset").map_or(Ok(0), |offset| parse_size(&offset))?,
            kind: match fields.take("type").as_deref() {
                None | Some("blk") => DriveKind::Blk,
                Some("chr") => DriveKind::Chr,
                Some("reg") => DriveKind::Reg,
                Some(other) => return Err(format!("type '{other}' is none of blk, chr, reg")),
            },
        };
        fields.finish("key, hostpath, size, offset, type")?;
        Ok(spec)
    }
}

/// Parses a number of bytes, decimal, with an optional k, m or g (powers of 1,024).
///
/// # Errors
/// No such number, or one too large.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("'{text}' is no size: expected digits, then k, m, g or nothing"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("size '{text}' is too large"))
}

/// The parts of a specification that nobody has taken yet.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Takes `name=value,…` apart. A name comes once, unless it is one of `repeated`.
    pub(crate) fn parse(text: &str, repeated: &[&str]) -> Result<Self, String> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("'{part}' is not name=value"))?;
            if !repeated.contains(&name) && fields.iter().any(|(known, _)| known == name) {
                return Err(format!("'{name}' is there twice"));
            }
            fields.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self(fields))
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn required(&mut self, name: &str) -> Result<String, String> {
        self.take(name).ok_or_else(|| format!("'{name}=' is missing"))
    }

    pub(crate) fn required_path(&mut self, name: &str) -> Result<PathBuf, String> {
        match self.required(name)? {
            path if path.is_empty() => Err(format!("'{name}=' names no file")),
            path => Ok(path.into()),
        }
    }

    /// The value of this name, if it is there, through `parse`.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let parsed = self.take(name).map(|value| parse(&value)).transpose();
        parsed.map_err(|why| format!("{name}: {why}"))
    }

    /// All values of this name, through `parse`.
    pub(crate) fn all_parsed<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        std::iter::from_fn(|| self.parsed(name, &parse).transpose()).collect()
    }

    /// Nothing may be left.
    pub(crate) fn finish(self, known: &str) -> Result<(), String> {
        match self.0.first() {
            Some((name, _)) => Err(format!("'{name}' is none of {known}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("0"), Ok(0));
        assert_eq!(parse_size("4k"), Ok(4096));
        assert_eq!(parse_size("2G"), Ok(2 << 30));
        for bad in ["", "k", "-1", "1t", "99999999999999999999", "18014398509481984k"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn drives() {
        let drive = DriveSpec::parse("key=/dev/d,hostpath=img,size=host,type=chr").unwrap();
        assert_eq!((drive.size, drive.kind, drive.offset), (None, DriveKind::Chr, 0));
        for bad in [
            "",
            "key=/d",
            "key=/d,hostpath=i,size=x",
            "key=/d,hostpath=i,size=1,type=tape",
            "key=/d,hostpath=i,size=1,colour=red",
            "key=/d,key=/e,hostpath=i,size=1",
        ] {
            assert!(DriveSpec::parse(bad).is_err(), "{bad}");
        }
    }
}
