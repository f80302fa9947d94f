//! The learning-rate range test with the real trainer.

use std::fs;

use crate::shell::Shell;

#[test]
fn a_range_test_shows_its_curve_and_leaves_nothing_behind() {
    let shell = Shell::training();
    let picture = shell.path("rates.svg");
    let words = ["lr-find", "model=tiny", "data=data/mail.csv", "batch_size=4", "max_length=16"];
    let steps =
        ["--from", "1e-5", "--to", "0.1", "--steps", "30", "--out", picture.to_str().unwrap()];
    let found = shell.json(&[&words[..], &steps[..]].concat());
    let points = found["points"].as_array().unwrap();
    let number = |point: usize, place: usize| points[point][place].as_f64().unwrap();
    // 32 rows are 8 steps: it goes on over the ends of epochs.
    assert!((11..=30).contains(&points.len()), "{found}");
    for at in 1..points.len() {
        let factor = number(at, 0) / number(at - 1, 0);
        assert!((factor - 1e4_f64.powf(1.0 / 29.0)).abs() < 1e-6, "{found}");
    }
    assert!((number(0, 0) - 1e-5).abs() < 1e-12 && (0.3..1.5).contains(&number(0, 1)), "{found}");
    assert!(found["rule"].as_str().unwrap().contains("falls fastest"));
    assert!(fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    let left: Vec<_> =
        fs::read_dir(shell.path("runs")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("lr-find")), "{left:?}");
    assert!(shell.ok(&[&words[..], &["--steps", "20"]].concat()).contains("learning rate"));

    shell.refuses(&[&words[..], &["lr=1e-5,2e-5"]].concat(), 2, "takes one value here");
    shell.refuses(&[&words[..], &["--from", "1", "--to", "0.1"]].concat(), 2, "below --to");
    shell.refuses(&[&words[..], &["--out", "rates.gif"]].concat(), 2, ".svg, .png or .json");
    shell.refuses(&["lr-find", "model=majority", "data=data/mail.csv"], 2, "has no learning rate");
}
