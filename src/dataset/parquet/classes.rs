use std::collections::HashMap;

/// The names of the classes of each column, as Hugging Face datasets writes them into a file's metadata:
/// `{"info": {"features": {"label": {"names": ["ham", "spam"], "_type": "ClassLabel"}}}}`; of lists the feature of
/// their items stands under `feature`, or in a list of one.
pub(super) fn class_names(json: &[u8]) -> HashMap<String, Vec<String>> {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(json) else {
        return HashMap::new();
    };
    let Some(features) = value.pointer("/info/features").and_then(|f| f.as_object()) else {
        return HashMap::new();
    };
    let names = |feature: &serde_json::Value| {
        let of_items = feature.get("feature").or_else(|| feature.get(0));
        let names = of_items.unwrap_or(feature).get("names")?.as_array()?;
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    };
    features
        .iter()
        .filter_map(|(column, feature)| Some((column.clone(), names(feature)?)))
        .collect()
}
