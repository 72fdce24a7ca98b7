//! The plainest store: vectors of points, compared one by one. It shows what the model
//! means, and is an oracle for engines; it is neither fast nor durable.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use nearfield_model::filter::Matcher;
use nearfield_model::*;

/// A store of lists.
#[derive(Debug, Default)]
pub struct Naive(Mutex<Store>);

#[derive(Debug, Default)]
struct Store {
    collections: BTreeMap<String, Contents>,
}

#[derive(Debug)]
struct Contents {
    schema: CreateCollection,
    /// In the order in which they were last written.
    points: Vec<Row>,
    sequence: u64,
    written: u64,
}

#[derive(Clone, Debug)]
struct Row {
    id: Id,
    vector: Vec<f32>,
    metadata: Option<Metadata>,
    /// Counts writes of points; what cursors hold.
    place: u64,
}

impl Service for Naive {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        context.check()?;
        context.require(request.right())?;
        request.check()?;
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match request {
            Request::CreateCollection(create) => Response::CreateCollection(store.create(create)?),
            Request::DropCollection(DropCollection { collection }) => {
                store.find(&collection)?;
                store.collections.remove(&collection);
                Response::DropCollection(Dropped { collection })
            }
            Request::ListCollections(_) => Response::ListCollections(Listed {
                collections: store.collections.keys().cloned().collect(),
            }),
            Request::DescribeCollection(describe) => {
                Response::DescribeCollection(store.find(&describe.collection)?.describe())
            }
            Request::Upsert(upsert) => {
                Response::Upsert(store.find(&upsert.collection)?.upsert(&upsert.batch)?)
            }
            Request::Get(get) => Response::Get(store.find(&get.collection)?.get(&get)),
            Request::Delete(delete) => {
                let contents = store.find(&delete.collection)?;
                let before = contents.points.len();
                contents
                    .points
                    .retain(|row| !row.is_among(&delete.selection));
                contents.sequence += 1;
                Response::Delete(Deleted {
                    deleted: (before - contents.points.len()) as u64,
                    sequence: contents.sequence,
                })
            }
            Request::UpdateMetadata(update) => {
                Response::UpdateMetadata(store.find(&update.collection)?.update(&update)?)
            }
            Request::Search(search) => {
                Response::Search(store.find(&search.collection)?.search(&search)?)
            }
            Request::Scan(scan) => Response::Scan(store.find(&scan.collection)?.scan(&scan)),
            Request::Count(count) => {
                let contents = store.find(&count.collection)?;
                let matching = contents
                    .points
                    .iter()
                    .filter(|row| row.passes(&count.filter));
                Response::Count(Counted {
                    count: matching.count() as u64,
                })
            }
            Request::Flush(flush) => Response::Flush(Flushed {
                sequence: store.find(&flush.collection)?.sequence,
            }),
            Request::Compact(compact) => {
                store.find(&compact.collection)?;
                Response::Compact(Compacted {
                    files: 0,
                    bytes_before: 0,
                    bytes_after: 0,
                })
            }
            Request::Snapshot(snapshot) => {
                let contents = store.find(&snapshot.collection)?;
                Response::Snapshot(SnapshotTaken {
                    path: snapshot.destination.unwrap_or_default(),
                    sequence: contents.sequence,
                    count: contents.points.len() as u64,
                    bytes: 0,
                })
            }
        })
    }
}

impl Store {
    fn find(&mut self, name: &str) -> Result<&mut Contents> {
        self.collections.get_mut(name).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no collection {name}"),
            )
        })
    }

    fn create(&mut self, schema: CreateCollection) -> Result<Created> {
        let collection = schema.collection.clone();
        if self.collections.contains_key(&collection) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("{collection} exists"),
            ));
        }
        let contents = Contents {
            schema,
            points: Vec::new(),
            sequence: 0,
            written: 0,
        };
        self.collections.insert(collection.clone(), contents);
        Ok(Created { collection })
    }
}

impl Row {
    fn passes(&self, filter: &Option<Filter>) -> bool {
        let text = self.metadata.as_ref().map(Metadata::as_str);
        filter
            .as_ref()
            .is_none_or(|filter| Matcher::new(filter).matches(text))
    }

    fn is_among(&self, selection: &Selection<'_>) -> bool {
        match selection {
            Selection::Ids(ids) => ids.iter().any(|id| id == self.id.as_ref()),
            Selection::Filter(filter) => {
                filter.matches(self.metadata.as_ref().map(Metadata::as_str))
            }
        }
    }

    fn to_point(&self, with_vectors: bool, with_metadata: bool) -> Point {
        Point {
            id: self.id.clone(),
            vector: with_vectors.then(|| self.vector.clone()),
            metadata: self.metadata.clone().filter(|_| with_metadata),
        }
    }
}

impl Contents {
    fn describe(&self) -> Description {
        Description {
            count: self.points.len() as u64,
            unindexed: self.points.len() as u64,
            sequence: self.sequence,
            synced: self.sequence,
            ..Description::empty(self.schema.clone())
        }
    }

    /// Refuses vectors that the collection cannot hold or compare.
    fn check(&self, vectors: &[f32], rows: usize) -> Result<()> {
        let dimension = self.schema.dimension;
        if vectors.len() != rows * dimension {
            return Err(
                Error::invalid(format!("the collection has {dimension} dimensions"))
                    .in_field("vectors"),
            );
        }
        for (row, vector) in vectors.chunks_exact(dimension).enumerate() {
            let fault = if !vector.iter().all(|component| component.is_finite()) {
                "a component is not finite"
            } else if self.schema.metric == Metric::Cosine && vector.iter().all(|c| *c == 0.0) {
                "a vector is zero, which has no cosine"
            } else {
                continue;
            };
            return Err(Error::invalid(fault).at_row(row).in_field("vectors"));
        }
        Ok(())
    }

