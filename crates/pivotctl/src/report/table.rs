//! Columns.

use super::append::append;
use crate::ui::theme::HEADING;

/// A head and rows, each as wide as its widest cell; nothing where there are no rows.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    });
    let line = |cells: [&str; N]| {
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("   ").trim_end().to_owned()
    };
    let mut text = String::new();
    append(&mut text, format_args!("{HEADING}{}{HEADING:#}\n", line(head)));
    for row in rows {
        append(&mut text, format_args!("{}\n", line(std::array::from_fn(|column| row[column].as_str()))));
    }
    text
}
