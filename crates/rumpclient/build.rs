//! How librumpclient.so is linked: by the name under which programs look for it.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,librumpclient.so");
    println!("cargo::rerun-if-changed=build.rs");
}