    /// The components as they are stored.
    fn stored(&self, row: usize, vector: &[f32]) -> Result<Vec<f32>> {
        if self.schema.storage == Storage::F32 {
            return Ok(vector.to_vec());
        }
        let rounded: Vec<f32> = vector
            .iter()
            .map(|component| half::f16::from_f32(*component).to_f32())
            .collect();
        match rounded.iter().all(|component| component.is_finite()) {
            true => Ok(rounded),
            false => Err(Error::invalid("a component is beyond the range of f16")
                .at_row(row)
                .in_field("vectors")),
        }
    }

    fn upsert(&mut self, batch: &Batch<'_>) -> Result<Upserted> {
        self.check(&batch.values, batch.len())?;
        batch.check_metadata()?;
        let mut rows = Vec::new();
        for (row, vector) in batch.values.chunks_exact(self.schema.dimension).enumerate() {
            let stored = self.stored(row, vector)?;
            self.check(&stored, 1).map_err(|error| error.at_row(row))?;
            let metadata = batch.metadata.as_ref().and_then(|column| column.get(row));
            rows.extend(batch.ids.get(row).map(|id| Row {
                id: id.to_id(),
                vector: stored,
                metadata: metadata.map(Metadata::from_checked),
                place: 0,
            }));
        }
        self.sequence += 1;
        for mut row in rows {
            self.written += 1;
            row.place = self.written;
            self.points.retain(|other| other.id != row.id);
            self.points.push(row);
        }
        Ok(Upserted {
            upserted: batch.len() as u64,
            sequence: self.sequence,
        })
    }

    fn update(&mut self, update: &UpdateMetadata<'_>) -> Result<MetadataUpdated> {
        let (selected, mut points): (Vec<Row>, Vec<Row>) = self
            .points
            .iter()
            .cloned()
            .partition(|row| row.is_among(&update.selection));
        let updated = selected.len() as u64;
        for (row, place) in selected.into_iter().zip(self.written + 1..) {
            let before = row.metadata.clone();
            let before = before.unwrap_or_else(|| Metadata::from_checked("{}"));
            let metadata = Some(before.merged(&update.patch)?);
            points.push(Row {
                metadata,
                place,
                ..row
            });
        }
        self.points = points;
        self.written += updated;
        self.sequence += 1;
        Ok(MetadataUpdated {
            updated,
            sequence: self.sequence,
        })
    }

    fn get(&self, get: &Get<'_>) -> Got {
        let find = |id| self.points.iter().find(|row| row.id.as_ref() == id);
        let points = get
            .ids
            .iter()
            .map(|id| find(id).map(|row| row.to_point(get.with_vectors, get.with_metadata)));
        Got {
            points: points.collect(),
        }
    }

    fn search(&self, search: &Search<'_>) -> Result<Found> {
        self.check(search.vectors.values(), search.vectors.len())?;
        let results = search.vectors.rows().map(|wanted| {
            let mut hits: Vec<Hit> = self
                .points
                .iter()
                .filter(|row| row.passes(&search.filter))
                .map(|row| Hit {
                    id: row.id.clone(),
                    score: score(self.schema.metric, wanted, &row.vector),
                    metadata: row.metadata.clone().filter(|_| search.with_metadata),
                    vector: search.with_vectors.then(|| row.vector.clone()),
                })
                .collect();
            hits.sort_by(|a, b| {
                let rising = a.score.total_cmp(&b.score);
                let nearer = match self.schema.metric.larger_is_nearer() {
                    true => rising.reverse(),
                    false => rising,
                };
                nearer.then_with(|| a.id.cmp(&b.id))
            });
            hits.truncate(search.limit);
            hits
        });
        let passing = self.points.iter().filter(|row| row.passes(&search.filter));
        let rows = passing.count() as u64;
        let explained = Explanation {
            plan: match search.filter {
                Some(_) => Plan::Exact,
                None => Plan::ExactAll,
            },
            matching: search.filter.as_ref().map(|_| rows),
            rows_compared: rows * search.vectors.len() as u64,
            tail_rows: rows,
            ..Explanation::default()
        };
        Ok(Found {
            results: results.collect(),
            explained: search.explain.then_some(explained),
        })
    }

    fn scan(&self, scan: &Scan) -> Scanned {
        let after = scan.cursor.map_or(0, |Cursor(place)| place);
        let mut rows = self
            .points
            .iter()
            .filter(|row| row.place > after && row.passes(&scan.filter));
        let page: Vec<&Row> = rows.by_ref().take(scan.limit).collect();
        let more = rows.next().is_some();
        Scanned {
            points: page
                .iter()
                .map(|row| row.to_point(scan.with_vectors, scan.with_metadata))
                .collect(),
            next: page.last().filter(|_| more).map(|row| Cursor(row.place)),
        }
    }
}

fn score(metric: Metric, a: &[f32], b: &[f32]) -> f32 {
    let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let dot: f64 = pairs().map(|(a, b)| a * b).sum();
    let norm = |vector: &[f32]| {
        vector
            .iter()
            .map(|component| f64::from(*component).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let score = match metric {
        Metric::Dot => dot,
        Metric::Cosine => (dot / norm(a) / norm(b)).clamp(-1.0, 1.0),
        Metric::Euclidean => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
    };
    // There is one zero, so that points at it are ordered by id.
    score as f32 + 0.0
}
