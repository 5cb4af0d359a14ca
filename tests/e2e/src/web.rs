//! A web server for tests of the network between two rump kernels.

use crate::{Background, Server};

/// A page of 500,000 bytes, `/page`, on port 80 of all addresses of the server's kernel.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn web(server: &Server) -> Background {
    let site = server.directory().join("site");
    std::fs::create_dir(&site).expect("our own directory");
    std::fs::write(site.join("page"), "x".repeat(500_000)).expect("our own directory");
    let mut command = server.hijacked("python3");
    command.args(["-m", "http.server", "--bind", "::", "80", "--directory"]).arg(&site);
    let mut python = Background::start(&mut command, &server.directory().join("log"));
    python.wait_until(|| server.listens(80));
    python
}
