use std::io;
use std::path::{Path, PathBuf};

use tch::TchError;
use thiserror::Error;
use tuneboard::dataset::DataError;
use tuneboard::spec::SpecError;

/// Whatever can end the trainer early. Each message is one sentence for the person at the keyboard.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The spec does not hold together.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The data cannot be read or split.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Something given to the trainer cannot be used: a folder, a config, a tokenizer, a key.
    #[error("{0}")]
    Input(String),
    /// A weight that the model needs is not in the checkpoint.
    #[error("{file} has no tensor `{name}`, which the model of config.json needs.")]
    MissingTensor {
        /// As it was looked for.
        name: String,
        /// Where.
        file: String,
    },
    /// A weight of another shape than the config says.
    #[error("The tensor `{name}` of {file} has the shape {got:?}; config.json asks for {want:?}.")]
    WrongShape {
        /// The weight.
        name: String,
        /// Where.
        file: String,
        /// Its shape.
        got: Vec<usize>,
        /// The shape that fits the config.
        want: Vec<usize>,
    },
    /// A file or folder that cannot be read or written.
    #[error("{} cannot be {verb}: {source}.", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// `read` or `written`.
        verb: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The loss is no number any more.
    #[error(
        "The loss became {loss} at step {step} (learning rate {lr:e}); lower lr, or set clip and \
         warmup."
    )]
    Diverged {
        /// NaN or an infinity.
        loss: f64,
        /// The optimiser step, counted from 1.
        step: u64,
        /// Its learning rate.
        lr: f64,
    },
    /// What libtorch reports.
    #[error("{}", torch_sentence(.0))]
    Torch(#[from] TchError),
    /// Training went wrong in another way.
    #[error("{0}")]
    Failed(String),
}

impl TrainError {
    /// Something that cannot be read.
    pub fn read(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { path, verb: "read", source }
    }

    /// Something that cannot be written.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { path, verb: "written", source }
    }

    /// True if memory did not suffice, on the CPU or on a GPU.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Torch(e) if says_out_of_memory(&e.to_string()))
    }

    /// 2 for what the user gave, 1 for what went wrong on the way.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Spec(_)
            | Self::Data(_)
            | Self::Input(_)
            | Self::MissingTensor { .. }
            | Self::WrongShape { .. }
            | Self::Io { verb: "read", .. } => 2,
            Self::Io { .. } | Self::Diverged { .. } | Self::Torch(_) | Self::Failed(_) => 1,
        }
    }
}

fn says_out_of_memory(text: &str) -> bool {
    text.contains("out of memory") || text.contains("DefaultCPUAllocator")
}

/// libtorch appends a stack trace to its messages; the first line says what happened.
fn torch_sentence(error: &TchError) -> String {
    let text = error.to_string();
    if says_out_of_memory(&text) {
        return "Out of memory: lower batch_size (with accumulate raised in turn) or max_length."
            .to_owned();
    }
    let first = text.lines().next().unwrap_or_default();
    let first = first.trim_start_matches("Internal torch error: ").trim_end_matches('.');
    format!("libtorch: {first}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torch_errors_become_one_sentence() {
        let trace = "shape '[3]' is invalid for input of size 2\nException raised from x at y:1\n";
        let error = TrainError::from(TchError::Torch(trace.into()));
        assert_eq!(error.to_string(), "libtorch: shape '[3]' is invalid for input of size 2.");
        let memory = "[enforce fail] DefaultCPUAllocator: can't allocate memory";
        let error = TrainError::from(TchError::Torch(memory.into()));
        assert!(error.to_string().starts_with("Out of memory") && error.is_out_of_memory());
        assert!(!TrainError::from(TchError::Torch("shape".into())).is_out_of_memory());
        assert_eq!(error.exit_code(), 1);
    }
}
