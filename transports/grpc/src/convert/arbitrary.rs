//! Arbitrary requests and responses for property tests.

use nearfield_model::filter::{Bound, Range};
use nearfield_model::{
    Batch, Calibration, Compact, Compacted, Count, Counted, CreateCollection, Created, Cursor,
    Delete, Deleted, DescribeCollection, Description, DropCollection, Dropped, Durability,
    Explanation, FieldDescription, Filter, Flush, Flushed, Found, Get, Got, Hit, Id, Ids,
    IndexDescription, ListCollections, Listed, Metadata, MetadataColumn, MetadataUpdated, Metric,
    Number, Plan, Point, Request, Response, Scan, Scanned, Search, SearchStage, Selection,
    Snapshot, SnapshotTaken, Storage, UpdateMetadata, Upsert, Upserted, Uuid, Value, Vectors,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn id() -> impl Strategy<Value = Id> {
    prop_oneof![
        any::<u64>().prop_map(Id::from),
        any::<[u8; 16]>().prop_map(|bytes| Id::from(Uuid::from_bytes(bytes))),
        ".{1,20}".prop_map(Id::from),
    ]
}

fn ids(rows: usize) -> impl Strategy<Value = Ids<'static>> {
    prop_oneof![
        vec(any::<u64>(), rows).prop_map(Ids::from),
        vec(id(), rows).prop_map(|ids| Ids::Mixed(ids.into())),
    ]
}

/// Finite, so that what is equal compares as equal.
fn values(count: usize) -> impl Strategy<Value = Vec<f32>> {
    vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL, count)
}

fn metadata() -> impl Strategy<Value = Option<Metadata>> {
    option::of((any::<String>(), any::<i64>()).prop_map(|(name, value)| {
        let mut members = serde_json::Map::new();
        members.insert(name, value.into());
        Metadata::try_from(serde_json::Value::Object(members)).unwrap()
    }))
}

fn column(rows: usize) -> impl Strategy<Value = MetadataColumn<'static>> {
    vec(metadata(), rows).prop_map(|rows| rows.iter().map(Option::as_ref).collect())
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        (-3_i64..4).prop_map(Number::from),
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(Value::Number),
        any::<String>().prop_map(Value::from),
    ]
}

fn bound() -> impl Strategy<Value = Option<Bound>> {
    let times = select(vec!["2024-05-01", "1969-12-31T23:59:59.25+02:00"]);
    option::of(prop_oneof![
        number().prop_map(Bound::Number),
        times.prop_map(|text| Bound::time(text).unwrap()),
    ])
}

fn filter() -> impl Strategy<Value = Filter> {
    let range = (bound(), bound(), bound(), bound());
    let leaf = prop_oneof![
        (any::<String>(), value()).prop_map(|(field, value)| Filter::eq(field, value)),
        (any::<String>(), vec(value(), 0..4)).prop_map(|(field, v)| Filter::one_of(field, v)),
        (any::<String>(), range).prop_map(|(field, (gt, gte, lt, lte))| {
            Filter::range(field, Range { gt, gte, lt, lte })
        }),
        any::<String>().prop_map(Filter::exists),
        (any::<String>(), any::<String>()).prop_map(|(field, text)| Filter::prefix(field, text)),
    ];
    leaf.prop_recursive(31, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Filter::All),
            vec(inner.clone(), 0..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn selection() -> impl Strategy<Value = Selection<'static>> {
    prop_oneof![
        (0..5_usize).prop_flat_map(ids).prop_map(Selection::Ids),
        filter().prop_map(Selection::Filter),
    ]
}

fn durability() -> impl Strategy<Value = Durability> {
    select(vec![Durability::Sync, Durability::Os])
}

fn metric() -> impl Strategy<Value = Metric> {
    select(vec![Metric::Cosine, Metric::Dot, Metric::Euclidean])
}

fn storage() -> impl Strategy<Value = Storage> {
    select(vec![Storage::F32, Storage::F16])
}

fn upsert() -> impl Strategy<Value = Upsert<'static>> {
    let batch = (0..6_usize, 1..4_usize).prop_flat_map(|(rows, dimension)| {
        (
            ids(rows),
            values(rows * dimension),
            option::of(column(rows)),
        )
    });
    (any::<String>(), batch, durability()).prop_map(
        |(collection, (ids, values, metadata), durability)| Upsert {
            collection,
            batch: Batch {
                ids,
                values: values.into(),
                metadata,
            },
            durability,
        },
    )
}

