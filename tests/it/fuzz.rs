//! Files and words from outside, as the board reads them, against random damage (tests/fuzz/engine.rs).

use std::fs;
use std::path::Path;

use tuneboard::board::{Config, INITIAL_CONFIG, Model};
use tuneboard::dataset::predictions::{self, Predictions};
use tuneboard::events::Tail;
use tuneboard::hub::Listing;
use tuneboard::query::Query;
use tuneboard::store::Store;
use tuneboard::weights::{Files, StateDict};

#[path = "../fuzz/engine.rs"]
mod engine;
use engine::fuzz;

const EVENTS: &str = r#"{"v":1,"t":1,"step":0,"kind":{"started":{"spec_hash":"a","attempt":1,"pid":7,"host":"h","device":"cpu","threads":1,"precision":"fp32","trainer":"t","parameters":9,"data_hash":"0","labels":["ham","spam"],"rows":[8,1,1],"epochs":3,"total_steps":30}}}
{"v":1,"t":2,"step":1,"kind":{"metrics":{"epoch":0.1,"values":{"train/step_loss":"NaN","train/lr":1e-5}}}}
{"v":1,"t":3,"step":10,"kind":{"eval":{"split":"val","epoch":1,"values":{"loss":0.5,"acc":0.9,"peak_memory_bytes":1e9}}}}
{"v":1,"t":3,"step":10,"kind":{"confusion":{"split":"val","epoch":1,"counts":[[5,1],[0,4]]}}}
{"v":1,"t":4,"step":10,"kind":{"saved":{"what":"last","epoch":1,"path":"checkpoints/last"}}}
{"v":1,"t":5,"step":10,"kind":{"note":{"level":"info","text":"x"}}}
{"v":1,"t":6,"step":10,"kind":{"resumed":{"epoch":1,"attempt":2}}}
{"v":1,"t":7,"step":30,"kind":{"ended":{"ending":"done","why":"","best_epoch":1}}}
"#;

/// Read, and taken into a database.
#[test]
fn events() {
    use tuneboard::spec::{Desired, RunSpec};
    use tuneboard::store::NewRun;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    let mut store = Store::open(&dir.path().join("board.db")).unwrap();
    let run = NewRun { name: "r".into(), spec: RunSpec::default(), desired: Desired::Hold };
    let id = store.enqueue(None, &[run]).unwrap().1[0];
    fuzz("events", &[EVENTS.into()], &["1e308", "\"-inf\"", "{\"v\":2}\n"], |bytes| {
        fs::write(&path, bytes).unwrap();
        store.forget(id).unwrap();
        let mut tail = Tail::at(0);
        loop {
            let from = tail.offset;
            let batch = tail.read(&path, 1 << 12).unwrap();
            store.ingest(id, from, &batch).unwrap();
            if !batch.more {
                break;
            }
        }
        let run = store.reader().run(id).unwrap().unwrap();
        for name in run.last.keys() {
            store.reader().curve(id, name, 100).unwrap();
        }
        store.reader().confusions(id).unwrap();
    });
}

#[test]
fn queries() {
    let seeds = [
        "acc>0.9 -state:failed",
        "lr=1e-5..3e-5 tag:best \"two words\"",
        "model~bert s3 r1..r7",
        "-(a or b) created>2026-01-01",
        "view:good",
    ];
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz("queries", &seeds, &["or", "and", "not", "state:", "..", "view:", "-", "<="], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = Query::parse(&text);
        // A view that names itself.
        let _ = Query::parse_with(&text, &|_| Some(text.clone().into_owned()));
    });
}

#[test]
fn config_toml() {
    let full = "[defaults]\nmodel = \"minilm\"\nlr = 2e-5\n[sites.a]\nkind = \"ssh\"\nhost = \"h\"\n\
                devices = [\"cuda:0\"]\n[sites.c]\nkind = \"slurm\"\ngres = \"gpu:1\"\n[sweeps.x]\nlr = [1e-5, 2e-5]\n\
                seed = \"0..4\"\n[views]\ngood = \"acc>0.9\"\n[tui]\ntheme = \"dark\"\n[tui.keys]\nstop = \"x\"\n";
    fuzz(
        "config",
        &[full.into(), INITIAL_CONFIG.into()],
        &["[sites.", "stages", "uniform(", "]"],
        |bytes| {
            let _ = Config::read(&String::from_utf8_lossy(bytes), Path::new("config.toml"));
        },
    );
}

