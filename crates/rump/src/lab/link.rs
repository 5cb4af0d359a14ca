//! A link in a lab's file: the keys of a netspec (rump_server(1), -n), and the segment that it is on.

use crate::lab::Error;
use crate::lab::document::{Document, Entry, Span, Table};
use crate::lab::plan::{Link, Pair, Segment};
use server::link::{NetSpec, kinds};

/// Stands for the segment's file while keys are checked.
const SOMEWHERE: &str = "/segment";

/// What all links on a segment share unless they say otherwise: `mtu` and the faults.
///
/// # Errors
/// A key that is no such, or a value that is none for it.
pub(crate) fn segment_defaults(
    document: &Document,
    about: &str,
    entries: Vec<Entry<'_>>,
) -> Result<Vec<Pair>, Error> {
    let known: Vec<&str> = std::iter::once("mtu").chain(kinds::fault_names()).collect();
    let mut pairs = Vec::new();
    for entry in entries {
        if !known.contains(&entry.key.as_str()) {
            return Err(entry.unknown(about, &known));
        }
        pairs.push(Pair { value: entry.text()?, key: entry.key, span: entry.span });
    }
    check(document, "link", true, &pairs, &(0..0)).map(|_| pairs)
}

/// Reads a link.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn link(
    document: &Document,
    segments: &[Segment],
    entry: Entry<'_>,
    mut table: Table<'_>,
) -> Result<Link, Error> {
    let (name, span) = (entry.key, entry.key_span);
    let segment = table.take("segment").map(|entry| find(segments, &entry)).transpose()?;
    let mut pairs = Vec::new();
    for entry in table.rest() {
        match entry.key.as_str() {
            "name" | "ifname" => {
                return Err(
                    entry.wrong(format!("a link's name is that of its table: [host.NAME.link.{name}]"))
                );
            }
            "type" | "path" if segment.is_some() => {
                return Err(entry.wrong(format!("'{}' and 'segment' exclude each other", entry.key)));
            }
            _ => {}
        }
        if segment.is_some() && !kinds::common_keys().any(|known| known == entry.key) {
            let known: Vec<&str> = std::iter::once("segment").chain(kinds::common_keys()).collect();
            return Err(entry.unknown(&format!("link '{name}'"), &known));
        }
        let key = &entry.key;
        pairs.extend(entry.texts()?.into_iter().map(|(value, span)| Pair { key: key.clone(), value, span }));
    }
    if segment.is_none() && !pairs.iter().any(|pair| pair.key == "type") {
        let types = kinds::KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        let why =
            format!("link '{name}' leads nowhere: expected segment = \"NAME\", or type = one of {types}");
        return Err(document.wrong(&span, why));
    }
    if let Some(segment) = segment {
        let own: Vec<String> = pairs.iter().map(|pair| pair.key.clone()).collect();
        pairs.extend(segment.defaults.iter().filter(|pair| !own.contains(&pair.key)).cloned());
    }
    let spec = check(document, &name, segment.is_some(), &pairs, &span)?;
    Ok(Link { segment: segment.map(|segment| segment.name.clone()), name, span, pairs, spec })
}

fn find<'s>(segments: &'s [Segment], entry: &Entry<'_>) -> Result<&'s Segment, Error> {
    let name = entry.string()?;
    segments.iter().find(|segment| segment.name == name).ok_or_else(|| {
        let names: Vec<&str> = segments.iter().map(|segment| segment.name.as_str()).collect();
        entry.wrong(match names.is_empty() {
            true => format!("there is no segment '{name}'; expected [segment.{name}]"),
            false => format!("there is no segment '{name}'; there are {}", names.join(", ")),
        })
    })
}

/// The netspec of these pairs, or what is wrong and where.
fn check(
    document: &Document,
    name: &str,
    on_segment: bool,
    pairs: &[Pair],
    span: &Span,
) -> Result<NetSpec, Error> {
    // Between keys of a netspec there are commas, and nothing stands for one inside.
    if let Some(pair) = pairs.iter().find(|pair| pair.value.contains(',')) {
        return Err(document.wrong(
            &pair.span,
            "no comma can be in a value of a link; more than one value is a list".to_owned(),
        ));
    }
    netspec(name, on_segment, pairs).map_err(|why| {
        let at = guilty(name, on_segment, pairs).map_or(span, |pair| &pair.span);
        document.wrong(at, why)
    })
}

/// The pair without which all would be well; of several the first that is wrong by itself.
fn guilty<'p>(name: &str, on_segment: bool, pairs: &'p [Pair]) -> Option<&'p Pair> {
    let without = |at: usize| [&pairs[..at], &pairs[at + 1..]].concat();
    let one = (0..pairs.len()).find(|at| netspec(name, on_segment, &without(*at)).is_ok());
    let alone = || {
        (0..pairs.len()).find(|at| {
            let kind = pairs.iter().filter(|pair| ["type", "path"].contains(&pair.key.as_str()));
            let pair =
                std::iter::once(&pairs[*at]).filter(|pair| !["type", "path"].contains(&pair.key.as_str()));
            netspec(name, on_segment, &kind.chain(pair).cloned().collect::<Vec<_>>()).is_err()
        })
    };
    one.or_else(alone).map(|at| &pairs[at])
}

fn netspec(name: &str, on_segment: bool, pairs: &[Pair]) -> Result<NetSpec, String> {
    let segment = [("type", "bus"), ("path", SOMEWHERE)];
    let segment = segment.iter().filter(|_| on_segment).copied();
    let own = pairs.iter().map(|pair| (pair.key.as_str(), pair.value.as_str()));
    let all = std::iter::once(("name", name)).chain(segment).chain(own);
    NetSpec::from_pairs(&all.map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>())
}
