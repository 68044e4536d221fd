//! Models of a store that is seen through a mount: within deadlines, from a second root, tried again, and never wrong.

use std::path::Path;
use std::time::Duration;

use hypostyle::{Coordination, ErrorKind, ModelVersion, NewModel, Store, init};
use hypostyle_faultfs::Rules;
use hypostyle_fixtures::Profile;

use crate::world::{World, has_fuse, timed, within};

const MODELS: u64 = 200;

fn blob(n: u64) -> Vec<u8> {
    (0..20_000u64).map(|at| (at.wrapping_mul(n + 31) >> 3) as u8).collect()
}

/// A store of models in `tables`, and the same in `copy`.
fn world() -> World {
    let world = World::new(1, 100, 4, Profile::default());
    init(world.tables(), &Coordination::Local).unwrap();
    let store = Store::open(world.tables()).unwrap();
    // In packs of their own, and together.
    for n in 0..5 {
        store.models().put(&format!("m{n}"), blob(n)).unwrap();
    }
    let rest = (5..MODELS).map(|n| NewModel::new(format!("m{n}"), blob(n)));
    store.models().put_many(rest.collect()).unwrap();
    copy(&world.tables(), &world.path("copy"));
    world
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            copy(&path, &to);
        } else if path.is_file() {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

fn names() -> impl Iterator<Item = String> {
    (0..MODELS).map(|n| format!("m{n}"))
}

#[test]
fn models_are_read_through_a_mount_and_told_in_time_when_it_hangs_or_fails() {
    if !has_fuse() {
        return;
    }
    let world = world();
    let mut child = world.child("rules: []");
    for (rules, expected) in [
        ("rules: []", None),
        ("rules: [{requests: [read], nth: 7, fault: {error: EIO}}]", None),
        ("rules: [{requests: [open], nth: 1, fault: {error: EINTR}}]", None),
        ("rules: [{files: '**/*.pack', fault: {latency_ms: 5}}]", None),
        ("rules: [{files: '**/*.pack', requests: [read], fault: hang}]", Some(ErrorKind::Timeout)),
        ("rules: [{files: '**/*.manifest', requests: [read], fault: hang}]", Some(ErrorKind::Timeout)),
        (
            "rules: [{files: '**/*.pack', requests: [read], fault: {error: EIO}}]",
            Some(ErrorKind::Unavailable),
        ),
        ("rules: [{files: '**/*.pack', requests: [read], fault: {short: 5000}}]", Some(ErrorKind::Corrupt)),
        ("rules: [{files: '**/*.pack', requests: [open], fault: {error: ENOENT}}]", Some(ErrorKind::Corrupt)),
    ] {
        child.restart().unwrap();
        let store = Store::open_within([child.path()], Duration::from_millis(500)).unwrap();
        child.set_rules(&Rules::parse(rules).unwrap()).unwrap();
        let options = within(if expected == Some(ErrorKind::Timeout) { 700 } else { 20_000 });
        let models = store.models_with(&options);
        let (one, took) = timed(|| models.get("m150"));
        match expected {
            None => assert_eq!(one.unwrap(), blob(150), "{rules}"),
            Some(kind) => {
                let error = one.unwrap_err();
                assert_eq!(error.kind(), kind, "{rules}: {error}");
                assert!(took < Duration::from_secs(5), "{rules}: {took:?}");
            }
        }
        let Ok(many) = models.get_many(names()) else {
            assert!(expected.is_some(), "{rules}");
            continue;
        };
        for (name, blob_of) in many {
            let n: u64 = name.strip_prefix('m').unwrap().parse().unwrap();
            match (blob_of, expected) {
                (Ok(bytes), _) => assert_eq!(bytes, blob(n), "{rules} {name}"),
                (Err(error), Some(kind)) => assert_eq!(error.kind(), kind, "{rules} {name}: {error}"),
                (Err(error), None) => panic!("{rules} {name}: {error}"),
            }
        }
        // Nothing is written where locks do not hold.
        if rules == "rules: []" {
            let error = store.models().put("m0", blob(0)).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidRequest), "{error}");
        }
    }
}

#[test]
fn models_come_from_the_second_root_where_the_first_does_not_answer() {
    if !has_fuse() {
        return;
    }
    let world = world();
    let mut child = world.child("rules: []");
    for rules in [
        "rules: []",
        "rules: [{files: '**/*.pack', requests: [read], fault: {error: EIO}}]",
        "rules: [{files: '**/*.pack', requests: [open], fault: {error: EIO}}]",
        "rules: [{files: '**/*.pack', requests: [read], fault: hang}]",
        "rules: [{fault: {error: ENOTCONN}}]",
        "rules: [{fault: hang}]",
    ] {
        child.restart().unwrap();
        let roots = [child.path().to_owned(), world.path("copy")];
        let store = Store::open_within(roots, Duration::from_millis(500)).unwrap();
        assert!(store.is_managed().unwrap());
        child.set_rules(&Rules::parse(rules).unwrap()).unwrap();
        let options = within(3_000);
        for n in [0, 150] {
            let one = store.models_with(&options).get_version(&format!("m{n}"), &ModelVersion::Number(1));
            assert_eq!(one.unwrap_or_else(|e| panic!("{rules}: {e:?}")), blob(n), "{rules}");
        }
        let mut came = 0;
        for (name, bytes) in store.models_with(&within(6_000)).get_many(names().take(20)).unwrap() {
            let n: u64 = name.strip_prefix('m').unwrap().parse().unwrap();
            assert_eq!(bytes.unwrap_or_else(|e| panic!("{rules}: {e:?}")), blob(n), "{rules}");
            came += 1;
        }
        assert_eq!(came, 20);
    }
    // What is damaged there is told within the deadlines too, though the first cannot say whether gc took it.
    child.restart().unwrap();
    let roots = [child.path().to_owned(), world.path("copy")];
    let store = Store::open_within(roots, Duration::from_millis(500)).unwrap();
    assert!(store.is_managed().unwrap());
    for pack in std::fs::read_dir(world.path("copy/_hypostyle/models")).unwrap() {
        let path = pack.unwrap().path();
        std::fs::write(&path, vec![7; std::fs::metadata(&path).unwrap().len() as usize]).unwrap();
    }
    child.set_rules(&Rules::parse("rules: [{fault: hang}]").unwrap()).unwrap();
    let (sent, done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let models = store.models_with(&within(3_000));
        let one = models.get("m0").map(drop).map_err(|e| e.kind());
        let many = models.get_many(names().take(5)).map(|many| many.filter(|m| m.1.is_ok()).count());
        sent.send((one, many.unwrap_or(0))).unwrap();
    });
    let told = done.recv_timeout(Duration::from_secs(20)).expect("an answer within the deadlines");
    assert_eq!(told, (Err(ErrorKind::Corrupt), 0));
}
