//! Small files joined to large ones, with the same rows.

use super::manifest::{FileEntry, TableEntry};
use super::transaction::Transaction;
use super::write::{MOST_ROWS, TAIL, cut, schema_of};
use crate::Result;

/// Joins a table's small files within a transaction; how many files there were and are.
pub(super) fn compact(transaction: &mut Transaction, table: &str) -> Result<Option<(usize, usize)>> {
    let Some(before) = transaction.entry(table)? else { return Ok(None) };
    let groups = groups(&before.files);
    if groups.iter().all(|group| group.len() == 1 || is_laid_out(group, &before)) {
        return Ok(None);
    }
    let schema = schema_of(&before)?;
    let mut publisher = transaction.publisher();
    let mut files = Vec::new();
    for group in &groups {
        if group.len() == 1 || is_laid_out(group, &before) {
            files.extend(group.iter().cloned());
            continue;
        }
        let rows = publisher.read(table, &group.iter().collect::<Vec<_>>(), &schema)?;
        let is_last = group.last() == before.files.last();
        for piece in cut(rows.num_rows(), is_last) {
            files.push(publisher.publish(table, &rows.slice(piece.start, piece.len()), &before.key)?);
        }
    }
    publisher.settle(table)?;
    let kept = publisher.keep();
    let counts = (before.files.len(), files.len());
    transaction.rewrite(table, TableEntry { files, ..before }, kept);
    Ok(Some(counts))
}

/// Neighbours that fit one file together.
fn groups(files: &[FileEntry]) -> Vec<Vec<FileEntry>> {
    let mut groups: Vec<Vec<FileEntry>> = Vec::new();
    let mut rows = 0;
    for file in files {
        rows += file.rows;
        match groups.last_mut().filter(|_| rows <= MOST_ROWS as u64) {
            Some(group) => group.push(file.clone()),
            None => {
                groups.push(vec![file.clone()]);
                rows = file.rows;
            }
        }
    }
    groups
}

/// Whether these are what a write of all their rows would make: a body and the newest rows.
fn is_laid_out(group: &[FileEntry], table: &TableEntry) -> bool {
    match group {
        [body, tail] => {
            Some(tail) == table.files.last()
                && tail.rows <= TAIL as u64
                && body.rows + tail.rows > 8 * TAIL as u64
        }
        _ => false,
    }
}
