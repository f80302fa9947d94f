use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::{BoardError, Site, Stage, stages};
use crate::query::Query;
use crate::spec::keys::toml_text;
use crate::spec::{ChosenColumn, RunSpec, SpecError, nearest};

/// `config.toml`, checked.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `[defaults]`: keys of every run that does not give them.
    pub defaults: RunSpec,
    /// `[sites.NAME]`.
    pub sites: BTreeMap<String, Site>,
    /// `[sweeps.NAME]`: pairs as on the command line.
    pub sweeps: BTreeMap<String, Vec<(String, String)>>,
    /// `[sweeps.NAME]` with stages.
    pub staged: BTreeMap<String, Vec<Stage>>,
    /// `[views]`: queries by name.
    pub views: BTreeMap<String, String>,
    /// `[tui]`.
    pub tui: Tui,
}

/// How the dashboard looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tui {
    /// `auto`, `dark` or `light`, or `terminal`: the 16 colours that the user's terminal names.
    pub theme: String,
    /// Other colours for roles of the theme: `train = "#e69f00"`.
    pub colours: BTreeMap<String, String>,
    /// What curves are drawn with: `braille`, `block` or `ascii`.
    pub plot: String,
    /// Whether the mouse is used at start.
    pub mouse: bool,
    /// Where the runs screen shows the run under the cursor: `none`, `below` or `beside`.
    pub preview: String,
    /// `[tui.columns]`: the columns of the runs screen, as [`ChosenColumn::list`] reads them, by the name of a saved
    /// query; [`ALL_RUNS`] for the list as it is.
    pub columns: BTreeMap<String, String>,
    /// Other keys for actions: `stop = "x"`.
    pub keys: BTreeMap<String, String>,
}

impl Default for Tui {
    fn default() -> Self {
        Self {
            theme: "auto".into(),
            colours: BTreeMap::new(),
            plot: "braille".into(),
            mouse: true,
            preview: "below".into(),
            columns: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }
}

/// Whose columns in `[tui.columns]` are those of every list that is no saved query.
pub const ALL_RUNS: &str = "all";

/// Its tables.
const SECTIONS: [&str; 5] = ["defaults", "sites", "sweeps", "views", "tui"];

impl Config {
    /// Reads the text of a `config.toml`; `path` is named in errors.
    ///
    /// # Errors
    /// TOML that does not parse, tables and keys that do not exist, values that keys do not take.
    pub fn read(text: &str, path: &Path) -> Result<Self, BoardError> {
        let mut reading = Reading { path, config: Self::default() };
        let table: Table =
            text.parse().map_err(|e: toml::de::Error| reading.bad(e.to_string().trim_end()))?;
        for (name, value) in table {
            reading.section(&name, value)?;
        }
        Ok(reading.config)
    }
}

/// A config that is being read.
struct Reading<'a> {
    path: &'a Path,
    config: Config,
}

impl Reading<'_> {
    fn bad(&self, why: impl Into<String>) -> BoardError {
        BoardError::Config { path: self.path.to_path_buf(), why: why.into() }
    }

    fn spec_error(&self, section: &str, source: SpecError) -> BoardError {
        BoardError::Spec { path: self.path.to_path_buf(), section: section.to_owned(), source }
    }

    fn section(&mut self, name: &str, value: Value) -> Result<(), BoardError> {
        if !SECTIONS.contains(&name) {
            let near = nearest(name, SECTIONS.into_iter());
            let near = near.unwrap_or_else(|| "defaults, sites, sweeps, views or tui".into());
            return Err(self.bad(format!("there is no `{name}`; did you mean {near}?")));
        }
        let Value::Table(section) = value else {
            return Err(self.bad(format!("`{name}` must be a table, written [{name}].")));
        };
        match name {
            "defaults" => {
                let read = self.config.defaults.read_table(&section);
                return read.map_err(|e| self.spec_error("defaults", e));
            }
            "tui" => return self.dashboard(section),
            _ => {}
        }
        for (key, value) in section {
            match name {
                "sites" => self.site(key, value)?,
                "sweeps" => self.sweep(key, value)?,
                _ => self.view(key, value)?,
            }
        }
        Ok(())
    }

    fn site(&mut self, name: String, value: Value) -> Result<(), BoardError> {
        let Value::Table(keys) = value else {
            return Err(self.bad(format!("`sites.{name}` must be a table.")));
        };
        let read = Site::read(&name, &keys);
        let site = read.map_err(|why| self.bad(format!("[sites.{name}]: {why}")))?;
        self.config.sites.insert(name, site);
        Ok(())
    }

    fn sweep(&mut self, name: String, value: Value) -> Result<(), BoardError> {
        let section = format!("sweeps.{name}");
        let Value::Table(mut keys) = value else {
            return Err(self.bad(format!("`{section}` must be a table.")));
        };
        let stages = keys.remove("stages");
        let pairs = keys
            .iter()
            .map(|(key, value)| Ok((key.clone(), toml_text(key, value)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| self.spec_error(&section, e))?;
        if let Some(stages) = stages {
            let read = stages::read(&pairs, &stages);
            let stages = read.map_err(|why| self.bad(format!("[{section}]: {why}")))?;
            self.config.staged.insert(name, stages);
        } else {
            self.config.sweeps.insert(name, pairs);
        }
        Ok(())
    }

    fn view(&mut self, name: String, value: Value) -> Result<(), BoardError> {
        let Value::String(text) = value else {
            return Err(self.bad(format!("[views]: `{name}` must be a text, a query.")));
        };
        Query::parse(&text).map_err(|e| self.bad(format!("[views], {name}: {e}")))?;
        self.config.views.insert(name, text);
        Ok(())
    }

    fn dashboard(&mut self, section: Table) -> Result<(), BoardError> {
        let read = Value::Table(section).try_into();
        let tui: Tui = read.map_err(|e: toml::de::Error| {
            self.bad(format!("[tui]: {}.", e.to_string().trim_end()))
        })?;
        for (key, value, takes) in [
            ("theme", &tui.theme, &["auto", "dark", "light", "terminal"][..]),
            ("plot", &tui.plot, &["braille", "block", "ascii"]),
            ("preview", &tui.preview, &["none", "below", "beside"]),
        ] {
            if !takes.contains(&value.as_str()) {
                let (last, others) = takes.split_last().unwrap_or((&"", &[]));
                let all = format!("{} or {last}", others.join(", "));
                return Err(self.bad(format!("[tui]: {key} takes {all}.")));
            }
        }
        for (view, columns) in &tui.columns {
            ChosenColumn::list(columns)
                .map_err(|why| self.bad(format!("[tui.columns], {view}: {why}")))?;
        }
        self.config.tui = tui;
        Ok(())
    }
}
