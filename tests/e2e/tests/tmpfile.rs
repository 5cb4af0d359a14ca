//! O_TMPFILE: files without a name, and how they get one.

use e2e::same_in_both;

#[test]
fn a_file_without_a_name_gets_one() {
    let printed = same_in_both(
        r#"cd $D
        python3 - <<'END'
import os
root = os.open('/', os.O_RDONLY)
fd = os.open('.', os.O_TMPFILE | os.O_WRONLY, 0o644)
os.write(fd, b'late')
print(os.fstat(fd).st_nlink, os.listdir('.'))
os.link(f'/proc/self/fd/{fd}', 'named', src_dir_fd=root)
print(os.fstat(fd).st_nlink, open('named').read())
fd = os.open('.', os.O_TMPFILE | os.O_RDWR | os.O_EXCL, 0o644)
try:
    os.link(f'/proc/self/fd/{fd}', 'never', src_dir_fd=root)
except OSError as error:
    print(error.strerror)
END"#,
    );
    assert_eq!(printed, "0 []\n1 late\nNo such file or directory\n");
}
