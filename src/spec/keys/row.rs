//! How a row of the table is written: what most keys share is left out.

use super::{Key, Role, ValueKind};
use crate::spec::{KeyGroup, RunSpec, Task};

impl Key {
    /// A key that belongs to the experiment's identity since the first tuneboard.
    pub(super) const fn new(
        name: &'static str,
        help: &'static str,
        kind: ValueKind,
        get: fn(&RunSpec) -> String,
        set: fn(&mut RunSpec, &str) -> Result<(), String>,
    ) -> Self {
        Self {
            name,
            help,
            kind,
            decides: true,
            group: KeyGroup::Training,
            roles: &[],
            tasks: &[],
            since: 0,
            frozen: "",
            notebook: None,
            get,
            set,
        }
    }

    /// Shown elsewhere than with the rest of the optimisation.
    pub(super) const fn group_in(self, group: KeyGroup) -> Self {
        Self { group, ..self }
    }

    pub(super) const fn roles(self, roles: &'static [Role]) -> Self {
        Self { roles, ..self }
    }

    /// Of no meaning to other tasks.
    pub(super) const fn only(self, tasks: &'static [Task]) -> Self {
        Self { tasks, ..self }
    }

    /// Says where or how a run is made, not what it is.
    pub(super) const fn aside(self) -> Self {
        Self { decides: false, ..self }
    }

    /// Came after runs were queued, which were trained as with this value.
    pub(super) const fn later(self, since: u8, frozen: &'static str) -> Self {
        Self { since, frozen, ..self }
    }

    pub(super) const fn notebook(self, value: &'static str) -> Self {
        Self { notebook: Some(value), ..self }
    }
}

macro_rules! word {
    ($field:ident: $type:ident, $help:literal) => {
        Key::new(
            stringify!($field),
            $help,
            ValueKind::Choice($type::WORDS),
            |s| s.$field.to_string(),
            |s, v| values::choice::<$type>(v, $type::WORDS).map(|x| s.$field = x),
        )
    };
}
macro_rules! int {
    ($field:ident, $min:expr, $max:expr, $help:literal) => {
        Key::new(
            stringify!($field),
            $help,
            ValueKind::Int($min, $max),
            |s| s.$field.to_string(),
            |s, v| values::int(v, $min, $max).map(|x| s.$field = x as _),
        )
    };
}
macro_rules! float {
    ($field:ident, $min:expr, $max:expr, $help:literal) => {
        Key::new(
            stringify!($field),
            $help,
            ValueKind::Float($min, $max),
            |s| short(s.$field),
            |s, v| values::float(v, $min, $max).map(|x| s.$field = x),
        )
    };
}
macro_rules! flag {
    ($field:ident, $help:literal) => {
        Key::new(
            stringify!($field),
            $help,
            ValueKind::Flag,
            |s| s.$field.to_string(),
            |s, v| values::flag(v).map(|x| s.$field = x),
        )
    };
}
macro_rules! text {
    ($field:ident, $kind:expr, $help:literal) => {
        Key::new(
            stringify!($field),
            $help,
            $kind,
            |s| s.$field.clone().unwrap_or_default(),
            |s, v| values::clean(v).map(|x| s.$field = x),
        )
    };
}
macro_rules! required {
    ($field:ident, $kind:expr, $help:literal) => {
        Key::new(
            stringify!($field),
            $help,
            $kind,
            |s| s.$field.clone(),
            |s, v| {
                s.$field = values::clean(v)?.ok_or("it must not be empty")?;
                Ok(())
            },
        )
    };
}

pub(super) use {flag, float, int, required, text, word};
