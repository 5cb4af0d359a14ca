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
        // X11/XWDFile.h: words, of which these are the header's length, width, bits of a pixel, bytes of a line and colours of 12 bytes.
        let word = |at: usize| {
            let bytes = picture.stdout.get(4 * at..4 * at + 4).expect("a picture");
            u32::from_be_bytes(bytes.try_into().expect("four bytes")) as usize
        };
        let [header, width, bits, line, colours] = [0, 4, 11, 12, 19].map(word);
        let lines = picture.stdout[header + 12 * colours..].chunks(line);
        let pixels = lines.flat_map(|line| line.chunks(bits / 8).take(width));
        let (mut all, mut same) = (0_u32, 0_u32);
        for pixel in pixels {
            all += 1;
            same += u32::from(pixel.starts_with(&[blue, green, red]));
        }
        f64::from(same) / f64::from(all.max(1))
    }

    /// xdotool(1) with these arguments.
    ///
    /// # Panics
    /// If it fails.
    pub fn xdotool(&self, args: &[&str]) -> String {
        run(native("xdotool").args(args).env("DISPLAY", &self.name)).success()
    }
}