#[test]
fn hub_listings() {
    let listing = r#"{"sha":"0123456789abcdef0123456789abcdef01234567","siblings":[{"rfilename":"config.json","size":10,"blobId":"0123456789abcdef0123456789abcdef01234567"},{"rfilename":"model.safetensors","size":99,"lfs":{"sha256":"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03","size":99}}],"cardData":{"license":"mit"}}"#;
    let name = "a/b".parse().unwrap();
    fuzz(
        "hub",
        &[listing.into()],
        &["siblings", "../", "model-00001-of-00002.safetensors"],
        |bytes| {
            if let Ok(listing) = Listing::read(&name, &String::from_utf8_lossy(bytes)) {
                let _ = tuneboard::hub::choose(&listing);
            }
        },
    );
}

#[test]
fn parquet_predictions() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("val-0001.parquet");
    let sound = Predictions {
        rows: (1..=40).collect(),
        labels: (0..40).map(|i| i % 2).collect(),
        predicted: (0..40).map(|i| i % 2).collect(),
        loss: vec![0.5; 40],
        probabilities: vec![vec![0.25; 40], vec![0.75; 40]],
        label_names: vec!["ham".into(), "spam".into()],
    };
    predictions::write(&path, &sound).unwrap();
    let seed = fs::read(&path).unwrap();
    fuzz("predictions", &[seed], &["PAR1"], |bytes| {
        fs::write(&path, bytes).unwrap();
        let _ = predictions::read(&path);
    });
}

/// What the board reads of a model's folder: its config and the header of its weights.
#[test]
fn model_folders() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/tiny-bert-seqcls");
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        let sound = fs::read(from.join(file)).unwrap();
        for other in ["config.json", "tokenizer.json", "model.safetensors"] {
            fs::copy(from.join(other), dir.path().join(other)).unwrap();
        }
        let target = format!("look-{file}");
        fuzz(&target, &[sound], &["model_type", "\"shape\"", "\"data_offsets\""], |bytes| {
            fs::write(dir.path().join(file), bytes).unwrap();
            let _ = Model::look(dir.path(), dir.path(), "x");
        });
    }
}

/// What `torch.save` writes, with the bytes of every tensor.
#[test]
fn pickles() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pickles");
    let names = ["odd.bin", "odd-legacy.bin", "plain-dict.bin", "refused/posix.system"];
    let seeds = names.map(|name| fs::read(from.join(name)).unwrap());
    let words = [
        "PK\x01\x02",
        "PK\x05\x06",
        "data.pkl",
        "ctorch._utils\n_rebuild_tensor_v2\n",
        "ccollections\nOrderedDict\n",
        "cos\nsystem\n",
        "(",
        "R",
        "Q",
        "t",
        "q\0",
        "h\0",
        "u",
        ".",
    ];
    fuzz("pickles", &seeds, &words, |bytes| {
        if let Ok(dict) = StateDict::read(bytes) {
            assert!(dict.tensors().all(|(_, stored)| stored.data(bytes).len() <= bytes.len()));
        }
    });
}

/// The index of shards.
#[test]
fn weight_indices() {
    let dir = tempfile::tempdir().unwrap();
    let seed = r#"{"metadata":{"total_size":9},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"../x"}}"#;
    fs::write(dir.path().join("model-00001-of-00002.safetensors"), "").unwrap();
    fuzz(
        "weight-index",
        &[seed.into()],
        &["weight_map", "../", "model-00001-of-00002.safetensors"],
        |bytes| {
            fs::write(dir.path().join("model.safetensors.index.json"), bytes).unwrap();
            let _ = Files::of(dir.path());
        },
    );
}
