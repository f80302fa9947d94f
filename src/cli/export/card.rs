//! The model card of an exported model: what the weights are, in Hugging Face's form, and how they are loaded. It
//! claims nothing of transformers that is not so.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cli::calibrate::temperatures;
use crate::cli::figures::value;
use crate::spec::Task;
use crate::store::Run;

/// What loads a model.
enum Loader {
    /// A class of transformers, by its name.
    Class(String),
    /// peft, onto the checkpoint that the adapter stands beside.
    Peft,
    /// A class of our own beside the weights, which transformers runs where it is trusted; and its pool.
    Shipped(String),
    /// tuneboard alone.
    Own,
}

impl Loader {
    /// By the config.json in the model's folder.
    fn of(folder: &Path) -> Self {
        if folder.join("adapter_config.json").is_file() {
            return Self::Peft;
        }
        let config = fs::read(folder.join("config.json")).unwrap_or_default();
        let config: Value = serde_json::from_slice(&config).unwrap_or_default();
        if config["auto_map"].is_object() {
            return Self::Shipped(config["tuneboard_pool"].as_str().unwrap_or_default().to_owned());
        }
        if let Some(class) = config["architectures"][0].as_str() {
            return Self::Class(class.to_owned());
        }
        Self::Own
    }

    /// Python that loads it, or words where there is none.
    fn lines(&self) -> String {
        match self {
            Self::Class(class) => format!(
                "```python\nfrom transformers import AutoTokenizer, {class}\n\n\
                 model = {class}.from_pretrained(\".\")\ntokenizer = AutoTokenizer.from_pretrained(\".\")\n```\n"
            ),
            Self::Peft => {
                "With peft, onto the checkpoint that `adapter_config.json` names.\n".to_owned()
            }
            Self::Shipped(pool) => format!(
                "```python\nfrom transformers import AutoModelForSequenceClassification, AutoTokenizer\n\n\
                 # The head reads the {pool} of the token vectors. No class of transformers does; modeling_tuneboard.py has one.\n\
                 model = AutoModelForSequenceClassification.from_pretrained(\".\", trust_remote_code=True)\n\
                 tokenizer = AutoTokenizer.from_pretrained(\".\", trust_remote_code=True)\n```\n"
            ),
            Self::Own => {
                "`tuneboard-train predict DIR` answers texts; no other library has this head.\n"
                    .to_owned()
            }
        }
    }
}

/// What a person should know who exports the model of that folder.
pub fn notice(folder: &Path) -> Option<String> {
    match Loader::of(folder) {
        Loader::Shipped(pool) => Some(format!(
            "transformers has no class with this head (pool={pool}). modeling_tuneboard.py has one, which \
             trust_remote_code=True loads; without that transformers refuses. A run with pool=cls exports as one of \
             its own classes."
        )),
        Loader::Own => {
            Some("No class of transformers has this head; README.md says what loads it.".to_owned())
        }
        Loader::Class(_) | Loader::Peft => None,
    }
}

/// What its probabilities are divided by, if they were made honest.
fn honest(run: &Run, folder: &Path) -> String {
    let Some(temperature) = temperatures(folder).0 else { return String::new() };
    let of = match run.spec.task {
        Task::Multilabel => format!("torch.sigmoid(logits / {temperature})"),
        _ => format!("torch.softmax(logits / {temperature}, -1)"),
    };
    format!(
        "Honest probabilities are `{of}`: the temperature was fitted on the validation rows and stands in config.json as \
         `tuneboard_temperature`. No class of transformers divides by it.\n\n"
    )
}

/// The card of the model in `folder`.
pub fn card(run: &Run, folder: &Path) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let (name, spec) = (run.name.replace('\n', " "), &run.spec);
    let loader = Loader::of(folder);
    let library = match &loader {
        Loader::Class(class) if class.ends_with("ForSequenceClassification") => {
            "library_name: transformers\npipeline_tag: text-classification\n"
        }
        Loader::Class(class) if class.ends_with("ForTokenClassification") => {
            "library_name: transformers\npipeline_tag: token-classification\n"
        }
        Loader::Shipped(_) => "library_name: transformers\npipeline_tag: text-classification\n",
        Loader::Class(_) => "library_name: transformers\n",
        Loader::Peft => "library_name: peft\n",
        // A hub would offer to load it by a class that it has not.
        Loader::Own => "",
    };
    let tags = match &loader {
        Loader::Shipped(_) => "tuneboard, custom_code",
        _ => "tuneboard",
    };
    let mut text = format!(
        "---\n{library}tags: [{tags}]\n---\n# {name}\n\nFine-tuned by tuneboard, run {} ({}).\n\n{}\n\
         | key | value |\n|---|---|\n",
        run.id,
        &run.spec_hash.get(..12).unwrap_or(&run.spec_hash),
        loader.lines()
    );
    text.push_str(&honest(run, folder));
    for key in crate::spec::keys::KEYS {
        let value = spec.get(key.name).unwrap_or_default();
        if !value.is_empty() {
            let _ = writeln!(text, "| {} | {} |", key.name, quoted(&value).replace('|', "\\|"));
        }
    }
    text.push_str("\n| metric | last | best |\n|---|---|---|\n");
    for (metric, last) in &run.last {
        let best = run.best.get(metric).map(|best| value(*best)).unwrap_or_default();
        let _ = writeln!(text, "| {} | {} | {best} |", metric.replace('|', "\\|"), value(*last));
    }
    text
}
