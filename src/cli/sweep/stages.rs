use serde_json::{Value, json};

use super::super::error::CliError;
use super::super::figures::counted;
use super::super::table::{Cell, Table};
use super::super::verb::Context;
use super::super::{exit, paths};
use super::Args;
use crate::board::{Board, Stage};
use crate::order::{check_inputs, name_in};
use crate::spec::{Init, RunId, RunSpec, Sweep};
use crate::store::{NewStage, NewSweep};

/// A stage, ready to be queued.
struct Ready {
    name: String,
    sweep: Sweep,
    from: Option<usize>,
    /// Its runs. The runs they start from are numbers within the earlier stage until that is queued.
    specs: Vec<RunSpec>,
    varied: Vec<String>,
}

/// `tuneboard sweep NAME` of a sweep with stages; what is `typed` holds for every stage.
pub fn run(
    name: &str,
    stages: &[Stage],
    typed: &[(&str, &str)],
    args: Args,
    board: &Board,
    context: &mut Context,
) -> Result<u8, CliError> {
    if typed.iter().any(|(key, _)| *key == "init") {
        return Err(CliError::Usage(format!(
            "[sweeps.{name}] says what each stage starts from; leave init= out."
        )));
    }
    let typed = paths::resolved(typed, board.root());
    let mut ready: Vec<Ready> = Vec::new();
    for stage in stages {
        let stored = stage.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let typed = typed.iter().map(|(key, value)| (*key, value.as_ref()));
        let sweep = Sweep::parse(board.config.defaults.clone(), stored.chain(typed))?;
        // Apart from what they start from, the runs are checked as any others.
        let alone = sweep.expand()?;
        for sentence in check_inputs(board, &alone)? {
            context.out.aside(sentence)?;
        }
        let parent = stage.from.and_then(|from| ready.get(from));
        let (whole, specs) = match parent {
            None => (sweep.clone(), alone),
            Some(parent) => {
                let numbers = (1..=parent.specs.len() as u32).map(RunId).collect::<Vec<_>>();
                let whole = sweep.going_on_from(&numbers)?;
                let specs = whole.expand()?;
                (whole, specs)
            }
        };
        let varied = whole.varied().map(str::to_owned).collect();
        ready.push(Ready { name: stage.name.clone(), sweep, from: stage.from, specs, varied });
    }
    if args.dry_run {
        return show(&ready, context);
    }
    let name = args.queue.name.clone().unwrap_or_else(|| name.to_owned());
    let new = ready.into_iter().map(|stage| NewStage {
        sweep: NewSweep { name: format!("{name} {}", stage.name), sweep: stage.sweep },
        from: stage.from,
    });
    args.queue.queue_stages(board, &new.collect::<Vec<_>>(), name_in, context)
}

/// What would be queued. A run of an earlier stage is called by its number there.
fn show(ready: &[Ready], context: &mut Context) -> Result<u8, CliError> {
    let mut objects: Vec<Value> = Vec::new();
    let mut runs = 0;
    for stage in ready {
        runs += stage.specs.len();
        let parent = stage.from.and_then(|from| ready.get(from));
        let value = |spec: &RunSpec, key: &str| match (key, parent, spec.init) {
            ("init", Some(parent), Init::Run(number)) => format!("{} {}", parent.name, number.0),
            _ => spec.shown(key),
        };
        if context.json {
            let object = |spec: &RunSpec| {
                let mut keys = json!(spec);
                if let Some(keys) = keys.as_object_mut() {
                    keys.insert("init".into(), json!(value(spec, "init")));
                }
                json!({ "spec": keys })
            };
            objects.push(json!({
                "name": stage.name,
                "from": parent.map(|parent| parent.name.as_str()),
                "varied": stage.varied,
                "runs": stage.specs.iter().map(object).collect::<Vec<_>>(),
            }));
            continue;
        }
        let from = parent.map(|parent| format!(", from the runs of {}", parent.name));
        let head = counted(stage.specs.len(), "run");
        context.out.line(format!("{}: {head}{}", stage.name, from.unwrap_or_default()))?;
        let mut keys: Vec<&str> = stage.varied.iter().map(String::as_str).collect();
        for key in ["init", "task"] {
            if !keys.contains(&key) {
                keys.insert(0, key);
            }
        }
        let columns: Vec<&str> = std::iter::once(">run").chain(keys.iter().copied()).collect();
        let mut table = Table::new(&columns);
        for (number, spec) in (1..).zip(&stage.specs) {
            let first = Cell::from(format!("{} {number}", stage.name));
            let values = keys.iter().map(|key| Cell::from(value(spec, key)));
            table.row(std::iter::once(first).chain(values));
        }
        context.out.table(&table)?;
        context.out.line("")?;
    }
    if context.json {
        context.out.json(&json!({ "stages": objects }))?;
    } else {
        context.out.line(format!("{}. Nothing was queued.", counted(runs, "run")))?;
    }
    Ok(exit::OK)
}
