//! A sweep of several stages: `[sweeps.NAME]` with one `[[sweeps.NAME.stages]]` for each. Keys above the
//! stages hold for all of them. A stage whose `init` names an earlier stage starts from each of its runs.

use crate::spec::keys::toml_text;
use crate::spec::{Init, SpecError, or_one_of};

/// One stage of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What later stages call it.
    pub name: String,
    /// Pairs as on the command line, without an `init` that names a stage.
    pub pairs: Vec<(String, String)>,
    /// The earlier stage from whose runs this one goes on.
    pub from: Option<usize>,
}

/// Reads the stages of a sweep; `common` are the pairs above them.
///
/// # Errors
/// As a sentence without its place: a stage without a name, an `init` that is none.
pub(super) fn read(
    common: &[(String, String)],
    stages: &toml::Value,
) -> Result<Vec<Stage>, String> {
    let tables: Option<Vec<&toml::Table>> =
        stages.as_array().and_then(|all| all.iter().map(toml::Value::as_table).collect());
    let tables = tables.filter(|tables| !tables.is_empty());
    let tables = tables.ok_or("`stages` must be tables, each written [[sweeps.NAME.stages]].")?;
    let mut read: Vec<Stage> = Vec::new();
    for table in tables {
        let name = table.get("name").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err("every stage needs a name, as in name = \"adapt\".".into());
        }
        if name.parse::<Init>().is_ok() || read.iter().any(|stage| stage.name == name) {
            return Err(format!(
                "`{name}` cannot be the name of this stage: it means something else."
            ));
        }
        let own: Vec<(String, String)> = table
            .iter()
            .filter(|(key, _)| *key != "name")
            .map(|(key, value)| Ok((key.clone(), toml_text(key, value)?)))
            .collect::<Result<_, SpecError>>()
            .map_err(|e| e.to_string())?;
        let is_own = |key: &str| own.iter().any(|(own, _)| own == key);
        let above = common.iter().filter(|(key, _)| !is_own(key)).cloned();
        let mut pairs: Vec<(String, String)> = above.chain(own.iter().cloned()).collect();
        let init = pairs.iter().find(|(key, _)| key == "init").map(|(_, init)| init.clone());
        let from = match init {
            Some(init) if init.split(',').all(|word| word.trim().parse::<Init>().is_ok()) => None,
            Some(init) => {
                let known = read.iter().position(|stage| stage.name == init);
                Some(known.ok_or_else(|| no_stage(&name, &init, &read))?)
            }
            None => None,
        };
        if from.is_some() {
            pairs.retain(|(key, _)| key != "init");
        }
        read.push(Stage { name, pairs, from });
    }
    Ok(read)
}

fn no_stage(stage: &str, init: &str, before: &[Stage]) -> String {
    let names = before.iter().map(|stage| stage.name.as_str());
    let hint = if before.is_empty() {
        "; there is no stage before it.".to_owned()
    } else {
        or_one_of(init, names, "before it there is")
    };
    format!("the stage `{stage}` starts from `{init}`, which is no earlier stage{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(text: &str) -> Result<Vec<Stage>, String> {
        let table: toml::Table = text.parse().unwrap();
        let common = [("model", "tiny"), ("lr", "1e-3")];
        let common = common.map(|(key, value)| (key.to_owned(), value.to_owned()));
        read(&common, &table["stages"])
    }

    #[test]
    fn a_stage_goes_on_from_an_earlier_one_and_its_own_keys_win() {
        let text = "[[stages]]\nname = \"adapt\"\ntask = \"lm\"\n\
                    [[stages]]\nname = \"classify\"\ninit = \"adapt\"\nlr = [1e-4, 2e-4]\n";
        let got = stages(text).unwrap();
        assert_eq!((got[0].from, got[1].from), (None, Some(0)));
        let pairs = |stage: &Stage| {
            let pairs = stage.pairs.iter().map(|(key, value)| format!("{key}={value}"));
            pairs.collect::<Vec<_>>()
        };
        assert_eq!(pairs(&got[0]), ["model=tiny", "lr=1e-3", "task=lm"]);
        assert_eq!(pairs(&got[1]), ["model=tiny", "lr=1e-4,2e-4"]);
        let from_run = "[[stages]]\nname = \"a\"\ninit = \"r3\"\n";
        assert_eq!(stages(from_run).unwrap()[0].pairs[2], ("init".into(), "r3".into()));
    }

    #[test]
    fn what_is_no_stage_is_said() {
        for (text, want) in [
            ("stages = 3", "[[sweeps.NAME.stages]]"),
            ("stages = []", "[[sweeps.NAME.stages]]"),
            ("[[stages]]\ntask = \"lm\"", "needs a name"),
            ("[[stages]]\nname = \"r1\"", "means something else"),
            ("[[stages]]\nname = \"a\"\n[[stages]]\nname = \"a\"", "means something else"),
            ("[[stages]]\nname = \"a\"\ninit = \"b\"", "there is no stage before it"),
            ("[[stages]]\nname = \"adapt\"\n[[stages]]\nname = \"b\"\ninit = \"adpt\"", "`adapt`?"),
        ] {
            let got = stages(text).unwrap_err();
            assert!(got.contains(want), "{got}");
        }
    }
}
