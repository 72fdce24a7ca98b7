//! Laws of the JSON codec, on arbitrary requests and responses.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::filter::arbitrary::{filter, metadata, text};
use crate::*;

fn id() -> impl Strategy<Value = Id> {
    prop_oneof![
        any::<u64>().prop_map(Id::from),
        any::<[u8; 16]>().prop_map(|bytes| Id::from(Uuid::from_bytes(bytes))),
        text().prop_map(Id::from),
    ]
}

fn ids() -> impl Strategy<Value = Ids<'static>> {
    prop_oneof![
        vec(any::<u64>(), 0..5).prop_map(Ids::from),
        vec(id(), 0..5).prop_map(Ids::from)
    ]
}

fn component() -> impl Strategy<Value = f32> {
    any::<u32>()
        .prop_map(f32::from_bits)
        .prop_filter("finite", |value| value.is_finite())
}

fn object() -> impl Strategy<Value = Metadata> {
    metadata().prop_map(|json| Metadata::try_from(json).unwrap())
}

fn vectors() -> impl Strategy<Value = Vectors<'static>> {
    (1..4_usize, 1..4_usize).prop_flat_map(|(rows, dimension)| {
        vec(component(), rows * dimension)
            .prop_map(move |values| Vectors::new(values, dimension).unwrap())
    })
}

fn batch() -> impl Strategy<Value = Batch<'static>> {
    let rows = option::of(vec(option::of(object()), 0..5));
    (ids(), 0..3_usize, rows).prop_flat_map(|(ids, dimension, rows)| {
        vec(component(), ids.len() * dimension).prop_map(move |values| Batch {
            ids: ids.clone(),
            values: values.into(),
            metadata: rows
                .as_ref()
                .map(|rows| rows.iter().map(Option::as_ref).collect()),
        })
    })
}

fn selection() -> impl Strategy<Value = Selection<'static>> {
    prop_oneof![
        ids().prop_map(Selection::Ids),
        filter().prop_map(|filter| Selection::Filter(filter.normalized()))
    ]
}

fn durability() -> impl Strategy<Value = Durability> {
    prop::sample::select(vec![Durability::Sync, Durability::Os])
}

fn some_filter() -> impl Strategy<Value = Option<Filter>> {
    option::of(filter().prop_map(Filter::normalized))
}

pub(super) fn request() -> impl Strategy<Value = Request<'static>> {
    let name = text;
    let flags = any::<(bool, bool)>;
    prop_oneof![
        (name(), any::<usize>(), vec(text(), 0..3)).prop_map(|(name, dimension, fields)| {
            CreateCollection::new(name, dimension, Metric::Euclidean)
                .storage(Storage::F16)
                .unindexed_fields(fields)
                .into()
        }),
        name().prop_map(|name| DropCollection::new(name).into()),
        Just(ListCollections {}.into()),
        name().prop_map(|name| DescribeCollection::new(name).into()),
        (name(), batch(), durability()).prop_map(|(name, batch, durability)| {
            Upsert::new(name, batch).durability(durability).into()
        }),
        (name(), ids(), flags()).prop_map(|(name, ids, (vectors, metadata))| {
            Get::new(name, ids)
                .with_vectors(vectors)
                .with_metadata(metadata)
                .into()
        }),
        (name(), selection(), durability()).prop_map(|(name, selection, durability)| {
            Delete::new(name, selection).durability(durability).into()
        }),
        (name(), selection(), object(), durability()).prop_map(
            |(name, selection, patch, durability)| {
                UpdateMetadata::new(name, selection, patch)
                    .durability(durability)
                    .into()
            }
        ),
        (
            name(),
            vectors(),
            any::<usize>(),
            some_filter(),
            component(),
            (option::of(any::<usize>()), option::of(any::<usize>())),
            (any::<bool>(), flags())
        )
            .prop_map(
                |(name, vectors, limit, filter, recall, knobs, (explain, flags))| {
                    let (metadata, with_vectors) = flags;
                    let mut search = Search::new(name, vectors)
                        .limit(limit)
                        .explain(explain)
                        .with_metadata(metadata)
                        .with_vectors(with_vectors);
                    search.filter = filter;
                    search.recall = recall;
                    (search.probes, search.rerank) = knobs;
                    search.into()
                }
            ),
        (
            name(),
            any::<usize>(),
            option::of(any::<u64>()),
            some_filter(),
            flags()
        )
            .prop_map(|(name, limit, cursor, filter, (metadata, vectors))| {
                let mut scan = Scan::new(name)
                    .limit(limit)
                    .cursor(cursor.map(Cursor))
                    .with_metadata(metadata)
                    .with_vectors(vectors);
                scan.filter = filter;
                scan.into()
            }),
        (name(), some_filter())
            .prop_map(|(collection, filter)| Count { collection, filter }.into()),
        name().prop_map(|name| Flush::new(name).into()),
        name().prop_map(|name| Compact::new(name).into()),
        (name(), option::of(text())).prop_map(|(collection, destination)| {
            Snapshot {
                collection,
                destination,
            }
            .into()
        }),
    ]
}

