//! Models in a managed store, as their users meet them.

use crate::world::World;

fn world() -> World {
    let world = World::new();
    std::fs::create_dir(world.path("store")).unwrap();
    world.run("init --root store").text();
    world
}

#[test]
fn a_model_is_put_named_listed_and_brought_back() {
    let world = world();
    world.write("m.txt", b"first");
    assert_eq!(world.run("model put node-17 m.txt --root store").text(), "node-17 has version 1\n");
    world.write("meta.json", b"{\"loss\": 0.5}");
    world.run("write wind wind.parquet --root store --key ts").text();
    let put = world.shell(
        "printf second | $HYPOSTYLE model put node-17 - --root store --metadata @meta.json \
         --feature wind:speed_80m,wind:speed_120m --trained-on 2 --json",
    );
    assert_eq!((put.json()["version"].as_u64(), put.json()["name"].as_str()), (Some(2), Some("node-17")));
    let text = world.run("model alias node-17 production 1 --root store").text();
    assert_eq!(text, "production of node-17 leads to 1\n");

    for (arguments, expected) in [
        ("", "second"),
        ("--version 1", "first"),
        ("--version production", "first"),
        ("--version latest", "second"),
        ("--as-of 1", "first"),
        ("--io pread", "second"),
        ("--io mmap --no-verify", "second"),
        ("--timeout 10s --root elsewhere-too", "second"),
    ] {
        let arguments = arguments.replace("elsewhere-too", "store");
        let got = world.run(&format!("model get node-17 -o - --root store {arguments}"));
        assert_eq!(got.text(), expected, "{arguments}");
        world.run(&format!("model get node-17 -o out --root store {arguments}")).text();
        assert_eq!(std::fs::read_to_string(world.path("out")).unwrap(), expected, "{arguments}");
    }
    let info = world.run("model get node-17 --info --json --root store").json();
    assert_eq!((info["version"].as_u64(), info["metadata"]["loss"].as_f64()), (Some(2), Some(0.5)));
    assert_eq!(info["features"][1], "wind:speed_120m");
    assert_eq!(info["trained_on"], 2);
    let text = world.run("model get node-17 --info --root store").text();
    assert!(text.contains("node-17 version 2: 6 B") && text.contains("metadata: {\"loss\":0.5}"), "{text}");
    assert_eq!(
        world.run("model ls --root store").text(),
        "node-17  latest 2, 2 versions, 11 B  production = 1\n"
    );
    let list = world.run("model ls --root store --json").json();
    assert_eq!(list[0]["versions"].as_array().unwrap().len(), 2);
    assert_eq!(world.run("model ls node-17 --root store --json").json().as_array().unwrap().len(), 2);
    let log = world.run("log --root store --json").json();
    assert_eq!(
        (log[0]["what"].as_str(), log[0]["models"][0].as_str()),
        (Some("alias production of model node-17 to 1"), Some("node-17"))
    );

    let text = world.run("model rm node-17 --version 2 --root store").text();
    assert_eq!(text, "node-17 has lost version 2\n");
    let text = world.run("model alias node-17 production --delete --root store").text();
    assert_eq!(text, "node-17 has no alias production any more\n");
    let removed = world.run("model rm node-17 --all --root store --json").json();
    assert_eq!(removed["removed"], serde_json::json!([1]));
    assert_eq!(world.run("model ls --root store").text(), "");
    assert_eq!(world.run("repair --root store").text().lines().count(), 1);
}

#[test]
fn a_folder_is_put_and_comes_back_as_one() {
    let world = world();
    std::fs::create_dir_all(world.path("model/weights")).unwrap();
    world.write("model/weights/a.bin", b"weights");
    world.run("model put m model --root store").text();
    world.run("model get m -o back --root store").text();
    assert_eq!(std::fs::read(world.path("back/weights/a.bin")).unwrap(), b"weights");
    let ran = world.run("model get m -o back --root store");
    assert_eq!(
        (ran.code, ran.stderr.contains("something is there already")),
        (Some(2), true),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_cannot_be_done_with_a_model_is_one_line_with_its_exit_code() {
    let world = world();
    world.write("m", &[7; 5_000]);
    std::fs::create_dir(world.path("out")).unwrap();
    std::os::unix::fs::symlink("../m", world.path("out/link")).unwrap();
    world.run("model put m m --root store").text();
    world.run("model alias m a 1 --root store").text();
    world.run("model alias m b a --root store").text();
    world.run("tag kept --root store").text();
    let check = |arguments: &str, code: i32, error: &str| {
        let ran = world.run(&format!("model {arguments} --root store"));
        let line = ran.stderr.lines().next().unwrap_or_default();
        assert_eq!((ran.code, line), (Some(code), format!("error: {error}").as_str()), "{arguments}");
        let json = world.run(&format!("model {arguments} --root store --json"));
        assert_eq!(json.code, Some(code), "{arguments}");
    };
    check("put a/b m", 2, "`a/b` is no model name");
    check("put .. m", 2, "`..` is no model name");
    check("put x none", 2, "file none: No such file or directory (os error 2)");
    check("put x out", 2, "file out/link: the link leads out of the folder, to ../m");
    check(
        "put x m --metadata [1]",
        2,
        "the metadata is no JSON object: invalid type: sequence, expected a map at line 1 column 0",
    );
    check("get none -o -", 2, "the store has no model `none`");
    check("get m -o x --version 2", 2, "model `m` has no version 2");
    check("get m -o x --version prod", 2, "model `m` has no alias `prod`");
    check("get m -o x --as-of 9", 2, "there is no snapshot 9 yet; the newest is 4");
    check("alias m c 7", 2, "model `m` has no version 7");
    check("alias m c nothing", 2, "model `m` has no alias `nothing`");
    check("alias m a b", 2, "the alias `a` of model `m` would lead back to itself");
    check("alias m latest 1", 2, "`latest` is no alias: it is always the newest version");
    check("alias m a --delete", 6, "the alias `b` of model `m` leads to `a`");
    check("rm m --version 1", 6, "version 1 of model `m` is held by the alias `a`");
    check("rm m --version 3", 2, "model `m` has no version 3");
    world.run("model alias m b --delete --root store").text();
    world.run("model alias m a --delete --root store").text();
    check("rm m --all", 6, "version 1 of model `m` is held by the tag `kept` of snapshot 3");
    // Damaged, it is named, and no file is made of it.
    let pack = std::fs::read_dir(world.path("store/_hypostyle/models")).unwrap().next().unwrap().unwrap();
    let mut bytes = std::fs::read(pack.path()).unwrap();
    let middle = bytes.len() - 1_000;
    bytes[middle] ^= 1;
    std::fs::write(pack.path(), bytes).unwrap();
    let below = format!("store/_hypostyle/models/{}", pack.file_name().display());
    let error =
        "model `m`, version 1: the bytes are not those that were written: their checksum does not fit";
    check("get m -o fresh", 3, &format!("file {below}: {error}"));
    assert!(!world.path("fresh").exists());
    let repair = world.run("repair --root store").text();
    assert!(repair.contains("model `m`, version 1"), "{repair}");
    std::fs::remove_file(pack.path()).unwrap();
    check(
        "get m -o fresh",
        3,
        &format!("file {below}: model `m`, version 1: the manifest names its file, and it is missing"),
    );
}
