//! The board: one folder with `config.toml`, `data/`, `models/` and `runs/`. This module finds it,
//! reads its config and names every path in it; nothing else builds paths under a board.

mod adapter;
mod config;
pub mod disk;
mod header;
mod held;
mod model;
mod paths;
mod save;
mod shapes;
mod site;
mod stages;
mod suits;
mod tokenizer;
mod trust;
mod within;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model_config::adapter::{AdapterConfig, is_adapter, is_described};
use crate::spec::{BuiltIn, RunSpec, SpecError, locate, nearest, printable};

pub use config::{ALL_RUNS, Config, Tui};
pub use model::Model;
pub use site::{Fetch, Site, SiteKind};
pub use stages::Stage;
pub use trust::{set_trust, trusted};
pub use within::is_within;

/// A board that exists.
#[derive(Debug, Clone)]
pub struct Board {
    root: PathBuf,
    /// Why it is not trusted.
    distrust: Option<String>,
    /// What its `config.toml` says.
    pub config: Config,
}

/// Why a board cannot be used.
#[derive(Debug, Error)]
pub enum BoardError {
    /// No `config.toml` here or above.
    #[error("There is no board in {} or any folder above it; `tuneboard init` makes one.", .0.display())]
    NotFound(PathBuf),
    /// A board that somebody else can write.
    #[error(
        "The board {} is not trusted: {why}, so it could run anything as you; \
         `tuneboard trust {}` trusts it if you know who writes there.",
        .root.display(), .root.display()
    )]
    Untrusted {
        /// Its folder.
        root: PathBuf,
        /// A clause.
        why: String,
    },
    /// A config that cannot be read as one.
    #[error("{}: {why}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// One sentence, with line and column where known.
        why: String,
    },
    /// A key or value in the config that a run does not take.
    #[error("{}, [{section}]: {source}", .path.display())]
    Spec {
        /// The file.
        path: PathBuf,
        /// The TOML table.
        section: String,
        /// What is wrong.
        source: SpecError,
    },
    /// No site of that name.
    #[error("There is no site `{name}`{}; config.toml has {known}.", hint(.nearest.as_deref()))]
    NoSite {
        /// As written.
        name: String,
        /// Closest one.
        nearest: Option<String>,
        /// All of them.
        known: String,
    },
    /// A checkpoint that the trainer would refuse.
    #[error("{} cannot be trained: {}.", .folder.display(), printable(why.trim_end_matches('.'), 300))]
    Untrainable {
        /// Where it is.
        folder: PathBuf,
        /// Why, as a fragment.
        why: String,
    },
    /// Longer texts than the checkpoint has positions for.
    #[error(
        "max_length={length} is more than the {positions} positions of {model}; set max_length={positions} or less."
    )]
    TooLong {
        /// What was asked for.
        length: u32,
        /// What the checkpoint has.
        positions: u64,
        /// Its name.
        model: String,
    },
    /// No checkpoint of that name.
    #[error(
        "There is no model `{name}`{}: looked for {}. {}",
        hint(.nearest.as_deref()),
        .looked.display(),
        ways(.known)
    )]
    NoModel {
        /// As written.
        name: String,
        /// Closest folder under models/.
        nearest: Option<String>,
        /// Where.
        looked: PathBuf,
        /// The folders under models/.
        known: Vec<String>,
    },
    /// A file or folder that cannot be read or made.
    #[error("{}: {source}.", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default()
}

/// What is there instead, and how more come.
fn ways(known: &[String]) -> String {
    let pull = "`tuneboard models pull OWNER/NAME` fetches one of a hub.";
    if known.is_empty() {
        return format!("models/ holds none; {pull}");
    }
    let names: Vec<&str> = known.iter().take(8).map(String::as_str).collect();
    let more = if known.len() > names.len() { " and more" } else { "" };
    format!("models/ holds {}{more}; {pull}", names.join(", "))
}

/// The config that `tuneboard init` writes.
pub const INITIAL_CONFIG: &str = include_str!("../config.toml");

