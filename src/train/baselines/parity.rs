//! Against scikit-learn 1.9.1; `TUNEBOARD_FIXTURES` names another folder of the same layout.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use safetensors::SafeTensors;
use serde_json::Value;
use tuneboard::dataset::{self, Dataset};
use tuneboard::spec::{Baseline, RunSpec};

use super::fitted::{Examples, Fitted, Learnt};
use super::vocabulary::Vocabulary;
use super::words::Text;
use super::words::words;
use crate::parity::{self, Tally, numbers, strings};

fn place(name: &str) -> PathBuf {
    parity::root().join("baselines").join(name)
}

fn json(name: &str) -> Value {
    parity::json(&place(name))
}

fn tensors(name: &str) -> BTreeMap<String, Vec<f64>> {
    let bytes = fs::read(place(name)).unwrap();
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
    let mut tally = Tally::of("texts as words");
    for case in json("analyzer_cases.json")["cases"].as_array().unwrap() {
        let want = strings(&case["tokens"]);
        assert_eq!(words(case["text"].as_str().unwrap()), want, "{}", case["text"]);
        tally.add("analyzer_cases", 1);
    }
    tally.end();
}

#[test]
fn a_small_corpus_is_weighed_as_scikit_learn_weighs_it() {
    let corpus = json("tiny_corpus.json");
    let texts = strings(&corpus["texts"]);
    let texts = || texts.iter().map(String::as_str);
    let want = &corpus["default"];
    let vocabulary = Vocabulary::learn(texts(), true);
    let terms = strings(&want["terms"]);
    assert_eq!(vocabulary.words(), terms);
    assert!(gap(vocabulary.idf().unwrap(), &numbers(&want["idf"])) < 1e-12);
    let (rows, _) = vocabulary.rows(texts());
    for ((columns, values), want) in rows.iter().zip(want["matrix"].as_array().unwrap()) {
        let mut dense = vec![0.0; terms.len()];
        columns.iter().zip(values).for_each(|(c, v)| dense[*c as usize] = *v);
        assert!(gap(&dense, &numbers(want)) < 1e-12);
    }
}

/// One data set, its fixture, and what the models make of its train rows.
struct Case {
    name: String,
    data: Dataset,
    want: Value,
    tensors: BTreeMap<String, Vec<f64>>,
    /// For each class of the fixture, its place among ours.
    classes: Vec<usize>,
}

/// Where a file of data lies: beside the fixtures, or in this repository.
fn data_file(name: &str) -> PathBuf {
    let there = parity::root().join("data").join(name);
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    if there.is_file() { there } else { here() }
}

/// The train and the test file that a fixture names.
fn data_files(want: &Value) -> Vec<PathBuf> {
    let all = want["data"].as_str().unwrap().split(" / ");
    all.map(|path| data_file(path.rsplit('/').next().unwrap())).collect()
}

/// The shares of a split that is told as `int(.8*n), int(.9*n)`.
fn shares(how: &str) -> Option<[f64; 3]> {
    let mut cuts =
        how.split("int(").skip(1).map(|rest| rest.split("*n").next()?.parse::<f64>().ok());
    let (first, second) = (cuts.next()??, cuts.next()??);
    Some([first, second - first, 1.0 - second])
}

impl Case {
    fn open(name: &str) -> Self {
        let want = json(&format!("{name}.json"));
        let files = data_files(&want);
        let path = |at: usize| files.get(at).map(|file| file.display().to_string());
        let mut spec = RunSpec { data: path(0).unwrap(), test: path(1), ..RunSpec::default() };
        let split = place(&format!("{name}_split.json"));
        let split = split.is_file().then(|| parity::json(&split));
        if let Some(how) = split.as_ref().map(|split| split["how"].as_str().unwrap()) {
            let seed = parity::number(how, "random_state");
            spec.split_seed = seed.map_or(spec.split_seed, |seed| seed as u64);
            spec.split = shares(how).unwrap_or(spec.split);
        } else {
            spec.split = [0.9, 0.1, 0.0];
        }
        let mut data = Self::read(spec, &want);
        let rows = |part: &str| want["n"][part].as_u64().unwrap() as usize;
        if let Some(split) = split {
            let told =
                |part: &str| -> Vec<u32> { serde_json::from_value(split[part].clone()).unwrap() };
            assert_eq!((&data.train, &data.test), (&told("train"), &told("test")), "{name}");
        } else if rows("valid") == 0 {
            // The fixture learns from all of the train file.
            let val = std::mem::take(&mut data.val);
            data.train.extend(val);
        }
        assert_eq!((data.train.len(), data.test.len()), (rows("train"), rows("test")), "{name}");
        let place =
            |class: &String| data.label_names.iter().position(|ours| ours == class).unwrap();
        let classes = strings(&want["classes"]).iter().map(place).collect();
        let tensors = self::tensors(&format!("{name}.safetensors"));
        Self { name: name.to_owned(), data, want, tensors, classes }
    }

