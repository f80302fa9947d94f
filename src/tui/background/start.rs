use super::choices::{Which, look};
use crate::board::{Board, Model};

/// What a board has to begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// Models that can be trained.
    pub models: Vec<String>,
    /// Data files, as `data=` takes them.
    pub files: Vec<String>,
}

impl Start {
    /// Looks under `models/` and `data/`.
    pub fn of(board: &Board) -> Self {
        let folder = |name: &String| board.models().join(name);
        let problem = |name: &String| Model::look(&folder(name), board.root(), name).problem;
        let files = look(board, Which::Data, "", None).files;
        Self {
            models: board
                .model_names()
                .into_iter()
                .filter(|name| problem(name).is_none())
                .collect(),
            files: files.into_iter().map(|file| file.name).collect(),
        }
    }
}
