use super::*;
use crate::spec::EvalRows;

#[test]
fn another_day_is_named() {
    let long_ago = unreachable(Some(0));
    assert!(long_ago.starts_with("unreachable, last seen 19"), "{long_ago}");
    let now = unreachable(Some(Local::now().timestamp_millis()));
    assert_eq!(now.len(), "unreachable, last seen 14:02".len(), "{now}");
    assert_eq!(unreachable(None), "unreachable");
}

#[test]
fn in_the_middle_of_an_epoch_figures_are_of_some_of_the_val_rows() {
    let mut run = Run::example(1, RunSpec { epochs: 2, ..RunSpec::default() });
    assert_eq!(run.sampled(), None, "nothing is known of a run that waits");
    let mut facts = Started::default();
    (facts.epochs, facts.rows, facts.total_steps) = (2, [3200, 400, 400], 200);
    run.facts = Some(facts);
    // A look each 25 steps of 32 rows; the end of an epoch has all rows.
    let at = |run: &mut Run, step| {
        run.step = step;
        run.sampled()
    };
    let told = [0, 24, 25, 99, 100, 124, 125, 200].map(|step| at(&mut run, step));
    let some = Some(80);
    assert_eq!(told, [None, None, some, some, None, None, some, None]);
    run.spec.eval_rows = EvalRows::All;
    assert_eq!(at(&mut run, 50), None);
}
