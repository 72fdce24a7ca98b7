//! Imports: every format, what is refused, and what is kept when a file is broken.

mod common;

use common::{Place, noise, npy, npy_with};
use serde_json::{Value, json};

fn vector(place: &Place, id: &str) -> Value {
    place.json(&["get", "data", id])["points"][0]["vector"].clone()
}

#[test]
fn arrays_of_all_number_types_are_imported() {
    for (name, descr, data) in [
        (
            "f4",
            "<f4",
            [1.0_f32, -2.0]
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect::<Vec<u8>>(),
        ),
        (
            "f8",
            ">f8",
            [1.0_f64, -2.0]
                .iter()
                .flat_map(|x| x.to_be_bytes())
                .collect(),
        ),
        (
            "f2",
            "<f2",
            [0x3c00_u16, 0xc000]
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect(),
        ),
        ("i1", "|i1", vec![1, 0xfe]),
        (
            "i8",
            "<i8",
            [1_i64, -2].iter().flat_map(|x| x.to_le_bytes()).collect(),
        ),
    ] {
        let place = Place::new();
        place.write("v.npy", npy_with(descr, "False", "(1, 2)", &data));
        let done = place.json(&[
            "import",
            "data",
            "v.npy",
            "--collection",
            "c",
            "--metric",
            "dot",
        ]);
        assert_eq!(
            (&done["stored"], &done["count"]),
            (&json!(1), &json!(1)),
            "{name}"
        );
        assert_eq!(vector(&place, "0"), json!([1.0, -2.0]), "{name}");
        assert_eq!(
            place.json(&["info", "data"])["collections"][0]["metric"],
            "dot"
        );
    }
}

#[test]
fn texmex_files_are_imported() {
    let place = Place::new();
    let row = |bytes: &[u8]| [&2_i32.to_le_bytes()[..], bytes].concat();
    let floats: Vec<u8> = [1.0_f32, 0.5]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    place.write("a.fvecs", row(&floats));
    place.write("b.bvecs", [row(&[7, 200]), row(&[1, 2])].concat());
    place.write("c.ivecs", row(&[5, 0, 0, 0, 6, 0, 0, 0]));
    for (file, wanted) in [
        ("a.fvecs", json!([1.0, 0.5])),
        ("b.bvecs", json!([7.0, 200.0])),
        ("c.ivecs", json!([5.0, 6.0])),
    ] {
        place.ok(&[
            "import",
            "data",
            file,
            "-c",
            &file[2..],
            "--metric",
            "euclidean",
        ]);
        let got = place.json(&["get", "data", "0", "-c", &file[2..]]);
        assert_eq!(got["points"][0]["vector"], wanted);
    }
    assert!(
        place
            .fails(
                1,
                &["import", "data", "a.fvecs", "-c", "d", "--format", "bvecs"]
            )
            .contains("a.fvecs")
    );
}

#[test]
fn ids_and_metadata_come_from_files_beside_the_vectors() {
    let place = Place::new();
    place.write("v.npy", npy(&noise(3, 4), 4));
    place.write(
        "ids.npy",
        npy_with("|S5", "False", "(3,)", b"blue\0green67\0\0\0"),
    );
    place.write(
        "bad.npy",
        npy_with(
            "<i4",
            "False",
            "(3,)",
            &[[1, 0, 0, 0], [255; 4], [2, 0, 0, 0]].concat(),
        ),
    );
    place.write("ids.txt", "5\nsix\n7\n");
    place.write("two.txt", "5\nsix\n");
    place.write("m.jsonl", "{\"a\": 1}\nnull\n{\"a\": 3}\n");
    place.write("bad.jsonl", "{\"a\": 1}\nnull\n[1]\n");
    place.ok(&[
        "import",
        "data",
        "v.npy",
        "-c",
        "c",
        "--ids",
        "ids.txt",
        "--metadata",
        "m.jsonl",
    ]);
    let got = place.json(&["get", "data", "5", "six", "7"]);
    assert_eq!(got["points"][2]["metadata"], json!({"a": 3}));
    assert_eq!(got["points"][1].get("metadata"), None);
    place.ok(&["import", "data", "v.npy", "-c", "d", "--ids", "ids.npy"]);
    assert_eq!(
        place.json(&["get", "data", "-c", "d", "blue", "green"])["points"][1]["id"],
        "green"
    );

    let uneven = place.fails(
        1,
        &["import", "data", "v.npy", "-c", "e", "--ids", "two.txt"],
    );
    assert!(
        uneven.contains("two.txt: it has 2 lines, and there are 3 vectors"),
        "{uneven}"
    );
    let negative = place.fails(
        1,
        &["import", "data", "v.npy", "-c", "e", "--ids", "bad.npy"],
    );
    assert!(
        negative.contains("bad.npy: row 1: an id is negative"),
        "{negative}"
    );
    let metadata = place.fails(
        1,
        &[
            "import",
            "data",
            "v.npy",
            "-c",
            "f",
            "--metadata",
            "bad.jsonl",
        ],
    );
    assert!(
        metadata.contains("v.npy, row 2") && metadata.contains("nothing is stored"),
        "{metadata}"
    );
}

