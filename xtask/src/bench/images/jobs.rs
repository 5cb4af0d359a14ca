//! What is done, with a program that knows of nothing.

use super::material::Material;
use super::places::Mounted;
use crate::run::{Outcome, capture};
use std::process::Command;
use std::time::Instant;

/// One job.
pub(super) struct Job {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    /// It needs a place that can be written.
    pub(super) writes: bool,
    script: &'static str,
    /// What of the tree has to be there.
    needs: Option<&'static str>,
    /// Its figure is what it prints, and not how long it took.
    prints: bool,
}

/// In the scripts `$D` is the place's directory, `$S` small files of the host, `$T` a tar file of the host, `$P` the probe.
pub(super) const JOBS: &[Job] = &[
    Job {
        name: "find of 100,000 files with their sizes",
        unit: "ms",
        writes: false,
        script: "find $D/many -printf '%s\\n' >/dev/null",
        needs: Some("many"),
        prints: false,
    },
    Job {
        name: "tar of 1 GiB",
        unit: "ms",
        writes: false,
        // tar(1) reads nothing when it writes to /dev/null.
        script: "tar -cf /dev/zero -C $D big",
        needs: Some("big"),
        prints: false,
    },
    Job {
        name: "untar of 1 GiB",
        unit: "ms",
        writes: true,
        script: "tar -xf $T -C $D/work",
        needs: None,
        prints: false,
    },
    Job {
        name: "random reads of 4 KiB",
        unit: "ns",
        writes: false,
        script: "$P random-reads $D/big/0",
        needs: Some("big"),
        prints: true,
    },
    Job {
        name: "cp of 2,000 small files",
        unit: "ms",
        writes: true,
        script: "cp -r $S $D/work",
        needs: None,
        prints: false,
    },
    Job {
        name: "cp and rm of 2,000 small files",
        unit: "ms",
        writes: true,
        script: "cp -r $S $D/work && rm -r $D/work/small",
        needs: None,
        prints: false,
    },
];

impl Job {
    /// Does it once.
    ///
    /// # Errors
    /// It failed.
    pub(super) fn measure(&self, on: &Mounted, material: &Material) -> Outcome<f64> {
        if let Some(part) = self.needs {
            on.provide(part, material)?;
        }
        let mut command = self.command(on, material, self.script);
        let start = Instant::now();
        let (success, printed) = capture(&mut command)?;
        let took = start.elapsed().as_secs_f64() * 1e3;
        let figure = if self.prints { printed.trim().parse().ok() } else { Some(took) };
        if self.writes {
            capture(&mut self.command(on, material, "rm -rf $D/work/*"))?;
        }
        figure
            .filter(|_| success)
            .ok_or_else(|| format!("{} on {}: {printed}", self.script, on.dir.display()))
    }

    fn command(&self, on: &Mounted, material: &Material, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-e", "-c", script]).env("D", &on.dir).env("S", material.small());
        command.env("T", material.tar()).env("P", &on.probe);
        on.hijack(&mut command);
        command
    }
}
