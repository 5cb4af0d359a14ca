//! Locks of fcntl(2): a process's go when it closes any descriptor of the file.

use e2e::same_in_both;

const SCRIPT: &str = r#"
python3 - <<'END'
import fcntl, os
path = os.environ['D'] + '/f'
held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

def free():
    child = os.fork()
    if child == 0:
        other = os.open(path, os.O_RDWR)
        try:
            fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def lost(name, close):
    fcntl.lockf(held, fcntl.LOCK_EX)
    before = free()
    close()
    print(name, before, free())

lost('nothing', lambda: None)
lost('close of a host file', lambda: os.close(os.open('/dev/null', os.O_RDONLY)))
lost('close of another file', lambda: os.close(os.open(path + '2', os.O_RDWR | os.O_CREAT)))
lost('close', lambda: os.close(os.open(path, os.O_RDONLY)))
lost('close of a copy', lambda: os.close(os.dup(held)))
copy = os.dup(held)
lost('dup2', lambda: os.dup2(2, copy))
copy = os.dup(held)
lost('close_range', lambda: os.closerange(copy, copy + 1))
child = os.fork()
if child == 0:
    os.close(held)
    os._exit(0)
lost('close in a child', lambda: os.waitpid(child, 0))
END
"#;

#[test]
fn a_processes_locks_go_with_any_descriptor() {
    let printed = same_in_both(SCRIPT);
    assert!(printed.contains("nothing False False\n") && printed.contains("dup2 False True\n"), "{printed}");
    assert!(
        printed.contains("close False True\n") && printed.contains("close in a child False False\n"),
        "{printed}"
    );
}
