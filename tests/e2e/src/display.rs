//! A display of the host's for X clients.

use crate::{Background, Server, native, run};

/// Xvfb(1) on a display of its own.
#[derive(Debug)]
pub struct Display {
    name: String,
    _xvfb: Background,
}

impl Display {
    /// Starts one whose number is `first` or a little more.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(server: &Server, first: u32, size: &str) -> Self {
        let name = format!(":{}", first + std::process::id() % 20_000);
        let mut command = native("Xvfb");
        command.args([&name, "-screen", "0", &format!("{size}x24"), "-nolisten", "tcp"]);
        let mut xvfb = Background::start(&mut command, &server.directory().join("xvfb-log"));
        let socket = format!("/tmp/.X11-unix/X{}", &name[1..]);
        xvfb.wait_until(|| std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Self { name, _xvfb: xvfb }
    }

    /// What DISPLAY is set to.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How much of the screen has this colour, of 1.
    ///
    /// # Panics
    /// If xwd(1) does not take a picture.
    #[must_use]
    pub fn share_of(&self, [red, green, blue]: [u8; 3]) -> f64 {
        let picture =
            native("xwd").args(["-silent", "-root", "-display", &self.name]).output().expect("xwd runs");
        // X11/XWDFile.h: the header's length comes first, and the number of colours, of 12 bytes each, is its twentieth word.
        let word = |at: usize| {
            let bytes = picture.stdout.get(4 * at..4 * at + 4).expect("a picture");
            u32::from_be_bytes(bytes.try_into().expect("four bytes")) as usize
        };
        let pixels = &picture.stdout[word(0) + 12 * word(19)..];
        let (pixels, _) = pixels.as_chunks::<4>();
        let same = pixels.iter().filter(|pixel| pixel[..3] == [blue, green, red]).count();
        same as f64 / pixels.len().max(1) as f64
    }

    /// xdotool(1) with these arguments.
    ///
    /// # Panics
    /// If it fails.
    pub fn xdotool(&self, args: &[&str]) -> String {
        run(native("xdotool").args(args).env("DISPLAY", &self.name)).success()
    }
}
