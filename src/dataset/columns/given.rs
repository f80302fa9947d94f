use std::collections::HashSet;

use super::{listed, named};
use crate::dataset::error::{DataError, quoted};
use crate::dataset::source::Source;
use crate::spec::printable;

/// The column or the two columns that `text=` names.
pub(super) fn given_texts(
    source: &Source,
    given: Option<&str>,
) -> Result<(Option<usize>, Option<usize>), DataError> {
    let Some(given) = given else { return Ok((None, None)) };
    match several(source, "text", given, |_| true)?.as_slice() {
        [one] => Ok((Some(*one), None)),
        [one, two] if one != two => Ok((Some(*one), Some(*two))),
        _ => Err(DataError::within(
            &source.path,
            format!("text={} must name one column, or the two of a pair", printable(given, 80)),
        )),
    }
}

/// The columns that a key names: one, several with commas between (`\,` is a comma of a name), or those
/// that a pattern such as `*_label` fits, as far as `free` lets them.
pub(super) fn several(
    source: &Source,
    key: &str,
    given: &str,
    free: impl Fn(usize) -> bool,
) -> Result<Vec<usize>, DataError> {
    if let Some(whole) = source.names.iter().position(|n| n == given) {
        return Ok(vec![whole]);
    }
    let mut found = Vec::new();
    for wanted in crate::spec::columns(given) {
        match wanted.split_once('*') {
            Some((start, end)) if !source.names.contains(&wanted) => {
                let fits = |name: &str| {
                    name.len() >= start.len() + end.len()
                        && name.starts_with(start)
                        && name.ends_with(end)
                };
                let names = source.names.iter().enumerate();
                let fitting: Vec<usize> = names
                    .filter(|(i, name)| !name.is_empty() && fits(name) && free(*i))
                    .map(|(i, _)| i)
                    .collect();
                if fitting.is_empty() {
                    let wanted = quoted(&wanted);
                    let why = format!(
                        "has no column like {wanted} for {key}=; it has {}",
                        listed(source)
                    );
                    return Err(DataError::file(&source.path, why));
                }
                found.extend(fitting);
            }
            _ => found.push(named(source, key, &wanted)?),
        }
    }
    let mut seen = HashSet::new();
    found.retain(|i| seen.insert(*i));
    Ok(found)
}
