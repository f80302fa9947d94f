//! `init=rN` elsewhere: the weights that a run goes on from travel as any other input does.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use tuneboard::spec::{Init, Outcome, RunId, RunSpec};

use super::same::figures;
use super::{FAKE, Hosts, assert_done, rig, site_of, there};
use crate::rig::{Rig, tuneboard};

/// A board with the real trainer, a tiny checkpoint and the SMS data.
fn training(sites: &str) -> Rig {
    let rig = rig(sites);
    let config = fs::read_to_string(rig.board.config_file()).unwrap();
    let trainer = env!("CARGO_BIN_EXE_tuneboard-train");
    fs::write(rig.board.config_file(), config.replace(FAKE, trainer)).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let model = rig.board.models().join("tiny");
    fs::create_dir_all(&model).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let from = here.join("tests/fixtures/models/tiny-bert").join(name);
        fs::copy(from, model.join(name)).unwrap();
    }
    fs::copy(here.join("data/sms_spam.csv"), rig.board.root().join("sms.csv")).unwrap();
    rig
}

fn spec(site: &str, init: Init) -> RunSpec {
    RunSpec {
        model: "tiny".into(),
        data: "sms.csv".into(),
        site: site.into(),
        init,
        limit: 200,
        max_length: 24,
        epochs: 2,
        lr: 1e-3,
        ..RunSpec::default()
    }
}

/// Queues a run, and sees it through.
fn see_through(rig: &mut Rig, spec: RunSpec) -> RunId {
    let id = rig.queue_specs([spec].into_iter())[0];
    rig.runner(&[]);
    rig.ended(id);
    id
}

/// Every content on the host with its inode: whatever came again would have another one.
fn contents(hosts: &Hosts) -> BTreeSet<(String, u64)> {
    let store = fs::read_dir(hosts.home("host1").join("tuneboard/store")).unwrap();
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().to_string_lossy().into_owned(), entry.metadata().unwrap().ino())
    };
    store.map(entry).collect()
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_a_parents_weights_travel_once() {
    let hosts = Hosts::start(1);
    let mut rig = training(&hosts.sites(1, ""));
    let parent = see_through(&mut rig, spec("local", Init::Pretrained));
    assert_done(&rig.run(parent));
    let here = see_through(&mut rig, spec("local", Init::Run(parent)));
    let first = see_through(&mut rig, spec("host1", Init::Run(parent)));
    let came = contents(&hosts);
    assert_eq!(came.len(), 2, "the parent's weights and the data, and not the model: {came:?}");
    let second = see_through(&mut rig, spec("host1", Init::Run(parent)));
    assert_eq!(contents(&hosts), came, "nothing came for the second child");
    for id in [here, first, second] {
        assert_done(&rig.run(id));
        assert!(figures(&rig, id) == figures(&rig, here), "{id} differs from {here}");
    }
    assert!(figures(&rig, here).0 != figures(&rig, parent).0, "a child goes on from elsewhere");
    for id in [first, second] {
        let run = rig.run(id);
        assert_eq!(site_of(&run), "host1");
        let link = there(&hosts, &run).join(format!("root/runs/{parent}/checkpoints/best"));
        let to = fs::read_link(link).unwrap();
        assert!(came.iter().any(|(hash, _)| to.ends_with(format!("store/{hash}/x"))), "{to:?}");
    }
}

#[test]
#[ignore = "needs sshd: make test-sites"]
fn ssh_a_parent_that_was_left_there_is_asked_for() {
    let hosts = Hosts::start(1);
    let mut rig = training(&hosts.sites(1, "fetch = 'none'"));
    let parent = see_through(&mut rig, spec("host1", Init::Pretrained));
    assert_done(&rig.run(parent));
    let want = format!(
        "init={parent}: its best checkpoint is still on host1; fetch it with `tuneboard sites fetch {parent}`."
    );
    for site in ["host1", "local"] {
        let child = see_through(&mut rig, spec(site, Init::Run(parent)));
        let why = rig.run(child).state.outcome().and_then(Outcome::why);
        assert_eq!(why.as_deref(), Some(want.as_str()), "{site}");
    }
    let call = |words: &[&str]| {
        let mut command = Command::new(tuneboard());
        let output = command.args(words).arg("--board").arg(rig.board.root()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // Who asks for it is told at once, not when its turn has come.
    let init = format!("init={parent}");
    let (code, said) = call(&["run", "model=tiny", "data=sms.csv", &init, "site=host1"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(&format!("tuneboard sites fetch {parent}")), "{said}");
    let (code, said) = call(&["sites", "fetch", &parent.to_string()]);
    assert_eq!(code, Some(0), "{said}");
    let child = see_through(&mut rig, spec("host1", Init::Run(parent)));
    assert_done(&rig.run(child));
}
