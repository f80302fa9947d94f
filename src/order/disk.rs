//! How much runs will leave on the disk, before they are queued.

use crate::board::{Board, disk};
use crate::spec::{BuiltIn, Keep, Optimizer, RunSpec};
use crate::store::Reader;

/// Bytes on the disk of `runs/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What all runs leave when they are done.
    pub kept: u64,
    /// What one run needs besides while it trains: a checkpoint to resume from, and the one that takes its place.
    pub besides: u64,
    /// What is free.
    pub free: u64,
}

impl Room {
    /// A sentence, if the disk will be full before the runs are done.
    pub fn warning(&self) -> Option<String> {
        let needed = self.kept.saturating_add(self.besides);
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        (needed > self.free).then(|| {
            format!(
                "The disk has {} MiB free, and these runs need about {}: {} that stay and {} while one trains. \
                 keep=none or keep_best=N leave less; `tuneboard gc --dry-run` shows what can go.",
                mib(self.free),
                mib(needed),
                mib(self.kept),
                mib(self.besides)
            )
        })
    }
}

/// The forecast for these runs; `None` where the size of no model is known, or the free space.
pub fn room<'a>(
    board: &Board,
    specs: impl IntoIterator<Item = &'a RunSpec>,
    keep_best: Option<u32>,
) -> Option<Room> {
    let free = disk::free(&board.runs())?;
    let (mut sizes, mut kept, mut besides) = (Vec::<(&str, Option<u64>)>::new(), Vec::new(), 0);
    for spec in specs {
        let known = sizes.iter().find(|(model, _)| *model == spec.model).map(|(_, size)| *size);
        let size = known.unwrap_or_else(|| {
            let size = weights(board, spec);
            sizes.push((&spec.model, size));
            size
        });
        let Some(size) = size else { continue };
        let copies = match spec.keep {
            Keep::None => 0,
            Keep::Best | Keep::Last => 1,
            Keep::Both => 2,
        };
        kept.push(copies * size);
        besides = besides.max(2 * size * (1 + memory(spec)));
    }
    if kept.is_empty() {
        return None;
    }
    kept.sort_unstable_by(|a, b| b.cmp(a));
    kept.truncate(keep_best.map_or(usize::MAX, |n| n as usize));
    Some(Room { kept: kept.iter().sum(), besides, free })
}

/// How many numbers the optimiser keeps for each weight.
fn memory(spec: &RunSpec) -> u64 {
    match spec.optimizer {
        Optimizer::Adam | Optimizer::AdamW => 2,
        Optimizer::Sgd => u64::from(spec.momentum > 0.0),
    }
}

/// Bytes of the model's weights in a checkpoint, which are 32 bits each; of a built-in model what a past run had.
fn weights(board: &Board, spec: &RunSpec) -> Option<u64> {
    let parameters = if spec.init.parent().is_none() && BuiltIn::named(&spec.model).is_none() {
        board.parameters(&spec.model)
    } else {
        let reader = Reader::open(&board.database()).ok()?;
        let parent = spec.init.parent().and_then(|id| reader.run(id).ok().flatten());
        parent.and_then(|run| run.facts).map(|facts| facts.parameters)
    };
    parameters.map(|n| 4 * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_and_what_training_takes_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::init(folder.path()).unwrap();
        let model = board.models().join("m");
        std::fs::create_dir(&model).unwrap();
        std::fs::write(model.join("config.json"), r#"{"model_type":"bert"}"#).unwrap();
        let header = br#"{"w":{"dtype":"F32","shape":[1000,1000],"data_offsets":[0,4000000]}}"#;
        let mut weights = (header.len() as u64).to_le_bytes().to_vec();
        weights.extend(header);
        weights.resize(weights.len() + 4_000_000, 0);
        std::fs::write(model.join("model.safetensors"), weights).unwrap();
        let spec = RunSpec { model: "m".into(), data: "d".into(), ..RunSpec::default() };
        let of = |keep, keep_best| {
            let specs =
                [RunSpec { keep, ..spec.clone() }, RunSpec { keep, lr: 1.0, ..spec.clone() }];
            room(&board, &specs, keep_best).map(|room| (room.kept, room.besides))
        };
        assert_eq!(of(Keep::Best, None), Some((8_000_000, 24_000_000)));
        assert_eq!(of(Keep::Both, None), Some((16_000_000, 24_000_000)));
        assert_eq!(of(Keep::Best, Some(1)), Some((4_000_000, 24_000_000)));
        assert_eq!(of(Keep::None, None), Some((0, 24_000_000)));
        let majority = RunSpec { model: "majority".into(), ..spec.clone() };
        assert_eq!(room(&board, [&majority], None), None);
        let full = Room { kept: 4 << 20, besides: 2 << 20, free: 5 << 20 };
        assert!(
            full.warning()
                .unwrap()
                .starts_with("The disk has 5 MiB free, and these runs need about 6")
        );
        assert_eq!(Room { free: 6 << 20, ..full }.warning(), None);
    }
}