fn search() -> impl Strategy<Value = Search<'static>> {
    let vectors = (0..4_usize, 1..4_usize).prop_flat_map(|(rows, dimension)| {
        values(rows * dimension).prop_map(move |values| Vectors::new(values, dimension).unwrap())
    });
    let numbers = (
        any::<usize>(),
        option::of(any::<usize>()),
        option::of(any::<usize>()),
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let recall = prop::num::f32::NORMAL;
    (
        any::<String>(),
        vectors,
        numbers,
        option::of(filter()),
        recall,
        flags,
    )
        .prop_map(
            |(collection, vectors, (limit, probes, rerank), filter, recall, flags)| Search {
                collection,
                vectors,
                limit,
                filter,
                recall,
                probes,
                rerank,
                explain: flags.0,
                with_metadata: flags.1,
                with_vectors: flags.2,
            },
        )
}

fn create() -> impl Strategy<Value = CreateCollection> {
    let names = vec(any::<String>(), 0..3);
    (any::<String>(), any::<usize>(), metric(), storage(), names).prop_map(
        |(collection, dimension, metric, storage, unindexed_fields)| CreateCollection {
            collection,
            dimension,
            metric,
            storage,
            unindexed_fields,
        },
    )
}

/// Requests of every verb.
pub(super) fn request() -> impl Strategy<Value = Request<'static>> {
    let name = any::<String>;
    let flags = || (any::<bool>(), any::<bool>());
    let patch = || metadata().prop_filter_map("some", |metadata| metadata);
    let get = (name(), (0..5_usize).prop_flat_map(ids), flags());
    let update = (name(), selection(), patch(), durability());
    let scan = (
        name(),
        any::<usize>(),
        option::of(any::<u64>().prop_map(Cursor)),
        option::of(filter()),
        flags(),
    );
    prop_oneof![
        create().prop_map(Request::CreateCollection),
        name().prop_map(|name| DropCollection::new(name).into()),
        Just(Request::ListCollections(ListCollections {})),
        name().prop_map(|name| DescribeCollection::new(name).into()),
        upsert().prop_map(Request::Upsert),
        get.prop_map(|(name, ids, (vectors, metadata))| {
            let get = Get::new(name, ids).with_vectors(vectors);
            get.with_metadata(metadata).into()
        }),
        (name(), selection(), durability())
            .prop_map(|(name, those, how)| Delete::new(name, those).durability(how).into()),
        update.prop_map(|(name, those, patch, how)| {
            UpdateMetadata::new(name, those, patch)
                .durability(how)
                .into()
        }),
        search().prop_map(Request::Search),
        scan.prop_map(|(collection, limit, cursor, filter, flags)| {
            Request::Scan(Scan {
                collection,
                limit,
                cursor,
                filter,
                with_vectors: flags.0,
                with_metadata: flags.1,
            })
        }),
        (name(), option::of(filter()))
            .prop_map(|(collection, filter)| { Request::Count(Count { collection, filter }) }),
        name().prop_map(|name| Flush::new(name).into()),
        name().prop_map(|name| Compact::new(name).into()),
        (name(), option::of(name())).prop_map(|(collection, destination)| {
            Request::Snapshot(Snapshot {
                collection,
                destination,
            })
        }),
    ]
}

fn points() -> impl Strategy<Value = Vec<Point>> {
    (1..4_usize).prop_flat_map(|dimension| {
        let point = (id(), option::of(values(dimension)), metadata());
        vec(
            point.prop_map(|(id, vector, metadata)| Point {
                id,
                vector,
                metadata,
            }),
            0..6,
        )
    })
}

fn found() -> impl Strategy<Value = Found> {
    let hits = (points(), vec(prop::num::f32::NORMAL, 6)).prop_map(|(points, scores)| {
        let hits = points.into_iter().zip(scores).map(|(point, score)| Hit {
            id: point.id,
            score,
            metadata: point.metadata,
            vector: point.vector,
        });
        hits.collect::<Vec<_>>()
    });
    (hits, vec(0..3_usize, 1..4), option::of(explanation())).prop_map(|(hits, cuts, explained)| {
        let mut hits = hits.into_iter();
        let mut results: Vec<Vec<Hit>> = cuts
            .into_iter()
            .map(|cut| hits.by_ref().take(cut).collect())
            .collect();
        results.push(hits.collect());
        Found { results, explained }
    })
}

