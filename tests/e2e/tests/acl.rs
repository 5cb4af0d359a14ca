//! Access control lists through acl(1)'s programs: the same as on the host's file system.

use e2e::same_in_both;

#[test]
fn set_shown_inherited_and_copied() {
    let printed = same_in_both(
        r#"cd $D; umask 027; mkdir d; echo x > f
        setfacl -m u:12345:rw,g:54321:r f; getfacl -n f; stat -c %a f
        chmod 640 f; getfacl -nc f; setfacl -x u:12345 f; getfacl -nc f; setfacl -b f; getfacl -nc f
        setfacl -d -m u:12345:rwx d; getfacl -nc d
        touch d/file; mkdir d/dir; getfacl -nc d/file d/dir; stat -c '%a' d/file d/dir
        setfacl -m u:1:r f; cp -p f copy; getfacl -nc copy; mkdir out
        tar --acls -cf a.tar f d; tar --acls -xf a.tar -C out; getfacl -nRc out
        setfacl -k d; getfacl -nc d
        setfacl -d -m u:1:r f || echo refused; ln -s f link; setfacl -m u:7:w link; getfacl -nc f
        python3 -c "
import os
print(sorted(os.listxattr('f')), len(os.getxattr('f', 'system.posix_acl_access')))
for value in (b'x', b'\2\0\0\0\1\0\7\0\0\0\0\0', b'\3\0\0\0'):
    try: os.setxattr('f', 'system.posix_acl_access', value)
    except OSError as e: print(e.strerror)
os.removexattr('f', 'system.posix_acl_access'); print(os.listxattr('f'))""#,
    );
    assert!(printed.contains("user:12345:rw-") && printed.contains("default:user:12345:rwx"), "{printed}");
}
