//! Two targets for measuring doors, of use to `nearfield ladder` and to nobody's data:
//! `null:` answers at once and keeps nothing (`null:SOCKET` lets guests in), and `timed:FILE:TARGET` opens TARGET and writes to
//! FILE, when it is closed, what each call took behind the door.

mod null;
mod timed;

use std::path::PathBuf;
use std::sync::Arc;

use nearfield_model::{Result, Service};

use crate::database::Builder;

/// Opens a target for measuring; `None` if it is another one.
pub(crate) fn open(builder: &Builder) -> Result<Option<Arc<dyn Service>>> {
    if let Some(socket) = builder.target().strip_prefix("null:") {
        return null::open(socket).map(Some);
    }
    let rest = builder.target().strip_prefix("timed:");
    let Some((file, target)) = rest.and_then(|rest| rest.split_once(':')) else {
        return Ok(None);
    };
    let inner = builder.with_target(target).open()?.service();
    let timed = timed::Timed::new(inner, PathBuf::from(file));
    Ok(Some(Arc::new(timed)))
}

#[cfg(test)]
mod tests {
    use nearfield_model::{Batch, ErrorKind, Metric};

    #[test]
    fn calls_are_timed_until_the_store_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls");
        let target = format!("timed:{}:null:", file.display());
        let database = crate::connect(&target).unwrap();
        let collection = database.create_collection("a", 2, Metric::Dot).unwrap();
        collection
            .upsert(Batch::new([1], &[0.0, 1.0]))
            .run()
            .unwrap();
        let found = collection.search(&[0.0, 1.0]).limit(3).run().unwrap();
        assert_eq!(found.results[0].len(), 3);
        assert_eq!(collection.count().run().unwrap().count, 0);
        assert!(!file.exists());
        drop((database, collection));
        let text = std::fs::read_to_string(file).unwrap();
        let verbs = text.lines().map(|line| line.split_once(' ').unwrap());
        let verbs: Vec<(&str, u64)> = verbs
            .map(|(verb, ns)| (verb, ns.parse().unwrap()))
            .collect();
        let names: Vec<&str> = verbs.iter().map(|(verb, _)| *verb).collect();
        assert_eq!(names, ["create_collection", "upsert", "search", "count"]);
    }

    #[test]
    fn nothing_is_a_store_that_knows_its_collections() {
        let database = crate::connect("null:").unwrap();
        database.create_collection("a", 2, Metric::Dot).unwrap();
        let again = database.create_collection("a", 2, Metric::Dot).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        assert_eq!(
            database
                .collection("a")
                .unwrap()
                .describe()
                .unwrap()
                .dimension,
            2
        );
        let missing = database.collection("b").unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
}
