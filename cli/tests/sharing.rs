//! Commands on a path that another process has open.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;
#[path = "common/served.rs"]
mod served;

use std::io::{Read as _, Write as _};

use common::{Place, noise, npy};
use served::Served;

#[test]
fn commands_work_on_a_path_that_is_served() {
    let place = Place::new();
    place.write("vectors.npy", npy(&noise(200, 8), 8));
    let _server = Served::start(&place.path("data"));
    place.ok(&["import", "data", "vectors.npy", "--collection", "docs"]);
    assert_eq!(place.json(&["count", "data"])["count"], 200);
    let found = place.json(&["search", "data", "--like", "7", "--limit", "1"]);
    assert!(found.to_string().contains("\"id\""), "{found}");
    assert_eq!(
        place.json(&["info", "data"])["collections"][0]["count"],
        200
    );
    place.ok(&["get", "data", "7"]);
    place.ok(&["delete", "data", "7"]);
    place.ok(&["create", "data", "others", "--dimension", "3"]);
    assert!(place.ok(&["list", "data"]).contains("others"));
    place.ok(&["drop", "data", "others"]);
    place.ok(&["compact", "data"]);
    place.ok(&["export", "data", "--jsonl", "out.jsonl"]);
    place.ok(&["snapshot", "data", "copy"]);
    assert_eq!(place.json(&["count", "copy"])["count"], 199);
    for target in ["shm:data", "unix:data", "unix:data/socket"] {
        assert_eq!(place.json(&["count", target])["count"], 199, "{target}");
    }
}

#[test]
fn a_server_takes_over_from_another_that_is_killed() {
    let place = Place::new();
    let mut first = Served::start(&place.path("data"));
    let second = Served::start(&place.path("data"));
    place.ok(&["create", first.url(), "docs", "--dimension", "3"]);
    assert!(place.ok(&["list", second.url()]).contains("docs"));
    first.kill();
    place.ok(&["create", second.url(), "more", "--dimension", "3"]);
    assert!(place.ok(&["list", "data"]).contains("more"));
}

#[test]
fn info_tells_who_shares_the_path() {
    let place = Place::new();
    let first = Served::start(&place.path("data"));
    let second = Served::start(&place.path("data"));
    place.ok(&["create", second.url(), "docs", "--dimension", "3"]);
    let told = place.json(&["info", "data"]);
    assert_eq!(told["owner"]["pid"], first.id());
    assert_eq!(told["owner"]["program"], "nearfield serve");
    assert_eq!(told["guests"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["guests"][0]["pid"], second.id());
    assert!(told["guests"][0]["requests"].as_u64() >= Some(1), "{told}");
    let text = place.ok(&["info", "data"]);
    for id in [first.id(), second.id()] {
        assert!(
            text.contains(&format!("process {id} (nearfield serve)")),
            "{text}"
        );
    }
    drop((first, second));
    let told = place.json(&["info", "data"]);
    assert!(told["owner"].is_null(), "{told}");
}

#[test]
fn collections_that_come_and_go_meanwhile_stop_no_command() {
    let place = Place::new();
    let server = Served::start(&place.path("data"));
    place.ok(&["create", "data", "docs", "--dimension", "3"]);
    let database = nearfield::connect(server.url()).unwrap();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let is_over = &is_over;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                for name in ["a", "b", "c", "e"] {
                    drop(database.create_collection(name, 8, nearfield::Metric::Dot));
                }
                for name in ["a", "b", "c", "e"] {
                    drop(database.drop_collection(name));
                }
            }
        });
        for _ in 0..20 {
            place.ok(&["info", "data", "--json"]);
            assert!(place.ok(&["list", "data"]).contains("docs"));
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_stopped_owner_keeps_no_scraper_waiting() {
    let place = Place::new();
    let first = Served::start(&place.path("data"));
    let second = Served::start(&place.path("data"));
    place.ok(&["create", second.url(), "docs", "--dimension", "3"]);
    let signal = |name: &str| {
        let mut kill = std::process::Command::new("kill");
        let sent = kill.args([name, &first.id().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    signal("-STOP");
    let start = std::time::Instant::now();
    let address = second.url().strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    signal("-CONT");
    assert!(text.contains("nearfield_calls_total"), "{text}");
    assert!(start.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn files_of_a_store_that_is_open_are_left_alone() {
    let place = Place::new();
    place.ok(&["create", "data", "docs", "--dimension", "3"]);
    place.ok(&["snapshot", "data", "copy"]);
    let _server = Served::start(&place.path("data"));
    let told = place.fails(1, &["doctor", "data"]);
    assert!(
        told.contains("nearfield serve") && told.contains("snapshot"),
        "{told}"
    );
    let told = place.fails(1, &["restore", "copy", "data", "--as", "again"]);
    assert!(told.contains("end the program"), "{told}");
}

#[test]
fn sharing_can_be_turned_off() {
    let place = Place::new();
    place.ok(&["create", "data", "docs", "--dimension", "3"]);
    let server = Served::start(&place.path("data"));
    for off in ["--no-share", "--share=false"] {
        let told = place.fails(1, &["count", "data", off]);
        assert!(told.contains("held by process"), "{told}");
    }
    let mut count = place.command(&["count", "data"]);
    let output = count.env("NEARFIELD_SHARE", "false").output().unwrap();
    assert!(!output.status.success());
    place.ok(&["count", "data", "--share"]);
    drop(server);
    let config = place.write("config.toml", "share = false\n");
    let config = config.to_str().unwrap();
    let _server = Served::with(&place.path("data"), &["--config", config]);
    let told = place.fails(1, &["count", "data"]);
    assert!(told.contains("does not share"), "{told}");
}