fn explanation() -> impl Strategy<Value = Explanation> {
    let plans = vec![
        Plan::ExactAll,
        Plan::Exact,
        Plan::Codes,
        Plan::Lists,
        Plan::ListedRows,
    ];
    let numbers = any::<[u64; 8]>();
    let stage = (any::<String>(), prop::num::f64::NORMAL);
    (
        select(plans),
        option::of(any::<u64>()),
        numbers,
        prop::num::f32::NORMAL,
        vec(stage, 0..3),
    )
        .prop_map(|(plan, matching, n, epsilon, stages)| Explanation {
            plan,
            matching,
            rows_scanned: n[0],
            rows_refined: n[1],
            rows_compared: n[2],
            lists_probed: n[3],
            lists: n[4],
            segments: n[5],
            tail_rows: n[6],
            epsilon,
            probes: n[7],
            stages: stages
                .into_iter()
                .map(|(name, us)| SearchStage { name, us })
                .collect(),
        })
}

fn index() -> impl Strategy<Value = IndexDescription> {
    let floats = || [prop::num::f32::NORMAL; 3];
    let calibration = (any::<[u64; 2]>(), floats()).prop_map(|(n, f)| Calibration {
        limit: n[0],
        recall: f[0],
        probes: n[1],
        epsilon: f[1],
        measured: f[2],
    });
    let fault = option::of(any::<String>());
    (
        any::<[u64; 8]>(),
        any::<bool>(),
        vec(calibration, 0..3),
        fault,
    )
        .prop_map(|(n, settled, calibration, fault)| IndexDescription {
            epoch: n[0],
            lists: n[1],
            trained_rows: n[2],
            rows: n[3],
            dead_rows: n[4],
            older_epoch_rows: n[5],
            segments: n[6],
            bytes: n[7],
            settled,
            calibration,
            fault,
        })
}

fn description() -> impl Strategy<Value = Description> {
    let field = (any::<String>(), any::<u64>(), option::of(any::<u64>())).prop_map(
        |(field, rows, distinct)| FieldDescription {
            field,
            rows,
            distinct,
        },
    );
    (
        create(),
        any::<[u64; 10]>(),
        option::of(any::<String>()),
        option::of(index()),
        vec(field, 0..3),
    )
        .prop_map(|(schema, n, damage, index, fields)| Description {
            collection: schema.collection,
            dimension: schema.dimension,
            metric: schema.metric,
            storage: schema.storage,
            unindexed_fields: schema.unindexed_fields,
            count: n[0],
            unindexed: n[1],
            unencoded: n[2],
            sequence: n[3],
            synced: n[4],
            log_files: n[5],
            log_bytes: n[6],
            dead_rows: n[7],
            memory_bytes: n[8],
            damage,
            write_delay_us: n[9],
            index,
            fields,
        })
}

/// Responses of every verb.
pub(super) fn response() -> impl Strategy<Value = Response> {
    let name = any::<String>;
    let two = any::<(u64, u64)>;
    let gaps = vec(any::<bool>(), 0..10);
    prop_oneof![
        name().prop_map(|collection| Response::CreateCollection(Created { collection })),
        name().prop_map(|collection| Response::DropCollection(Dropped { collection })),
        vec(name(), 0..3).prop_map(|collections| Response::ListCollections(Listed { collections })),
        description().prop_map(Response::DescribeCollection),
        two().prop_map(|(upserted, sequence)| Response::Upsert(Upserted { upserted, sequence })),
        (points(), gaps).prop_map(|(points, gaps)| {
            let mut points = points.into_iter();
            let mut rows: Vec<Option<Point>> = Vec::new();
            for gap in gaps {
                rows.push(if gap { None } else { points.next() });
            }
            rows.extend(points.map(Some));
            Response::Get(Got { points: rows })
        }),
        two().prop_map(|(deleted, sequence)| Response::Delete(Deleted { deleted, sequence })),
        two().prop_map(|(updated, sequence)| {
            Response::UpdateMetadata(MetadataUpdated { updated, sequence })
        }),
        found().prop_map(Response::Search),
        (points(), option::of(any::<u64>().prop_map(Cursor)))
            .prop_map(|(points, next)| Response::Scan(Scanned { points, next })),
        any::<u64>().prop_map(|count| Response::Count(Counted { count })),
        any::<u64>().prop_map(|sequence| Response::Flush(Flushed { sequence })),
        any::<[u64; 3]>().prop_map(|n| Response::Compact(Compacted {
            files: n[0],
            bytes_before: n[1],
            bytes_after: n[2],
        })),
        (name(), any::<[u64; 3]>()).prop_map(|(path, n)| Response::Snapshot(SnapshotTaken {
            path,
            sequence: n[0],
            count: n[1],
            bytes: n[2],
        })),
    ]
}
