//! Compiles `proto/` without a system `protoc`.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut descriptors = protox::compile(["nearfield/v1/nearfield.proto"], ["proto"])?;
    let out = std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    prost_build::Config::new()
        .bytes(["."])
        .compile_fds(descriptors.clone())?;
    // Reflection needs no comments.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    std::fs::write(
        Path::new(&out).join("nearfield.bin"),
        prost::Message::encode_to_vec(&descriptors),
    )?;
    Ok(())
}
