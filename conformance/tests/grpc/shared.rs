//! Many threads over one client.

use nearfield::{Batch, Context, Durability, Filter, Metric, Search, Service, Upsert};

use crate::server::Server;

#[test]
fn threads_share_a_connection_and_each_gets_its_own_answer() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 40;
    let store = nearfield::connect(":memory:").unwrap();
    let docs = store
        .create_collection("docs", 4, Metric::Euclidean)
        .unwrap();
    let server = Server::start(store.service());
    let client = server.client();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let id = thread * ROUNDS + round;
                    let vector = [thread as f32, round as f32, 0.0, 1.0];
                    let context = Context::default();
                    let upsert = Upsert::new("docs", Batch::from_values(vec![id], vector.into()));
                    client
                        .call(&context, upsert.durability(Durability::Os).into())
                        .unwrap();
                    let search = Search::new("docs", &vector).limit(1);
                    let found = client.call(&context, search.into()).unwrap();
                    let found = nearfield::Found::try_from(found).unwrap();
                    assert_eq!(found.results[0][0].id, id.into());
                    assert_eq!(found.results[0][0].score, 0.0);
                }
            });
        }
    });
    assert_eq!(docs.count().run().unwrap().count, THREADS * ROUNDS);
}

#[test]
fn answers_hold_vectors_and_metadata_bit_by_bit() {
    let store = nearfield::connect(":memory:").unwrap();
    store.create_collection("docs", 3, Metric::Dot).unwrap();
    let server = Server::start(store.service());
    let through = nearfield::Database::over(std::sync::Arc::new(server.client())).unwrap();
    let docs = through.collection("docs").unwrap();
    let values = [f32::MIN_POSITIVE, -0.0, 1e-40, 0.1, f32::MAX, -1.5];
    let rows = ["{\"a\": [1, \"\u{e4}\"]}", ""];
    let column = nearfield::MetadataColumn::from_texts(&rows).unwrap();
    docs.upsert(Batch::new(["x", "y"], &values).metadata(column))
        .run()
        .unwrap();
    let points = docs.get(["y", "nobody", "x"]).run().unwrap().points;
    let bits = |vector: &[f32]| vector.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let vector = |row: usize| points[row].as_ref().unwrap().vector.as_deref().unwrap();
    assert_eq!(bits(vector(0)), bits(&values[3..]));
    assert!(points[1].is_none());
    assert_eq!(bits(vector(2)), bits(&values[..3]));
    let metadata = |row: usize| points[row].as_ref().unwrap().metadata.as_ref();
    assert_eq!(metadata(2).unwrap().as_str(), rows[0]);
    assert!(metadata(0).is_none());
    let filter = Filter::parse("a = 'ä'").unwrap();
    assert_eq!(docs.count().filter(filter).run().unwrap().count, 1);
}
