use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int64Array, ListArray, PrimitiveArray, RecordBatch, StringArray, StructArray,
};
use arrow_schema::DataType;

use super::{Format, OutputFile, write_batch, write_file};
use crate::ErrorKind;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

fn times(zone: Option<&str>) -> ArrayRef {
    let times: PrimitiveArray<TimestampMicrosecondType> = vec![Some(0), None, Some(1_500_000)].into();
    Arc::new(times.with_timezone_opt(zone))
}

fn small() -> RecordBatch {
    batch(vec![
        ("ts", times(None)),
        ("a", Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN), None]))),
        ("s", Arc::new(StringArray::from(vec![Some("x,\"y\""), None, Some("")]))),
    ])
}

fn nested() -> RecordBatch {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None]);
    batch(vec![("k", Arc::new(Int64Array::from(vec![1, 2]))), ("l", Arc::new(list))])
}

fn text(batch: &RecordBatch, format: Format) -> crate::Result<String> {
    let mut out = Vec::new();
    write_batch(batch, format, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn what_is_written_reads_the_same() {
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("a")].into_iter().collect();
    let wide = batch(vec![
        ("ts", times(Some("Europe/Berlin"))),
        ("d", Arc::new(dictionary)),
        ("b", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\xff".as_slice()), None, Some(b"")]))),
        ("t", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("n", Arc::new(Decimal128Array::from(vec![Some(1), None, Some(-250)]))),
    ]);
    let many = batch(vec![("n", Arc::new(Int64Array::from_iter_values(0..300_000)))]);
    for expected in [small(), nested(), wide, many.slice(7, 250_000), many.slice(0, 0)] {
        for format in [Format::Arrow, Format::Stream, Format::Parquet] {
            let mut bytes = Vec::new();
            write_batch(&expected, format, &mut bytes).unwrap();
            let read: Vec<RecordBatch> = match format {
                Format::Arrow => arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None)
                    .unwrap()
                    .collect::<Result<_, _>>()
                    .unwrap(),
                Format::Stream => arrow_ipc::reader::StreamReader::try_new(bytes.as_slice(), None)
                    .unwrap()
                    .collect::<Result<_, _>>()
                    .unwrap(),
                _ => {
                    let bytes = tempfile_of(&bytes);
                    parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes)
                        .unwrap()
                        .with_batch_size(1 << 20)
                        .build()
                        .unwrap()
                        .collect::<Result<_, _>>()
                        .unwrap()
                }
            };
            if format == Format::Parquet && expected.num_rows() == 0 {
                assert!(read.iter().all(|b| b.num_rows() == 0));
            } else {
                assert_eq!(read, std::slice::from_ref(&expected), "{format}");
            }
        }
    }
}

fn tempfile_of(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn text_has_every_column_of_every_row() {
    let check = |batch: &RecordBatch, format, expected: &str| {
        assert_eq!(text(batch, format).unwrap(), expected);
    };
    check(
        &small(),
        Format::Csv,
        "ts,a,s\n1970-01-01T00:00:00,1.5,\"x,\"\"y\"\"\"\n,NaN,\n1970-01-01T00:00:01.500,,\n",
    );
    check(
        &small(),
        Format::Ndjson,
        "{\"ts\":\"1970-01-01T00:00:00\",\"a\":1.5,\"s\":\"x,\\\"y\\\"\"}\n{\"ts\":null,\"a\":null,\"s\":null}\n\
         {\"ts\":\"1970-01-01T00:00:01.500\",\"a\":null,\"s\":\"\"}\n",
    );
    check(&small().slice(0, 0), Format::Csv, "ts,a,s\n");
    check(&small().slice(0, 0), Format::Ndjson, "");
    check(&nested(), Format::Ndjson, "{\"k\":1,\"l\":[1,null]}\n{\"k\":2,\"l\":null}\n");
    let dates = batch(vec![("d", Arc::new(Date32Array::from(vec![Some(-1), None])))]);
    check(&dates, Format::Ndjson, "{\"d\":\"1969-12-31\"}\n{\"d\":null}\n");
}

#[test]
fn times_of_a_named_zone_are_written_in_utc() {
    for (zone, expected) in [
        ("UTC", "1970-01-01T00:00:00Z"),
        ("Europe/Berlin", "1970-01-01T00:00:00Z"),
        ("+00:00", "1970-01-01T00:00:00Z"),
        ("+01:00", "1970-01-01T01:00:00+01:00"),
    ] {
        let plain = batch(vec![("ts", times(Some(zone))), ("x", times(None))]).slice(0, 1);
        let csv = text(&plain, Format::Csv).unwrap();
        assert_eq!(csv, format!("ts,x\n{expected},1970-01-01T00:00:00\n"), "{zone}");
        let inner = times(Some(zone)).slice(0, 1);
        let field = arrow_schema::Field::new("t", inner.data_type().clone(), true);
        let within: ArrayRef = Arc::new(StructArray::new(vec![field].into(), vec![inner], None));
        let ndjson = text(&batch(vec![("s", within)]), Format::Ndjson).unwrap();
        assert_eq!(ndjson, format!("{{\"s\":{{\"t\":\"{expected}\"}}}}\n"), "{zone}");
    }
}

#[test]
fn csv_of_a_nested_column_is_refused_by_name() {
    let error = text(&nested(), Format::Csv).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().starts_with("csv cannot hold this frame: column `l` is nested"), "{error}");
    assert!(error.hint_text().unwrap().contains(".ndjson"));
}

#[test]
fn the_suffix_tells_the_format() {
    let check = |path: &str, expected: Option<Format>| match Format::from_path(Path::new(path)) {
        Ok(format) => assert_eq!(Some(format), expected, "{path}"),
        Err(error) => {
            assert_eq!((expected, error.kind()), (None, ErrorKind::InvalidRequest), "{path}: {error}");
            assert!(error.hint_text().unwrap().contains(".arrows .parquet"), "{error:?}");
        }
    };
    check("a.arrow", Some(Format::Arrow));
    check("a.b.arrows", Some(Format::Stream));
    check("d.csv/a.PARQUET", Some(Format::Parquet));
    check("a.csv", Some(Format::Csv));
    check("a.ndjson", Some(Format::Ndjson));
    for unknown in ["a.json", "a", ".csv", "a.arrow.gz", "a.", ""] {
        check(unknown, None);
    }
    for format in Format::ALL {
        assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
    }
    assert_eq!("parket".parse::<Format>().unwrap_err().hint_text(), Some("did you mean `parquet`?"));
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let names = || {
        let names = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<_> = names.map(|n| n.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let path = folder.path().join("out.csv");
    let mut file = OutputFile::create(&path).unwrap();
    assert_eq!(file.temporary_path().unwrap().parent(), Some(folder.path()));
    file.write_all(b"half").unwrap();
    assert!(!path.exists());
    drop(file);
    assert!(names().is_empty());

    write_file(&small(), &path, Format::Csv).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let error = write_file(&nested(), &path, Format::Csv).unwrap_err();
    assert_eq!(error.file_path(), Some(path.as_path()));
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    assert_eq!(names(), ["out.csv"]);

    write_file(&small(), &path, Format::Ndjson).unwrap();
    assert!(std::fs::read(&path).unwrap().starts_with(b"{"));
}

#[test]
fn a_replaced_file_keeps_its_mode_and_a_link_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("real.csv");
    let link = folder.path().join("link.csv");
    let outer = folder.path().join("outer.csv");
    std::os::unix::fs::symlink("real.csv", &link).unwrap();
    std::os::unix::fs::symlink(&link, &outer).unwrap();
    // Through a link to nothing as well.
    write_file(&small(), &outer, Format::Csv).unwrap();
    assert!(path.is_file());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    write_file(&small(), &outer, Format::Ndjson).unwrap();
    for link in [&link, &outer] {
        assert!(std::fs::symlink_metadata(link).unwrap().is_symlink());
    }
    let metadata = std::fs::symlink_metadata(&path).unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
    assert!(std::fs::read(&path).unwrap().starts_with(b"{"));
}

#[test]
fn a_target_that_is_no_regular_file_is_written_directly() {
    write_file(&small(), Path::new("/dev/null"), Format::Parquet).unwrap();
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());

    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            let mut text = String::new();
            std::fs::File::open(pipe).unwrap().read_to_string(&mut text).unwrap();
            text
        }
    });
    write_file(&small(), &pipe, Format::Csv).unwrap();
    assert!(reader.join().unwrap().starts_with("ts,a,s\n"));
    assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
}

#[test]
fn what_cannot_be_written_is_a_typed_error_that_names_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let check = |path: &Path, kind: ErrorKind| {
        for format in Format::ALL {
            let error = write_file(&small(), path, format).expect_err("it cannot be written");
            assert_eq!((error.kind(), error.file_path()), (kind, Some(path)), "{error}");
        }
    };
    check(Path::new("/dev/full"), ErrorKind::Unavailable);
    check(&folder.path().join("none/out"), ErrorKind::NotFound);
    check(folder.path(), ErrorKind::InvalidRequest);
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    check(&file.join("out"), ErrorKind::NotFound);
    check(&folder.path().join("x".repeat(300)), ErrorKind::InvalidRequest);
    let circle = folder.path().join("circle");
    std::os::unix::fs::symlink("circle", &circle).unwrap();
    check(&circle, ErrorKind::InvalidRequest);
}

#[test]
fn the_operating_systems_error_survives_every_encoder() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in Format::ALL {
        let error = write_batch(&small(), format, &mut Broken).unwrap_err();
        let source = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<std::io::Error>());
        assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::BrokenPipe), "{format}");
    }
    assert!(matches!(small().column(0).data_type(), DataType::Timestamp(_, None)));
}
