use super::{RunSpec, Sweep};

/// A single run's name: `minilm-sms_spam`.
pub fn name_of(spec: &RunSpec) -> String {
    format!("{}-{}", stem(&spec.model), stem(&spec.data))
}

/// The name of one run of a sweep: `lr=3e-5 epochs=3 seed=1`.
pub fn name_in(sweep: &Sweep, spec: &RunSpec) -> String {
    let pair = |key: &str| format!("{key}={}", spec.get(key).unwrap_or_default());
    let varied: Vec<String> = sweep.varied().filter(|key| spec.obeys(key)).map(pair).collect();
    if varied.is_empty() { name_of(spec) } else { varied.join(" ") }
}

/// The last part of a path, without what stands behind its last dot.
fn stem(path: &str) -> &str {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
    match last.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => last,
    }
}
