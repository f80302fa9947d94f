use super::metrics::{ACC, F1, LOSS, PPL, test, val};
use super::{BuiltIn, Task};

/// What the rest of tuneboard asks of a task. The keys that a task obeys stand in their own rows
/// ([`super::keys::Key::tasks`]); its loss and predictions are an objective of the trainer.
impl Task {
    /// The figures of one evaluation, by short name, the loss first.
    pub fn figures(self) -> &'static [&'static str] {
        match self {
            Self::Classify => &[LOSS, ACC, F1],
            Self::Lm => &[LOSS, ACC, PPL],
        }
    }

    /// The figure that tells how good a run is: of the validation rows, and of the test rows.
    pub fn score(self) -> [&'static str; 2] {
        match self {
            Self::Classify | Self::Lm => [val::ACC, test::ACC],
        }
    }

    /// Whether it learns from labels; else they only count if the split is to keep their shares.
    pub fn needs_labels(self) -> bool {
        match self {
            Self::Classify => true,
            Self::Lm => false,
        }
    }
}

impl BuiltIn {
    /// Whether the model can learn the task.
    pub fn can_learn(self, task: Task) -> bool {
        match (task, self) {
            (Task::Classify, _) | (Task::Lm, Self::Ulmfit) => true,
            (Task::Lm, Self::Baseline(_) | Self::Gru) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::metrics::find;

    #[test]
    fn every_figure_of_a_task_has_a_row() {
        for word in Task::WORDS {
            let task: Task = word.parse().unwrap();
            let [of_val, of_test] = task.score();
            assert!(of_val.starts_with("val/") && of_test.starts_with("test/"), "{word}");
            let mut names = task.figures().iter().chain([&of_val, &of_test]);
            assert!(names.all(|name| find(name).is_some()), "{word}");
            assert_eq!(task.figures().first(), Some(&LOSS), "{word}");
        }
    }
}
