use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;
use crate::spec::{Flag, RunId, SweepId};

#[test]
fn the_example_of_the_documentation_means_what_it_says() {
    let text = r#"acc>0.9 lr<3e-5 model:minilm tag:best -state:failed since:7d "free text""#;
    let query = Query::parse(text).unwrap();
    let acc = Number::Metric { name: "val/acc".into(), last: false };
    let tests: Vec<Test> = query.terms.iter().map(|t| t.test.clone()).collect();
    assert_eq!(
        tests,
        [
            Test::Number { field: acc, op: Op::Greater, value: 0.9 },
            Test::Number { field: Number::Key("lr"), op: Op::Less, value: 3e-5 },
            Test::Text { field: Text::Key("model"), exact: false, any: vec!["minilm".into()] },
            Test::Tag(vec!["best".into()]),
            Test::State(vec!["failed".into()]),
            Test::Since(When::Ago(7 * 86_400)),
            Test::Word("free text".into()),
        ]
    );
    let negated: Vec<bool> = query.terms.iter().map(|t| t.negated).collect();
    assert_eq!(negated.iter().filter(|n| **n).count(), 1);
    assert!(query.terms[4].negated);
}

#[test]
fn every_way_to_write_a_term_is_read() {
    for (text, same) in [
        ("minilm", "minilm"),
        ("state:done,failed", "state:done,failed"),
        ("outcome:lost", "state:lost"),
        ("lr:3e-5", "lr=3e-5"),
        ("lr=0.00003", "lr=3e-5"),
        ("lr:1e-5..3e-5", "lr:1e-5..3e-5"),
        ("test/acc.last>=0.5", "test/acc.last>=0.5"),
        ("acc.best>0.5", "val/acc>0.5"),
        ("loss<0.1", "val/loss<0.1"),
        ("id:r3..r9,12", "id:r3..r9,r12"),
        ("sweep:3", "sweep:s3"),
        ("time>90m", "time>90m"),
        ("time>3600", "time>1h"),
        ("before:2026-01-31", "before:2026-01-31"),
        ("archived:any", "archived:any"),
        ("split=0.8,0.1,0.1", "split=\"0.8,0.1,0.1\""),
        (r#"note:"a \"b\"""#, r#"note:"a \"b\"""#),
        ("-\"-x\"", "-\"-x\""),
        ("  a   b ", "a b"),
        ("", ""),
    ] {
        assert_eq!(Query::parse(text).map(|q| q.to_string()).as_deref(), Ok(same), "{text}");
    }
}

#[test]
fn what_is_wrong_points_at_its_column() {
    for (text, column, why) in [
        ("acc>0.9 batchsize=3", 9, "there is no key `batchsize`; did you mean `batch_size`?"),
        ("acc>high", 5, "`high` is no number, and acc takes one."),
        ("state:runing", 7, "did you mean `running`?"),
        ("a \"b c", 4, "never closed"),
        ("since:yesterday", 7, "a time is written 30m, 12h, 7d"),
        ("lr=", 4, "a value is missing here."),
        ("tag:best,", 10, "a value is missing here."),
        ("model>3", 7, "`model` is no number"),
        ("http://x", 1, "Text to look for stands in quotes."),
        ("- x", 1, "a `-` stands before"),
        (">3", 1, "a key is missing"),
        ("lr=1,2", 4, "takes one number; a range is written 1..3."),
        ("tag:\"a\"b", 8, "a space is missing behind the quotes."),
        ("pool=men", 6, "did you mean `mean`?"),
        ("view:x", 6, "there is no view `x`"),
        ("日本 state:x", 10, "there is no `x`"),
    ] {
        let error = Query::parse(text).unwrap_err();
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.why.contains(why), "{text}: {error}");
    }
}

#[test]
fn views_stand_for_their_terms() {
    let view = |name: &str| match name {
        "good" => Some("acc>0.9 -state:failed".to_owned()),
        "bad" => Some("acc>".to_owned()),
        "deep" => Some("view:good".to_owned()),
        _ => None,
    };
    let query = Query::parse_with("view:good lr<1", &view).unwrap();
    assert_eq!(query.to_string(), "val/acc>0.9 -state:failed lr<1");
    for (text, why) in [
        ("view:bad", "the view `bad` cannot be read"),
        ("view:deep", "there is no view `good`"),
        ("-view:good", "cannot be turned round"),
    ] {
        let error = Query::parse_with(text, &view).unwrap_err();
        assert!(error.why.contains(why), "{error}");
    }
}