impl Board {
    /// The board at `given`, else at `$TUNEBOARD_BOARD`, else in the working folder or the nearest
    /// folder above it that holds a `config.toml` with `runs/` beside it. One that was found, not named,
    /// must be trusted; of one that was named, [`Self::distrust`] tells.
    ///
    /// # Errors
    /// [`BoardError::NotFound`], [`BoardError::Untrusted`], or whatever is wrong with its config.
    pub fn find(given: Option<&Path>) -> Result<Self, BoardError> {
        let from_env = env::var_os("TUNEBOARD_BOARD").filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(root) = given.map(Path::to_path_buf).or(from_env) {
            return if is_board(&root) {
                Self::open(&root)
            } else {
                Err(BoardError::NotFound(root))
            };
        }
        let here = env::current_dir()
            .map_err(|source| BoardError::Io { path: PathBuf::from("."), source })?;
        let root = here.ancestors().find(|folder| is_board(folder));
        let root = root.ok_or_else(|| BoardError::NotFound(here.clone()))?;
        // Whose it is comes first: what is wrong with the config of somebody else is nobody's business.
        let (root, text, distrust) = Self::read(root)?;
        if let Some(why) = distrust {
            return Err(BoardError::Untrusted { root, why });
        }
        Ok(Self { config: Config::read(&text, &root.join("config.toml"))?, root, distrust: None })
    }

    /// The board at `root`.
    ///
    /// # Errors
    /// Whatever is wrong with its config.
    pub fn open(root: &Path) -> Result<Self, BoardError> {
        let (root, text, distrust) = Self::read(root)?;
        Ok(Self { config: Config::read(&text, &root.join("config.toml"))?, root, distrust })
    }

    /// The full path, the text of its config, and why it is not trusted: judged by the very file that
    /// was read.
    fn read(root: &Path) -> Result<(PathBuf, String, Option<String>), BoardError> {
        let io = |source| BoardError::Io { path: root.to_path_buf(), source };
        let root = root.canonicalize().map_err(io)?;
        let path = root.join("config.toml");
        let (text, meta) =
            trust::read_config(&path).map_err(|source| BoardError::Io { path, source })?;
        let distrust = trust::distrust(&root, &meta);
        Ok((root, text, distrust))
    }

