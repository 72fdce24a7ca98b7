//! Processes in containers: they number processes for themselves, and see other mounts, hosts and
//! networks.

use std::process::Command;
use std::time::{Duration, Instant};

use nearfield::Batch;

use crate::{Actor, Ground, owner};

const CONTAINER: [&str; 9] = [
    "unshare",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--net",
    "--ipc",
    "--uts",
    "--",
];
/// A shell is the first process of the container, so that the next can be killed inside.
const INSIDE: &str = "\"$@\"; exit 0";

fn container(ground: &Ground) -> Command {
    ground.script(&CONTAINER, INSIDE)
}

/// The one child of a process.
fn child_of(parent: u32) -> u32 {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(path).unwrap();
    children.trim().parse().unwrap()
}

#[test]
#[ignore = "needs root"]
fn a_guest_in_a_container_is_seen_and_its_death_is_noticed_at_once() {
    let ground = Ground::new();
    let store = ground.path("store");
    let mut owner = owner(ground.command(), &store);
    for way in ["open", "open shm:", "open unix:"] {
        let mut guest = Actor::start(container(&ground), &store);
        guest.does(way);
        guest.does("upsert 2");
        assert_eq!(guest.says("count"), "2");
        let pid = child_of(child_of(guest.0.id()));
        assert_eq!(owner.says("guests"), format!("[Some({pid})]"));
        guest.dies();
        owner.soon_says("guests", "[]");
        owner.does("upsert 2");
    }
}

#[test]
#[ignore = "needs root"]
fn an_owner_in_a_container_has_guests_outside_and_is_succeeded_by_one() {
    let ground = Ground::new();
    let store = ground.path("store");
    let mut owner = owner(container(&ground), &store);
    let db = nearfield::connect(store.to_string_lossy()).unwrap();
    let docs = db.collection("docs").unwrap();
    docs.upsert(Batch::new([2], &[0.0, 1.0])).run().unwrap();
    assert_eq!(owner.says("guests"), "[None]");
    let participants = db.participants().unwrap().unwrap();
    assert_eq!(participants.guests[0].pid, None);
    let start = Instant::now();
    owner.dies();
    for id in 3..100 {
        docs.upsert(Batch::new([id], &[0.0, 1.0])).run().unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(docs.count().run().unwrap().count, 99);
    // Now another container joins what was its neighbour's.
    let mut guest = Actor::start(container(&ground), &store);
    guest.does("open");
    assert_eq!(guest.says("count"), "99");
}

#[test]
#[ignore = "needs root"]
fn two_containers_share_a_path_and_either_survives_the_other() {
    let ground = Ground::new();
    let store = ground.path("store");
    let mut one = owner(container(&ground), &store);
    let mut two = Actor::start(container(&ground), &store);
    two.does("open");
    two.does("upsert 2");
    assert_eq!(one.says("guests"), "[None]");
    two.dies();
    one.soon_says("guests", "[]");
    let mut three = Actor::start(container(&ground), &store);
    three.does("open");
    one.dies();
    three.does("upsert 3");
    assert_eq!(three.says("count"), "3");
    assert_eq!(three.says("guests"), "[]");
}

#[test]
#[ignore = "needs root"]
fn a_folder_that_is_mounted_elsewhere_is_the_same_store() {
    let ground = Ground::new();
    let store = ground.folder("store");
    let elsewhere = ground.folder("elsewhere");
    let mut owner = owner(ground.command(), &store);
    let script = "mount --bind \"$GROUND/store\" \"$GROUND/elsewhere\"; \"$@\"; exit 0";
    for way in ["open", "open shm:", "open unix:"] {
        let mut guest = Actor::start(ground.script(&CONTAINER, script), &elsewhere);
        guest.does(way);
        guest.does("upsert 2");
        assert_eq!(owner.says("count"), "2");
    }
    let mut guest = Actor::start(ground.script(&CONTAINER, script), &elsewhere);
    guest.does("open");
    owner.0.kill();
    guest.does("upsert 3");
    let mut outside = Actor::start(ground.command(), &store);
    outside.does("open shm:");
    assert_eq!(outside.says("count"), "3");
    // Nothing of it was written where the folder is not mounted.
    assert_eq!(std::fs::read_dir(elsewhere).unwrap().count(), 0);
}
