//! The same seeds give the same curves and predictions, wherever they train.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tuneboard::spec::{RunId, RunSpec};

use super::{Cluster, FAKE, Hosts, assert_done, site_of};
use crate::rig::Rig;

const METRICS: [&str; 6] =
    ["train/loss", "train/acc", "val/loss", "val/acc", "test/loss", "test/acc"];

/// Steps and bits of every curve, all confusion counts, and the bytes of all predictions.
pub type Figures = (Vec<(Vec<u64>, Vec<u64>)>, Vec<Vec<Vec<u64>>>, BTreeMap<String, Vec<u8>>);

pub fn figures(rig: &Rig, id: RunId) -> Figures {
    let reader = rig.store.reader();
    let curve = |metric: &&str| {
        let curve = reader.curve(id, metric, 0).unwrap();
        (curve.step, curve.value.into_iter().map(f64::to_bits).collect::<Vec<_>>())
    };
    let curves: Vec<_> = METRICS.iter().map(curve).collect();
    let passes = reader.confusions(id).unwrap();
    let counts = passes
        .into_iter()
        .map(|(split, epoch)| reader.confusion(id, split, Some(epoch)).unwrap().unwrap().counts);
    let files = fs::read_dir(rig.board.predictions(id)).unwrap().map(|file| {
        let path = file.unwrap().path();
        (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
    });
    (curves, counts.collect(), files.collect())
}

#[test]
#[ignore = "needs sshd and Slurm: make test-sites"]
fn the_same_seeds_give_the_same_curves_and_predictions_everywhere() {
    let (hosts, cluster) = (Hosts::start(1), Cluster::start());
    let trainer = env!("CARGO_BIN_EXE_tuneboard-train");
    let config = format!(
        "[sites.local]\nslots = 1\nthreads = 1\ntrainer = '{FAKE}'\n{}{}",
        hosts.sites(1, ""),
        cluster.site("max_jobs = 2")
    );
    let mut rig = Rig::with_config(&config.replace(FAKE, trainer));
    let (root, here) = (rig.board.root().to_path_buf(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let model = rig.board.models().join("tiny");
    fs::create_dir_all(&model).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let from = here.join("tests/fixtures/models/tiny-bert").join(name);
        fs::copy(from, model.join(name)).unwrap();
    }
    fs::copy(here.join("data/sms_spam.csv"), root.join("sms.csv")).unwrap();
    let spec = |site: &str, seed| RunSpec {
        model: "tiny".into(),
        data: "sms.csv".into(),
        site: site.into(),
        seed,
        limit: 200,
        max_length: 24,
        epochs: 2,
        lr: 1e-3,
        ..RunSpec::default()
    };
    let sites = ["local", "host1", "hpc"];
    let specs = [1, 2].into_iter().flat_map(|seed| sites.map(|site| spec(site, seed)));
    let ids = rig.queue_specs(specs.collect::<Vec<_>>().into_iter());
    rig.runner(&[("SLURM_CONF", &cluster.config())]);
    for id in &ids {
        assert_done(&rig.ended(*id));
    }
    let of = |at: usize| figures(&rig, ids[at]);
    for seed in 0..2 {
        let first = of(3 * seed);
        assert!(first.0.iter().all(|curve| !curve.0.is_empty()), "every metric was reported");
        assert!(!first.2.is_empty(), "predictions were written");
        for (at, site) in sites.iter().enumerate() {
            assert_eq!(site_of(&rig.run(ids[3 * seed + at])), *site);
            assert!(of(3 * seed + at) == first, "{site} differs with seed {}", seed + 1);
        }
    }
    assert!(of(0).0 != of(3).0, "another seed is another run");
}
