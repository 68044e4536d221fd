//! Stores that somebody or something else has had hands on.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::ErrorKind;

/// Two tables, `a` in snapshots 1 and 3, `b` in 2.
fn world() -> World {
    let world = World::new();
    world.write("a", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    world.write("b", &rows(&[(1, 1.0)]), WriteMode::Append).unwrap();
    world.write("a", &rows(&[(1, 2.0)]), WriteMode::Upsert).unwrap();
    world
}

fn manifest(world: &World, number: u64) -> std::path::PathBuf {
    super::super::layout::Layout::of(world.folder.path()).snapshot(number)
}

#[test]
fn a_damaged_manifest_is_named_and_other_tables_stay_readable() {
    let check = |number: u64, damage: &dyn Fn(&Path), a: Option<ErrorKind>, b: Option<ErrorKind>| {
        let world = world();
        let path = manifest(&world, number);
        damage(&path);
        // A process that has read nothing yet.
        let fresh = World { store: Store::open(world.folder.path()).unwrap(), folder: world.folder };
        for (table, expected) in [("a", a), ("b", b)] {
            let error = fresh.read(table).err();
            assert_eq!(error.as_ref().map(Error::kind), expected, "{number} {table} {error:?}");
            if let Some(error) = error {
                assert_eq!(error.file_path(), Some(path.as_path()), "{error}");
            }
        }
        let report = fresh.store.repair(false).unwrap();
        let named = report.findings.iter().any(|f| f.path.as_deref() == Some(&path.display().to_string()));
        assert!(named, "{number} {report:?}");
    };
    let truncate = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let edit = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.replace("\"rows\":1", "\"rows\":2")).unwrap();
    };
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    let corrupt = Some(ErrorKind::Corrupt);
    check(2, &truncate, None, corrupt);
    check(2, &edit, None, corrupt);
    check(2, &remove, None, corrupt);
    check(3, &truncate, corrupt, corrupt);
    check(3, &edit, corrupt, corrupt);
    // Nobody reads what it says any more.
    let world = world();
    truncate(&manifest(&world, 1));
    let fresh = Store::open(world.folder.path()).unwrap();
    assert_eq!(fresh.tables().unwrap(), ["a", "b"]);
}

#[test]
fn a_damaged_data_file_is_named_and_other_tables_stay_readable() {
    let check = |damage: &dyn Fn(&Path), what: &str| {
        let world = world();
        let path = world.store.files("a", None).unwrap().remove(0);
        damage(&path);
        let fresh = World { store: Store::open(world.folder.path()).unwrap(), folder: world.folder };
        let error = fresh.read("a").unwrap_err();
        assert_eq!((error.kind(), error.table_name()), (ErrorKind::Corrupt, Some("a")), "{error:?}");
        assert_eq!(error.file_path(), Some(path.as_path()));
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(fresh.read("b").unwrap(), [(1, 1.0)]);
        // The version before is whole.
        let report = fresh.store.repair(true).unwrap();
        assert_eq!((report.findings.len(), report.actions.len()), (1, 1), "{report:?}");
        assert_eq!(fresh.read("a").unwrap(), [(1, 1.0)]);
    };
    check(&|path| std::fs::remove_file(path).unwrap(), "it is missing");
    check(&|path| std::fs::write(path, "PAR1").unwrap(), "");
    check(
        &|path| {
            let mut bytes = std::fs::read(path).unwrap();
            bytes.push(0);
            std::fs::write(path, bytes).unwrap();
        },
        "",
    );
    check(
        &|path| {
            let other = many(0..1, 5.0);
            let bytes = hypostyle_io::fast_file(&other, &["k".to_owned()]).unwrap();
            std::fs::write(path, bytes).unwrap();
        },
        "was replaced",
    );
}

#[test]
fn init_refuses_what_is_no_place_for_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let try_init =
        |path: &Path| init(path, &Coordination::Local).map_err(|e| (e.kind(), e.message().to_owned()));
    let wrong = |message: &str| Err((ErrorKind::InvalidRequest, message.to_owned()));
    assert_eq!(try_init(&folder.path().join("none")).unwrap_err().0, ErrorKind::NotFound);
    try_init(&inner).unwrap();
    assert_eq!(try_init(&inner).map(drop), wrong("the root is a managed store already"));
    assert_eq!(try_init(folder.path()).map(drop), wrong("the root would have another managed store inside"));
    let outer = tempfile::tempdir().unwrap();
    try_init(outer.path()).unwrap();
    let inner = outer.path().join("a/b");
    std::fs::create_dir_all(&inner).unwrap();
    assert_eq!(try_init(&inner).map(drop), wrong("the root would lie inside another managed store"));
    let over_etcd = "etcd://127.0.0.1:2379".parse::<Coordination>();
    assert_eq!(
        over_etcd.err().map(|e| e.kind()),
        (!cfg!(feature = "etcd")).then_some(ErrorKind::Unsupported)
    );
    let file = outer.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(try_init(&file).is_err());
    // On Linux, /proc is no file system for a store.
    assert!(try_init(Path::new("/proc/self")).is_err());
}

#[test]
fn of_many_inits_at_once_one_makes_the_store() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let made = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| init(folder.path(), &Coordination::Local).is_ok())).collect();
            threads.into_iter().map(|t| t.join().unwrap()).filter(|made| *made).count()
        });
        assert_eq!(made, 1);
        let store = Store::open(folder.path()).unwrap();
        store.write("t", &rows(&[(1, 1.0)]), &WriteOptions::default().key(["k"])).unwrap();
        assert_eq!(store.snapshot(None).unwrap(), 1);
    }
}

#[test]
fn a_folder_of_files_goes_on_as_before() {
    let folder = tempfile::tempdir().unwrap();
    crate::write_file(&rows(&[(1, 1.0)]), &folder.path().join("t.parquet"), crate::Format::Parquet).unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!(!store.is_managed().unwrap());
    let spec = JoinSpec::new(["k"]).table(TableSpec::named("t").columns(["x"]));
    assert_eq!(store.join(&spec).unwrap().snapshot(), None);
    assert_eq!(store.files("t", None).unwrap().len(), 1);
    for error in [
        store.join_with(&spec, &options_as_of("1")).unwrap_err(),
        store.describe("t", &[], &options_as_of("1")).unwrap_err(),
        store.write("t", &rows(&[]), &WriteOptions::default()).unwrap_err(),
        store.log(None, 1).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.hint_text().is_some_and(|hint| hint.contains("hypostyle init")));
    }
    init(folder.path(), &Coordination::Local).unwrap();
    // From now on a name is what the manifest says.
    assert_eq!(store.join(&spec).unwrap_err().kind(), ErrorKind::NotFound);
    let by_path = JoinSpec::new(["k"]).table(TableSpec::new("t.parquet").columns(["x"]));
    assert_eq!(store.join(&by_path).unwrap().num_rows(), 1);
}

#[test]
fn a_store_that_may_not_be_written_says_so_and_is_read() {
    if rustix::process::getuid().is_root() {
        // Root may write everywhere; `tests/cli` does the same as another user.
        return;
    }
    let world = world();
    let staging = world.folder.path().join("_hypostyle/staging");
    std::fs::set_permissions(&staging, std::fs::Permissions::from_mode(0o555)).unwrap();
    let error = world.write("a", &rows(&[(5, 5.0)]), WriteMode::Append).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(world.read("a").unwrap(), [(1, 2.0)]);
    std::fs::set_permissions(&staging, std::fs::Permissions::from_mode(0o755)).unwrap();
}
