//! Reads the values of keys. Each refusal is a fragment that says what is accepted.

use std::str::FromStr;

use crate::spec::{Delimiter, nearest, short};

pub(super) fn choice<T: FromStr>(text: &str, words: &[&str]) -> Result<T, String> {
    text.parse().map_err(|_| match nearest(text, words.iter().copied()) {
        Some(word) if words.len() > 1 => {
            format!("did you mean `{word}`? It takes {}", words.join(", "))
        }
        _ => format!("it takes {}", words.join(", ")),
    })
}

/// The one of some words that is meant; the part before a slash may be left out.
pub(super) fn one_of<'w>(text: &str, words: &[&'w str]) -> Result<&'w str, String> {
    let is_meant = |word: &&&str| {
        **word == text || word.split_once('/').is_some_and(|(_, short)| short == text)
    };
    words.iter().find(is_meant).copied().ok_or_else(|| match nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`? It takes {}", words.join(", ")),
        None => format!("it takes {}", words.join(", ")),
    })
}

pub(super) fn int(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let fail = || format!("a whole number from {min} to {max} is expected");
    let n = match text.parse::<u64>() {
        Ok(n) => n,
        // `1e3` and `32.0` are whole numbers too.
        Err(_) => match text.parse::<f64>() {
            Ok(x) if x.fract() == 0.0 && (0.0..=9e15).contains(&x) => x as u64,
            _ => return Err(fail()),
        },
    };
    if (min..=max).contains(&n) { Ok(n) } else { Err(fail()) }
}

pub(super) fn float(text: &str, min: f64, max: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && (min..=max).contains(&x) => Ok(x),
        _ => Err(format!("a number from {} to {} is expected", short(min), short(max))),
    }
}

pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("it takes true or false".into()),
    }
}

pub(super) fn delimiter(text: &str) -> Result<Delimiter, String> {
    let word = match text {
        "," => "comma",
        ";" => "semicolon",
        "|" => "bar",
        "\\t" | "\t" => "tab",
        other => other,
    };
    choice(word, Delimiter::WORDS)
}

/// A label of the Encoding Standard, in small letters.
pub(super) fn encoding(text: &str) -> Result<String, String> {
    const USUAL: [&str; 8] =
        ["auto", "utf-8", "windows-1252", "latin1", "utf-16le", "windows-1251", "shift_jis", "gbk"];
    let label = text.to_lowercase();
    if label == "auto" || encoding_rs::Encoding::for_label(label.as_bytes()).is_some() {
        return Ok(label);
    }
    let near = nearest(text, USUAL.into_iter()).map(|near| format!("did you mean `{near}`? "));
    let usual = USUAL.join(", ");
    Err(format!(
        "{}it takes {usual} and other names of the Encoding Standard",
        near.unwrap_or_default()
    ))
}

pub(super) fn clean(text: &str) -> Result<Option<String>, String> {
    if text.chars().any(char::is_control) {
        return Err("control characters are not allowed".into());
    }
    Ok(if text.is_empty() { None } else { Some(text.to_owned()) })
}

pub(super) fn split(text: &str) -> Result<[f64; 3], String> {
    let expected = || "three shares that sum to 1 are expected, as in 0.8,0.1,0.1".to_owned();
    let parts: Vec<f64> = text
        .split([',', '/'])
        .map(|p| float(p.trim(), 0.0, 1.0))
        .collect::<Result<_, _>>()
        .map_err(|_| expected())?;
    let shares: [f64; 3] = parts.try_into().map_err(|_| expected())?;
    if (shares.iter().sum::<f64>() - 1.0).abs() > 1e-6 {
        return Err(expected());
    }
    if shares[0] == 0.0 {
        return Err("the train share must be above 0".into());
    }
    Ok(shares)
}

pub(super) fn device(text: &str) -> Result<String, String> {
    let number = text.strip_prefix("cuda:").map(str::parse::<u16>);
    match (text, number) {
        ("auto" | "cpu", _) | (_, Some(Ok(_))) => Ok(text.to_owned()),
        ("cuda" | "gpu", _) => Err("did you mean `cuda:0`? It takes auto, cpu or cuda:N".into()),
        _ => Err("it takes auto, cpu or cuda:N".into()),
    }
}
