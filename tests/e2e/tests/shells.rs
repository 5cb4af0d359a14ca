//! Shells: redirections, pipelines and descriptors of both kernels in one process tree.

use e2e::same_in_both;

/// The same in dash (`sh`) and bash.
fn in_both_shells(script: &str) {
    same_in_both(&script.replace('\n', "; "));
    let quoted = script.replace('\'', "'\\''");
    same_in_both(&format!("bash -euc '{quoted}'"));
}

#[test]
fn cd_into_the_tree() {
    in_both_shells(
        "mkdir $D/x\ncd $D/x\npwd\n/bin/pwd\necho hi > f\nls\ncd ..\n/bin/pwd\nls\ncd /\n/bin/pwd",
    );
}

/// As scripts do that make a path without `mkdir -p`.
#[test]
fn a_path_one_name_after_the_other_from_the_root() {
    in_both_shells(
        "cd /\nfor i in $(echo $D/w/x | tr / ' ')\ndo [ -d $i ] || mkdir $i\ncd $i\ndone\npwd\necho hi > f\ncat $D/w/x/f",
    );
    in_both_shells("cd /\ncat .$D/none || true\nmkdir ${D#/}/y\ncd ${D#/}\nls -A\npwd");
}

#[test]
fn redirections() {
    in_both_shells(
        "echo out > $D/f\ncat < $D/f\ncat < $D/f > $D/g\ncat $D/g 2> $D/e\nls -A $D\nls $D/none > $D/h 2>&1 || true\ncat $D/h",
    );
}

#[test]
fn pipelines() {
    in_both_shells(
        "seq 1000 > $D/n\ncat $D/n | grep 7 | wc -l > $D/c\ncat $D/c\nsort -rn < $D/n | head -2\ntee $D/t < $D/c | cat",
    );
}

#[test]
fn here_documents() {
    same_in_both(
        "cat > $D/h <<END\nfirst $((1 + 1))\nsecond\nEND\ncat $D/h; cat <<END | tr a-z A-Z\nbig\nEND\n",
    );
}

#[test]
fn descriptors_by_number() {
    in_both_shells(
        "exec 7<> $D/f\necho written >&7\ncat $D/f\nexec 7>&-\nexec 8< $D/f\nread word <&8\necho got $word\nexec 8<&-",
    );
}

#[test]
fn subshells_and_background() {
    in_both_shells(
        "(cd $D\necho sub > s)\ncat $D/s\nsleep 0.05 &\nwait\necho bg > $D/b &\nwait\ncat $D/b\nx=$(cat $D/b)\necho $x",
    );
}

#[test]
fn a_script_that_lies_in_the_tree() {
    same_in_both("printf 'echo this is $0 $1\\n' > $D/script; sh $D/script arg; cd $D; sh ./script arg");
}
