//! What the format says that a footer and a column index are made of.
//!
//! <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>

use super::strict::Holds::{
    self, Algorithm, Any, Byte, Children, Double, Flag, List, Number, Schema, Struct,
};

/// The fields of a structure. They are numbered by their places, from 1.
pub(super) type Fields = &'static [(&'static str, Holds)];

/// `FileMetaData`
pub(super) const FILE: Fields = &[
    ("version", Number),
    ("schema", Schema),
    ("num_rows", Number),
    ("row_groups", List(&Struct(ROW_GROUP))),
    ("key_value_metadata", List(&Struct(KEY_VALUE))),
    ("created_by", TEXT),
    ("column_orders", List(&Struct(COLUMN_ORDER))),
    ("encryption_algorithm", Algorithm),
    ("footer_signing_key_metadata", TEXT),
];

/// `SchemaElement`
pub(super) const ELEMENT: Fields = &[
    ("type", Number),
    ("type_length", Number),
    ("repetition_type", Number),
    ("name", TEXT),
    ("num_children", Children),
    ("converted_type", Number),
    ("scale", Number),
    ("precision", Number),
    ("field_id", Number),
    ("logicalType", Struct(LOGICAL_TYPE)),
];

/// `ColumnIndex`
pub(super) const COLUMN_INDEX: Fields = &[
    ("null_pages", List(&Flag)),
    ("min_values", List(&TEXT)),
    ("max_values", List(&TEXT)),
    ("boundary_order", Number),
    ("null_counts", List(&Number)),
    ("repetition_level_histograms", List(&Number)),
    ("definition_level_histograms", List(&Number)),
    ("nan_counts", List(&Number)),
];

const TEXT: Holds = Holds::Text;
const NOTHING: Holds = Struct(&[]);

const LOGICAL_TYPE: Fields = &[
    ("STRING", NOTHING),
    ("MAP", NOTHING),
    ("LIST", NOTHING),
    ("ENUM", NOTHING),
    ("DECIMAL", Struct(&[("scale", Number), ("precision", Number)])),
    ("DATE", NOTHING),
    ("TIME", Struct(TIME)),
    ("TIMESTAMP", Struct(TIME)),
    ("9", Any),
    ("INTEGER", Struct(&[("bitWidth", Byte), ("isSigned", Flag)])),
    ("UNKNOWN", NOTHING),
    ("JSON", NOTHING),
    ("BSON", NOTHING),
    ("UUID", NOTHING),
    ("FLOAT16", NOTHING),
    ("VARIANT", Struct(&[("specification_version", Byte)])),
    ("GEOMETRY", Struct(&[("crs", TEXT)])),
    ("GEOGRAPHY", Struct(&[("crs", TEXT), ("algorithm", Number)])),
    ("FILE", NOTHING),
];
const TIME: Fields = &[("isAdjustedToUTC", Flag), ("unit", Struct(TIME_UNIT))];
const TIME_UNIT: Fields = &[("MILLIS", NOTHING), ("MICROS", NOTHING), ("NANOS", NOTHING)];

const COLUMN_ORDER: Fields =
    &[("TYPE_ORDER", NOTHING), ("IEEE_754_TOTAL_ORDER", NOTHING), ("INT96_TIMESTAMP_ORDER", NOTHING)];

const KEY_VALUE: Fields = &[("key", TEXT), ("value", TEXT)];

const ROW_GROUP: Fields = &[
    ("columns", List(&Struct(COLUMN_CHUNK))),
    ("total_byte_size", Number),
    ("num_rows", Number),
    ("sorting_columns", List(&Struct(SORTING_COLUMN))),
    ("file_offset", Number),
    ("total_compressed_size", Number),
    ("ordinal", Number),
];
const SORTING_COLUMN: Fields = &[("column_idx", Number), ("descending", Flag), ("nulls_first", Flag)];

const COLUMN_CHUNK: Fields = &[
    ("file_path", TEXT),
    ("file_offset", Number),
    ("meta_data", Struct(COLUMN)),
    ("offset_index_offset", Number),
    ("offset_index_length", Number),
    ("column_index_offset", Number),
    ("column_index_length", Number),
    ("crypto_metadata", Any),
    ("encrypted_column_metadata", TEXT),
];

/// `ColumnMetaData`
const COLUMN: Fields = &[
    ("type", Number),
    ("encodings", List(&Number)),
    ("path_in_schema", List(&TEXT)),
    ("codec", Number),
    ("num_values", Number),
    ("total_uncompressed_size", Number),
    ("total_compressed_size", Number),
    ("key_value_metadata", List(&Struct(KEY_VALUE))),
    ("data_page_offset", Number),
    ("index_page_offset", Number),
    ("dictionary_page_offset", Number),
    ("statistics", Struct(STATISTICS)),
    ("encoding_stats", List(&Struct(&[("page_type", Number), ("encoding", Number), ("count", Number)]))),
    ("bloom_filter_offset", Number),
    ("bloom_filter_length", Number),
    ("size_statistics", Struct(SIZES)),
    ("geospatial_statistics", Struct(&[("bbox", Struct(BOX)), ("geospatial_types", List(&Number))])),
];
const STATISTICS: Fields = &[
    ("max", TEXT),
    ("min", TEXT),
    ("null_count", Number),
    ("distinct_count", Number),
    ("max_value", TEXT),
    ("min_value", TEXT),
    ("is_max_value_exact", Flag),
    ("is_min_value_exact", Flag),
    ("nan_count", Number),
];
const SIZES: Fields = &[
    ("unencoded_byte_array_data_bytes", Number),
    ("repetition_level_histogram", List(&Number)),
    ("definition_level_histogram", List(&Number)),
];
const BOX: Fields = &[
    ("xmin", Double),
    ("xmax", Double),
    ("ymin", Double),
    ("ymax", Double),
    ("zmin", Double),
    ("zmax", Double),
    ("mmin", Double),
    ("mmax", Double),
];
