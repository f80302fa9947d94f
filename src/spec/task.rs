use super::metrics::{
    ACC, AUC, EXACT, F1, HAMMING, LOSS, MAE, MAP, MICRO_F1, PEARSON, PPL, PRECISION, R2, RECALL,
    RMSE, SAMPLES_F1, SPEARMAN, STRICT_F1, TUNED_F1, WEIGHTED_F1, test, val,
};
use super::{Baseline, BuiltIn, Loss, Task};

/// What the rest of tuneboard asks of a task. The keys that a task obeys stand in their own rows
/// ([`super::keys::Key::tasks`]); its loss and predictions are an objective of the trainer.
impl Task {
    /// The figures of one evaluation, by short name, the loss first.
    pub fn figures(self) -> &'static [&'static str] {
        match self {
            Self::Classify => &[LOSS, ACC, F1],
            Self::Lm => &[LOSS, ACC, PPL],
            Self::Regress => &[LOSS, PEARSON, SPEARMAN, MAE, RMSE, R2],
            Self::Multilabel => {
                &[LOSS, MICRO_F1, F1, MAP, EXACT, HAMMING, WEIGHTED_F1, SAMPLES_F1, AUC, TUNED_F1]
            }
            Self::Tag => &[LOSS, F1, PRECISION, RECALL, ACC, STRICT_F1],
        }
    }

    /// The figure that tells how good a run is: of the validation rows, and of the test rows. The higher the better.
    pub fn score(self) -> [&'static str; 2] {
        match self {
            Self::Classify | Self::Lm => [val::ACC, test::ACC],
            Self::Regress => [val::PEARSON, test::PEARSON],
            Self::Multilabel => [val::MICRO_F1, test::MICRO_F1],
            Self::Tag => [val::F1, test::F1],
        }
    }

    /// Whether it learns from labels; else they only count if the split is to keep their shares.
    pub fn needs_labels(self) -> bool {
        match self {
            Self::Classify | Self::Regress | Self::Multilabel | Self::Tag => true,
            Self::Lm => false,
        }
    }

    /// The losses it can be learnt with, the usual one first; empty where there is no choice.
    pub fn losses(self) -> &'static [Loss] {
        match self {
            Self::Classify | Self::Tag => &[Loss::CrossEntropy, Loss::Focal],
            Self::Multilabel => &[Loss::Bce, Loss::Focal],
            Self::Regress => &[Loss::Mse, Loss::Huber],
            Self::Lm => &[],
        }
    }

    /// The end of a sentence about a model that cannot learn it.
    pub(super) fn others_learn(self, model: &str) -> String {
        let others = match self {
            Self::Tag => "encoders such as BERT, RoBERTa and DeBERTa learn tags",
            Self::Classify | Self::Regress | Self::Multilabel => {
                "model=gru, model=ulmfit and checkpoints of any family learn it"
            }
            Self::Lm => {
                "BERT, GPT-2 and AWD-LSTM checkpoints and model=ulmfit learn as language models"
            }
        };
        match (self, BuiltIn::named(model)) {
            (Self::Lm, _) => format!("model={model} only classifies; {others}"),
            (Self::Classify | Self::Multilabel, Some(BuiltIn::Baseline(_))) => {
                format!("model={model} predicts numbers; model=tfidf-logreg does, and {others}")
            }
            (Self::Regress, Some(BuiltIn::Baseline(_))) => {
                format!(
                    "model={model} only classifies; model=tfidf-ridge predicts numbers, and {others}"
                )
            }
            _ => format!("model={model} reads whole texts; {others}"),
        }
    }
}

impl BuiltIn {
    /// Whether the model can learn the task.
    pub fn can_learn(self, task: Task) -> bool {
        match (task, self) {
            (Task::Classify | Task::Multilabel, Self::Baseline(model)) => {
                model != Baseline::TfidfRidge
            }
            (Task::Regress, Self::Baseline(model)) => {
                matches!(model, Baseline::Majority | Baseline::TfidfRidge)
            }
            (Task::Classify | Task::Regress | Task::Multilabel, Self::Gru | Self::Ulmfit)
            | (Task::Lm, Self::Ulmfit) => true,
            (Task::Lm, Self::Baseline(_) | Self::Gru) | (Task::Tag, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::metrics::{find, higher_is_better};

    #[test]
    fn every_figure_of_a_task_has_a_row() {
        for word in Task::WORDS {
            let task: Task = word.parse().unwrap();
            let [of_val, of_test] = task.score();
            assert!(of_val.starts_with("val/") && of_test.starts_with("test/"), "{word}");
            // Sweeps, searches and lists rank by it.
            assert!(higher_is_better(of_val) && higher_is_better(of_test), "{word}");
            let mut names = task.figures().iter().chain([&of_val, &of_test]);
            assert!(names.all(|name| find(name).is_some()), "{word}");
            assert_eq!(task.figures().first(), Some(&LOSS), "{word}");
        }
    }
}
