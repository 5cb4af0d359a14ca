//! Programs built by Go, whose runtime makes its calls with instructions of its own. Debian package golang-go.

use e2e::{Server, artifact, native, run};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

/// An HTTP server, 200 clients at once, signals, files and children. Argument: a directory.
const PROGRAM: &str = r#"package main

IMPORT_C
import ("fmt"; "io"; "net"; "net/http"; "os"; "os/exec"; "os/signal"; "path/filepath"; "sync"; "syscall")

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil { panic(err) }
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	var all sync.WaitGroup
	var lock sync.Mutex
	right := 0
	for i := 0; i < 200; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			reply, err := http.Get(fmt.Sprintf("http://%s/%d", listener.Addr(), i))
			if err != nil { fmt.Println(err); return }
			defer reply.Body.Close()
			body, _ := io.ReadAll(reply.Body)
			if string(body) == fmt.Sprintf("/%d", i) { lock.Lock(); right++; lock.Unlock() }
		}(i)
	}
	all.Wait()
	fmt.Println("right", right, CALL_C)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	exe, err := os.Executable()
	fmt.Println(filepath.Base(exe), err)
	fmt.Println(os.WriteFile(os.Args[1]+"/go", []byte("by go"), 0644))
	for i := 0; i < 10; i++ {
		out, err := exec.Command("sh", "-c", "cat $0/go", os.Args[1]).CombinedOutput()
		fmt.Println(string(out), err)
	}
	_, err = os.Stat(os.Args[1] + "/none")
	fmt.Println(os.IsNotExist(err))
}
"#;

/// The standard library is built once for all tests.
static CACHE: LazyLock<Mutex<tempfile::TempDir>> =
    LazyLock::new(|| Mutex::new(tempfile::tempdir().expect("a directory for Go's cache")));

fn build(cgo: bool, directory: &Path) -> PathBuf {
    let (import, call) =
        if cgo { ("// #include <unistd.h>\nimport \"C\"\n", "C.getuid() >= 0") } else { ("", "true") };
    let source = PROGRAM.replace("IMPORT_C", import).replace("CALL_C", call);
    std::fs::write(directory.join("main.go"), source).expect("the source");
    let mut build = native("go");
    build.args(["build", "-tags", "netgo,osusergo", "-o", "program", "main.go"]).current_dir(directory);
    let cache = CACHE.lock().expect("no test panics while it builds");
    build.env("HOME", directory).env("GOCACHE", cache.path()).env("GO111MODULE", "off");
    run(build.env("CGO_ENABLED", if cgo { "1" } else { "0" })).success();
    directory.join("program")
}

fn same_in_both(cgo: bool) {
    let server = Server::start();
    let program = build(cgo, server.directory());
    let mut hijacked = native(artifact("rump"));
    hijacked.arg("run").arg(&program).arg("/rump/tmp").env("RUMP_SERVER", server.url());
    let hijacked = run(&mut hijacked);
    assert_eq!(hijacked, run(native(&program).arg(server.directory())));
    assert!(hijacked.stdout.starts_with("right 200 true\n"), "{}", hijacked.stdout);
    assert!(server.counter("call.accept") + server.counter("call.accept4") > 0);
    assert_eq!(run(server.hijacked("cat").arg("/rump/tmp/go")).success(), "by go");
}

#[test]
fn with_cgo() {
    same_in_both(true);
}

/// Linked statically.
#[test]
fn without_cgo() {
    same_in_both(false);
}
