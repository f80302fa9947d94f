/// Texts as one stream of ids, cut into `rows` equal rows that are read side by side in windows:
/// fastai's `LMDataLoader`. Row `r` of a window goes on where row `r` of the window before ended, so
/// that a model may carry its state from window to window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    ids: Vec<u32>,
    rows: usize,
    /// Ids of a row that are predicted from.
    row_length: usize,
    window: usize,
}

impl Stream {
    /// The stream of `texts` in their order. What does not fill a row of whole windows is left out,
    /// but for the last window, which may be shorter.
    pub fn new<'a>(texts: impl Iterator<Item = &'a [u32]>, rows: usize, window: usize) -> Self {
        let ids: Vec<u32> = texts.flatten().copied().collect();
        let (rows, window) = (rows.max(1), window.max(1));
        // One id more is needed at the end: the last one's target.
        let row_length = ids.len().saturating_sub(1) / rows;
        Self { ids, rows, row_length, window }
    }

    /// Rows of every window.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many windows there are.
    pub fn windows(&self) -> usize {
        self.row_length.div_ceil(self.window)
    }

    /// Inputs and targets of a window, row by row, and the length of its rows.
    pub fn window(&self, index: usize) -> (Vec<i64>, Vec<i64>, usize) {
        let first = index * self.window;
        let length = self.window.min(self.row_length.saturating_sub(first));
        let at = |row: usize, shift: usize| {
            let start = row * self.row_length + first + shift;
            self.ids.get(start..start + length).unwrap_or_default().iter().map(|id| i64::from(*id))
        };
        let inputs = (0..self.rows).flat_map(|row| at(row, 0)).collect();
        let targets = (0..self.rows).flat_map(|row| at(row, 1)).collect();
        (inputs, targets, length)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::fastai::fixture;

    /// Made by fastai 2.8.12 (tests/fixtures/ulmfit/dataloading.json).
    #[test]
    fn windows_are_fastais() {
        let case: Value = serde_json::from_slice(&fixture("dataloading.json")).unwrap();
        let case = &case["LMDataLoader"];
        let docs: Vec<Vec<u32>> = serde_json::from_value(case["docs"].clone()).unwrap();
        let number = |name: &str| case[name].as_u64().unwrap() as usize;
        let stream = Stream::new(docs.iter().map(Vec::as_slice), number("bs"), number("seq_len"));
        let want = case["batches_x_y"].as_array().unwrap();
        assert_eq!(stream.windows(), want.len());
        for (index, want) in want.iter().enumerate() {
            let (inputs, targets, _) = stream.window(index);
            for (got, want) in [(inputs, &want[0]), (targets, &want[1])] {
                let want: Vec<Vec<i64>> = serde_json::from_value(want.clone()).unwrap();
                assert_eq!(got, want.concat(), "window {index}");
            }
        }
    }

    #[test]
    fn a_stream_too_short_for_its_rows_has_no_windows() {
        let empty: [&[u32]; 0] = [];
        assert_eq!(Stream::new(empty.into_iter(), 4, 8).windows(), 0);
        assert_eq!(Stream::new([&[1_u32, 2, 3][..]].into_iter(), 4, 8).windows(), 0);
        assert_eq!(Stream::new([&[1_u32; 5][..]].into_iter(), 4, 8).windows(), 1);
    }
}
