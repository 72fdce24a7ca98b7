//! Every command on a small store.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use common::{Place, npy};
use serde_json::{Value, json};

/// Three albums and a number.
fn albums() -> Place {
    let place = Place::new();
    place.write(
        "albums.jsonl",
        r#"{"id": "kind-of-blue", "vector": [1, 0, 0], "metadata": {"genre": "jazz", "year": 1959}}
{"id": "blue", "vector": [0, 1, 0], "metadata": {"genre": "folk", "year": 1971}}
{"id": "giant-steps", "vector": [0.9, 0.1, 0], "metadata": {"genre": "jazz", "year": 1960}}
{"id": 7, "vector": [0, 0, 1]}
"#,
    );
    place.ok(&["import", "data", "albums.jsonl", "--collection", "albums"]);
    place
}

fn ids(found: &Value) -> Vec<Value> {
    found["results"][0]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["id"].clone())
        .collect()
}

#[test]
fn search_by_vector_file_and_likeness() {
    let place = albums();
    let found = place.json(&["search", "data", "--vector", "1,0.05,0", "--limit", "2"]);
    assert_eq!(ids(&found), [json!("kind-of-blue"), json!("giant-steps")]);
    assert!(found["seconds"].is_number() && found["collection"] == "albums");
    assert_eq!(found["results"][0][0]["metadata"]["year"], 1959);
    assert_eq!(found["results"][0][0].get("vector"), None);

    let found = place.json(&[
        "search",
        "data",
        "--vector=-1, -0.05, 0",
        "--recall",
        "1",
        "--with-vectors",
    ]);
    assert_eq!(ids(&found).len(), 4);
    assert_eq!(ids(&found)[3], "kind-of-blue");
    assert_eq!(found["results"][0][3]["vector"], json!([1.0, 0.0, 0.0]));

    let found = place.json(&["search", "data", "--like", "kind-of-blue", "--limit", "1"]);
    assert_eq!(ids(&found), ["giant-steps"]);
    let found = place.json(&[
        "search",
        "data",
        "--like",
        "7",
        "--filter",
        "genre = 'folk' or year > 1990",
    ]);
    assert_eq!(ids(&found), ["blue"]);

    let text = place.ok(&["get", "data", "giant-steps", "--json"]);
    assert!(text.contains(r#""vector":[0.9,0.1,0.0]"#), "{text}");

    place.write("q.npy", npy(&[0., 0., 1., 0., 1., 0.], 3));
    let found = place.json(&["search", "data", "--vector-file", "q.npy", "--limit", "1"]);
    assert_eq!(found["results"][0][0]["id"], 7);
    assert_eq!(found["results"][1][0]["id"], "blue");

    let text = place.ok(&["search", "data", "--vector", "[1,0,0]"]);
    assert!(text.starts_with("id ") && text.contains("kind-of-blue") && text.contains("4 hits in"));
    assert!(text.contains(r#"{"genre": "jazz", "year": 1959}"#));
}

#[test]
fn a_search_explains_itself_if_asked() {
    let place = albums();
    let search = ["search", "data", "--vector", "1,0,0", "--limit", "2"];
    assert_eq!(place.json(&search).get("explained"), None);
    assert!(!place.ok(&search).contains("plan"));

    let explained = [
        &search[..],
        &["--explain", "--probes", "3", "--rerank", "9"],
    ]
    .concat();
    let found = place.json(&explained);
    assert_eq!(ids(&found), [json!("kind-of-blue"), json!("giant-steps")]);
    assert_eq!(found["explained"]["plan"], "exact_all");
    assert_eq!(found["explained"]["rows_compared"], 4);
    let text = place.ok(&explained);
    let (hits, table) = text.split_once("\n\n").unwrap();
    assert!(hits.contains("2 hits in"), "{text}");
    assert!(
        table.starts_with("plan      exact_all: every row exactly\n"),
        "{text}"
    );
    assert!(table.contains("compared  4 vectors\n"), "{text}");

    let filtered = [&search[..], &["--explain", "--filter", "year > 1959"]].concat();
    let found = place.json(&filtered);
    assert_eq!(found["explained"]["plan"], "exact");
    assert_eq!(found["explained"]["matching"], 2);
}

#[test]
fn search_refuses_what_cannot_be_found() {
    let place = albums();
    assert!(
        place
            .fails(1, &["search", "data", "--like", "9"])
            .contains("no point 9")
    );
    assert!(
        place
            .fails(1, &["search", "data", "--like", "7", "--string"])
            .contains("no point 7")
    );
    place.fails(1, &["search", "data", "--vector", "1,2"]);
    place.fails(1, &["search", "data", "--vector", "1,two,3"]);
    place.fails(1, &["search", "data", "--vector", "1,2,3", "--limit", "0"]);
    place.fails(1, &["search", "data", "--vector", "1,2,3", "--recall", "7"]);
    place.fails(1, &["search", "data", "--vector", "1,2,3", "--probes", "0"]);
    place.fails(1, &["search", "data", "--vector", "1,2,3", "--rerank", "0"]);
    place.fails(1, &["search", "data", "--vector-file", "nowhere.npy"]);
    place.write("broken.npy", "not an array");
    assert!(
        place
            .fails(1, &["search", "data", "--vector-file", "broken.npy"])
            .contains("broken.npy")
    );
}

#[test]
fn get_reads_points_and_exits_with_1_for_missing_ones() {
    let place = albums();
    let got = place.json(&["get", "data", "blue", "7"]);
    assert_eq!(
        got["points"],
        json!([
            {"id": "blue", "vector": [0.0, 1.0, 0.0], "metadata": {"genre": "folk", "year": 1971}},
            {"id": 7, "vector": [0.0, 0.0, 1.0]}
        ])
    );
    assert!(place.ok(&["get", "data", "blue"]).contains("[0, 1, 0]"));
    let answer = place.run(&["get", "data", "blue", "red", "--json"]);
    assert_eq!(answer.code, 1);
    let got: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(got["points"][1], Value::Null);
    let error: Value = serde_json::from_str(&answer.err).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("red"));
    place.fails(1, &["get", "data", "7", "--string"]);
}

#[test]
fn count_delete_and_compact() {
    let place = albums();
    assert_eq!(place.ok(&["count", "data"]), "4\n");
    assert_eq!(
        place.json(&["count", "data", "--filter", "genre = 'jazz'"])["count"],
        2
    );
    let deleted = place.json(&["delete", "data", "--filter", "genre = 'jazz'"]);
    assert_eq!(deleted, json!({"collection": "albums", "deleted": 2}));
    assert_eq!(place.json(&["delete", "data", "7", "nobody"])["deleted"], 1);
    assert_eq!(
        place.ok(&["delete", "data", "blue"]),
        "removed 1 point from albums\n"
    );
    assert_eq!(place.ok(&["count", "data"]), "0\n");
    let compacted = place.json(&["compact", "data"]);
    assert!(compacted["collections"][0]["bytes_after"].is_number());
    assert!(
        place
            .ok(&["compact", "data", "--collection", "albums"])
            .contains("albums")
    );
}

#[test]
fn info_and_list_tell_what_is_there() {
    let place = albums();
    place.ok(&[
        "create",
        "data",
        "songs",
        "--dimension",
        "8",
        "--metric",
        "dot",
        "--storage",
        "f16",
    ]);
    assert_eq!(
        place.json(&["list", "data"]),
        json!({"collections": ["albums", "songs"]})
    );
    let text = place.ok(&["list", "data"]);
    assert!(text.contains("albums") && !text.contains("euclidean") && text.contains("dot"));
    let info = place.json(&["info", "data"]);
    assert_eq!(info["collections"][0]["count"], 4);
    assert_eq!(info["collections"][1]["storage"], "f16");
    assert!(info["bytes"].as_u64().unwrap() > 0);
    let text = place.ok(&["info", "data", "--collection", "albums"]);
    assert!(
        text.contains("3 components, cosine, stored as f32") && text.contains("genre (2 values)")
    );
    place.fails(1, &["info", "data", "--collection", "nobody"]);
}

#[test]
fn collections_are_made_chosen_and_dropped() {
    let place = albums();
    place.ok(&[
        "create",
        "data",
        "songs",
        "-d",
        "8",
        "--unindexed-field",
        "lyrics",
    ]);
    assert!(
        place
            .fails(1, &["create", "data", "songs", "-d", "8"])
            .contains("hint: choose another name")
    );
    let error = place.fails(2, &["count", "data"]);
    assert!(error.contains("albums, songs"), "{error}");
    assert_eq!(place.ok(&["count", "data", "-c", "songs"]), "0\n");
    let mut command = place.command(&["count", "data"]);
    command.env("NEARFIELD_COLLECTION", "albums");
    assert_eq!(command.output().unwrap().stdout, b"4\n");
    assert_eq!(
        place.json(&["drop", "data", "albums"]),
        json!({"collection": "albums", "points": 4})
    );
    assert_eq!(place.ok(&["count", "data"]), "0\n");
    assert!(
        place
            .fails(1, &["drop", "data", "albums"])
            .contains("hint: `nearfield list data`")
    );
    place.ok(&["create", "data", "-c", "named", "-d", "8"]);
    place.ok(&["drop", "data", "--collection", "named"]);
    let error = place.fails(2, &["drop", "data"]);
    assert!(error.contains("drop [OPTIONS] <PATH> <NAME>"), "{error}");
    place.fails(2, &["drop", "data", "songs", "-c", "songs"]);
    place.ok(&["drop", "data", "songs"]);
    assert!(place.fails(2, &["count", "data"]).contains("no collection"));
    place.fails(1, &["create", "data", "a/b", "-d", "8"]);
    place.fails(1, &["create", "data", "zero", "-d", "0"]);
}

#[test]
fn snapshots_are_taken_and_restored() {
    let place = albums();
    let taken = place.json(&["snapshot", "data", "copy"]);
    assert_eq!(taken["count"], 4);
    assert!(place.path("copy").exists());
    assert!(
        place
            .fails(1, &["snapshot", "data", "copy"])
            .contains("exists")
    );
    assert_eq!(place.ok(&["count", "copy"]), "4\n");
    assert!(
        place
            .ok(&["snapshot", "data"])
            .contains("nearfield restore")
    );

    assert_eq!(
        place.json(&["restore", "copy", "data", "--as", "albums-of-monday"]),
        json!({"path": "data", "collection": "albums-of-monday", "count": 4})
    );
    assert_eq!(
        place.ok(&["count", "data", "-c", "albums-of-monday"]),
        "4\n"
    );
    assert!(
        place
            .fails(1, &["restore", "copy", "data"])
            .contains("--as")
    );
    assert!(
        place
            .ok(&["restore", "copy", "elsewhere"])
            .contains("restored albums, 4 points")
    );
    place.fails(1, &["restore", "nowhere", "data"]);
    place.fails(1, &["restore", "copy", "data", "--as", "a b"]);
}

#[test]
fn the_doctor_finds_damage_and_changes_nothing() {
    let place = albums();
    let healthy = place.json(&["doctor", "data"]);
    assert_eq!(healthy["healthy"], true);
    assert_eq!(healthy["collections"][0]["count"], 4);
    assert!(place.ok(&["doctor", "data"]).contains("nothing is damaged"));

    let log = log_file(&place.path("data"));
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes
        .windows(4)
        .position(|four| four == 1.0_f32.to_le_bytes())
        .unwrap();
    bytes[middle] ^= 1;
    std::fs::write(&log, &bytes).unwrap();
    let answer = place.run(&["doctor", "data", "--json"]);
    assert_eq!(answer.code, 1, "{}", answer.out);
    let report: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(report["healthy"], false);
    assert_eq!(report["findings"][0]["fault"], true);
    assert_eq!(std::fs::read(&log).unwrap(), bytes);
    assert!(place.fails(1, &["doctor", "data"]).contains("snapshot"));
    place.fails(1, &["doctor", "nowhere"]);
}

fn log_file(store: &std::path::Path) -> std::path::PathBuf {
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "log") {
                return path;
            }
        }
    }
    panic!("the store has no log");
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_looking() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    place.write("file", "text");
    for path in ["nowhere", "empty", "file"] {
        for arguments in [
            &["info", path][..],
            &["list", path],
            &["count", path],
            &["compact", path],
        ] {
            let error = place.fails(1, arguments);
            assert!(error.contains("hint:"), "{error}");
        }
    }
    assert!(!place.path("nowhere").exists());
    assert!(!common::holds(&place.path("empty"), ""));
}

