//! `rump lab down`: the end of a lab.

use crate::lab::cli::DownOptions;
use crate::lab::place::Place;
use crate::lab::{Error, processes};

/// Ends labs; answers what is to be printed.
pub(crate) fn down(options: &DownOptions) -> Result<String, Error> {
    let places = if options.all { Place::all()? } else { vec![Place::meant(options.lab.as_deref())?] };
    for place in &places {
        let _lock = place.lock()?;
        take_down(place)?;
    }
    Ok(String::new())
}

/// Ends all processes of a lab and removes its directory, however far it had come.
///
/// # Errors
/// The directory cannot be removed.
pub(crate) fn take_down(place: &Place) -> Result<(), Error> {
    processes::end_clients(place);
    for host in place.hosts() {
        processes::end_server(place, &host);
    }
    place.remove()
}
