//! Joins of more files than the process may have open.

use std::process::Command;

use hypostyle_fixtures::{FixtureSpec, KEY, Profile, record_batch, table_name};

use crate::world::{World, has_fuse};

#[test]
fn few_descriptors_are_enough_for_many_files() {
    const TABLES: usize = 20;
    const FILES: usize = 15;
    let world = World::new(1, 10, 1, Profile::default());
    let spec = FixtureSpec { tables: TABLES, rows: 24 * FILES, columns: 2, ..FixtureSpec::default() };
    for table in 0..TABLES {
        let folder = world.tables().join(format!("many/{}", table_name(table)));
        std::fs::create_dir_all(&folder).unwrap();
        for file in 0..FILES {
            let batch = record_batch(&spec, table, 0..2).slice(24 * file, 24);
            let path = folder.join(format!("{file:02}.parquet"));
            hypostyle::write_file(&batch, &path, hypostyle::Format::Parquet).unwrap();
        }
    }
    let tables: Vec<String> = (0..TABLES).map(|t| format!("--table {}:f000", table_name(t))).collect();
    let join = |folder: &std::path::Path, limit: &str| {
        let script = format!(
            "ulimit -n {limit}; exec {} join --root many --key {KEY} {} --full-names --format csv",
            env!("CARGO_BIN_EXE_hypostyle"),
            tables.join(" ")
        );
        Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap()
    };
    let expected = join(&world.tables(), "1024");
    assert_eq!(String::from_utf8_lossy(&expected.stderr), "");
    assert!(expected.stdout.len() > 24 * FILES * TABLES);
    let mounted = has_fuse().then(|| world.mount("rules: []"));
    let folders = [Some(world.tables()), mounted.as_ref().map(|m| m.path().to_owned())];
    for folder in folders.into_iter().flatten() {
        let few = join(&folder, "64");
        assert_eq!((String::from_utf8_lossy(&few.stderr), few.status.code()), ("".into(), Some(0)));
        assert!(few.stdout == expected.stdout, "{}", folder.display());
    }
}