    /// Makes the folders and a commented `config.toml`; what exists stays as it is.
    ///
    /// # Errors
    /// A folder or file that cannot be made.
    pub fn init(root: &Path) -> Result<Self, BoardError> {
        for folder in
            [root.to_path_buf(), root.join("data"), root.join("models"), root.join("runs")]
        {
            // Whatever the umask: a board that others can write is not trusted.
            let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&folder);
            made.map_err(|source| BoardError::Io { path: folder.clone(), source })?;
        }
        let path = root.join("config.toml");
        let mut options = fs::OpenOptions::new();
        match options.write(true).create_new(true).mode(0o644).open(&path) {
            Ok(mut file) => file.write_all(INITIAL_CONFIG.as_bytes()),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(e),
        }
        .map_err(|source| BoardError::Io { path: path.clone(), source })?;
        Self::open(root)
    }

    /// Whether `model=name` can be trained: a built-in model, or a checkpoint folder that is whole as far as
    /// config, names of files and headers of weights tell. `with_weights` is false where they are drawn
    /// anew.
    ///
    /// # Errors
    /// As [`Self::model`]; [`BoardError::Untrainable`].
    pub fn check_model(&self, name: &str, with_weights: bool) -> Result<(), BoardError> {
        if BuiltIn::named(name).is_some() {
            return Ok(());
        }
        let folder = self.model(name)?;
        match model::problem(&folder, &self.root, with_weights) {
            None => Ok(()),
            Some(why) => Err(BoardError::Untrainable { folder, why }),
        }
    }

    /// Whether the family of the model in a folder has what the run asks for, and whether the run can go on from the
    /// adapter there, or put one beside the checkpoint.
    ///
    /// # Errors
    /// [`BoardError::Untrainable`]: what the family lacks, or which layers there are.
    pub fn check_fits(&self, folder: PathBuf, spec: &RunSpec) -> Result<(), BoardError> {
        let lacks = suits::unsuited(&folder, &self.root, spec);
        match lacks.or_else(|| adapter::unadaptable(&folder, &self.root, spec)) {
            None => Ok(()),
            Some(why) => Err(BoardError::Untrainable { folder, why }),
        }
    }

    /// The folder of the checkpoint that the adapter in `folder` stands beside, and the last part of the name that it
    /// has there; `None` if it holds no adapter.
    ///
    /// # Errors
    /// [`BoardError::Untrainable`]: it is not on this machine, and how it comes here.
    pub fn base(&self, folder: &Path) -> Result<Option<(PathBuf, String)>, BoardError> {
        if !is_adapter(folder) {
            return Ok(None);
        }
        let found = AdapterConfig::read(folder).and_then(|config| {
            Ok(Some((config.base(folder, &self.root)?, config.leaf().to_owned())))
        });
        found.map_err(|why| BoardError::Untrainable { folder: folder.to_owned(), why })
    }

    /// The layers between head and embeddings of the network that `model=name` means, if it is one.
    pub fn layers(&self, name: &str) -> Option<u32> {
        if let Some(built_in) = BuiltIn::named(name) {
            return built_in.layers();
        }
        let (family, config) = model::described(&self.model(name).ok()?, &self.root)?;
        Some(family.layers(&config))
    }

    /// The numbers in the weights of the checkpoint that `model=name` means, if it is one that tells.
    pub fn parameters(&self, name: &str) -> Option<u64> {
        Model::look(&self.model(name).ok()?, &self.root, name).parameters
    }

    /// The checkpoint folder that `model=name` means.
    ///
    /// # Errors
    /// [`BoardError::NoModel`] with the nearest name under `models/`.
    pub fn model(&self, name: &str) -> Result<PathBuf, BoardError> {
        let found =
            locate::model_candidates(&self.root, name).into_iter().find(|folder| is_model(folder));
        found.ok_or_else(|| {
            let names = self.model_names();
            BoardError::NoModel {
                name: name.to_owned(),
                nearest: nearest(
                    name,
                    names.iter().map(String::as_str).chain(BuiltIn::WORDS.iter().copied()),
                ),
                looked: self.models().join(name).join("config.json"),
                known: names,
            }
        })
    }

    /// Whether a checkpoint takes texts of that length, as far as its config.json tells; the trainer would
    /// refuse every run.
    ///
    /// # Errors
    /// [`BoardError::TooLong`].
    pub fn check_length(&self, name: &str, length: u32) -> Result<(), BoardError> {
        let described = self.model(name).ok();
        let described = described.and_then(|folder| model::described(&folder, &self.root));
        let positions = described.and_then(|(family, config)| family.positions(&config));
        match positions.filter(|positions| u64::from(length) > *positions) {
            Some(positions) => {
                Err(BoardError::TooLong { length, positions, model: name.to_owned() })
            }
            None => Ok(()),
        }
    }

    /// The sites that `site=` can name, in the order in which `site=any` fills them. `local` is always
    /// there.
    pub fn sites(&self) -> Vec<(String, Site)> {
        let mut sites = self.config.sites.clone();
        sites.entry("local".to_owned()).or_default();
        let mut sites: Vec<_> = sites.into_iter().collect();
        sites.sort_by_key(|(_, site)| site.rank());
        sites
    }

    /// Checks what `site=name` means; `any` is every site.
    ///
    /// # Errors
    /// [`BoardError::NoSite`] with the nearest name in `config.toml`.
    pub fn site(&self, name: &str) -> Result<(), BoardError> {
        let sites = self.sites();
        if name == "any" || sites.iter().any(|(known, _)| known == name) {
            return Ok(());
        }
        let names: Vec<&str> = sites.iter().map(|(known, _)| known.as_str()).collect();
        Err(BoardError::NoSite {
            name: name.to_owned(),
            nearest: nearest(name, names.iter().copied()),
            known: names.join(", "),
        })
    }

    /// The folders under `models/` that hold a `config.json`, sorted.
    pub fn model_names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.models()) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|e| is_model(&e.path()))
            .map(|e| e.file_name().to_string_lossy().into_owned())
            // What is still being fetched.
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }
}

/// True if the folder says what model it holds, as far as the names of its files tell.
pub fn is_model(folder: &Path) -> bool {
    is_adapter(folder) || is_described(folder)
}

fn is_board(folder: &Path) -> bool {
    folder.join("config.toml").is_file() && folder.join("runs").is_dir()
}
