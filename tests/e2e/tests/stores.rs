//! Stores into shared mappings of files: what times they change, and when they reach an image.

use e2e::{Background, Drive, c_program, native, run, same_program};

#[test]
fn into_files_of_a_tmpfs() {
    let told = same_program("h_stores", "rump_msync");
    assert!(told.contains("stored: modified 1, changed 1") && told.contains("ended: child"), "{told}");
}

#[test]
fn into_files_of_an_image() {
    let mut drive = Drive::ext4("16m");
    let program = c_program("h_stores", drive.place());
    let host = drive.place().join("host");
    std::fs::create_dir(&host).expect("a directory");
    let expected = run(native(&program).arg(&host)).success();
    let _ = drive.sh("true");
    let found = run(drive.server().hijacked(&program).arg("/rump/mnt/d")).success();
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    let _ = drive.sh("rm *");
    let log = drive.place().join("log");
    let mut command = drive.server().hijacked(&program);
    let mut running = Background::start(command.args(["/rump/mnt/d", "and wait"]), &log);
    let lines = expected.lines().count();
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    running.wait_until(|| read().lines().count() == lines);
    drive.kill();
    drop(running);
    drive.mount();
    let found = drive.sh("head -c 4100 synced | tail -c 4; echo; head -c 4099 closed | tail -c 3; echo");
    assert_eq!(found, "kept\nchi\n", "what was synchronized, and what a process left that has ended");
    drive.unmount();
}
