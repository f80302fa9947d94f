//! Heads that transformers has no class for. Under the family's own `model_type` transformers would load such a
//! folder and, with no more than a warning, draw a head of its own or pool otherwise. Under another it refuses.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::spec::Family;
use crate::spec::family::OWN_HEAD;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer_config.json";
/// The class of BERT's heads over mean and maximum.
const CODE: (&str, &str) = ("modeling_tuneboard.py", include_str!("modeling_tuneboard.py"));

/// Marks the model in `folder` if no class of transformers has its head, and tells the files that were added. A
/// BERT gets a class of its own as code, which transformers runs with `trust_remote_code=True` alone.
///
/// # Errors
/// Files that cannot be written.
pub fn mark(folder: &Path) -> Result<Vec<&'static str>, CliError> {
    let Some(mut config) = object(folder, CONFIG) else { return Ok(Vec::new()) };
    let family = Family::of_config(&config).ok();
    let known = family.filter(|family| !family.row().classes.is_empty());
    let Some(family) = known.filter(|_| config.get("architectures").is_none()) else {
        return Ok(Vec::new());
    };
    let pool = config["tuneboard_pool"].as_str().unwrap_or_default().to_owned();
    config["model_type"] = format!("{OWN_HEAD}{family}").into();
    let mut added = Vec::new();
    // The heads of the others have a layer more.
    if family == Family::Bert && ["mean", "max"].contains(&pool.as_str()) {
        config["architectures"] = json!(["TuneboardBertForSequenceClassification"]);
        config["auto_map"] = json!({
            "AutoConfig": "modeling_tuneboard.TuneboardBertConfig",
            "AutoModelForSequenceClassification": "modeling_tuneboard.TuneboardBertForSequenceClassification",
        });
        write(folder, CODE.0, CODE.1)?;
        added.push(CODE.0);
        // The class of the tokenizer would follow from the model_type, and with it the segments of pairs.
        let mut tokenizer = object(folder, TOKENIZER).unwrap_or_else(|| json!({}));
        if tokenizer.get("tokenizer_class").is_none() {
            if !folder.join(TOKENIZER).exists() {
                added.push(TOKENIZER);
            }
            tokenizer["tokenizer_class"] = "BertTokenizer".into();
            write(folder, TOKENIZER, &format!("{tokenizer:#}\n"))?;
        }
    }
    write(folder, CONFIG, &format!("{config:#}\n"))?;
    Ok(added)
}

/// A JSON object in a file of the folder.
fn object(folder: &Path, name: &str) -> Option<Value> {
    let text = fs::read(folder.join(name)).ok()?;
    serde_json::from_slice(&text).ok().filter(Value::is_object)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), CliError> {
    let path = folder.join(name);
    fs::write(&path, text)
        .map_err(|e| CliError::Place(format!("{} cannot be written: {e}.", path.display())))
}
