//! Columns of text.

/// A table: columns as wide as their widest cell, two spaces between.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these heads.
    pub fn new<'a>(heads: impl IntoIterator<Item = &'a str>) -> Self {
        Self { rows: vec![heads.into_iter().map(str::to_owned).collect()] }
    }

    /// Adds a row. What a cell has of control characters is left out: names from elsewhere must not move the cursor. An empty cell is shown as
    /// `-`, so that a row has as many words as columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let clean = |cell: String| {
            let shown: String = cell.replace('\n', " ").chars().filter(|char| !char.is_control()).collect();
            if shown.is_empty() { "-".to_owned() } else { shown }
        };
        self.rows.push(cells.into_iter().map(clean).collect());
    }

    /// All of it; `empty` if it has no row.
    pub fn text(&self, empty: &str) -> String {
        if self.rows.len() == 1 {
            return format!("{empty}\n");
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<_> = row.iter().zip(widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
    format!("{}\n", cells.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_heads_and_lines_end_where_their_text_does() {
        let mut table = Table::new(["NAME", "N"]);
        assert_eq!(table.text("none"), "none\n");
        table.row(["long-name".to_owned(), String::new()]);
        table.row(["ä".to_owned(), "7".to_owned()]);
        assert_eq!(table.text("none"), "NAME       N\nlong-name  -\nä          7\n");
    }

    #[test]
    fn control_characters_do_not_get_to_the_terminal() {
        let mut table = Table::new(["A"]);
        table.row(["x\u{1b}[2Jy\nz".to_owned()]);
        assert_eq!(table.text(""), "A\nx[2Jy z\n");
    }
}
