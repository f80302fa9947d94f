/// Sparse rows, one after the other: what a compressed sparse row matrix holds. Rows are only ever
/// walked, so no matrix library is needed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    columns: Vec<u32>,
    values: Vec<f64>,
    /// Where each row ends.
    ends: Vec<usize>,
}

impl Rows {
    /// Adds one row: columns and values.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f64)>) {
        for (column, value) in row {
            self.columns.push(column);
            self.values.push(value);
        }
        self.ends.push(self.columns.len());
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Every row as columns and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u32], &[f64])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| {
            let range = start..*end;
            let columns = self.columns.get(range.clone()).unwrap_or_default();
            (columns, self.values.get(range).unwrap_or_default())
        })
    }
}
