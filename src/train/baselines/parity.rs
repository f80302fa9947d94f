//! Against scikit-learn 1.9.1; `TUNEBOARD_FIXTURES` names another folder of the same layout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::{env, fs};

use safetensors::SafeTensors;
use serde_json::Value;
use tuneboard::dataset::{self, Dataset};
use tuneboard::spec::{Baseline, RunSpec};

use super::fitted::{Examples, Fitted, Learnt};
use super::vocabulary::Vocabulary;
use super::words::words;

fn fixtures() -> PathBuf {
    env::var_os("TUNEBOARD_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
        PathBuf::from,
    )
}

fn json(name: &str) -> Value {
    let text = fs::read_to_string(fixtures().join("baselines").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn tensors(name: &str) -> BTreeMap<String, Vec<f64>> {
    let bytes = fs::read(fixtures().join("baselines").join(name)).unwrap();
    let all = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |data: &[u8]| -> Vec<f64> {
        data.as_chunks::<8>().0.iter().map(|n| f64::from_le_bytes(*n)).collect()
    };
    all.iter().map(|(name, view)| (name.to_owned(), floats(view.data()))).collect()
}

fn gap(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn words_are_scikit_learns() {
    let cases = json("analyzer_cases.json");
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() >= 200);
    for case in cases {
        let want: Vec<&str> =
            case["tokens"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
        assert_eq!(words(case["text"].as_str().unwrap()), want, "{}", case["text"]);
    }
}

#[test]
fn a_small_corpus_is_weighed_as_scikit_learn_weighs_it() {
    let corpus = json("tiny_corpus.json");
    let texts: Vec<&str> =
        corpus["texts"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    let want = &corpus["default"];
    let vocabulary = Vocabulary::learn(texts.iter().copied(), true);
    let terms: Vec<&str> =
        want["terms"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    assert_eq!(vocabulary.words(), terms);
    assert!(gap(vocabulary.idf().unwrap(), &numbers(&want["idf"])) < 1e-12);
    let (rows, _) = vocabulary.rows(texts.iter().copied());
    for ((columns, values), want) in rows.iter().zip(want["matrix"].as_array().unwrap()) {
        let mut dense = vec![0.0; terms.len()];
        columns.iter().zip(values).for_each(|(c, v)| dense[*c as usize] = *v);
        assert!(gap(&dense, &numbers(want)) < 1e-12);
    }
}

/// One data set, its fixture, and the models fitted to its train rows.
struct Case {
    name: &'static str,
    data: Dataset,
    want: Value,
    tensors: BTreeMap<String, Vec<f64>>,
}

impl Case {
    fn sms() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let spec = RunSpec { data: "data/sms_spam.csv".into(), ..RunSpec::default() };
        Self::new("sms_spam", &spec, root)
    }

    fn new(name: &'static str, spec: &RunSpec, root: &Path) -> Self {
        let data = dataset::load(spec, root).unwrap();
        let (want, tensors) = (format!("{name}.json"), format!("{name}.safetensors"));
        Self { name, data, want: json(&want), tensors: self::tensors(&tensors) }
    }

    fn texts(&self, rows: &[u32]) -> Vec<&str> {
        rows.iter().map(|r| self.data.texts[*r as usize].as_str()).collect()
    }

    fn vocabulary(&self, model: Baseline) -> Vocabulary {
        let texts = self.texts(&self.data.train);
        match model {
            Baseline::Majority => Vocabulary::default(),
            Baseline::CountNb => Vocabulary::learn(texts, false),
            Baseline::TfidfNb | Baseline::TfidfLogreg => Vocabulary::learn(texts, true),
        }
    }

    fn fit(&self, model: Baseline) -> Fitted {
        let train = &self.data.train;
        let examples = Examples {
            texts: self.texts(train),
            labels: train.iter().map(|r| self.data.labels[*r as usize]).collect(),
            label_names: &self.data.label_names,
            weights: vec![1.0; self.data.label_names.len()],
        };
        let stop = AtomicBool::new(false);
        let learnt = Fitted::fit(model, &examples, self.vocabulary(model), &stop).unwrap();
        let Learnt { fitted, note, .. } = learnt.unwrap();
        assert_eq!(note, None);
        fitted
    }

    /// Largest gap to the probabilities of the test rows, and the share of rows predicted right.
    fn test(&self, fitted: &Fitted, name: &str) -> (f64, f64) {
        let rows = &self.data.test;
        let got = fitted.log_probabilities(self.texts(rows));
        let probabilities: Vec<f64> = got.iter().map(|x| x.exp()).collect();
        let gap = gap(&probabilities, &self.tensors[&format!("{name}.test_proba")]);
        let classes = self.data.label_names.len();
        let mut confusion = vec![vec![0_u64; classes]; classes];
        for (row, p) in rows.iter().zip(got.chunks(classes)) {
            let best = (0..classes).rev().max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
            confusion[self.data.labels[*row as usize] as usize][best] += 1;
        }
        let want = &self.want["models"][name]["test"];
        if name != "logreg" {
            assert_eq!(serde_json::json!(confusion), want["confusion_matrix"], "{name}");
        }
        let right: u64 = (0..classes).map(|c| confusion[c][c]).sum();
        let accuracy = right as f64 / rows.len() as f64;
        (gap, accuracy - want["accuracy"].as_f64().unwrap())
    }

    fn check_all(&self) {
        let terms = json(&format!("{}_terms.json", self.name));
        let vocabulary = self.vocabulary(Baseline::TfidfNb);
        assert_eq!(serde_json::json!(vocabulary.words()), terms);
        assert!(gap(vocabulary.idf().unwrap(), &self.tensors["idf"]) < 1e-9);
        for document in self.want["tfidf"]["documents"].as_array().unwrap() {
            let row = self.data.test[document["test_row"].as_u64().unwrap() as usize];
            let (rows, _) = vocabulary.rows(self.texts(&[row]));
            let (columns, values) = rows.iter().next().unwrap();
            assert_eq!(serde_json::json!(columns), document["indices"]);
            assert!(gap(values, &numbers(&document["values"])) < 1e-12);
        }

        let (gap, accuracy) = self.test(&self.fit(Baseline::TfidfNb), "multinomial_nb_tfidf");
        assert!(gap < 1e-9 && accuracy == 0.0, "{gap} {accuracy}");
        let (gap, accuracy) = self.test(&self.fit(Baseline::CountNb), "multinomial_nb_counts");
        assert!(gap < 1e-9 && accuracy == 0.0, "{gap} {accuracy}");
        let (_, accuracy) = self.test(&self.fit(Baseline::Majority), "majority");
        assert_eq!(accuracy, 0.0);
        let logistic = self.fit(Baseline::TfidfLogreg);
        let (gap, accuracy) = self.test(&logistic, "logreg_tight");
        assert!(gap < 1e-4 && accuracy == 0.0, "{gap} {accuracy}");
        // scikit-learn's default stops early, a little beside the optimum.
        let (_, accuracy) = self.test(&logistic, "logreg");
        assert!(accuracy.abs() < 0.003, "{accuracy}");
    }
}

#[test]
fn sms_is_classified_as_by_scikit_learn() {
    let case = Case::sms();
    let split = json("sms_spam_split.json");
    let rows = |rows: &[u32]| serde_json::json!(rows);
    assert_eq!(rows(&case.data.train), split["train"]);
    assert_eq!(rows(&case.data.test), split["test"]);
    case.check_all();
}

#[test]
fn naive_bayes_and_regression_have_scikit_learns_weights() {
    let case = Case::sms();
    let bayes = case.fit(Baseline::TfidfNb);
    let of_class = |fitted: &Fitted, class: usize| -> Vec<f64> {
        fitted.linear.weight.iter().skip(class).step_by(2).copied().collect()
    };
    let want = &case.tensors["multinomial_nb_tfidf.feature_log_prob"];
    let (first, second) = want.split_at(want.len() / 2);
    assert!(gap(&of_class(&bayes, 0), first) < 1e-9);
    assert!(gap(&of_class(&bayes, 1), second) < 1e-9);
    let prior = &case.tensors["multinomial_nb_tfidf.class_log_prior"];
    assert!(gap(&bayes.linear.bias, prior) < 1e-9);
    let regression = case.fit(Baseline::TfidfLogreg);
    assert!(gap(&of_class(&regression, 1), &case.tensors["logreg_tight.coef"]) < 1e-4);
    let intercept = &case.tensors["logreg_tight.intercept"];
    assert!(gap(&regression.linear.bias[1..], intercept) < 1e-4);
}

/// Eight classes. The texts are not ours to hand on, so `TUNEBOARD_FIXTURES` must lead to them.
#[test]
fn reuters_is_classified_as_by_scikit_learn() {
    let root = fixtures().join("data");
    if !root.join("reuters_r8_train.csv").is_file() {
        crate::progress::err("skipped: no Reuters data in TUNEBOARD_FIXTURES");
        return;
    }
    let spec = RunSpec {
        data: "reuters_r8_train.csv".into(),
        test: Some("reuters_r8_test.csv".into()),
        split: [0.9, 0.1, 0.0],
        ..RunSpec::default()
    };
    let mut case = Case::new("reuters_r8", &spec, &root);
    // The fixture learns from all of the train file.
    let val = std::mem::take(&mut case.data.val);
    case.data.train.extend(val);
    case.check_all();
}

#[test]
fn what_is_saved_reads_back_to_the_bit() {
    let case = Case::sms();
    let folder = tempfile::tempdir().unwrap();
    for model in [Baseline::Majority, Baseline::CountNb, Baseline::TfidfLogreg] {
        let fitted = case.fit(model);
        fitted
            .save(&|name, bytes| {
                fs::write(folder.path().join(name), bytes).unwrap();
                Ok(())
            })
            .unwrap();
        assert_eq!(Fitted::load(folder.path()).unwrap(), fitted);
    }
    fs::write(folder.path().join("vocabulary.json"), "[\"one\"]").unwrap();
    let error = Fitted::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("F64 [7118] instead of F64 [1]"), "{error}");
}

#[test]
fn a_class_without_train_rows_has_next_to_no_probability() {
    let names = ["a", "b", "c"].map(str::to_owned);
    let examples = Examples {
        texts: vec!["good good", "bad bad", "good"],
        labels: vec![0, 2, 0],
        label_names: &names,
        weights: vec![1.0; 3],
    };
    let stop = AtomicBool::new(false);
    for model in [Baseline::Majority, Baseline::TfidfNb, Baseline::TfidfLogreg] {
        let vocabulary = Vocabulary::learn(examples.texts.iter().copied(), true);
        let learnt = Fitted::fit(model, &examples, vocabulary, &stop).unwrap().unwrap();
        let p = learnt.fitted.log_probabilities(["good", "", "unheard of"]);
        assert!(p.iter().skip(1).step_by(3).all(|x| *x == f64::EPSILON.ln()), "{model} {p:?}");
        assert!(p.chunks(3).all(|p| p[0] > p[2]), "{model} {p:?}");
    }
    let one = Examples { labels: vec![1; 3], ..examples };
    let vocabulary = Vocabulary::learn(one.texts.iter().copied(), true);
    let refused = Fitted::fit(Baseline::TfidfLogreg, &one, vocabulary, &stop);
    assert!(refused.is_err_and(|e| e.exit_code() == 2));
}
