//! Whether a list says that a file's sites are all that makes calls in it.

use sites::analyse_file;
use std::process::{Command, Stdio};

/// What of a shared object with this code is known.
fn analyse(name: &str, code: &str) -> sites::Analysis {
    let directory = std::env::temp_dir().join(format!("sites-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let (source, object) = (directory.join("code.s"), directory.join("code.so"));
    let text =
        format!(".globl f\n.type f, @function\nf:\n.cfi_startproc\n{code}\n.cfi_endproc\n.size f, .-f\n");
    std::fs::write(&source, text).expect("room");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-nostdlib", "-Wl,--build-id", "-o"]).arg(&object).arg(&source);
    assert!(gcc.stdin(Stdio::null()).status().expect("gcc").success(), "{code}");
    let analysis = analyse_file(&object).expect("an ELF file");
    std::fs::remove_dir_all(directory).expect("ours");
    analysis
}

#[test]
fn what_is_rewritten_is_all() {
    let none = analyse("none", "mov $7, %eax\nret");
    assert!(none.list.whole && none.list.sites.is_empty());
    let one = analyse("one", "mov $39, %eax\nsyscall\nret");
    assert!(one.list.whole && one.list.sites.len() == 1);
    let inside =
        analyse("inside", "movl $0x11051a0f, %ecx\nmovl $0x340f0011, %ecx\ncmpb $0, 0x80cd(%rip)\nret");
    assert!(inside.list.whole && inside.list.sites.is_empty(), "bytes of other instructions");
}

#[test]
fn what_makes_calls_otherwise() {
    for (name, code) in [
        ("int", "mov $20, %eax\nint $0x80\nret"),
        ("sysenter", "sysenter\nret"),
        ("short", "1: syscall\njmp 1b"),
        ("round", "mov $39, %eax\ntest %edi, %edi\njz 2f\nmov $110, %eax\n2: syscall\nret"),
        ("data", "ret\n.byte 0x06, 0x07, 0x0e, 0x0f, 0x05"),
    ] {
        assert!(!analyse(name, code).list.whole, "{name}");
    }
}
