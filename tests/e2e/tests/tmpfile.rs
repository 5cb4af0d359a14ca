//! O_TMPFILE: files without a name, and how they get one.

use e2e::{Drive, same_in_both};

const SCRIPT: &str = r#"python3 - <<'END'
import os
root = os.open('/', os.O_RDONLY)
fd = os.open('.', os.O_TMPFILE | os.O_WRONLY, 0o644)
os.write(fd, b'late')
print(os.fstat(fd).st_nlink, os.listdir('.'))
name = f'{os.getcwd()}/#{os.fstat(fd).st_ino} (deleted)'
print(os.readlink(f'/proc/self/fd/{fd}') == name)
os.link(f'/proc/self/fd/{fd}', 'named', src_dir_fd=root)
print(os.fstat(fd).st_nlink, open('named').read())
fd = os.open('.', os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o644)
try:
    os.link(f'/proc/self/fd/{fd}', 'never', src_dir_fd=root)
except OSError as error:
    print(error.strerror)
END"#;
const PRINTED: &str = "0 []\nTrue\n1 late\nNo such file or directory\n";

#[test]
fn a_file_without_a_name_gets_one() {
    assert_eq!(same_in_both(&format!("cd $D; {SCRIPT}")), PRINTED);
}

#[test]
fn on_ext4_too() {
    let mut drive = Drive::ext4("16m");
    assert_eq!(drive.sh(SCRIPT), PRINTED);
    drive.unmount();
}
