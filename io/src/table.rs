//! One logical table over one or many files, and its columns reconciled by name.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};

use crate::error::{Error, Result, did_you_mean};
use crate::file::{ParquetFile, check_unchanged};
use crate::run::Run;
use crate::types::{fixed_width, widen_field};

/// What it means when one of a table's files lacks a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The request is refused.
    #[default]
    Error,
    /// The column is null in that file's rows.
    Null,
}

/// An opened table: files in order, their rows numbered through.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    files: Vec<Arc<ParquetFile>>,
    first_row: Vec<u64>,
    missing: Missing,
}

/// A column of a table, as all of its files together have it.
#[derive(Clone, Debug)]
pub struct Column {
    field: FieldRef,
    roots: Vec<Option<usize>>,
    footer_memory: u64,
}

/// The rows of one row group of one file, numbered within the table.
#[derive(Clone, Debug)]
pub(crate) struct Group<'a> {
    pub(crate) file: &'a Arc<ParquetFile>,
    pub(crate) file_index: usize,
    pub(crate) group: usize,
    pub(crate) rows: Range<u64>,
}

impl Table {
    /// Row numbers must fit the maps that joins make of them.
    pub const MOST_ROWS: u64 = u32::MAX as u64 - 1;

    /// A table of opened files, in the order given.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) without files; [`Unsupported`](crate::ErrorKind::Unsupported)
    /// with more than [`Self::MOST_ROWS`] rows.
    pub fn new(name: impl Into<String>, files: Vec<Arc<ParquetFile>>, missing: Missing) -> Result<Self> {
        let name = name.into();
        if files.is_empty() {
            return Err(Error::not_found("the table has no files").table(name));
        }
        let mut first_row = vec![0u64];
        let mut rows = 0u64;
        for file in &files {
            rows = rows.saturating_add(file.rows());
            first_row.push(rows);
        }
        if rows > Self::MOST_ROWS {
            return Err(Error::unsupported(format!(
                "the table says it has {rows} rows; at most {} can be joined",
                Self::MOST_ROWS
            ))
            .table(name));
        }
        Ok(Self { name, files, first_row, missing })
    }

    /// The name that errors use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its files.
    pub fn files(&self) -> &[Arc<ParquetFile>] {
        &self.files
    }

    /// All its rows.
    pub fn rows(&self) -> u64 {
        self.first_row.last().copied().unwrap_or(0)
    }

    /// The names of all columns of the first file, then those that only later files have.
    pub fn column_names(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        let names = self.files.iter().flat_map(|f| f.column_names());
        names.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
    }

    /// The column of that name, with the type that all files can give.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), with the nearest name, if there is none, if a file
    /// lacks it and the table does not say that it is null there, or if the files' types have none in common.
    pub fn column(&self, name: &str) -> Result<Column> {
        let mut common: Option<Field> = None;
        let mut roots = Vec::with_capacity(self.files.len());
        let mut lacking = None;
        let mut footer_memory = 0u64;
        for file in &self.files {
            let root = file.root(name).map_err(|e| e.table(&self.name))?;
            roots.push(root);
            let Some(root) = root else {
                lacking.get_or_insert(file);
                continue;
            };
            let part = file.part(root)?;
            footer_memory = footer_memory.saturating_add(part.memory());
            let field = part.field()?;
            common = Some(match common {
                None => field.clone(),
                Some(before) if before.data_type() == field.data_type() => {
                    let nullable = before.is_nullable() || field.is_nullable();
                    before.with_nullable(nullable)
                }
                Some(before) => widen_field(&before, field).ok_or_else(|| {
                    Error::invalid(format!(
                        "the column is {} in this file and {} in another of the table",
                        field.data_type(),
                        before.data_type()
                    ))
                    .table(&self.name)
                    .path(file.path())
                    .column(name)
                    .hint("write the files with one type")
                })?,
            });
        }
        let Some(field) = common else {
            let names = self.column_names();
            let mut error =
                Error::invalid(format!("there is no column `{name}`")).table(&self.name).column(name);
            if let [file] = self.files.as_slice() {
                error = error.path(file.path());
            }
            return Err(match did_you_mean(name, names.iter().map(String::as_str)) {
                Some(hint) => error.hint(hint),
                None => error,
            });
        };
        let field = match (lacking, self.missing) {
            (Some(file), Missing::Error) => {
                return Err(Error::invalid("this file of the table lacks the column")
                    .table(&self.name)
                    .path(file.path())
                    .column(name)
                    .hint("say `missing: null` for the table to have nulls there"));
            }
            (Some(_), Missing::Null) => field.with_nullable(true),
            (None, _) => field,
        };
        Ok(Column { field: Arc::new(field), roots, footer_memory })
    }

    /// All row groups with their rows, in order; those without rows are left out.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.files.iter().enumerate().zip(&self.first_row).flat_map(|((file_index, file), first)| {
            (0..file.row_groups()).filter_map(move |group| {
                let rows = file.group_rows(group);
                (!rows.is_empty()).then(|| Group {
                    file,
                    file_index,
                    group,
                    rows: first + rows.start..first + rows.end,
                })
            })
        })
    }

    /// The file of a row, and the row's number in it.
    pub fn locate(&self, row: u64) -> Option<(&ParquetFile, u64)> {
        let at = self.first_row.partition_point(|first| *first <= row).checked_sub(1)?;
        Some((self.files.get(at)?, row - self.first_row.get(at)?))
    }

    /// Whether others answer for one of its files: it lies on a mount that can hang.
    pub fn is_asked(&self) -> bool {
        self.files.iter().any(|file| file.is_asked())
    }

    /// Fails if one of the files was written to since it was opened.
    pub fn check_unchanged(&self, run: &Run) -> Result<()> {
        check_unchanged(self.files.iter().map(AsRef::as_ref), run).map_err(|e| e.table(&self.name))
    }
}

impl Column {
    /// Name, type and nullability.
    pub fn field(&self) -> &FieldRef {
        &self.field
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.field.name()
    }

    /// Its Arrow type.
    pub fn data_type(&self) -> &DataType {
        self.field.data_type()
    }

    /// Bytes a value takes in a slot, for types that lie in slots.
    pub fn fixed_width(&self) -> Option<usize> {
        fixed_width(self.data_type())
    }

    /// About how many bytes of memory what the table's footers say of it takes, as long as they are open.
    pub fn footer_memory(&self) -> u64 {
        self.footer_memory
    }

    /// The root column in the file of that index, unless the file lacks it.
    pub(crate) fn root(&self, file_index: usize) -> Option<usize> {
        self.roots.get(file_index).copied().flatten()
    }
}
