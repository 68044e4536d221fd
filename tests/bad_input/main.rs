//! What can be wrong with a request, a file or the system: each is a typed error with its exit code, in one line,
//! without a panic and without partial output.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod damaged;
mod requests;
mod system;
#[expect(dead_code, reason = "this test needs a part of what the command's has")]
#[path = "../cli/world.rs"]
mod world;

use world::{Ran, World};

/// Runs a join that must fail, and checks how; once with its output absent and once with one that is precious.
fn check(world: &World, arguments: &str, code: i32, kind: &str, words: &[&str]) {
    let before = world.names();
    let ran = world.run(&format!("join {arguments} -o out.arrow"));
    check_failure(&ran, arguments, code);
    assert!(ran.stdout.is_empty(), "{arguments}");
    for word in words {
        assert!(ran.stderr.contains(word), "{arguments}: {word} is missing in {}", ran.stderr);
    }
    assert_eq!(world.names(), before, "{arguments}");

    world.write("out.arrow", b"precious");
    let json = world.run(&format!("join {arguments} -o out.arrow --json"));
    assert_eq!((json.code, &json.stderr), (Some(code), &ran.stderr), "{arguments}");
    let object = json.json();
    assert_eq!((object["kind"].as_str(), object["retryable"].as_bool()), (Some(kind), Some(code == 4)));
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 7, "{arguments}: {keys:?}");
    assert_eq!(std::fs::read(world.path("out.arrow")).unwrap(), b"precious", "{arguments}");
    std::fs::remove_file(world.path("out.arrow")).unwrap();
    assert_eq!(world.names(), before, "{arguments}");
}

/// One `error:` line, at most one `help:` line, nothing of a panic.
fn check_failure(ran: &Ran, what: &str, code: i32) {
    assert_eq!(ran.code, Some(code), "{what}: {}", ran.stderr);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let is_well_formed = match lines.as_slice() {
        [error] => error.starts_with("error: "),
        [error, help] => error.starts_with("error: ") && help.starts_with("help: "),
        _ => false,
    };
    assert!(is_well_formed, "{what}: {}", ran.stderr);
    assert!(
        !ran.stderr.contains("panic") && !ran.stderr.contains("internal error"),
        "{what}: {}",
        ran.stderr
    );
}
