//! Sizes, drives, and the `name=value,…` form of -d and -n (rump_server(1)).

use std::path::PathBuf;

const DRIVESPEC: &str = "key=/dev/NAME,hostpath=PATH,size=SIZE|host[,offset=SIZE]|disklabel=PARTITION[,type=blk|chr|reg][,mode=ro|rw]";

/// A drive, as -d describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveSpec {
    /// Its name in the rump kernel.
    pub key: String,
    /// The file of the host that holds it.
    pub hostpath: PathBuf,
    /// Which bytes.
    pub extent: Extent,
    /// Where in the file it starts, in bytes.
    pub offset: u64,
    /// What it appears as.
    pub kind: DriveKind,
    /// It is not to be written (`mode=ro`).
    pub read_only: bool,
}

/// Which bytes of the file a drive has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many (`size=`).
    Size(u64),
    /// All up to the end of the file (`size=host`).
    Host,
    /// Those of this partition (`disklabel=`).
    Partition(u32),
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
    /// Parses `key=/dev/NAME,hostpath=PATH,size=SIZE|host[,offset=SIZE]|disklabel=PARTITION[,type=blk|chr|reg]`.
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
            extent: extent(&mut fields)?,
            offset: fields.take("offset").map_or(Ok(0), |offset| parse_size(&offset))?,
            kind: match fields.take("type").as_deref() {
                None | Some("blk") => DriveKind::Blk,
                Some("chr") => DriveKind::Chr,
                Some("reg") => DriveKind::Reg,
                Some(other) => return Err(format!("type '{other}' is none of blk, chr, reg")),
            },
            read_only: match fields.take("mode").as_deref() {
                None | Some("rw") => false,
                Some("ro") => true,
                Some(other) => return Err(format!("mode '{other}' is none of ro, rw")),
            },
        };
        if matches!(spec.extent, Extent::Partition(_)) && spec.offset != 0 {
            return Err("'offset=' and 'disklabel=' exclude each other".to_owned());
        }
        fields.finish("key, hostpath, size, offset, disklabel, type, mode")?;
        Ok(spec)
    }
}

fn extent(fields: &mut Fields) -> Result<Extent, String> {
    match (fields.take("size").as_deref(), fields.take("disklabel")) {
        (Some(_), Some(_)) => Err("'size=' and 'disklabel=' exclude each other".to_owned()),
        (None, None) => Err("'size=' is missing".to_owned()),
        (Some("host"), None) => Ok(Extent::Host),
        (Some(size), None) => match parse_size(size)? {
            0 => Err("size '0' is none: a drive has bytes".to_owned()),
            size => Ok(Extent::Size(size)),
        },
        (None, Some(number)) => match number.parse() {
            Ok(number) if number > 0 => Ok(Extent::Partition(number)),
            _ => Err(format!("disklabel '{number}' is no partition's number: 1, 2, ...")),
        },
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
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("'{part}' is not name=value"))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        Self::of(text.split(',').map(pair).collect::<Result<_, String>>()?, repeated)
    }

    /// What is apart already.
    pub(crate) fn of(fields: Vec<(String, String)>, repeated: &[&str]) -> Result<Self, String> {
        for (at, (name, _)) in fields.iter().enumerate() {
            if !repeated.contains(&name.as_str()) && fields[..at].iter().any(|(known, _)| known == name) {
                return Err(format!("'{name}' is there twice"));
            }
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
        assert_eq!((drive.extent, drive.kind, drive.offset), (Extent::Host, DriveKind::Chr, 0));
        let part = DriveSpec::parse("key=/dev/d,hostpath=img,disklabel=2").unwrap();
        assert_eq!(part.extent, Extent::Partition(2));
        for bad in [
            "",
            "key=/d",
            "key=/d,hostpath=i,size=x",
            "key=/d,hostpath=i,size=1,type=tape",
            "key=/d,hostpath=i,size=1,colour=red",
            "key=/d,key=/e,hostpath=i,size=1",
            "key=/d,hostpath=i,size=1,disklabel=1",
            "key=/d,hostpath=i,disklabel=0",
            "key=/d,hostpath=i,disklabel=a",
        ] {
            assert!(DriveSpec::parse(bad).is_err(), "{bad}");
        }
    }
}
