use crate::world::World;

/// `INSTA_UPDATE=always cargo test --test cli` writes them anew.
#[test]
fn the_help_of_every_verb_is_the_one_that_was_read() {
    let world = World::new();
    let mut help = String::new();
    for verb in [
        "",
        "join",
        "explain",
        "inspect",
        "init",
        "write",
        "delete",
        "files",
        "log",
        "diff",
        "tag",
        "lock",
        "model",
        "model put",
        "model get",
        "model ls",
        "model rm",
        "model alias",
        "compact",
        "gc",
        "repair",
        "doctor",
        "fixture",
        "demo",
        "schema",
        "completions",
    ] {
        help += &format!("$ hypostyle {verb} --help\n{}\n", world.run(&format!("{verb} --help")).text());
    }
    insta::assert_snapshot!("help", help);
}

#[test]
fn the_version_and_a_shells_completions_are_printed() {
    let world = World::new();
    assert_eq!(world.run("--version").text(), format!("hypostyle {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.run(&format!("completions {shell}")).text();
        assert!(script.contains("memory-limit") && script.contains("fixture"), "{shell}");
    }
}

#[test]
fn the_schema_is_the_published_one() {
    let published = include_str!("../../docs/join-spec.schema.json");
    assert_eq!(World::new().run("schema").text(), published);
}

#[test]
fn a_command_without_a_verb_shows_the_help_and_fails() {
    let ran = World::new().run("");
    assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0));
    assert!(ran.stderr.contains("Usage: hypostyle"));
}

#[test]
fn a_wrong_flag_is_one_line_with_a_mend_and_exit_code_2() {
    let world = World::new();
    let check = |arguments: &str, error: &str, help: &str| {
        let ran = world.run(arguments);
        assert_eq!(ran.stderr, format!("error: {error}\nhelp: {help}\n"), "{arguments}");
        assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{arguments}");

        let json = world.run(&format!("{arguments} --json"));
        assert_eq!((json.code, &json.stderr), (Some(2), &ran.stderr), "{arguments}");
        let object = json.json();
        assert_eq!(object["kind"], "invalid_request");
        assert_eq!(object["message"], error);
        assert_eq!(object["hint"], help);
        assert_eq!(object["retryable"], false);
    };
    let see = "see `hypostyle --help`, or --help after the verb";
    check("jion", "unrecognized subcommand 'jion'", "did you mean `join`?");
    check("join --las 3", "unexpected argument '--las' found", "did you mean `--last`?");
    check("fixture", "the following required arguments were not provided: <DIR>", see);
    check(
        "join --how outer",
        "invalid value 'outer' for '--how <HOW>' [possible values: inner, left, spine]",
        see,
    );
    check(
        "join --format parket",
        "invalid value 'parket' for '--format <FORMAT>' [possible values: arrow, stream, parquet, csv, ndjson]",
        "did you mean `parquet`?",
    );
    check("join --threads 0", "invalid value '0' for '--threads <N>': 0 is not in 1..=1024", see);
    check(
        "join --memory-limit 0",
        "invalid value '0' for '--memory-limit <BYTES>': nothing fits into 0 bytes",
        see,
    );
    check("join --last many", "invalid value 'many' for '--last <N>': invalid digit found in string", see);
}