#[test]
fn an_import_that_stores_nothing_leaves_no_collection() {
    let place = Place::new();
    let text = "{\"vector\": [1, 2]}\n{\"vector\": [1, 2, 3]}\n";
    place.write("bad.jsonl", text);
    let failure = place.fails(1, &["import", "data", "bad.jsonl", "-c", "a"]);
    assert!(failure.contains("nothing is stored"), "{failure}");
    let listed = place.json(&["list", "data"]);
    assert_eq!(listed["collections"], serde_json::json!([]));
    let kept = std::fs::read_dir(place.path("data")).unwrap();
    assert!(kept.flatten().all(|entry| {
        !entry
            .file_name()
            .to_string_lossy()
            .starts_with(".nearfield")
    }));
}

#[test]
fn files_that_cannot_be_read_are_refused_and_say_what_to_do() {
    let place = Place::new();
    let whole = npy(&noise(3, 4), 4);
    place.write("cut.npy", &whole[..whole.len() - 5]);
    place.write("fortran.npy", npy_with("<f4", "True", "(2, 2)", &[0; 16]));
    place.write("objects.npy", npy_with("|O", "False", "(2,)", b"pickle"));
    place.write("text.npy", "these are words");
    place.write("empty.npy", "");
    place.write("empty.jsonl", "\n\n");
    place.write("nothing.npy", npy_with("<f4", "False", "(3, 0)", &[]));
    place.write("array.jsonl", "[{\"id\": 1, \"vector\": [1, 2]}]\n");
    place.write("other.jsonl", "{\"id\": 1, \"embedding\": [1, 2]}\n");
    std::fs::create_dir(place.path("folder.npy")).unwrap();
    for (file, problem, advice) in [
        (
            "cut.npy",
            "cut off: the header names 3 rows, and 2 are there",
            "again",
        ),
        ("fortran.npy", "column by column", "ascontiguousarray"),
        ("objects.npy", "Python objects", "astype"),
        ("text.npy", "not a .npy file", "numpy.save"),
        ("empty.npy", "cut off", "again"),
        ("empty.jsonl", "no points", ""),
        ("nothing.npy", "0 components", ""),
        ("array.jsonl", "line 1", "jq"),
        ("other.jsonl", "unknown field `embedding`", "\"vector\""),
        ("folder.npy", "folder", ""),
        ("nowhere.npy", "nowhere.npy: cannot open it", "spelling"),
    ] {
        let error = place.fails(1, &["import", "data", file, "-c", "c"]);
        assert!(
            error.contains(file) && error.contains(problem) && error.contains(advice),
            "{error}"
        );
    }
    std::fs::create_dir(place.path("store")).unwrap();
    let error = place.fails(2, &["import", "text.npy", "store", "-c", "c"]);
    assert!(error.contains("the store comes first"), "{error}");
    assert!(
        !place.path("data").exists(),
        "a refused file makes no store"
    );
}

#[test]
fn a_collection_that_does_not_fit_is_refused() {
    let place = Place::new();
    place.write("v.npy", npy(&noise(3, 4), 4));
    place.ok(&["create", "data", "c", "-d", "5"]);
    assert!(
        place
            .fails(1, &["import", "data", "v.npy", "-c", "c"])
            .contains("have 5")
    );
    place.fails(1, &["import", "data", "v.npy", "-c", "d", "-d", "6"]);
    place.ok(&[
        "import",
        "data",
        "v.npy",
        "-c",
        "d",
        "-d",
        "4",
        "--storage",
        "f16",
    ]);
    assert!(
        place
            .fails(
                1,
                &["import", "data", "v.npy", "-c", "d", "--metric", "dot"]
            )
            .contains("metric")
    );
    assert!(
        place
            .fails(
                1,
                &["import", "data", "v.npy", "-c", "d", "--storage", "f32"]
            )
            .contains("f16")
    );
    assert!(
        place
            .fails(2, &["import", "fresh", "v.npy"])
            .contains("--collection")
    );
    let json = place.run(&["import", "data", "nowhere.npy", "-c", "d", "--json"]);
    let error: Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!(error["error"]["kind"], "file");
}

