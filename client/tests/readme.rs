//! The README's first example, word for word; it has to compile and run.

use std::error::Error;

#[allow(clippy::print_stdout, reason = "the example prints what it finds")]
fn example() -> Result<(), Box<dyn Error>> {
    // README begin
    use nearfield::{Batch, Filter, Metadata, MetadataColumn, Metric};

    let db = nearfield::connect("./data")?;
    let albums = db.open_or_create_collection("albums", 3, Metric::Cosine)?;
    let metadata = [
        r#"{"title": "Kind of Blue", "year": 1959}"#,
        r#"{"title": "Blue", "year": 1971}"#,
    ];
    let metadata = MetadataColumn::from_texts(&metadata)?;
    albums
        .upsert(Batch::new([1, 2], &[0.9, 0.1, 0.3, 0.2, 0.8, 0.1]).metadata(metadata))
        .run()?;

    let filter = Filter::parse("year >= 1960")?;
    let found = albums
        .search(&[0.1, 0.9, 0.0])
        .limit(5)
        .filter(filter)
        .with_metadata(true)
        .run()?;
    for hit in &found.results[0] {
        println!(
            "{} {:.3} {}",
            hit.id,
            hit.score,
            hit.metadata.as_ref().map_or("", Metadata::as_str)
        );
    }
    // README end
    assert_eq!(found.results[0].len(), 1);
    Ok(())
}

/// Without white space, and without the commas that rustfmt adds at the ends of lines.
fn essence(text: &str) -> String {
    text.split_whitespace()
        .collect::<String>()
        .replace(",)", ")")
        .replace(",]", "]")
}

#[test]
fn the_readme_shows_what_is_run_here() {
    let readme = include_str!("../../README.md");
    let shown = readme
        .split("```rust")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let this = include_str!("readme.rs");
    let mut parts = this.split("// README ").skip(1);
    let run = parts
        .next()
        .and_then(|rest| rest.strip_prefix("begin"))
        .unwrap();
    assert_eq!(essence(shown), essence(run));
}

#[test]
fn the_readme_example_runs_and_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    std::env::set_current_dir(folder.path()).unwrap();
    example().unwrap();
    example().unwrap();
}