#[test]
fn exports_are_imported_again_bit_for_bit() {
    let place = albums();
    place.ok(&["export", "data", "--jsonl", "all.jsonl"]);
    assert_eq!(place.text("all.jsonl").lines().count(), 4);
    place.ok(&["import", "again", "all.jsonl", "-c", "albums"]);
    let wanted = ["kind-of-blue", "blue", "giant-steps", "7"];
    let read = |store: &str| {
        let mut arguments = vec!["get", store];
        arguments.extend(wanted);
        place.json(&arguments)["points"].clone()
    };
    assert_eq!(read("again"), read("data"));

    let done = place.json(&[
        "export",
        "data",
        "--vectors",
        "v.npy",
        "--ids",
        "ids.txt",
        "--metadata",
        "m.jsonl",
    ]);
    assert_eq!(done["count"], 4);
    assert_eq!(
        place.text("ids.txt"),
        "kind-of-blue\nblue\ngiant-steps\n7\n"
    );
    assert_eq!(place.text("m.jsonl").lines().last(), Some("null"));
    place.ok(&[
        "import",
        "columns",
        "v.npy",
        "-c",
        "albums",
        "--ids",
        "ids.txt",
        "--metadata",
        "m.jsonl",
    ]);
    assert_eq!(read("columns"), read("data"));

    let out = place.ok(&["export", "data", "--jsonl", "-", "--filter", "year < 1960"]);
    assert_eq!(out.lines().count(), 1);
    assert_eq!(
        out.trim(),
        r#"{"id":"kind-of-blue","vector":[1.0,0.0,0.0],"metadata":{"genre": "jazz", "year": 1959}}"#
    );
}

