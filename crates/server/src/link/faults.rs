//! The fault keys of a netspec and of `rump link set`.

use crate::link::values;
use tcpip::fault::FaultSpec;

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// What its value is.
    pub(crate) value: &'static str,
    pub(crate) about: &'static str,
    set: fn(&mut FaultSpec, &str) -> Result<(), String>,
    /// Its value, if that is not the default.
    show: fn(&FaultSpec) -> Option<String>,
}

/// All of them.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "loss",
        value: "PERCENT",
        about: "frames that never arrive, as in 2%",
        set: |spec, text| put(&mut spec.loss, values::share(text)),
        show: |spec| (spec.loss.ppm() > 0).then(|| values::show_share(spec.loss)),
    },
    Key {
        name: "ecn",
        value: "yes|no",
        about: "mark packets that can be marked (net.ipv4.tcp_ecn) instead of losing them",
        set: |spec, text| put(&mut spec.ecn, values::yes_no(text)),
        show: |spec| spec.ecn.then(|| "yes".to_owned()),
    },
    Key {
        name: "duplicate",
        value: "PERCENT",
        about: "frames that arrive twice",
        set: |spec, text| put(&mut spec.duplicate, values::share(text)),
        show: |spec| (spec.duplicate.ppm() > 0).then(|| values::show_share(spec.duplicate)),
    },
    Key {
        name: "corrupt",
        value: "PERCENT",
        about: "frames with one bit flipped",
        set: |spec, text| put(&mut spec.corrupt, values::share(text)),
        show: |spec| (spec.corrupt.ppm() > 0).then(|| values::show_share(spec.corrupt)),
    },
    Key {
        name: "reorder",
        value: "PERCENT",
        about: "frames that overtake those that are delayed (needs delay)",
        set: |spec, text| put(&mut spec.reorder, values::share(text)),
        show: |spec| (spec.reorder.ppm() > 0).then(|| values::show_share(spec.reorder)),
    },
    Key {
        name: "delay",
        value: "TIME",
        about: "how long a frame is under way, as in 10ms",
        set: |spec, text| put(&mut spec.delay_ns, values::time_ns(text)),
        show: |spec| (spec.delay_ns > 0).then(|| values::show_time(spec.delay_ns)),
    },
    Key {
        name: "jitter",
        value: "TIME",
        about: "so much more or less delay for each frame, at random",
        set: |spec, text| put(&mut spec.jitter_ns, values::time_ns(text)),
        show: |spec| (spec.jitter_ns > 0).then(|| values::show_time(spec.jitter_ns)),
    },
    Key {
        name: "rate",
        value: "RATE",
        about: "how fast frames are sent, as in 10mbit; none: as fast as can be",
        set: |spec, text| match text {
            "none" => put(&mut spec.rate_bps, Ok(None)),
            _ => put(&mut spec.rate_bps, values::rate_bps(text).map(Some)),
        },
        show: |spec| spec.rate_bps.map(|bps| values::show_rate(bps.get())),
    },
    Key {
        name: "limit",
        value: "FRAMES",
        about: "frames under way at most, by default 1000; those beyond are dropped",
        set: |spec, text| put(&mut spec.limit, limit(text)),
        show: |spec| (spec.limit != FaultSpec::LIMIT).then(|| spec.limit.to_string()),
    },
    Key {
        name: "seed",
        value: "NUMBER",
        about: "what chance follows from; the same each time unless given",
        set: |spec, text| put(&mut spec.seed, values::number(text)),
        show: |spec| (spec.seed != 0).then(|| spec.seed.to_string()),
    },
];

/// Frames under way are memory of the server's.
const LIMIT_MAX: usize = 100_000;

fn put<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = usize::try_from(values::number(text)?).ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| format!("'{text}' is not between 1 and {LIMIT_MAX}"))
}

/// Sets the key of this name, if it is one.
///
/// # Errors
/// The value is none for this key.
pub(crate) fn set(spec: &mut FaultSpec, name: &str, value: &str) -> Option<Result<(), String>> {
    let key = KEYS.iter().find(|key| key.name == name)?;
    Some((key.set)(spec, value).map_err(|why| format!("{name}: {why}")))
}

/// Whether all goes together.
///
/// # Errors
/// What does not.
pub(crate) fn check(spec: &FaultSpec) -> Result<(), String> {
    if spec.reorder.ppm() > 0 && spec.delay_ns == 0 {
        return Err("reorder needs delay: a frame can only overtake those that are delayed".to_owned());
    }
    Ok(())
}

/// All that is not the default, as it would be set.
pub(crate) fn show(spec: &FaultSpec) -> String {
    let set = KEYS.iter().filter_map(|key| Some(format!("{}={}", key.name, (key.show)(spec)?)));
    set.collect::<Vec<_>>().join(",")
}

/// The keys' names.
pub(crate) fn names() -> String {
    KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_set_again() {
        let text = "loss=2%,ecn=yes,duplicate=0.1%,corrupt=1%,reorder=5%,delay=10ms,jitter=250us,rate=10mbit,limit=50,seed=7";
        let mut spec = FaultSpec::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap();
            assert_eq!(set(&mut spec, name, value), Some(Ok(())));
        }
        assert_eq!(show(&spec), text);
        assert_eq!(check(&spec), Ok(()));
        assert_eq!(set(&mut spec, "colour", "red"), None);
        assert!(set(&mut spec, "limit", "0").is_some_and(|result| result.is_err()));
        spec.delay_ns = 0;
        assert!(check(&spec).is_err());
        assert_eq!(show(&FaultSpec::default()), "");
    }
}
