use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use super::Recipe;
use crate::tokenize::specials::Specials;

/// What surrounds a text, and a pair of texts.
pub(super) fn frame(
    recipe: Recipe,
    specials: &Specials,
    config: &Value,
    tokenizer: &Tokenizer,
) -> Result<Value, String> {
    let is = |key: &str, usual: bool| config.get(key).and_then(Value::as_bool).unwrap_or(usual);
    let token = |key: &str| {
        let text = specials.text(key).ok_or_else(|| format!("it has no {key}"))?;
        let id = tokenizer.token_to_id(text).ok_or_else(|| format!("it has no token `{text}`"))?;
        Ok::<_, String>((text.to_owned(), id))
    };
    match recipe {
        Recipe::Gpt2 | Recipe::Qwen2 => Ok(
            json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true }),
        ),
        Recipe::Roberta | Recipe::MpNet => {
            let (cls, sep) = (token("cls_token")?, token("sep_token")?);
            Ok(json!({
                "type": "RobertaProcessing", "cls": cls, "sep": sep, "trim_offsets": true,
                "add_prefix_space": is("add_prefix_space", false),
            }))
        }
        Recipe::Bert | Recipe::Albert | Recipe::Deberta => {
            let (cls, sep) = (token("cls_token")?, token("sep_token")?);
            Ok(template(&["cls", "A", "sep"], &["cls", "A", "sep", "B1", "sep1"], &cls, &sep))
        }
        Recipe::XlmRoberta | Recipe::Camembert => {
            let (cls, sep) = (token("cls_token")?, token("sep_token")?);
            let pair = ["cls", "A", "sep", "sep", "B", "sep"];
            Ok(template(&["cls", "A", "sep"], &pair, &cls, &sep))
        }
        Recipe::Gemma | Recipe::Llama => {
            let (bos, ends) = (token("bos_token")?, is("add_eos_token", false));
            let eos = if ends { token("eos_token")? } else { bos.clone() };
            let begins = is("add_bos_token", true);
            let framed = |text: &'static str, bos: &'static str, eos: &'static str| {
                let all = [begins.then_some(bos), Some(text), ends.then_some(eos)];
                all.into_iter().flatten().collect::<Vec<_>>()
            };
            let one = framed("A", "cls", "sep");
            let two = [one.clone(), framed("B1", "cls1", "sep1")].concat();
            Ok(template(&one, &two, &bos, &eos))
        }
    }
}

/// A frame of `cls`, `sep` and the texts `A` and `B`; a 1 behind a name is its segment.
fn template(single: &[&str], pair: &[&str], cls: &(String, u32), sep: &(String, u32)) -> Value {
    let item = |name: &&str| {
        let segment = u8::from(name.ends_with('1'));
        match name.trim_end_matches('1') {
            "cls" => json!({ "SpecialToken": { "id": cls.0, "type_id": segment } }),
            "sep" => json!({ "SpecialToken": { "id": sep.0, "type_id": segment } }),
            text => json!({ "Sequence": { "id": text, "type_id": segment } }),
        }
    };
    let mut tokens = Map::new();
    for (text, id) in [cls, sep] {
        tokens.insert(text.clone(), json!({ "id": text, "ids": [id], "tokens": [text] }));
    }
    json!({
        "type": "TemplateProcessing",
        "single": single.iter().map(item).collect::<Vec<_>>(),
        "pair": pair.iter().map(item).collect::<Vec<_>>(),
        "special_tokens": tokens,
    })
}