#[test]
fn a_failed_export_leaves_no_file_and_keeps_the_old_one() {
    let place = albums();
    place.write("ids.npy", "old");
    assert!(
        place
            .fails(1, &["export", "data", "--ids", "ids.npy"])
            .contains("no number")
    );
    assert_eq!(place.text("ids.npy"), "old");
    assert!(!common::holds(&place.path("."), ".nearfield-export"));
    place.fails(1, &["export", "data", "--jsonl", "no/such/folder.jsonl"]);
    place.ok(&["delete", "data", "kind-of-blue", "blue", "giant-steps"]);
    place.ok(&["export", "data", "--ids", "ids.npy", "--vectors", "v.npy"]);
    place.ok(&[
        "import", "again", "v.npy", "-c", "albums", "--ids", "ids.npy",
    ]);
    assert_eq!(place.json(&["get", "again", "7"])["points"][0]["id"], 7);
}

#[test]
fn an_export_replaces_files_alone() {
    use std::os::unix::fs::FileTypeExt as _;

    let place = albums();
    let pipe = place.path("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let refused = place.fails(2, &["export", "data", "--jsonl", "pipe"]);
    assert!(refused.contains("--jsonl -"), "{refused}");
    assert!(pipe.symlink_metadata().unwrap().file_type().is_fifo());
    place.write("old.jsonl", "old");
    std::os::unix::fs::symlink("old.jsonl", place.path("link")).unwrap();
    place.ok(&["export", "data", "--jsonl", "link"]);
    assert!(place.path("link").is_symlink());
    assert!(place.text("old.jsonl").contains("kind-of-blue"));
}

#[test]
fn ids_that_a_text_file_cannot_hold_are_refused() {
    let place = Place::new();
    let line = r#"{"id": "7", "vector": [1]}"#;
    assert_eq!(
        place.feed(&["import", "data", "-", "-c", "c"], line).code,
        0
    );
    assert!(
        place
            .fails(1, &["export", "data", "--ids", "ids.txt"])
            .contains("--jsonl")
    );
    assert_eq!(
        place.ok(&["export", "data", "--jsonl", "-"]).trim(),
        r#"{"id":"7","vector":[1.0]}"#
    );
}

#[test]
fn a_store_in_use_is_named_as_locked() {
    let place = albums();
    let mut import = place.command(&["import", "data", "-", "-c", "more", "--no-share"]);
    import.stdin(std::process::Stdio::piped());
    let mut import = import.spawn().unwrap();
    let stdin = import.stdin.as_mut().unwrap();
    use std::io::Write;
    stdin.write_all(b"{\"vector\": [1, 2]}\n").unwrap();
    let start = std::time::Instant::now();
    while !String::from_utf8_lossy(&place.read("data/catalog")).contains("more") {
        assert!(start.elapsed().as_secs() < 20, "the import does not start");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let answer = place.run(&["info", "data", "--json"]);
    assert_eq!(answer.code, 1);
    let error: Value = serde_json::from_str(&answer.err).unwrap();
    assert_eq!(error["error"]["kind"], "locked");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("nearfield import")
    );
    drop(import.stdin.take());
    assert!(import.wait().unwrap().success());
}

#[test]
fn a_memory_budget_refuses_imports_and_nothing_else() {
    let place = albums();
    place.write("many.npy", common::npy(&common::noise(20_000, 4), 4));
    let import = ["import", "data", "many.npy", "-c", "many"];
    let budget = ["--memory-budget", "500KiB"];
    let error = place.fails(1, &[&import[..], &budget].concat());
    assert!(error.contains("of the 512000 bytes"), "{error}");
    assert!(error.contains("--memory-budget"), "{error}");
    let count = place.json(&[&budget[..], &["count", "data", "-c", "many"]].concat());
    let kept = count["count"].as_u64().unwrap();
    assert!((1_000..20_000).contains(&kept), "{kept}");
    let mut environment = place.command(&[&import[..], &["--json"]].concat());
    environment.env("NEARFIELD_MEMORY_BUDGET", "64KiB");
    let answer = common::Answer::of(environment.output().unwrap());
    let error: Value = serde_json::from_str(&answer.err).unwrap();
    assert_eq!(error["error"]["kind"], "out_of_memory");
    place.ok(&["info", "data", "--memory-budget", "1KiB"]);
    // With more of it the import goes on.
    place.ok(&[&import[..], &["--memory-budget", "1GiB"]].concat());
    let count = place.json(&["count", "data", "-c", "many"]);
    assert_eq!(count["count"], 20_000);
}
