//! The figures that trainers report, in one table.
//!
//! A figure's full name is `split/name`, as `val/acc`; [`train`], [`val`] and [`test`] hold the full names. A figure
//! that no row knows (a script may report what it likes) is judged by the way its name reads.

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its short name, as events write it: `acc`.
    pub name: &'static str,
    /// What heads a column or a chart of it.
    pub title: &'static str,
    /// Which values are better.
    pub better: Better,
    /// What it is measured in.
    pub unit: Unit,
}

/// Which values of a figure are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// High ones.
    High,
    /// Low ones.
    Low,
    /// Neither: it is a setting, as the learning rate is.
    Neither,
}

/// What a figure is measured in, and so how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    Number,
    /// Bytes.
    Bytes,
    /// How many a second.
    PerSecond,
    /// A part of the time.
    Share,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal, $title:literal, $better:ident, $unit:ident;)+) => {
        /// Every figure that our trainer reports.
        pub static METRICS: &[Metric] = &[$(Metric {
            name: $name, title: $title, better: Better::$better, unit: Unit::$unit,
        }),+];
        metrics!(@names "", $($constant = $name;)+);
        /// Full names of figures of the train rows.
        pub mod train { metrics!(@names "train/", $($constant = $name;)+); }
        /// Full names of figures of the validation rows.
        pub mod val { metrics!(@names "val/", $($constant = $name;)+); }
        /// Full names of figures of the test rows.
        pub mod test { metrics!(@names "test/", $($constant = $name;)+); }
    };
    (@names $split:literal, $($constant:ident = $name:literal;)+) => {
        $(
            #[doc = concat!("`", $split, $name, "`")]
            pub const $constant: &str = concat!($split, $name);
        )+
    };
}

metrics! {
    LOSS = "loss", "loss", Low, Number;
    ACC = "acc", "acc", High, Number;
    F1 = "f1", "f1", High, Number;
    PPL = "ppl", "perplexity", Low, Number;
    PEARSON = "pearson", "Pearson r", High, Number;
    SPEARMAN = "spearman", "Spearman r", High, Number;
    MAE = "mae", "mean error", Low, Number;
    RMSE = "rmse", "RMSE", Low, Number;
    R2 = "r2", "R2", High, Number;
    MICRO_F1 = "micro_f1", "micro f1", High, Number;
    WEIGHTED_F1 = "weighted_f1", "weighted f1", High, Number;
    SAMPLES_F1 = "samples_f1", "samples f1", High, Number;
    TUNED_F1 = "tuned_f1", "tuned f1", High, Number;
    EXACT = "exact", "exact match", High, Number;
    HAMMING = "hamming", "Hamming loss", Low, Number;
    MAP = "map", "mean AP", High, Number;
    AUC = "auc", "ROC AUC", High, Number;
    PRECISION = "precision", "precision", High, Number;
    RECALL = "recall", "recall", High, Number;
    STRICT_F1 = "strict_f1", "strict f1", High, Number;
    ECE = "ece", "ECE", Low, Number;
    CALIBRATED_ECE = "calibrated_ece", "ECE calibrated", Low, Number;
    TEMPERATURE = "temperature", "temperature", Neither, Number;
    NOTEBOOK_LOSS = "notebook_loss", "notebook loss", Low, Number;
    LR = "lr", "learning rate", Neither, Number;
    EXAMPLES_PER_S = "examples_per_s", "examples/s", High, PerSecond;
    TOKENS_PER_S = "tokens_per_s", "tokens/s", High, PerSecond;
    PEAK_MEMORY = "peak_memory_bytes", "peak memory", Low, Bytes;
    EVAL_SHARE = "eval_share", "evaluating", Low, Share;
    STEP_LOSS = "step_loss", "loss", Low, Number;
    STEP_LR = "step_lr", "learning rate", Neither, Number;
    STEP_EXAMPLES_PER_S = "step_examples_per_s", "examples/s", High, PerSecond;
    STEP_TOKENS_PER_S = "step_tokens_per_s", "tokens/s", High, PerSecond;
    STEP_MEMORY = "step_memory_bytes", "memory", Low, Bytes;
}

/// The row of a figure, by its short or its full name. What stands behind a second slash says of which part of
/// the model it is, as in `train/step_lr/head`.
pub fn find(name: &str) -> Option<&'static Metric> {
    let mut parts = name.split('/');
    let first = parts.next().unwrap_or_default();
    let short = parts.next().unwrap_or(first);
    METRICS.iter().find(|metric| metric.name == short)
}

/// What heads a column of a figure: `val acc`; its full name if no row knows it.
pub fn heading(name: &str) -> String {
    match (find(name), name.split_once('/')) {
        (Some(metric), Some((split, _))) => format!("{split} {}", metric.title),
        _ => name.to_owned(),
    }
}

/// Which values of a figure are better.
pub fn better(name: &str) -> Better {
    let short = name.rsplit('/').next().unwrap_or(name);
    match find(name) {
        Some(metric) => metric.better,
        None if short.contains("loss") || short.contains("perplexity") => Better::Low,
        None if unit(name) == Unit::Bytes => Better::Low,
        None => Better::High,
    }
}

/// What a figure is measured in.
pub fn unit(name: &str) -> Unit {
    match find(name) {
        Some(metric) => metric.unit,
        None if name.ends_with("_bytes") => Unit::Bytes,
        None if name.ends_with("_per_s") => Unit::PerSecond,
        None => Unit::Number,
    }
}

/// False for losses, memory and whatever else is better low.
pub fn higher_is_better(name: &str) -> bool {
    better(name) != Better::Low
}

/// Whether a figure tells of the machine and the moment, not of what was learnt: of two equal runs it differs.
pub fn is_of_machine(name: &str) -> bool {
    unit(name) != Unit::Number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_known_by_short_and_full_names_and_others_by_how_they_read() {
        assert_eq!((val::LOSS, test::PPL, STEP_LR), ("val/loss", "test/ppl", "step_lr"));
        for (name, better_is, unit_is) in [
            (val::LOSS, Better::Low, Unit::Number),
            ("acc", Better::High, Unit::Number),
            ("train/step_lr/head", Better::Neither, Unit::Number),
            (train::PEAK_MEMORY, Better::Low, Unit::Bytes),
            (train::STEP_TOKENS_PER_S, Better::High, Unit::PerSecond),
            ("val/bleu", Better::High, Unit::Number),
            ("val/mlm_loss", Better::Low, Unit::Number),
            ("gpu_bytes", Better::Low, Unit::Bytes),
            ("train/images_per_s", Better::High, Unit::PerSecond),
        ] {
            assert_eq!((better(name), unit(name)), (better_is, unit_is), "{name}");
        }
        assert!(higher_is_better(val::ACC) && !higher_is_better(test::LOSS));
        assert!(
            is_of_machine(train::EVAL_SHARE)
                && is_of_machine(train::EXAMPLES_PER_S)
                && !is_of_machine(val::ACC)
        );
    }
}
