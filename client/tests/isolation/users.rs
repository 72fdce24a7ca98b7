//! Processes of other users.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Actor, Ground, owner};

const ANNA: (u32, u32) = (61_001, 62_001);
const BERT: (u32, u32) = (61_002, 62_002);
/// Bert as one of Anna's group.
const BERT_WITH_ANNA: (u32, u32) = (BERT.0, ANNA.1);

fn command(ground: &Ground, (user, group): (u32, u32)) -> Command {
    let mut command = ground.command();
    // No other groups: those of root are given up with its number.
    command.uid(user).gid(group);
    command
}

/// A folder of Anna's, which others may look into and no more.
fn store_of_anna(ground: &Ground) -> PathBuf {
    let store = ground.folder("store");
    chown(&store, Some(ANNA.0), Some(ANNA.1)).unwrap();
    store
}

fn guest(ground: &Ground, who: (u32, u32), store: &Path) -> Actor {
    Actor::start(command(ground, who), store)
}

#[test]
#[ignore = "needs root"]
fn another_user_is_refused_and_told_what_to_do() {
    let ground = Ground::new();
    let store = store_of_anna(&ground);
    let mut anna = owner(command(&ground, ANNA), &store);
    for who in [BERT, BERT_WITH_ANNA] {
        let mut bert = guest(&ground, who, &store);
        for way in ["open", "open shm:", "open unix:"] {
            let said = bert.says(way);
            assert!(said.starts_with("Forbidden: "), "{said}");
            for word in ["user 61001", "user 61002", "nearfield serve --share-group"] {
                assert!(said.contains(word), "{word}: {said}");
            }
        }
    }
    assert_eq!(anna.says("guests"), "[]");
    // Another process of the same user, and root, are let in.
    let mut second = guest(&ground, ANNA, &store);
    second.does("open shm:");
    second.does("upsert 2");
    let mut root = Actor::start(ground.command(), &store);
    root.does("open");
    assert_eq!(root.says("count"), "2");
}

#[test]
#[ignore = "needs root"]
fn the_group_is_let_in_if_the_owner_says_so_and_others_are_not() {
    let ground = Ground::new();
    let store = store_of_anna(&ground);
    let mut anna = guest(&ground, ANNA, &store);
    anna.does("share");
    anna.does("create");
    for way in ["open", "open shm:", "open unix:"] {
        let mut bert = guest(&ground, BERT_WITH_ANNA, &store);
        bert.does(way);
        bert.does("upsert 1");
        assert_eq!(bert.says("count"), "1");
    }
    let mut stranger = guest(&ground, BERT, &store);
    let said = stranger.says("open");
    assert!(said.starts_with("Forbidden: "), "{said}");
    assert!(said.contains("with group 62001 alone"), "{said}");
    assert_eq!(anna.says("count"), "1");
}

#[test]
#[ignore = "needs root"]
fn a_folder_whose_group_is_inherited_is_shared_with_that_group() {
    let ground = Ground::new();
    let store = ground.folder("store");
    chown(&store, Some(ANNA.0), Some(BERT.1)).unwrap();
    let mode = Permissions::from_mode(0o2_755);
    std::fs::set_permissions(&store, mode).unwrap();
    let mut anna = guest(&ground, ANNA, &store);
    anna.does("share");
    anna.does("create");
    let mut bert = guest(&ground, BERT, &store);
    bert.does("open");
    bert.does("upsert 1");
    let mut stranger = guest(&ground, (BERT.0, ANNA.1), &store);
    assert!(stranger.says("open").starts_with("Forbidden: "));
}

#[test]
#[ignore = "needs root"]
fn a_guest_that_may_not_write_goes_on_with_the_next_owner() {
    let ground = Ground::new();
    let store = store_of_anna(&ground);
    let mut anna = guest(&ground, ANNA, &store);
    anna.does("share");
    anna.does("create");
    let mut bert = guest(&ground, BERT_WITH_ANNA, &store);
    bert.does("open");
    anna.0.kill();
    bert.0.tell("upsert 1");
    let mut newcomer = guest(&ground, BERT_WITH_ANNA, &store);
    let said = newcomer.says("open");
    assert!(said.contains("this process may not write there"), "{said}");
    let mut anna = guest(&ground, ANNA, &store);
    anna.does("share");
    assert_eq!(bert.0.next().as_deref(), Some("done"));
    assert_eq!(anna.says("count"), "1");
}

#[test]
#[ignore = "needs root"]
fn a_socket_that_another_user_left_behind_keeps_nobody_out() {
    let ground = Ground::new();
    let store = store_of_anna(&ground);
    owner(command(&ground, ANNA), &store).0.kill();
    // A store that several users may own, one after the other.
    let opened = Command::new("chmod")
        .args(["-R", "a+rwX"])
        .arg(&store)
        .status();
    assert!(opened.unwrap().success());
    std::fs::set_permissions(store.join("socket"), Permissions::from_mode(0o600)).unwrap();
    let mut bert = guest(&ground, BERT, &store);
    bert.does("open");
    assert_eq!(bert.says("count"), "1");
}

#[test]
#[ignore = "needs root"]
fn who_listens_in_the_folder_of_somebody_else_is_not_asked() {
    let ground = Ground::new();
    let store = store_of_anna(&ground);
    let mode = Permissions::from_mode(0o777);
    std::fs::set_permissions(&store, mode).unwrap();
    let mut bert = guest(&ground, BERT, &store);
    bert.does("share");
    bert.does("create");
    let socket = store.join("socket");
    std::fs::set_permissions(socket, Permissions::from_mode(0o666)).unwrap();
    let said = guest(&ground, (61_003, BERT.1), &store).says("open");
    assert!(said.starts_with("Forbidden: user 61002 listens"), "{said}");
}