#[test]
fn row_numbers_replace_nothing_that_came_from_elsewhere() {
    let place = Place::new();
    let (one, other) = (noise(6, 4), [0.25; 24]);
    place.write("one.npy", npy(&one, 4));
    place.write("other.npy", npy(&other, 4));
    for storage in ["f32", "f16"] {
        place.ok(&[
            "import",
            "data",
            "one.npy",
            "-c",
            storage,
            "--storage",
            storage,
        ]);
        place.ok(&["import", "data", "one.npy", "-c", storage]);
        let error = place.fails(1, &["import", "data", "other.npy", "-c", storage]);
        assert!(
            error.contains("row numbers") && error.contains("--replace"),
            "{error}"
        );
        let before = place.json(&["get", "data", "-c", storage, "0"]);
        place.ok(&["import", "data", "other.npy", "-c", storage, "--replace"]);
        assert_ne!(place.json(&["get", "data", "-c", storage, "0"]), before);
        assert_eq!(place.ok(&["count", "data", "-c", storage]), "6\n");
    }
}

#[test]
fn lines_come_from_stdin_and_can_be_passed_over() {
    let place = Place::new();
    let lines: String = (0..50)
        .map(|row| format!("{{\"vector\": [{row}, 1]}}\n"))
        .collect();
    let answer = place.feed(&["import", "data", "-", "-c", "c", "--batch", "7"], &lines);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.contains("stored 50 points") && answer.out.contains("c holds 50 points"));
    place.ok(&["delete", "data", "--", "3", "49"]);
    let answer = place.feed(&["import", "data", "-", "-c", "c", "--skip", "40"], &lines);
    assert!(
        answer.out.contains("stored 10 points"),
        "{}{}",
        answer.out,
        answer.err
    );
    assert_eq!(place.ok(&["count", "data"]), "49\n");
    assert_eq!(vector(&place, "49"), json!([49.0, 1.0]));
    assert_eq!(
        place
            .feed(&["import", "data", "-", "-c", "c", "--skip", "51"], &lines)
            .code,
        1
    );
    assert_eq!(place.feed(&["import", "data", "-", "-c", "c"], "").code, 1);
}

#[test]
fn a_broken_line_is_named_and_what_came_before_is_kept() {
    let place = Place::new();
    let mut lines: Vec<String> = (0..100)
        .map(|row| format!("{{\"id\": \"p{row}\", \"vector\": [{row}, 1]}}"))
        .collect();
    let good = lines.join("\n");
    lines[57] = "{\"id\": \"p57\", \"vector\": [57, \"one\"]}".into();
    place.write("p.jsonl", lines.join("\n"));
    let error = place.fails(
        1,
        &["import", "data", "p.jsonl", "-c", "c", "--batch", "10"],
    );
    assert!(error.contains("p.jsonl: line 58: component 1"), "{error}");
    assert!(
        error.contains("the first 50 of p.jsonl are stored") && error.contains("--skip 50"),
        "{error}"
    );
    assert_eq!(place.ok(&["count", "data"]), "50\n");
    place.write("p.jsonl", good);
    let answer = place.run(&["import", "data", "p.jsonl", "-c", "c", "--skip", "50"]);
    assert!(
        answer.out.contains("stored 50 points"),
        "{}{}",
        answer.out,
        answer.err
    );
    assert_eq!(place.ok(&["count", "data"]), "100\n");
}

#[test]
fn a_vector_that_is_refused_is_named_by_its_row() {
    let place = Place::new();
    let mut values = noise(100, 4);
    values[4 * 73 + 2] = f32::NAN;
    place.write("v.npy", npy(&values, 4));
    let error = place.fails(1, &["import", "data", "v.npy", "-c", "c", "--batch", "10"]);
    assert!(
        error.contains("v.npy, row 73") && error.contains("first 70"),
        "{error}"
    );
    assert_eq!(place.ok(&["count", "data"]), "70\n");
    let lines = "{\"vector\": [1, 1]}\n\n{\"vector\": [0, 0]}\n";
    let answer = place.feed(&["import", "zero", "-", "-c", "c"], lines);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("stdin, line 3"), "{}", answer.err);
}

#[test]
fn options_can_come_from_the_environment() {
    let place = Place::new();
    place.write("v.npy", npy(&noise(30, 4), 4));
    let mut command = place.command(&["import", "data", "v.npy"]);
    for (name, value) in [
        ("COLLECTION", "c"),
        ("METRIC", "euclidean"),
        ("STORAGE", "f16"),
        ("BATCH", "7"),
        ("DURABILITY", "os"),
        ("JSON", "true"),
    ] {
        command.env(format!("NEARFIELD_{name}"), value);
    }
    let done: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(done["count"], 30);
    let info = place.json(&["info", "data"]);
    let there = &info["collections"][0];
    assert_eq!(
        (&there["metric"], &there["storage"]),
        (&json!("euclidean"), &json!("f16"))
    );
    assert_eq!(
        (&there["sequence"], &there["synced"]),
        (&json!(5), &json!(5))
    );
}
