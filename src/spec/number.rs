/// Writes a number as a person would: `5e-5`, `0.01`, `3`, `1e6`; reading it back gives the same value.
pub fn short(x: f64) -> String {
    let size = x.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) { format!("{x:e}") } else { format!("{x}") }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short_and_exact() {
        for (x, want) in [(5e-5, "5e-5"), (0.01, "0.01"), (3.0, "3"), (0.0, "0"), (2e6, "2e6")] {
            assert_eq!(short(x), want);
            assert_eq!(want.parse::<f64>().unwrap(), x);
        }
    }
}
