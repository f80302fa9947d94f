use std::io;

use thiserror::Error;

/// Why the dashboard cannot start or had to end.
#[derive(Debug, Error)]
pub enum TuiError {
    /// Standard output or input is no terminal.
    #[error("The dashboard needs a terminal; `tuneboard ls` prints the runs anywhere.")]
    NoTerminal,
    /// The terminal refused a setting, or went away.
    #[error("The terminal cannot be used: {0}.")]
    Terminal(#[source] io::Error),
    /// A name under `[tui] keys` that is no action.
    #[error("config.toml, [tui] keys: there is no action `{name}`{}.", did_you_mean(.nearest.as_deref()))]
    Action {
        /// As written.
        name: String,
        /// The closest that exists.
        nearest: Option<String>,
    },
    /// A key that does not read as one.
    #[error(
        "config.toml, [tui] keys: `{key}` of `{action}` is no key; keys are written like x, S, space, f5, ctrl-x."
    )]
    Key {
        /// The action.
        action: String,
        /// As written.
        key: String,
    },
    /// A name under `[tui.colours]` that is no role.
    #[error("config.toml, [tui.colours]: there is no role `{name}`{}.", did_you_mean(.nearest.as_deref()))]
    Role {
        /// As written.
        name: String,
        /// The closest that exists.
        nearest: Option<String>,
    },
    /// What is no colour.
    #[error(
        "config.toml, [tui.colours]: `{colour}` of `{name}` is no colour; they are written #56b4e9, cyan, or as a number to 255."
    )]
    Colour {
        /// The role.
        name: String,
        /// As written.
        colour: String,
    },
    /// A thread of the dashboard ended by a fault of ours.
    #[error("The dashboard lost its {0} thread, which is a fault in tuneboard; runs go on.")]
    Fault(&'static str),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default()
}