    /// The data set, whose columns are those that give the fixture's classes.
    fn read(spec: RunSpec, want: &Value) -> Dataset {
        let mut classes = strings(&want["classes"]);
        classes.sort();
        let fits = |data: &Dataset| {
            let mut names = data.label_names.clone();
            names.sort();
            names == classes
        };
        let root = Path::new("/");
        if let Some(data) = dataset::load(&spec, root).ok().filter(fits) {
            return data;
        }
        let first = fs::read_to_string(&spec.data).unwrap();
        let columns: Vec<&str> = first.lines().next().unwrap().split(',').collect();
        let pairs = columns.iter().flat_map(|text| columns.iter().map(move |label| (text, label)));
        let mut all = pairs.filter(|(text, label)| text != label).filter_map(|(text, label)| {
            let text = Some((*text).to_owned());
            let label = Some((*label).to_owned());
            dataset::load(&RunSpec { text, label, ..spec.clone() }, root).ok().filter(fits)
        });
        all.next().unwrap_or_else(|| panic!("{} has no such classes", spec.data))
    }

    fn texts(&self, rows: &[u32]) -> Vec<&str> {
        rows.iter().map(|r| self.data.texts[*r as usize].as_str()).collect()
    }

    fn vocabulary(&self, model: Baseline) -> Vocabulary {
        let texts = self.texts(&self.data.train);
        match model {
            Baseline::Majority => Vocabulary::default(),
            Baseline::CountNb => Vocabulary::learn(texts, false),
            _ => Vocabulary::learn(texts, true),
        }
    }

