//! Files by patterns.

use std::path::{Path, PathBuf};

use super::{Place, Shard, listed, place_of};
use crate::dataset::error::{DataError, shown};

/// The files that a pattern fits, in natural order.
pub(super) fn matching(root: &Path, name: &str) -> Result<Place, DataError> {
    let mut found = vec![(
        String::new(),
        if name.starts_with('/') { PathBuf::from("/") } else { root.to_path_buf() },
    )];
    for piece in name.split('/').filter(|piece| !piece.is_empty()) {
        let mut next = Vec::new();
        for (shown, folder) in found {
            let below = |leaf: &str| {
                if shown.is_empty() { leaf.to_owned() } else { format!("{shown}/{leaf}") }
            };
            if !piece.contains(['*', '?', '[']) {
                next.push((below(piece), folder.join(piece)));
                continue;
            }
            let leaves = [listed(&folder, false), listed(&folder, true)].concat();
            let fitting = leaves.into_iter().filter(|leaf| fits(piece, leaf));
            next.extend(fitting.map(|leaf| (below(&leaf), folder.join(&leaf))));
        }
        found = next;
    }
    let shard = |(shown, path): (String, PathBuf)| Shard {
        name: if name.starts_with('/') { format!("/{shown}") } else { shown },
        path,
    };
    let files: Vec<Shard> =
        found.into_iter().filter(|(_, path)| path.is_file()).map(shard).collect();
    if files.is_empty() {
        return Err(DataError::NotFound {
            path: format!("that fits {}", shown(name)),
            nearest: None,
        });
    }
    place_of(files, name, false)
}

/// Whether a name fits a pattern of `*`, `?` and `[abc]`.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // The last star, and up to where it has taken the name: what is behind it is tried again from there.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        let single = one(&pattern[p..], name[n]);
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(length) = single {
            p += length;
            n += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            n = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// How much of a pattern's start takes this character.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', rest @ ..] => {
            let end = rest.iter().position(|c| *c == ']').filter(|end| *end > 0)?;
            let set = &rest[..end];
            let is_in = (0..end).any(|i| {
                set[i] == c
                    || (set.get(i + 1) == Some(&'-')
                        && set.get(i + 2).is_some_and(|high| (set[i]..=*high).contains(&c)))
            });
            is_in.then_some(end + 2)
        }
        [first, ..] => (*first == c).then_some(1),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names() {
        for (pattern, name, want) in [
            ("train-*.parquet", "train-0.parquet", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("p?rt-[0-3x].csv", "part-2.csv", true),
            ("p?rt-[0-3x].csv", "part-7.csv", false),
            ("[a", "[a", false),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
    }
}
