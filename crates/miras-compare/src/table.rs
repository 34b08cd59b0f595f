//! Tables of text.

/// A table of text.
#[derive(Debug, Default)]
pub struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Numbers are aligned at the right and never wrapped.
    pub(crate) is_number: bool,
}

impl Table {
    /// A table without a title; each column has a name and whether it is one of numbers.
    pub fn new(columns: &[(&str, bool)], rows: Vec<Vec<String>>) -> Self {
        let columns = columns.iter().map(|&(name, is_number)| Column {
            name: name.to_owned(),
            is_number,
        });
        Self {
            title: String::new(),
            columns: columns.collect(),
            rows,
        }
    }
}

/// A table with one row per subject, built column by column.
pub(crate) struct TableOf<T> {
    subjects: Vec<T>,
    table: Table,
}

impl<T> TableOf<T> {
    pub(crate) fn new(title: impl Into<String>, subjects: impl IntoIterator<Item = T>) -> Self {
        let subjects: Vec<T> = subjects.into_iter().collect();
        let table = Table {
            title: title.into(),
            columns: Vec::new(),
            rows: vec![Vec::new(); subjects.len()],
        };
        Self { subjects, table }
    }

    /// Adds a column of words.
    pub(crate) fn text<S: Into<String>>(self, name: &str, cell: impl Fn(&T) -> S) -> Self {
        self.column(name, false, cell)
    }

    /// Adds a column of numbers.
    pub(crate) fn number<S: Into<String>>(self, name: &str, cell: impl Fn(&T) -> S) -> Self {
        self.column(name, true, cell)
    }

    fn column<S: Into<String>>(
        mut self,
        name: &str,
        is_number: bool,
        cell: impl Fn(&T) -> S,
    ) -> Self {
        let name = name.to_owned();
        self.table.columns.push(Column { name, is_number });
        for (row, subject) in self.table.rows.iter_mut().zip(&self.subjects) {
            row.push(cell(subject).into());
        }
        self
    }

    pub(crate) fn build(self) -> Table {
        self.table
    }
}
