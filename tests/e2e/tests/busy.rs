//! Programs that are open for writing are not run (`ETXTBSY`).

use e2e::same_in_both;

const SCRIPT: &str = r#"
busy() { exec 5>>$D/$1; status=0; $D/$2 || status=$?; echo $2 $status; exec 5>&-; $D/$2; }
exec 2>/dev/null
cp /bin/true $D/program
printf '#!/bin/sh\necho a script\n' >$D/script
printf '#!%s/script\n' $D >$D/of.a.script
chmod +x $D/script $D/of.a.script
busy program program
busy script script
busy script of.a.script
"#;

#[test]
fn programs_and_scripts() {
    let told = same_in_both(SCRIPT);
    assert!(told.contains("script 126\na script\n"), "{told}");
}
