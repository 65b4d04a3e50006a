//! The web app is embedded in release builds, so a new one makes the binary stale. Debug builds read it from disk.

fn main() {
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    println!(
        "cargo::rerun-if-changed={}",
        if release {
            "../../web/build"
        } else {
            "build.rs"
        }
    );
}
