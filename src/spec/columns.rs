/// The names in a value of several, `premise,hypothesis`; a comma of a name is written `\,`.
pub fn columns(value: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, names.last_mut()) {
            ('\\', Some(name)) if chars.peek() == Some(&',') => {
                chars.next();
                name.push(',');
            }
            (',', _) => names.push(String::new()),
            (c, Some(name)) => name.push(c),
            (_, None) => {}
        }
    }
    names.into_iter().map(|name| name.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_may_belong_to_a_name() {
        assert_eq!(columns("a, b"), ["a", "b"]);
        assert_eq!(columns("a\\,b,c"), ["a,b", "c"]);
        assert_eq!(columns(""), [""]);
    }
}
