//! Folders that may not be written to, and those of file systems other than the disk's.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::{Actor, Ground, owner};

const MOUNTS: [&str; 3] = ["unshare", "--mount", "--"];

#[track_caller]
fn says_what_to_do(said: &str) {
    assert!(said.starts_with("Storage: "), "{said}");
    let advice = "this process may not write there, but can join one that may: `nearfield serve";
    assert!(said.contains(advice), "{said}");
}

#[test]
#[ignore = "needs root"]
fn a_folder_that_is_mounted_read_only_can_be_joined_but_not_owned() {
    let ground = Ground::new();
    let store = ground.folder("store");
    let script = "mount --bind \"$GROUND/store\" \"$GROUND/store\"; \
                  mount -o remount,bind,ro \"$GROUND/store\"; exec \"$@\"";
    let read_only = || Actor::start(ground.script(&MOUNTS, script), &store);
    says_what_to_do(&read_only().says("open"));
    let mut owner = owner(ground.command(), &store);
    for way in ["open", "open shm:", "open unix:"] {
        let mut guest = read_only();
        guest.does(way);
        guest.does("upsert 2");
        assert_eq!(guest.says("count"), "2");
    }
    let mut guest = read_only();
    guest.does("open");
    owner.0.kill();
    // What a killed owner left behind leads nobody on.
    says_what_to_do(&read_only().says("open"));
    guest.0.tell("count");
    let mut next = Actor::start(ground.command(), &store);
    next.does("open");
    assert_eq!(guest.0.next().as_deref(), Some("2"));
    next.0.kill();
    says_what_to_do(&guest.says("count"));
}

#[test]
#[ignore = "needs root"]
fn a_folder_without_the_right_to_write_can_be_joined_but_not_owned() {
    let ground = Ground::new();
    let store = ground.folder("store");
    let user = || {
        let mut command = ground.command();
        command.uid(61_001).gid(62_001);
        command
    };
    std::os::unix::fs::chown(&store, Some(61_001), Some(62_001)).unwrap();
    let set_mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut owner = owner(user(), &store);
    set_mode(&store, 0o555);
    set_mode(&store.join("lock"), 0o444);
    for way in ["open", "open shm:", "open unix:"] {
        let mut guest = Actor::start(user(), &store);
        guest.does(way);
        guest.does("upsert 2");
    }
    assert_eq!(owner.says("count"), "2");
    owner.0.kill();
    says_what_to_do(&Actor::start(user(), &store).says("open"));
}

/// An owner and a guest where a script has mounted something at `mounted`.
fn share_in(script: &str) {
    let ground = Ground::new();
    ground.folder("mounted");
    let store = ground.path("mounted/store");
    let script = format!("{script}; exec \"$@\"");
    let mut owner = owner(ground.script(&MOUNTS, &script), &store);
    let mut enter = Command::new("nsenter");
    let target = owner.0.id().to_string();
    enter.args(["--mount", "--target", &target, "--"]);
    enter.arg(ground.program()).current_dir("/");
    let mut guest = Actor::start(enter, &store);
    for way in ["open shm:", "open unix:", "open"] {
        guest.does(way);
        guest.does("upsert 2");
        assert_eq!(guest.says("count"), "2");
    }
    assert_eq!(owner.says("guests").matches("Some").count(), 1);
    owner.dies();
    guest.does("upsert 3");
    assert_eq!(guest.says("count"), "3");
    assert!(!store.exists(), "nothing was mounted");
}

#[test]
#[ignore = "needs root"]
fn a_file_system_in_memory_is_shared_as_a_disk_is() {
    share_in("mount -t tmpfs tmpfs \"$GROUND/mounted\"");
}

#[test]
#[ignore = "needs root"]
fn a_file_system_of_layers_is_shared_as_a_disk_is() {
    share_in(
        "mount -t tmpfs tmpfs \"$GROUND/mounted\"; cd \"$GROUND/mounted\"; \
         mkdir lower upper work; \
         mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay \"$GROUND/mounted\"",
    );
}