#[test]
fn completion_proposes_keys_and_then_their_values() {
    let known = |key: &str| match key {
        "model" => vec!["minilm".to_owned(), "my model".into()],
        "metric" => vec!["test/acc".to_owned()],
        _ => Vec::new(),
    };
    let texts = |text: &str| {
        let found = complete(text, text.chars().count(), &known);
        let words: Vec<String> = found.candidates.into_iter().map(|c| c.text).collect();
        (found.start, words.join(" "))
    };
    assert_eq!(texts("x batch"), (2, "batch_size=".into()));
    assert_eq!(texts("-st"), (1, "state: stratify: stateful:".into()));
    assert_eq!(texts("state:f"), (6, "failed".into()));
    assert_eq!(texts("state:done,st"), (11, "starting stopping stopped".into()));
    assert_eq!(texts("model:M"), (6, "minilm \"my model\"".into()));
    assert_eq!(texts("test/"), (0, "test/acc>".into()));
    assert_eq!(texts("pool=me"), (5, "mean".into()));
    // In the middle of the text only what stands before the cursor counts.
    assert_eq!(complete("state:x acc>1", 7, &known).start, 6);
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9]{1,6}", ".{1,8}"]
        .prop_map(|s| s.replace('\0', ""))
        .prop_filter("a value is not empty", |s| !s.is_empty())
}

fn number_field() -> impl Strategy<Value = Number> {
    prop_oneof![
        Just(Number::Key("lr")),
        Just(Number::Key("epochs")),
        Just(Number::Epoch),
        Just(Number::Seconds),
        any::<bool>().prop_map(|last| Number::Metric { name: "val/top_5".into(), last }),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let op = prop_oneof![
        Just(Op::Equal),
        Just(Op::Unequal),
        Just(Op::Less),
        Just(Op::AtMost),
        Just(Op::Greater),
        Just(Op::AtLeast)
    ];
    let value = prop_oneof![-1e9..1e9, (0..100_000_i32).prop_map(f64::from), Just(3e-5)];
    let words = || prop::collection::vec(word(), 1..3);
    let state = prop::sample::subsequence(STATES.to_vec(), 1..3)
        .prop_map(|v| v.into_iter().map(str::to_owned).collect());
    let text = prop_oneof![Just(Text::Name), Just(Text::Note), Just(Text::Key("model"))];
    let when = prop_oneof![
        (0..10_000_000_i64).prop_map(When::Ago),
        (0..20_000_i32).prop_map(|d| When::Day(NaiveDate::from_epoch_days(d).unwrap())),
    ];
    let id = (0..99_u32, 0..99_u32).prop_map(|(a, b)| (RunId(a), RunId(b)));
    prop_oneof![
        word().prop_map(Test::Word),
        (number_field(), op, value.clone()).prop_map(|(field, op, value)| Test::Number {
            field,
            op,
            value
        }),
        (number_field(), value.clone(), value).prop_map(|(field, low, high)| Test::Range {
            field,
            low,
            high
        }),
        (text, any::<bool>(), words()).prop_map(|(field, exact, any)| Test::Text {
            field,
            exact,
            any
        }),
        words().prop_map(Test::Tag),
        prop::sample::subsequence(vec![Flag::Diverged, Flag::Nan, Flag::OneClass], 1..3)
            .prop_map(Test::Flag),
        state.prop_map(Test::State),
        prop::collection::vec((1..99_u32).prop_map(SweepId), 1..3).prop_map(Test::Sweep),
        prop::collection::vec(id, 1..3).prop_map(Test::Id),
        when.clone().prop_map(Test::Since),
        when.prop_map(Test::Before),
        prop_oneof![Just(None), any::<bool>().prop_map(Some)].prop_map(Test::Archived),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        terms in prop::collection::vec((any::<bool>(), test()), 0..6)
    ) {
        let terms = terms.into_iter().map(|(negated, test)| Term { negated, test }).collect();
        let query = Query { terms };
        let text = query.to_string();
        prop_assert_eq!(Query::parse(&text).map_err(|e| format!("{text}: {e}")), Ok(query));
    }

    #[test]
    fn any_text_is_a_query_or_an_error_within_it(text in any::<String>(), cursor in 0..40_usize) {
        if let Err(error) = Query::parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{error}");
        }
        complete(&text, cursor, &|_| vec![text.clone()]);
    }

    #[test]
    fn texts_near_a_query_do_no_harm(text in "[a-z.:<>=!\"\\\\, -]{0,20}", cursor in 0..20_usize) {
        if let Ok(query) = Query::parse(&text) {
            prop_assert_eq!(Query::parse(&query.to_string()), Ok(query));
        }
        complete(&text, cursor, &|_| Vec::new());
    }
}
