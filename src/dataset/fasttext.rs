//! fastText's files: `__label__NAME` before the text of each line, or several of them.

const MARK: &str = "__label__";

/// The file as lines of labels, a tab and a text; `None` if it is no such file. Several labels stand with commas
/// between them.
pub(super) fn table(text: &str) -> Option<String> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    if !lines.clone().next()?.starts_with(MARK) || !lines.all(|line| line.starts_with(MARK)) {
        return None;
    }
    let mut table = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut rest = line.trim_end();
        let mut labels = Vec::new();
        while let Some(marked) = rest.strip_prefix(MARK) {
            let (label, after) = marked.split_once(char::is_whitespace).unwrap_or((marked, ""));
            // fastText's supervised tools write a comma or a space between label and text.
            labels.push(label.trim_end_matches(','));
            rest = after.trim_start().trim_start_matches(", ");
        }
        table.push_str(&labels.join(","));
        table.push('\t');
        table.push_str(&rest.replace('\t', " "));
        table.push('\n');
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_before_texts() {
        let file = "__label__pos great\tfilm, really\n\n__label__a __label__b two of them\r\n__label__neg , bad\n";
        assert_eq!(table(file).unwrap(), "pos\tgreat film, really\na,b\ttwo of them\nneg\tbad\n");
        assert_eq!(table("__label__a x\nno label\n"), None);
        assert_eq!(table("text,label\n"), None);
        assert_eq!(table(""), None);
    }
}
