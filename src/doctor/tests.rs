use super::*;

/// On a disk of this machine and in its memory all is as a store needs it.
#[test]
fn a_local_file_system_does_all_that_a_store_needs_and_nothing_is_left_there() {
    let memory = Path::new("/dev/shm");
    let folders =
        [Some(tempfile::tempdir().unwrap()), memory.is_dir().then(|| tempfile::tempdir_in(memory).unwrap())];
    for folder in folders.iter().flatten() {
        let report = doctor(folder.path()).unwrap();
        for probe in report.probes.iter().filter(|probe| probe.name != "direct_io") {
            assert_eq!(probe.answer, Answer::Yes, "{probe:?}");
        }
        assert_eq!(
            (report.safe_reading, report.safe_publishing),
            (vec!["pread", "mmap"], vec!["local", "etcd"])
        );
        assert_eq!((report.settings.coordination, report.settings.timeout), (Some("local"), false));
        let reading = report.reading.unwrap();
        assert_eq!((reading.one.reads, reading.many.reads, reading.bytes_each), (24, 104, 65_536));
        assert!(reading.many.mb_per_s > 0.0 && reading.one.p99_ms >= reading.one.median_ms);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        Medium::at(folder.path()).check(folder.path(), true).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_name_for_its_folder_that_is_taken_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/file"), "x").unwrap();
    let options = DoctorOptions { scratch: Some("mine".to_owned()), ..DoctorOptions::default() };
    let report = doctor_with(folder.path(), &options).unwrap();
    assert_eq!(report.probe("write").unwrap().answer, Answer::Unknown);
    assert!(folder.path().join("mine/file").exists());
}

#[test]
fn what_others_decide_is_asked_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = other::Other::start(folder.path()).unwrap();
    std::fs::write(folder.path().join("taken"), "12345").unwrap();
    for (what, name, expected) in [
        ("make", "taken", "lost"),
        ("make", "free", "won"),
        ("make", "free", "lost"),
        ("count", "taken", "5"),
    ] {
        assert_eq!(other.ask(what, name).unwrap(), expected, "{what} {name}");
    }
}

#[test]
fn the_median_and_the_slowest_of_hundred_are_those() {
    let hundred = (1..=200).rev().map(f64::from).collect();
    assert_eq!(report::median_and_p99(hundred), (100.0, 198.0));
    assert_eq!(report::median_and_p99(vec![]), (0.0, 0.0));
}