fn hit() -> impl Strategy<Value = Hit> {
    let score = prop_oneof![
        9 => component(),
        1 => prop::sample::select(vec![f32::INFINITY, f32::NEG_INFINITY]),
    ];
    (
        id(),
        score,
        option::of(object()),
        option::of(vec(component(), 0..4)),
    )
        .prop_map(|(id, score, metadata, vector)| Hit {
            id,
            score,
            metadata,
            vector,
        })
}

fn point() -> impl Strategy<Value = Point> {
    (
        id(),
        option::of(vec(component(), 0..4)),
        option::of(object()),
    )
        .prop_map(|(id, vector, metadata)| Point {
            id,
            vector,
            metadata,
        })
}

fn explanation() -> impl Strategy<Value = Explanation> {
    let plan = prop::sample::select(vec![
        Plan::ExactAll,
        Plan::Exact,
        Plan::Codes,
        Plan::Lists,
        Plan::ListedRows,
    ]);
    let stage = (text(), 0.0..1e9).prop_map(|(name, us)| SearchStage { name, us });
    let counts = any::<[u64; 8]>();
    let stages = vec(stage, 0..3);
    (plan, option::of(any::<u64>()), counts, component(), stages).prop_map(
        |(plan, matching, counts, epsilon, stages)| Explanation {
            plan,
            matching,
            rows_scanned: counts[0],
            rows_compared: counts[1],
            rows_refined: counts[7],
            lists_probed: counts[2],
            lists: counts[3],
            segments: counts[4],
            tail_rows: counts[5],
            epsilon,
            probes: counts[6],
            stages,
        },
    )
}

fn calibration() -> impl Strategy<Value = Calibration> {
    (any::<[u64; 2]>(), component(), component(), component()).prop_map(
        |([limit, probes], recall, epsilon, measured)| Calibration {
            limit,
            recall,
            probes,
            epsilon,
            measured,
        },
    )
}

fn index() -> impl Strategy<Value = IndexDescription> {
    let counts = any::<[u64; 8]>();
    (counts, vec(calibration(), 0..3), option::of(text())).prop_map(
        |(counts, calibration, fault)| IndexDescription {
            epoch: counts[0],
            lists: counts[1],
            trained_rows: counts[2],
            rows: counts[3],
            dead_rows: counts[4],
            older_epoch_rows: counts[5],
            segments: counts[6],
            bytes: counts[7],
            calibration,
            settled: counts[0] % 2 == 1,
            fault,
        },
    )
}

