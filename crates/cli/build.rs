//! Makes a table of the pages in `docs/errors`, so that `squall explain` has them without files beside the binary.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors").canonicalize()?;
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        let code = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.starts_with("SQ"));
        if let Some(code) = code {
            pages.push((code.to_owned(), path.clone()));
        }
    }
    pages.sort();
    let mut table = "/// Every page, by its code, rising.\npub const PAGES: &[(&str, &str)] = &[\n".to_owned();
    for (code, path) in pages {
        writeln!(table, "    ({code:?}, include_str!({path:?})),")?;
    }
    table.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("pages.rs"), table)?;
    Ok(())
}
