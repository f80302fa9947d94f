use super::{Adapter, BuiltIn, Init, Loss, RunSpec, SpecError, Task, Unfreeze};

impl RunSpec {
    /// Checks what no single key can: required keys, and keys that exclude each other.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Result<(), SpecError> {
        let missing = |key: &str, hint: &str| {
            Err(SpecError::Missing { key: key.to_owned(), hint: hint.to_owned() })
        };
        if self.model.is_empty() {
            return missing("model", "give model=NAME, a folder under models/ or a path");
        }
        if self.data.is_empty() {
            return missing("data", "give data=FILE, a CSV, TSV, JSON Lines or Parquet file");
        }
        if BuiltIn::named(&self.model).is_some_and(|model| !model.can_learn(self.task)) {
            return Err(SpecError::BadValue {
                key: "task".into(),
                value: self.task.to_string(),
                why: self.task.others_learn(&self.model),
            });
        }
        self.check_loss()?;
        self.check_folds()?;
        if let (Init::Run(parent), Some(BuiltIn::Baseline(model))) =
            (self.init, BuiltIn::named(&self.model))
        {
            return Err(SpecError::BadValue {
                key: "init".into(),
                value: parent.to_string(),
                why: format!("model={model} is fitted anew each time and starts from no other run"),
            });
        }
        self.check_adapter()?;
        let figures = self.task.figures();
        if !self.best.strip_prefix("val/").is_some_and(|short| figures.contains(&short)) {
            return Err(SpecError::BadValue {
                key: "best".into(),
                value: self.best.clone(),
                why: format!("task={} has val/{}", self.task, figures.join(", val/")),
            });
        }
        if self.split_column.is_some() && (self.val.is_some() || self.test.is_some()) {
            return Err(SpecError::BadValue {
                key: "split_column".into(),
                value: self.split_column.clone().unwrap_or_default(),
                why: "the rows already come split through val= or test=; drop one of the two"
                    .into(),
            });
        }
        let has_test = self.split_column.is_some() || self.test.is_some() || self.folds > 0;
        if !has_test && self.split[2] == 0.0 {
            return Err(SpecError::BadValue {
                key: "split".into(),
                value: self.get("split").unwrap_or_default(),
                why: "the test share is 0 and no test= file is given".into(),
            });
        }
        Ok(())
    }

    /// An adapter stands beside pretrained weights, and learns.
    fn check_adapter(&self) -> Result<(), SpecError> {
        if self.adapter == Adapter::None {
            return Ok(());
        }
        let why = if BuiltIn::named(&self.model).is_some() {
            let model = &self.model;
            format!("model={model} has no pretrained weights for an adapter to stand beside")
        } else if self.init == Init::Random {
            "an adapter stands beside pretrained weights; init=random has none".to_owned()
        } else if self.unfreeze == Unfreeze::Head {
            "with unfreeze=head only the head learns; leave one of the two out".to_owned()
        } else if self.task == Task::Lm {
            "task=lm trains whole models; adapters are for the tasks with a head".to_owned()
        } else {
            return Ok(());
        };
        Err(SpecError::BadValue { key: "adapter".into(), value: self.adapter.to_string(), why })
    }

    /// Cross-validation holds one fold of `data=` out, and tests it.
    fn check_folds(&self) -> Result<(), SpecError> {
        let bad = |key: &str, why: String| {
            let value = self.get(key).unwrap_or_default();
            Err(SpecError::BadValue { key: key.to_owned(), value, why })
        };
        match (self.folds, self.fold) {
            (0, 0) => Ok(()),
            (0, fold) => {
                bad("fold", format!("it is one of folds=N; say folds={}, or more", fold.max(2)))
            }
            (1, _) => {
                bad("folds", "two folds are the least: one is tested, the others are learnt".into())
            }
            (folds, 0) => Err(SpecError::Missing {
                key: "fold".into(),
                hint: format!(
                    "folds={folds} holds one of them out: fold=1 to {folds}; `tuneboard sweep ... folds={folds} \
                     fold=1..{folds}` holds out each in turn"
                ),
            }),
            (folds, fold) if fold > folds => {
                bad("fold", format!("folds={folds} has fold=1 to {folds}"))
            }
            _ if self.test.is_some() => {
                bad("folds", "the fold that is held out is tested; drop test= or folds=".into())
            }
            _ if self.split_column.is_some() => bad(
                "folds",
                "split_column= says already what is tested; drop one of the two".into(),
            ),
            _ => Ok(()),
        }
    }

    /// Keys of the loss and of the split that do not go together.
    fn check_loss(&self) -> Result<(), SpecError> {
        let bad = |key: &str, why: String| {
            let value = self.get(key).unwrap_or_default();
            Err(SpecError::BadValue { key: key.to_owned(), value, why })
        };
        let losses = self.task.losses();
        if self.loss != Loss::Auto && !losses.contains(&self.loss) && !losses.is_empty() {
            let words: Vec<String> = losses.iter().map(ToString::to_string).collect();
            return bad("loss", format!("task={} has {}", self.task, words.join(", ")));
        }
        if self.loss == Loss::Focal && self.label_smoothing > 0.0 && self.obeys("label_smoothing") {
            return bad(
                "label_smoothing",
                "loss=focal has no smoothed form; drop one of the two".into(),
            );
        }
        let is_baseline = matches!(BuiltIn::named(&self.model), Some(BuiltIn::Baseline(_)));
        if is_baseline && self.loss != Loss::Auto {
            return bad("loss", format!("model={} has a loss of its own", self.model));
        }
        if self.stratify && matches!(self.task, Task::Regress | Task::Tag) {
            let why = format!("task={} has no classes whose shares a split could keep", self.task);
            return bad("stratify", why);
        }
        Ok(())
    }
}
