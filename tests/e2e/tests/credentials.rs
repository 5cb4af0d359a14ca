//! Who a process is in the rump kernel after setuid(2) and its kin.

use e2e::{Server, invoking_user, native, run};

/// What a program may do as somebody else, and again as itself. Where the suite's user is not root the changes are refused in both
/// kernels alike.
const SCRIPT: &str = r"
import os, threading
D = os.environ['D']
def tell(what, action):
    try:
        print(what, action() or '')
    except OSError as error:
        print(what, error.strerror)
def owner(name):
    s = os.stat(D + name); return s.st_uid, s.st_gid
open(D + '/mine', 'w').close(); os.chmod(D + '/mine', 0o640); os.chmod(D, 0o777)
threads = [threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(3)]
for thread in threads: thread.start()
tell('setgroups', lambda: os.setgroups([5000, 5001]))
tell('setegid', lambda: os.setegid(5000))
tell('seteuid', lambda: os.seteuid(5000))
tell('read', lambda: open(D + '/mine').close())
tell('chmod', lambda: os.chmod(D + '/mine', 0o666))
open(D + '/theirs', 'w').close(); tell('owner', lambda: owner('/theirs'))
tell('group of mine', lambda: os.chown(D + '/theirs', -1, 5001)); tell('owner', lambda: owner('/theirs'))
tell('group of others', lambda: os.chown(D + '/theirs', -1, 5002))
tell('back', lambda: (os.seteuid(0), os.setegid(0), os.setgroups([])) and None)
tell('read', lambda: open(D + '/mine').close())
tell('for good', lambda: (os.setresgid(5000, 5000, 5000), os.setresuid(5000, 5000, 5000)) and None)
tell('read', lambda: open(D + '/mine').close())
tell('back', lambda: os.seteuid(0))
tell('both empty', lambda: os.rename('', D + '/x')); tell('from empty', lambda: os.rename(D + '/mine', ''))
";

#[test]
fn rights_follow_the_process() {
    same(SCRIPT, "chown");
}

/// Daemons give up descriptors for good before they give up their rights (vsftpd).
#[test]
fn who_can_make_no_descriptors_becomes_another() {
    let script = r"
import os, resource
D = os.environ['D']; os.chmod(D, 0o777)
os.setgroups([])
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
os.setresgid(5000, 5000, 5000); os.setresuid(5000, 5000, 5000)
os.mkdir(D + '/theirs'); s = os.stat(D + '/theirs')
print(s.st_uid, s.st_gid, resource.getrlimit(resource.RLIMIT_NOFILE))
";
    let printed = same(script, "mkdir");
    assert!(printed.is_empty() || printed == "5000 5000 (0, 0)\n", "{printed}");
}

#[track_caller]
fn same(script: &str, call: &str) -> String {
    // Root alone can become somebody else.
    invoking_user();
    let host = tempfile::tempdir().expect("a temporary directory");
    let expected = run(native("python3").args(["-c", script]).env("D", host.path()).current_dir("/"));
    let server = Server::start();
    let mut hijacked = server.hijacked("python3");
    let found = run(hijacked.args(["-c", script]).env("D", "/rump/run").current_dir("/"));
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter(&format!("call.{call}")) > 0, "nothing went through the rump kernel");
    found.stdout
}

/// The server's socket is open to its own user alone; the children of a process that was that user have its process all the same.
#[test]
fn children_of_those_who_have_become_others() {
    // Root alone can become somebody else.
    if run(native("id").arg("-u")).stdout != "0\n" {
        return;
    }
    invoking_user();
    let server = Server::start();
    let script = "mkdir /rump/t && chmod 1777 /rump/t && setpriv --reuid=65534 --regid=65534 --clear-groups sh -c '
        cat /rump/t/none; echo one >/rump/t/f; cat /rump/t/f; (cat /rump/t/f; sh -c \"cat /rump/t/f\"); stat -c %u /rump/t/f | cat
        python3 -c \"import os, subprocess
os.stat(\\\"/rump/t/f\\\")
print(subprocess.run([\\\"cat\\\", \\\"/rump/t/f\\\"], capture_output=True).stdout, os.getuid())\"' 2> /rump/t/errors; cat /rump/t/errors >&2";
    let ran = run(server.hijacked("sh").args(["-c", script]).current_dir("/"));
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("one\none\none\n65534\nb'one\\n' 65534\n", "cat: /rump/t/none: No such file or directory\n"),
        "what root has opened is written to"
    );
    // Who comes without a parent is refused.
    let name = format!("rump_server:{}", server.url().trim_start_matches("unix://"));
    let stranger = format!(
        "import socket
s = socket.socket(socket.AF_UNIX); s.connect('\\0{name}'); s.recv(100)
s.send((30 + 8).to_bytes(8, 'little') + bytes(8) + bytes(8))
s.settimeout(9); print(len(s.recv(100)) > 0, s.recv(100))"
    );
    let ran = run(native("setpriv").args(["--reuid=65534", "--clear-groups", "python3", "-c", &stranger]));
    assert_eq!((ran.status, ran.stdout.lines().count()), (0, 1), "{}{}", ran.stdout, ran.stderr);
}
