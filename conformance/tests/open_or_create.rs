//! Collections are opened or made through HTTP as in the program, and a key that may not make them
//! may open them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use nearfield::{Builder, CreateCollection, ErrorKind, Metric, Rights, Storage};
use nearfield_http::server::{Server, Settings, create_key};

fn asked() -> CreateCollection {
    CreateCollection::new("docs", 2, Metric::Dot)
        .storage(Storage::F16)
        .unindexed_fields(["text"])
}

#[test]
fn a_key_opens_what_it_may_not_make() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::default();
    settings.listen = "127.0.0.1:0".to_owned();
    settings.keys = Some(folder.path().join("keys"));
    let (admin, first) = create_key("admin", Rights::Admin).unwrap();
    let (reader, second) = create_key("reader", Rights::Read).unwrap();
    std::fs::write(folder.path().join("keys"), format!("{first}\n{second}\n")).unwrap();
    let store = nearfield::connect(":memory:").unwrap();
    let server = Server::start(store.service(), settings).unwrap();
    for json in [true, false] {
        let target = format!("http://{}", server.local_addr());
        let open = |key: &str| {
            Builder::new(&target)
                .json(json)
                .api_key(key)
                .open()
                .unwrap()
        };
        let (admin, reader) = (open(&admin), open(&reader));

        let kept_out = reader.open_or_create(asked()).unwrap_err();
        assert_eq!(kept_out.kind(), ErrorKind::Forbidden, "{kept_out}");
        for _ in 0..2 {
            admin.open_or_create(asked()).unwrap();
        }
        let docs = reader.open_or_create(asked()).unwrap();
        assert_eq!(docs.count().run().unwrap().count, 0);
        let other = reader.open_or_create(asked().storage(Storage::F32));
        let other = other.unwrap_err();
        assert_eq!(other.kind(), ErrorKind::AlreadyExists, "{other}");
        assert_eq!(other.field(), Some("storage"));
        admin.drop_collection("docs").unwrap();
    }
}
