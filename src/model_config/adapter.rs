//! What `adapter_config.json` says of an adapter, and where the model that it stands beside lies. Reference: peft
//! `LoraConfig`, `save_and_load.py`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::spec::family::{ADAPTER_FILES, TokenizerKind};
use crate::spec::{Targets, locate, printable};

/// What is said of an adapter.
pub const CONFIG: &str = ADAPTER_FILES[0];
/// Its weights.
pub const WEIGHTS: &str = ADAPTER_FILES[1];
/// A config is never larger.
const LARGEST: u64 = 1 << 20;
/// The name of a base is never longer.
const LONGEST: usize = 4096;

/// An adapter's config, as far as it is LoRA and nothing more.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterConfig {
    /// Rows of A, columns of B.
    pub rank: i64,
    /// What is learnt counts `alpha / rank` times, or `alpha / sqrt(rank)` if it is stabilised.
    pub alpha: f64,
    /// Whether `alpha` is divided by the root of the rank.
    pub is_stabilised: bool,
    /// Dropout of what A reads.
    pub dropout: f64,
    /// Which layers.
    pub targets: Targets,
    /// The base by its name: a path, or a repository of the hub.
    pub base: String,
    /// The base's branch, tag or commit on the hub.
    revision: Option<String>,
}

/// Where the parts of a model lie: in its folder, or for an adapter what it lacks in the folder of its base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// With the config.json.
    pub config: PathBuf,
    /// With the weights of the network; those of an adapter are in its own folder.
    pub weights: PathBuf,
    /// With the files of the tokenizer.
    pub tokenizer: PathBuf,
}

/// True if the folder holds an adapter.
pub fn is_adapter(folder: &Path) -> bool {
    folder.join(CONFIG).is_file()
}

impl Parts {
    /// The parts of the model in `folder`; `board` is where names of bases are looked up.
    ///
    /// # Errors
    /// As a fragment: an adapter that is damaged, or whose base is not on this machine.
    pub fn of(folder: &Path, board: &Path) -> Result<Self, String> {
        let all = |folder: &Path| folder.to_owned();
        if !is_adapter(folder) {
            return Ok(Self { config: all(folder), weights: all(folder), tokenizer: all(folder) });
        }
        let base = AdapterConfig::read(folder)?.base(folder, board)?;
        let has = |name: &str| folder.join(name).is_file();
        let own = |is_own: bool| if is_own { all(folder) } else { base.clone() };
        Ok(Self {
            config: own(is_described(folder)),
            tokenizer: own(TokenizerKind::Subwords.lacks(has).is_none()),
            weights: base,
        })
    }
}