    fn fit(&self, model: Baseline) -> Fitted {
        let train = &self.data.train;
        let examples = Examples {
            texts: self.texts(train).into_iter().map(Text::One).collect(),
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

    /// The probabilities of the test rows, in the fixture's order of classes: `[rows * classes]`.
    fn probabilities(&self, fitted: &Fitted) -> Vec<f64> {
        let ours = fitted.log_probabilities(self.texts(&self.data.test));
        let rows = ours.chunks(self.classes.len());
        rows.flat_map(|row| self.classes.iter().map(|class| row[*class].exp())).collect()
    }

    /// Probabilities and classes of the test rows are those of the model `name`.
    fn check(&self, fitted: &Fitted, name: &str, most: f64) {
        let got = self.probabilities(fitted);
        let gap = gap(&got, &self.tensors[&format!("{name}.test_proba")]);
        assert!(gap < most, "{} {name}: {gap}", self.name);
        self.check_confusion(fitted, name, most);
    }

    /// The confusion matrix is that of the model `name`, whose probabilities may differ by `most`: what
    /// hangs on less than that may go either way.
    fn check_confusion(&self, fitted: &Fitted, name: &str, most: f64) {
        let got = self.probabilities(fitted);
        let classes = self.classes.len();
        let mut counts = vec![vec![0_i64; classes]; classes];
        let mut close = 0;
        for (row, p) in self.data.test.iter().zip(got.chunks(classes)) {
            let best = (0..classes).rev().max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
            let next = p.iter().enumerate().filter(|(class, _)| *class != best);
            let next = next.map(|(_, p)| *p).fold(0.0, f64::max);
            close += i64::from(p[best] - next < 2.0 * most);
            let label = self.data.labels[*row as usize] as usize;
            counts[self.classes.iter().position(|class| *class == label).unwrap()][best] += 1;
        }
        let want: Vec<Vec<i64>> =
            serde_json::from_value(self.want["models"][name]["test"]["confusion_matrix"].clone())
                .unwrap();
        let pairs = counts.iter().flatten().zip(want.iter().flatten());
        let moved: i64 = pairs.map(|(got, want)| (got - want).abs()).sum();
        assert!(moved <= 2 * close, "{} {name}: {counts:?} {want:?}", self.name);
    }

    /// The share of test rows that a model has right.
    fn accuracy(&self, fitted: &Fitted) -> f64 {
        let ours = fitted.log_probabilities(self.texts(&self.data.test));
        let classes = self.classes.len();
        let right = self.data.test.iter().zip(ours.chunks(classes)).filter(|(row, p)| {
            let best = (0..classes).rev().max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
            self.data.labels[**row as usize] as usize == best
        });
        right.count() as f64 / self.data.test.len() as f64
    }

    fn check_vocabulary(&self) {
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
    }

    /// The weights of the fixture's class `class`, as a column of words.
    fn weights_of(&self, fitted: &Fitted, class: usize) -> Vec<f64> {
        let weights = fitted.linear.weight.iter().skip(self.classes[class]);
        weights.step_by(self.classes.len()).copied().collect()
    }

    /// A row of words per class, or the second of two classes alone. Returns the number of rows.
    fn check_weights(&self, fitted: &Fitted, name: &str, most: f64) -> usize {
        let Some(want) = self.tensors.get(name) else { return 0 };
        let words = fitted.linear.weight.len() / self.classes.len();
        let rows: Vec<&[f64]> = want.chunks(words).collect();
        for (class, want) in (self.classes.len() - rows.len()..).zip(&rows) {
            let gap = gap(&self.weights_of(fitted, class), want);
            assert!(gap < most, "{} {name} {class}: {gap}", self.name);
        }
        rows.len()
    }

    /// As [`Self::check_weights`], a number per class.
    fn check_biases(&self, fitted: &Fitted, name: &str, most: f64) {
        let Some(want) = self.tensors.get(name) else { return };
        let ours: Vec<f64> = self.classes.iter().map(|class| fitted.linear.bias[*class]).collect();
        let gap = gap(&ours[ours.len() - want.len()..], want);
        assert!(gap < most, "{} {name}: {gap}", self.name);
    }
}

/// Splits, vocabularies, probabilities, confusion matrices and, where they are told, weights.
#[test]
fn every_set_is_classified_as_by_scikit_learn() {
    let mut tally = Tally::of("baselines");
    let names = parity::stems("baselines", ".safetensors");
    let compared: Vec<(String, usize)> = std::thread::scope(|scope| {
        let all: Vec<_> = names.iter().map(|name| scope.spawn(|| check_set(name))).collect();
        names.iter().cloned().zip(all.into_iter().map(|set| set.join().unwrap())).collect()
    });
    for (name, cases) in compared {
        tally.add(&name, cases);
    }
    tally.end();
}

/// Everything that is told of a set. Returns how much that is.
fn check_set(name: &str) -> usize {
    let case = Case::open(name);
    case.check_vocabulary();
    let bayes = case.fit(Baseline::TfidfNb);
    case.check(&bayes, "multinomial_nb_tfidf", 1e-9);
    case.check(&case.fit(Baseline::CountNb), "multinomial_nb_counts", 1e-9);
    // The reference says 1 and 0, where this one gives the shares of the classes.
    case.check_confusion(&case.fit(Baseline::Majority), "majority", 0.0);
    let logistic = case.fit(Baseline::TfidfLogreg);
    case.check(&logistic, "logreg_tight", 1e-4);
    // scikit-learn's default stops early, a little beside the optimum.
    let want = case.want["models"]["logreg"]["test"]["accuracy"].as_f64().unwrap();
    let most = 0.01_f64.max(1.5 / case.data.test.len() as f64);
    assert!((case.accuracy(&logistic) - want).abs() < most, "{name}");

    let columns = case.check_weights(&bayes, "multinomial_nb_tfidf.feature_log_prob", 1e-9)
        + case.check_weights(&logistic, "logreg_tight.coef", 1e-4);
    case.check_biases(&bayes, "multinomial_nb_tfidf.class_log_prior", 1e-9);
    case.check_biases(&logistic, "logreg_tight.intercept", 1e-4);
    5 + columns
}

#[test]
fn what_is_saved_reads_back_to_the_bit() {
    let Some(name) = parity::stems("baselines", ".safetensors").into_iter().next() else { return };
    let case = Case::open(&name);
    let folder = tempfile::tempdir().unwrap();
    let mut words = 0;
    for model in [Baseline::Majority, Baseline::CountNb, Baseline::TfidfLogreg] {
        let fitted = case.fit(model);
        words = fitted.vocabulary.len();
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
    assert!(error.contains(&format!("F64 [{words}] instead of F64 [1]")), "{error}");
}

#[test]
fn a_class_without_train_rows_has_next_to_no_probability() {
    let names = ["a", "b", "c"].map(str::to_owned);
    let examples = Examples {
        texts: ["good good", "bad bad", "good"].map(Text::One).to_vec(),
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
