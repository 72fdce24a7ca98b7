//! Stores and searches through whichever door the target names: a path, or a server.
//!
//! ```sh
//! nearfield serve ./data &
//! cargo run -p nearfield --features http --example remote -- http://127.0.0.1:6327
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use std::time::Duration;

use nearfield::{Batch, Builder, Context, Metric, Stage};

fn main() -> nearfield::Result<()> {
    let target = std::env::args().nth(1).unwrap_or(":memory:".to_owned());
    let mut builder = Builder::new(&target).timeout(Duration::from_secs(10));
    if let Ok(key) = std::env::var("NEARFIELD_API_KEY") {
        builder = builder.api_key(key);
    }
    let db = builder.open()?;

    let points = db.open_or_create_collection("example", 4, Metric::Euclidean)?;
    let ids: Vec<u64> = (0..1_000).collect();
    let values: Vec<f32> = ids
        .iter()
        .flat_map(|id| [*id as f32, 0.0, 1.0, 2.0])
        .collect();
    points.upsert(Batch::from_values(ids, values)).run()?;

    // Where the time of a call went, on both sides.
    let mut context = Context::with_timeout(Duration::from_secs(1));
    let search = points.search(&[7.2, 0.0, 1.0, 2.0]).limit(3);
    for hit in &search.run_with(&mut context)?.results[0] {
        println!("{} at distance {:.2}", hit.id, hit.score);
    }
    for stage in Stage::ALL {
        println!("{:>14} {:?}", stage.as_str(), context.stages.get(stage));
    }
    Ok(())
}