impl AdapterConfig {
    /// Reads the config in a folder.
    ///
    /// # Errors
    /// As a fragment: a file that is no such config, an adapter other than LoRA.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(CONFIG);
        let bad = |why: &str| format!("{CONFIG}: {why}");
        if fs::metadata(&path).map_err(|e| bad(&e.to_string()))?.len() > LARGEST {
            return Err(bad("it is too large for a config"));
        }
        let text = fs::read_to_string(&path).map_err(|e| bad(&e.to_string()))?;
        let json = serde_json::from_str(&text);
        let json = json.map_err(|e| bad(&format!("it is not valid JSON: {e}")))?;
        Self::of(&json).map_err(|why| bad(&why))
    }

    /// What a config says.
    ///
    /// # Errors
    /// As a fragment: an adapter other than LoRA, a number that makes none.
    pub fn of(config: &Value) -> Result<Self, String> {
        must_be_plain(config)?;
        let number = |key: &str, usual: f64| config.get(key).map_or(Some(usual), Value::as_f64);
        let rank = config.get("r").map_or(Some(8), Value::as_i64);
        let rank = rank.filter(|r| (1..=1 << 16).contains(r));
        let alpha = number("lora_alpha", 8.0).filter(|a| a.is_finite());
        let dropout = number("lora_dropout", 0.0).filter(|p| (0.0..1.0).contains(p));
        let targets = match &config["target_modules"] {
            Value::Array(list) => {
                Targets::Named(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            _ => Targets::AllLinear,
        };
        let word = |key: &str| config[key].as_str().map(str::to_owned);
        let base = word("base_model_name_or_path").filter(|name| !name.is_empty());
        let base = base.ok_or("it names no base_model_name_or_path")?;
        if base.len() > LONGEST || base.chars().any(char::is_control) {
            return Err(format!(
                "base_model_name_or_path is no name of a model: {}",
                printable(&base, 80)
            ));
        }
        Ok(Self {
            rank: rank.ok_or("r must be a whole number from 1 on")?,
            alpha: alpha.ok_or("lora_alpha must be a number")?,
            is_stabilised: config["use_rslora"].as_bool().unwrap_or(false),
            dropout: dropout.ok_or("lora_dropout must be from 0 to below 1")?,
            targets,
            base,
            revision: word("revision"),
        })
    }

    /// The last part of the base's name, which is a name under models/.
    pub fn leaf(&self) -> &str {
        self.base.rsplit('/').next().unwrap_or_default()
    }

    /// How the adapter is another one than a run asks for that goes on with it, as a fragment.
    pub fn differs(&self, rank: i64, alpha: f64) -> Option<String> {
        let pairs =
            [("lora_rank", self.rank as f64, rank as f64), ("lora_alpha", self.alpha, alpha)];
        let (key, had, given) = pairs.into_iter().find(|(_, had, given)| had != given)?;
        Some(format!(
            "it is an adapter with {key}={had}, not {given}: set {key}={had} to go on with it, or adapter=none to \
             train all weights from where it takes them"
        ))
    }

    /// The folder of the model that the adapter in `folder` stands beside, by the name that it gives it: as a path
    /// from the folder or from the board, as a name under models/, or as what the hub's tools have fetched.
    ///
    /// # Errors
    /// As a fragment: it is not on this machine, and how it comes here; an adapter.
    pub fn base(&self, folder: &Path, board: &Path) -> Result<PathBuf, String> {
        let name = self.base.as_str();
        let shown = printable(name, 200);
        let leaf = self.leaf();
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        // That of a folder under models/, and that of a run's checkpoint.
        let boards = [Some(board), folder.ancestors().nth(2), folder.ancestors().nth(4)];
        let by_board = boards.into_iter().flatten().flat_map(|board| {
            let models = board.join("models");
            [board.join(name), models.join(name), models.join(leaf)]
        });
        let places = [folder.join(name)].into_iter().chain(by_board);
        let all: Vec<PathBuf> = places.chain(self.fetched()).collect();
        if let Some(base) = all.iter().find(|base| is_described(base) && !is_adapter(base)) {
            return Ok(base.clone());
        }
        if let Some(other) = all.iter().find(|base| is_adapter(base)) {
            return Err(format!(
                "its base model `{shown}` is an adapter itself ({}); make one model of that first: \
                 `tuneboard-train merge {} models/NAME`",
                other.display(),
                other.display()
            ));
        }
        if is_repository(name) {
            return Err(format!(
                "its base model `{shown}` is not on this machine; `tuneboard models pull {shown}` fetches it"
            ));
        }
        Err(format!(
            "its base model `{shown}` is not on this machine; `tuneboard models add DIR` takes it from where it \
             is, or `tuneboard models pull ORG/NAME` from the hub, with --name {}",
            printable(leaf, 80)
        ))
    }

    /// Where the hub's own tools keep the base, if they have fetched it. Reference: huggingface_hub,
    /// `file_download.py`.
    fn fetched(&self) -> Option<PathBuf> {
        let name = self.base.as_str();
        let revision = self.revision.as_deref().unwrap_or("main");
        if !is_repository(name) || !revision.split('/').all(is_plain) {
            return None;
        }
        let at = |key: &str| env::var_os(key).filter(|path| !path.is_empty()).map(PathBuf::from);
        let home = || {
            let user = || Some(at("HOME")?.join(".cache"));
            at("HF_HOME").or_else(|| Some(at("XDG_CACHE_HOME").or_else(user)?.join("huggingface")))
        };
        let cache = at("HF_HUB_CACHE").or_else(|| Some(home()?.join("hub")))?;
        let repository = cache.join(format!("models--{}", name.replace('/', "--")));
        let commit = fs::read_to_string(repository.join("refs").join(revision));
        let commit = commit.unwrap_or_else(|_| revision.to_owned());
        let commit = commit.trim();
        is_plain(commit).then(|| repository.join("snapshots").join(commit))
    }
}

/// True if config.json or its like is there.
pub fn is_described(folder: &Path) -> bool {
    locate::DESCRIPTIONS.iter().any(|name| folder.join(name).is_file())
}

/// True for `ORG/NAME` and `NAME`, as the hub has them.
fn is_repository(name: &str) -> bool {
    name.split('/').count() <= 2 && name.split('/').all(is_plain)
}

fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= 96
        && !part.starts_with(['.', '-'])
        && !part.contains("..")
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Refuses what is not LoRA, or more than that.
fn must_be_plain(config: &Value) -> Result<(), String> {
    let kind = config["peft_type"].as_str().unwrap_or_default();
    if kind != "LORA" {
        return Err(format!("peft_type is `{}`; only LORA is supported", printable(kind, 40)));
    }
    // What is null, false, empty or the word that means nothing is as if it were not there.
    let is_idle = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(word) => word == "none" || word.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let others = [
        "use_dora",
        "use_qalora",
        "bias",
        "lora_bias",
        "alpha_pattern",
        "rank_pattern",
        "layer_replication",
        "layers_to_transform",
        "trainable_token_indices",
        "target_parameters",
        "alora_invocation_tokens",
        "arrow_config",
        "use_bdlora",
        "exclude_modules",
    ];
    if let Some(key) = others.iter().find(|key| config.get(**key).is_some_and(|v| !is_idle(v))) {
        return Err(format!("{key} is set, which is not supported"));
    }
    let start = config.get("init_lora_weights").unwrap_or(&Value::Null);
    if start.as_str().is_some_and(|word| word != "gaussian") {
        let start = start.to_string();
        return Err(format!(
            "init_lora_weights={} changes the base's weights; it is not supported",
            printable(&start, 40)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(base: &str) -> AdapterConfig {
        let json = json!({ "peft_type": "LORA", "base_model_name_or_path": base });
        AdapterConfig::of(&json).unwrap()
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_base_is_found_from_the_board_of_the_run_wherever_one_stands() {
        let board = tempfile::tempdir().unwrap();
        let elsewhere = Path::new("/");
        let best = board.path().join("runs/r1/checkpoints/best");
        let model = board.path().join("models/m");
        for folder in [&best, &model] {
            fs::create_dir_all(folder).unwrap();
        }
        assert!(named("models/m").base(&best, elsewhere).is_err());
        write(&model.join("config.json"), "{}");
        for name in ["models/m", "m", "/elsewhere/m", "org/m", "../../../../models/m"] {
            let found = named(name).base(&best, elsewhere).expect(name).canonicalize().unwrap();
            assert_eq!(found, model.canonicalize().unwrap(), "{name}");
        }
        assert!(named("other").base(&best, elsewhere).is_err());
        assert!(named("m").base(&board.path().join("models/adapter"), elsewhere).is_ok());
        assert!(named("m").base(elsewhere, board.path()).is_ok());
    }

    #[test]
    fn a_base_that_is_not_there_is_named_with_the_way_to_get_it() {
        let board = tempfile::tempdir().unwrap();
        let of = |base: &str| named(base).base(board.path(), board.path()).unwrap_err();
        assert!(of("org/none").contains("`tuneboard models pull org/none` fetches it"));
        for path in ["../../../../../../etc/passwd", "/home/else/where/bert", "a/b/c", ".."] {
            let said = of(path);
            assert!(said.contains(&format!("`{path}` is not on")), "{said}");
            assert!(said.contains("models add DIR"), "{said}");
        }
        // What is no name at all, whatever its length.
        for base in ["x".repeat(1 << 16), "a\u{1b}[31m".into(), "a\nb".into(), String::new()] {
            let json = json!({ "peft_type": "LORA", "base_model_name_or_path": base });
            let said = AdapterConfig::of(&json).unwrap_err();
            assert!(said.contains("base_model_name_or_path") && said.len() < 300, "{said}");
            assert!(!said.contains(['\u{1b}', '\n']), "{said:?}");
        }
    }

    #[test]
    fn adapters_upon_adapters_are_refused() {
        let board = tempfile::tempdir().unwrap();
        for (name, base) in [("a", "b"), ("b", "a"), ("self", "self")] {
            let json = json!({ "peft_type": "LORA", "base_model_name_or_path": base });
            let path = board.path().join("models").join(name).join(CONFIG);
            write(&path, &json.to_string());
        }
        for name in ["a", "b", "self"] {
            let said = Parts::of(&board.path().join("models").join(name), board.path());
            assert!(said.unwrap_err().contains("is an adapter itself"), "{name}");
        }
    }

    #[test]
    fn what_an_adapter_lacks_is_its_bases() {
        let board = tempfile::tempdir().unwrap();
        let of = |name: &str| board.path().join("models").join(name);
        let parts = |name: &str| Parts::of(&of(name), board.path()).unwrap();
        write(&of("m/config.json"), "{}");
        let json = json!({ "peft_type": "LORA", "base_model_name_or_path": "org/m" });
        write(&of("a").join(CONFIG), &json.to_string());
        let base = Parts { config: of("m"), weights: of("m"), tokenizer: of("m") };
        assert_eq!((parts("m"), parts("a")), (base.clone(), base.clone()));
        write(&of("a/tokenizer.json"), "{}");
        assert_eq!(parts("a"), Parts { tokenizer: of("a"), ..base.clone() });
        write(&of("a/config.json"), "{}");
        assert_eq!(parts("a"), Parts { tokenizer: of("a"), config: of("a"), ..base });
    }
}