fn description() -> impl Strategy<Value = Description> {
    let field =
        (text(), any::<u64>(), option::of(any::<u64>())).prop_map(|(field, rows, distinct)| {
            FieldDescription {
                field,
                rows,
                distinct,
            }
        });
    let counts = any::<[u64; 10]>();
    let damage = option::of(text());
    (
        text(),
        counts,
        damage,
        option::of(index()),
        vec(field, 0..3),
    )
        .prop_map(|(collection, counts, damage, index, fields)| Description {
            collection,
            dimension: 3,
            metric: Metric::Dot,
            storage: Storage::F16,
            unindexed_fields: Vec::new(),
            count: counts[0],
            unindexed: counts[1],
            unencoded: counts[2],
            sequence: counts[3],
            synced: counts[4],
            log_files: counts[5],
            log_bytes: counts[6],
            dead_rows: counts[7],
            memory_bytes: counts[8],
            damage,
            write_delay_us: counts[9],
            index,
            fields,
        })
}

pub(super) fn response() -> impl Strategy<Value = Response> {
    prop_oneof![
        text().prop_map(|collection| Response::CreateCollection(Created { collection })),
        text().prop_map(|collection| Response::DropCollection(Dropped { collection })),
        vec(text(), 0..3).prop_map(|collections| Response::ListCollections(Listed { collections })),
        any::<(u64, u64)>()
            .prop_map(|(upserted, sequence)| Response::Upsert(Upserted { upserted, sequence })),
        vec(option::of(point()), 0..4).prop_map(|points| Response::Get(Got { points })),
        (vec(vec(hit(), 0..3), 0..3), option::of(explanation()))
            .prop_map(|(results, explained)| Response::Search(Found { results, explained })),
        description().prop_map(Response::DescribeCollection),
        (vec(point(), 0..3), option::of(any::<u64>())).prop_map(|(points, next)| {
            Response::Scan(Scanned {
                points,
                next: next.map(Cursor),
            })
        }),
        any::<u64>().prop_map(|count| Response::Count(Counted { count })),
        (text(), any::<[u64; 3]>()).prop_map(|(path, [sequence, count, bytes])| {
            Response::Snapshot(SnapshotTaken {
                path,
                sequence,
                count,
                bytes,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn requests_are_read_back(request in request()) {
        let json = request_to_json(&request).unwrap();
        prop_assert_eq!(&request_from_json(&json).unwrap(), &request);
        let collection = match &request {
            Request::Search(search) => search.collection.clone(),
            Request::Upsert(upsert) => upsert.collection.clone(),
            Request::ListCollections(_) => String::new(),
            _ => return Ok(()),
        };
        let body = request_to_body(&request).unwrap();
        prop_assert_eq!(&request_from_body(request.verb(), &collection, &body).unwrap(), &request);
    }

    #[test]
    fn responses_are_read_back(response in response()) {
        let json = response_to_json(&response).unwrap();
        prop_assert_eq!(response_from_json(&json).unwrap(), response);
    }

    #[test]
    fn errors_are_read_back(
        kind in prop::sample::select(ErrorKind::ALL.to_vec()),
        message in any::<String>(),
        row in option::of(any::<usize>()),
        field in option::of(any::<String>()),
    ) {
        let mut error = Error::new(kind, message);
        if let Some(row) = row {
            error = error.at_row(row);
        }
        if let Some(field) = field {
            error = error.in_field(field);
        }
        let json = error_to_json(&error);
        prop_assert_eq!(&error_from_json(&json).unwrap(), &error);
        prop_assert_eq!(response_from_json(&json).unwrap_err(), error);
    }

    #[test]
    fn components_are_rounded_once(value in component(), digits in 0..25_usize) {
        let text = format!("{value:.digits$e}");
        let json = format!(r#"{{"search": {{"collection": "a", "vectors": [{text}]}}}}"#);
        let expected: f32 = text.parse().unwrap();
        match request_from_json(&json) {
            Ok(Request::Search(search)) => prop_assert_eq!(search.vectors.values(), &[expected]),
            Ok(_) => prop_assert!(false),
            Err(_) => prop_assert!(expected.is_infinite()),
        }
    }
}
