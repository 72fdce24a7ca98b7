//! Requests that are sent more than once borrow what is large.

use super::{Delete, Get, Request, Search, Selection, UpdateMetadata, Upsert};

impl Request<'_> {
    /// The same request, with its ids, vectors and metadata column borrowed.
    pub fn borrowed(&self) -> Request<'_> {
        match self {
            Request::CreateCollection(r) => Request::CreateCollection(r.clone()),
            Request::DropCollection(r) => Request::DropCollection(r.clone()),
            Request::ListCollections(r) => Request::ListCollections(*r),
            Request::DescribeCollection(r) => Request::DescribeCollection(r.clone()),
            Request::Upsert(r) => Request::Upsert(Upsert {
                collection: r.collection.clone(),
                batch: r.batch.borrowed(),
                durability: r.durability,
            }),
            Request::Get(r) => Request::Get(Get {
                collection: r.collection.clone(),
                ids: r.ids.borrowed(),
                with_vectors: r.with_vectors,
                with_metadata: r.with_metadata,
            }),
            Request::Delete(r) => Request::Delete(Delete {
                collection: r.collection.clone(),
                selection: r.selection.borrowed(),
                durability: r.durability,
            }),
            Request::UpdateMetadata(r) => Request::UpdateMetadata(UpdateMetadata {
                collection: r.collection.clone(),
                selection: r.selection.borrowed(),
                patch: r.patch.clone(),
                durability: r.durability,
            }),
            Request::Search(r) => Request::Search(Search {
                collection: r.collection.clone(),
                vectors: r.vectors.borrowed(),
                limit: r.limit,
                filter: r.filter.clone(),
                recall: r.recall,
                probes: r.probes,
                rerank: r.rerank,
                explain: r.explain,
                with_metadata: r.with_metadata,
                with_vectors: r.with_vectors,
            }),
            Request::Scan(r) => Request::Scan(r.clone()),
            Request::Count(r) => Request::Count(r.clone()),
            Request::Flush(r) => Request::Flush(r.clone()),
            Request::Compact(r) => Request::Compact(r.clone()),
            Request::Snapshot(r) => Request::Snapshot(r.clone()),
        }
    }
}

impl Selection<'_> {
    fn borrowed(&self) -> Selection<'_> {
        match self {
            Selection::Ids(ids) => Selection::Ids(ids.borrowed()),
            Selection::Filter(filter) => Selection::Filter(filter.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::{Batch, Filter, ListCollections, Metadata};

    #[test]
    fn what_is_borrowed_is_the_same_and_copies_no_vectors() {
        let filter = Filter::parse("year > 1960").unwrap();
        let patch = Metadata::parse(r#"{"a": 1}"#).unwrap();
        let requests: [Request<'_>; 6] = [
            Upsert::new("docs", Batch::from_values([1, 2], vec![0.5; 4])).into(),
            Get::new("docs", ["a"]).with_vectors(false).into(),
            Delete::new("docs", filter.clone()).into(),
            UpdateMetadata::new("docs", Selection::Ids([7].into()), patch).into(),
            Search::new("docs", &[1.0, 2.0])
                .filter(filter)
                .limit(3)
                .into(),
            ListCollections {}.into(),
        ];
        for request in &requests {
            assert_eq!(request.borrowed(), *request);
        }
        let Request::Upsert(upsert) = requests[0].borrowed() else {
            panic!("another verb");
        };
        assert!(matches!(upsert.batch.values, Cow::Borrowed(_)));
    }
}
