//! The example of rumphijack(3): a browser in the rump network, its window on the host's display. Not part of the everyday suite:
//! browsers take long to start.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Display, Segments, Server, artifact, native, run};
use std::process::Command;
use std::time::{Duration, Instant};

const GREEN: [u8; 3] = [0x11, 0xcc, 0x44];
const BLUE: [u8; 3] = [0x11, 0x44, 0xcc];

const NGINX: &str = "
worker_processes 1; daemon off; pid DIR/pid; error_log stderr;
events { worker_connections 64; }
http {
    access_log DIR/access; client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u;
    scgi_temp_path DIR/s; default_type text/html;
    server { listen 10.0.0.2:80; root DIR/site; add_header Cache-Control no-store; }
}
";

/// A web server that the rump network alone can reach, and a rump kernel for a browser.
struct Site {
    _segments: Segments,
    own: Server,
    far: Server,
    _nginx: Background,
}

impl Site {
    fn new() -> Self {
        let segments = Segments::new();
        let (own, far) = (segments.host(1, ""), segments.host(2, ""));
        let dir = far.directory();
        std::fs::create_dir(dir.join("site")).unwrap();
        for (page, [red, green, blue]) in [("one", GREEN), ("two", BLUE)] {
            let text =
                format!("<title>{page}</title><body style='background: rgb({red} {green} {blue})'>{page}");
            std::fs::write(dir.join("site").join(page), text).unwrap();
        }
        std::fs::write(dir.join("nginx.conf"), NGINX.replace("DIR", &dir.to_string_lossy())).unwrap();
        let mut nginx = far.hijacked("/usr/sbin/nginx");
        nginx.args(["-e", "stderr", "-c"]).arg(dir.join("nginx.conf")).arg("-p").arg(dir);
        let mut nginx = Background::start(&mut nginx, &dir.join("nginx-log"));
        let get = ["-sS", "-m", "5", "-o", "/dev/null", "http://10.0.0.2/one"];
        nginx.wait_until(|| run(own.hijacked("curl").args(get)).status == 0);
        Self { _segments: segments, own, far, _nginx: nginx }
    }

    /// How often a page was asked for by a browser.
    fn asked(&self, page: &str) -> usize {
        let log = std::fs::read_to_string(self.far.directory().join("access")).unwrap();
        log.lines().filter(|line| line.contains(&format!("GET /{page} ")) && line.contains("Mozilla")).count()
    }

    /// A program as the manual page has it.
    fn hijacked(&self, program: &str) -> Command {
        let mut command = native(program);
        command.env("LD_PRELOAD", artifact("librumphijack.so")).env("RUMP_SERVER", self.own.url());
        command.env("RUMPHIJACK_RETRYCONNECT", "inftime");
        command
    }

    /// A page, behind which `look` looks around; the rump kernel dies and comes again; another page.
    fn two_pages(&mut self, browser: &mut Command, class: &str, look: impl Fn(u32)) {
        let display = Display::start(&self.own, 20_400, "800x600");
        let log = self.own.directory().join("browser-log");
        let browser =
            Background::start(browser.env("DISPLAY", display.name()).arg("http://10.0.0.2/one"), &log);
        wait(&browser, "the first page", || display.share_of(GREEN) > 0.3);
        assert!(self.own.counter("call.connect") > 0 && self.asked("one") > 0);
        look(browser.id());
        self.own.restart();
        let window = display.xdotool(&["search", "--onlyvisible", "--class", class]);
        let window = window.lines().next().unwrap();
        // A browser that is busy may miss some of what is typed: then it is typed again.
        let mut turns = 0..;
        wait(&browser, "the second request", || {
            if turns.next().is_some_and(|turn| turn % 10 == 0) {
                display.xdotool(&["windowfocus", window, "key", "--delay", "100", "ctrl+l"]);
                display.xdotool(&["type", "--delay", "50", "http://10.0.0.2/two"]);
            }
            display.xdotool(&["key", "Return"]);
            std::thread::sleep(Duration::from_secs(1));
            self.asked("two") > 0
        });
        wait(&browser, "the second page", || display.share_of(BLUE) > 0.3);
        assert!(self.own.counter("call.connect") > 0);
    }
}

fn wait(browser: &Background, what: &str, mut is_there: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(90);
    while !is_there() {
        assert!(Instant::now() < end, "{what} does not come:\n{}", browser.printed());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Debian package firefox-esr.
#[test]
#[ignore = "takes half a minute"]
fn firefox_headless() {
    let site = Site::new();
    let picture = site.own.directory().join("one.png");
    let mut firefox = site.hijacked("firefox-esr");
    firefox.args(["--headless", "--screenshot"]).arg(&picture).arg("http://10.0.0.2/one");
    let ran = run(&mut firefox);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(std::fs::read(&picture).unwrap().starts_with(b"\x89PNG") && site.asked("one") == 1);
}

/// Its window is on a display that it reaches over the host, and nothing but the manual page's three variables is set.
#[test]
#[ignore = "takes a minute"]
fn firefox_in_a_window() {
    let mut site = Site::new();
    let mut firefox = site.hijacked("firefox-esr");
    site.two_pages(&mut firefox, "firefox-esr", |_| ());
}

/// Debian package chromium. Its renderers are in a sandbox: namespaces and a root of their own, and a filter of seccomp(2).
#[test]
#[ignore = "takes a minute"]
fn chromium() {
    let mut site = Site::new();
    let mut chromium = site.hijacked("chromium");
    let data = site.own.directory().join("data");
    chromium.args(["--no-first-run", "--disable-gpu", "--password-store=basic"]);
    chromium.arg(format!("--user-data-dir={}", data.display()));
    let look = |browser| assert!(is_sandboxed(browser), "no renderer is in a sandbox");
    site.two_pages(&mut chromium, "chromium", look);
}

/// Whether a renderer of this browser has a filter and is in a namespace of processes.
fn is_sandboxed(browser: u32) -> bool {
    let text =
        |pid: u32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let field = |pid: u32, name: &str| {
        let status = text(pid, "status");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let parent = |pid: u32| field(pid, "PPid:").first().and_then(|pid| pid.parse().ok());
    let below = |pid: u32| std::iter::successors(Some(pid), |pid| parent(*pid)).any(|pid| pid == browser);
    let names = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    let mut pids = names.filter_map(|name| name.to_str()?.parse::<u32>().ok());
    pids.any(|pid| {
        text(pid, "cmdline").contains("--type=renderer")
            && field(pid, "Seccomp:") == ["2"]
            && field(pid, "NSpid:").len() > 1
            && below(pid)
    })
}
