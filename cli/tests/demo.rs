//! The newcomer's first run.

mod common;

use common::Place;

#[test]
fn the_demo_finds_the_words_and_removes_its_store() {
    let place = Place::new();
    let mut command = place.command(&["demo"]);
    std::fs::create_dir(place.path("tmp")).unwrap();
    command.env("TMPDIR", place.path("tmp"));
    let answer = common::Answer::of(command.output().unwrap());
    assert_eq!(answer.code, 0, "{}", answer.err);
    for word in [
        "dramatist",
        "claustrophobia",
        "library",
        "envy",
        "vectors/s",
        "on disk",
        "part = \"verb\"",
        "jazz",
        "is removed",
        "nearfield demo ./demo",
    ] {
        assert!(answer.out.contains(word), "{word}: {}", answer.out);
    }
    let long = answer.out.lines().find(|line| line.chars().count() > 80);
    assert_eq!(long, None);
    assert!(!common::holds(&place.path("tmp"), ""));
}

#[test]
fn a_kept_demo_is_used_again_and_completed() {
    let place = Place::new();
    let first = place.json(&["demo", "my demo"]);
    assert_eq!(
        (&first["reused"], &first["kept"]),
        (&false.into(), &true.into())
    );
    let count = first["count"].as_u64().unwrap();
    assert!(count > 10_000);
    let again = place.json(&["demo", "my demo"]);
    assert_eq!(again["reused"], true);
    assert_eq!(again["searches"][0]["hits"], first["searches"][0]["hits"]);
    assert!(
        place
            .ok(&["demo", "my demo"])
            .contains("nearfield info 'my demo'")
    );

    place.ok(&["delete", "my demo", "library.n.01", "person.n.01"]);
    assert_eq!(place.json(&["count", "my demo"])["count"], count - 2);
    let completed = place.json(&["demo", "my demo"]);
    assert_eq!(completed["reused"], false);
    assert_eq!(place.json(&["count", "my demo"])["count"], count);

    let hits = place.json(&[
        "search",
        "my demo",
        "--like",
        "library.n.01",
        "--filter",
        "part = 'noun'",
    ]);
    assert_eq!(hits["results"][0].as_array().unwrap().len(), 10);
}

#[test]
fn a_collection_of_the_same_name_is_left_alone() {
    let place = Place::new();
    place.ok(&["create", "data", "senses", "--dimension", "3"]);
    let error = place.fails(1, &["demo", "data"]);
    assert!(error.contains("not the demo's") && error.contains("hint:"));
}

#[test]
fn a_temporary_store_can_be_kept() {
    let place = Place::new();
    let answer = place.json(&["demo", "--keep"]);
    let path = answer["path"].as_str().unwrap().to_owned();
    assert_eq!(place.json(&["count", &path])["count"], answer["count"]);
    std::fs::remove_dir_all(path).unwrap();
}
