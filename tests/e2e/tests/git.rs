//! git with its repository in the rump kernel's tree.

use e2e::{Server, native, run, same_in_both};

const IDENTITY: &str = "export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b \
    GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1; ";

#[test]
fn init_add_commit_log() {
    let printed = same_in_both(&format!(
        "{IDENTITY} cd $D; git init -q -b main r; cd r; seq 1000 > f; mkdir d; echo x > d/g; git add .; \
         git commit -qm first; echo y >> d/g; git commit -qam second; git log --format='%H %s'; git status --short; \
         git diff HEAD~1 --stat; git fsck 2>&1; git gc -q; git log --oneline | wc -l; git checkout -q HEAD~1; cat d/g"
    ));
    assert!(printed.contains("second"), "{printed}");
}

#[test]
fn clone_into_the_tree() {
    same_in_both(&format!(
        "{IDENTITY} cd $D; git init -q -b main r; cd r; echo 1 > f; git add f; git commit -qm one; cd ..; \
         git clone -q r c 2>&1; cd c; git log --format=%H; cat f"
    ));
}

/// What the original does wrong on Linux: git's files landed on the host.
#[test]
fn writes_nothing_on_the_host() {
    let server = Server::start();
    let empty = tempfile::tempdir().unwrap();
    let made = run(server.hijacked("git").args(["-C", "/rump", "init", "-q"]).current_dir(empty.path()));
    assert_eq!(made.status, 0, "{}", made.stderr);
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
    assert!(!std::path::Path::new("/rump/.git").exists());
    let listed = run(server.hijacked("ls").args(["-A", "/rump/.git"])).success();
    assert!(listed.contains("HEAD"), "{listed}");
    assert_ne!(run(native("ls").arg("/rump/.git")).status, 0);
}
