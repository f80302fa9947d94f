use serde_json::Value;

/// The classes by `id2label`; transformers' names where it has none.
pub fn labels(config: &Value, classes: usize) -> Vec<String> {
    let name = |class: usize| {
        let given = config.get("id2label").and_then(|map| map.get(class.to_string())?.as_str());
        given.map_or_else(|| format!("LABEL_{class}"), str::to_owned)
    };
    (0..classes).map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_without_names_get_those_of_transformers() {
        let config = json!({ "id2label": { "0": "ham", "10": "no class", "1": 7 } });
        assert_eq!(labels(&config, 3), ["ham", "LABEL_1", "LABEL_2"]);
        assert_eq!(labels(&json!({}), 1), ["LABEL_0"]);
        assert_eq!(labels(&json!({ "id2label": [] }), 1), ["LABEL_0"]);
    }
}
