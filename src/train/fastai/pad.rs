/// How much padding goes before a text of `text` tokens that is to be `length` long, by fastai's
/// `pad_input_chunk` with `pad_first`: whole windows of `window` tokens; the rest goes behind it, so
/// that every text starts at the start of a window.
pub fn padding_before(text: i64, length: i64, window: i64) -> i64 {
    let missing = (length - text).max(0);
    missing - missing % window.max(1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fastai::fixture;

    /// Made by fastai 2.8.12 (tests/fixtures/ulmfit/dataloading.json).
    #[test]
    fn padding_is_fastais() {
        let case: Value = serde_json::from_slice(&fixture("dataloading.json")).unwrap();
        let case = &case["pad_input_chunk"];
        let numbers = |json: &Value| -> Vec<i64> { serde_json::from_value(json.clone()).unwrap() };
        let lengths = numbers(&case["lengths"]);
        let window = case["seq_len"].as_i64().unwrap();
        let pad = case["pad_idx"].as_i64().unwrap();
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(lengths[*at]));
        let name = "validation_order (SortedDL: stable sort by length, longest first)";
        assert_eq!(json!(order), case[name]);
        let padded = case["padded"].as_array().unwrap();
        assert_eq!(padded.len(), lengths.len());
        for (at, want) in order.iter().zip(padded) {
            let want = numbers(want);
            // A text is the ids from its first one on.
            let text: Vec<i64> = want.iter().copied().filter(|id| *id != pad).collect();
            assert_eq!(text.len() as i64, lengths[*at]);
            let before = padding_before(lengths[*at], want.len() as i64, window);
            let mut row = vec![pad; before as usize];
            row.extend(text);
            row.resize(want.len(), pad);
            assert_eq!(row, want);
        }
    }
}
