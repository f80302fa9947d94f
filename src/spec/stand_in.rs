//! What lies where a file should be: clones of repositories without Git LFS and pages of failed downloads.

/// What a file is instead of itself, by its first bytes: the rest of a sentence that starts with its name.
pub fn stand_in(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"version https://git-lfs") {
        return Some("is a Git LFS pointer, not the file itself; `git lfs pull` fetches that");
    }
    let start: Vec<u8> =
        head.iter().copied().skip_while(u8::is_ascii_whitespace).take(15).collect();
    let start = start.to_ascii_lowercase();
    (start.starts_with(b"<!doctype html") || start.starts_with(b"<html"))
        .then_some("is a web page, not the file itself; download the file's own address")
}
