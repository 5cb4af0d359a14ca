//! How librumphijack.so is linked: with nothing, and first.

fn main() {
    let arguments = [
        "-nostdlib",
        "-nostartfiles",
        // An import would be bound to the program's C library, whichever that is: refuse to link with one.
        "-Wl,-z,defs",
        // Our first function runs before those of all other libraries (ld.so(8), DF_1_INITFIRST).
        "-Wl,-z,initfirst",
        // It can be run, too: program_unsafe.rs.
        "-Wl,-e,rump_program",
        // A call and a mapping less at each start of a program, 12 of some 250 us.
        "-Wl,-z,norelro",
    ];
    for argument in arguments {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
