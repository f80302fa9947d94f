use std::path::Path;

use tuneboard::spec::BuiltIn;

use super::gru;
use crate::error::TrainError;
use crate::fastai;

/// Makes the folder of a built-in network from the texts that it will learn from. The same texts make
/// the same folder. They are the first and second texts of pairs where `are_pairs` says so.
///
/// # Errors
/// A folder that cannot be written, or a built-in model that is no network.
pub fn make_built_in<'a>(
    name: BuiltIn,
    folder: &Path,
    texts: impl Iterator<Item = &'a str>,
    are_pairs: bool,
) -> Result<(), TrainError> {
    match name {
        BuiltIn::Gru => gru::make(folder, texts, are_pairs),
        BuiltIn::Ulmfit => fastai::scratch(folder, texts),
        BuiltIn::Baseline(model) => Err(TrainError::Input(format!(
            "model={model} is no network: it is fitted in one go and has no weights to start from."
        ))),
    }
}
