//! A frame on a terminal: its first and last rows, and as many columns as there is room for.

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use comfy_table::{Cell, CellAlignment, Table, presets};
use hypostyle::{Error, Result, readable, shortened};
use unicode_width::UnicodeWidthStr;

/// Longer frames show their first and last rows.
const MOST_ROWS: usize = 11;
const HEAD: usize = 5;
const TAIL: usize = 5;
const MOST_CHARACTERS: usize = 32;
/// A border and a space on either side; a neighbour has the other border.
const FRAME: usize = 3;

/// The width of the terminal behind stdout, or a usual one.
pub(super) fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0))
}

/// Draws a frame within `width` characters, or one column if even that takes more.
pub(super) fn draw(batch: &RecordBatch, width: usize) -> Result<String> {
    let rows = batch.num_rows();
    let parts = if rows <= MOST_ROWS {
        vec![batch.clone()]
    } else {
        vec![batch.slice(0, HEAD), batch.slice(rows - TAIL, TAIL)]
    };
    let shown = columns_within(batch, &parts, width)?;
    let hidden = batch.num_columns() - shown.len();
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let mut header: Vec<Cell> = shown.iter().map(|c| c.cell(&c.header)).collect();
    if hidden > 0 {
        header.push(Cell::new(more(hidden)));
    }
    table.set_header(header);
    for row in 0..shown.first().map_or(0, |c| c.values.len()) {
        let cells = shown.iter().map(|c| c.cell(c.values.get(row).map_or("", String::as_str)));
        let rest = (hidden > 0).then(|| Cell::new("…"));
        table.add_row(cells.chain(rest));
    }
    Ok(format!("{}\n", table.trim_fmt()))
}

fn more(hidden: usize) -> String {
    format!("… {hidden} more")
}

struct Column {
    header: String,
    values: Vec<String>,
    is_number: bool,
    width: usize,
}

impl Column {
    /// The column's cells, with `…` for the rows between the parts.
    fn of(batch: &RecordBatch, parts: &[RecordBatch], index: usize) -> Result<Self> {
        let failed = |e| Error::internal("a value could not be shown").source(e);
        let options = FormatOptions::new().with_null("null").with_display_error(true);
        let mut values = Vec::new();
        for part in parts {
            if !values.is_empty() {
                values.push("…".to_owned());
            }
            let part = readable(&part.project(&[index]).map_err(failed)?).map_err(failed)?;
            let array = part.column(0);
            let formatter = ArrayFormatter::try_new(array, &options).map_err(failed)?;
            values.extend(
                (0..array.len()).map(|row| shortened(&formatter.value(row).to_string(), MOST_CHARACTERS)),
            );
        }
        let schema = batch.schema();
        let field = schema.field(index);
        let header = format!(
            "{}\n{}",
            shortened(field.name(), MOST_CHARACTERS),
            shortened(&field.data_type().to_string(), MOST_CHARACTERS)
        );
        let width = header.lines().chain(values.iter().map(String::as_str)).map(str::width).max();
        Ok(Self {
            is_number: field.data_type().is_numeric(),
            width: width.unwrap_or(0) + FRAME,
            header,
            values,
        })
    }

    fn cell(&self, text: &str) -> Cell {
        let alignment = if self.is_number { CellAlignment::Right } else { CellAlignment::Left };
        Cell::new(text).set_alignment(alignment)
    }
}

/// The first columns that fit: all of them, or else fewer and one that says how many are missing.
fn columns_within(batch: &RecordBatch, parts: &[RecordBatch], width: usize) -> Result<Vec<Column>> {
    let count = batch.num_columns();
    let rest = more(count).width() + FRAME;
    let mut columns: Vec<Column> = Vec::new();
    let mut used = 1;
    // How many would fit beside the column that stands for the rest.
    let mut with_rest = 0;
    for index in 0..count {
        let column = Column::of(batch, parts, index)?;
        used += column.width;
        if used > width {
            columns.push(column);
            columns.truncate(with_rest.max(1));
            return Ok(columns);
        }
        if used + rest <= width {
            with_rest = index + 1;
        }
        columns.push(column);
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn frame(rows: usize, features: usize) -> RecordBatch {
        let times = (0..rows as i64).map(|h| (h % 3 != 1).then_some(h * 3_600_000_000));
        let times = TimestampMicrosecondArray::from_iter(times).with_timezone("Europe/Berlin");
        let mut columns: Vec<(String, ArrayRef, bool)> = vec![("ts".into(), Arc::new(times), true)];
        for feature in 0..features {
            let values = (0..rows).map(|row| (row % 2 == 0).then_some((row + feature) as f64 + 0.5));
            columns.push((format!("f{feature:03}"), Arc::new(Float64Array::from_iter(values)), true));
        }
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    #[test]
    fn a_small_frame_is_shown_whole() {
        let expected = "\
┌────────────────────────────────┬─────────┬─────────┐
│ ts                             ┆    f000 ┆    f001 │
│ Timestamp(µs, \"Europe/Berlin\") ┆ Float64 ┆ Float64 │
╞════════════════════════════════╪═════════╪═════════╡
│ 1970-01-01T00:00:00Z           ┆     0.5 ┆     1.5 │
│ null                           ┆    null ┆    null │
│ 1970-01-01T02:00:00Z           ┆     2.5 ┆     3.5 │
└────────────────────────────────┴─────────┴─────────┘
";
        assert_eq!(draw(&frame(3, 2), 100).unwrap(), expected);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_the_rest_is_counted() {
        for width in [60, 80, 100, 200] {
            let drawn = draw(&frame(70_000, 80), width).unwrap();
            assert!(drawn.lines().all(|line| line.width() <= width), "{width}:\n{drawn}");
            assert!(drawn.contains(" more "), "{drawn}");
            assert_eq!(drawn.lines().count(), 3 + 1 + HEAD + 1 + TAIL + 1, "{drawn}");
        }
        // Too narrow for anything: still the first column.
        assert!(draw(&frame(2, 2), 5).unwrap().contains("… 2 more"));
    }

    #[test]
    fn a_frame_without_rows_or_with_hostile_text_is_shown() {
        assert!(draw(&frame(0, 1), 80).unwrap().contains("f000"));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["\u{1b}[2Ja\nb", &"x".repeat(1000), ""]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("te\u{7}xt", text), ("n", numbers)]).unwrap();
        let drawn = draw(&batch, 80).unwrap();
        assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()), "{drawn:?}");
        assert!(drawn.contains("\\u{1b}[2Ja\\nb") && drawn.contains("xxx…"), "{drawn}");
    }
}
