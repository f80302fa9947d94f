//! How positions turn, and what blocks see.

use serde_json::Value;

use super::rope::{Rope, Scaling};
use super::{BlockKind, RotaryConfig};
use crate::model_config::fields::Fields;

impl RotaryConfig {
    /// One rotary position for all blocks: `base` and `share` of the head unless `rope_parameters` says
    /// otherwise.
    pub(super) fn one_rope(&mut self, fields: Fields, base: f64, share: f64) -> Result<(), String> {
        let scaling = named(fields.0, &["rope_parameters", "rope_scaling"]);
        let own = Fields(scaling);
        let base = own.number(&["rope_theta"], base)?;
        let share = own.number(&["partial_rotary_factor"], share)?;
        if !(share > 0.0 && share <= 1.0) {
            return Err(format!("the share of a head that is turned is {share}"));
        }
        let width = (self.size as f64 * share) as i64;
        self.ropes = vec![rope(base, width, Scaling::of(scaling, self.positions)?)?];
        Ok(())
    }

    /// One for blocks that see everything, which may be scaled, and one for those that see a window.
    pub(super) fn two_ropes(
        &mut self,
        fields: Fields,
        global: f64,
        local: f64,
        width: i64,
    ) -> Result<(), String> {
        let parameters = named(fields.0, &["rope_parameters"]);
        let of = |kind: &str, base: f64, other: &Value| {
            let own = parameters.get(kind).unwrap_or(other);
            rope(
                Fields(own).number(&["rope_theta"], base)?,
                width,
                Scaling::of(own, self.positions)?,
            )
        };
        let scaling = named(fields.0, &["rope_scaling"]);
        self.ropes = vec![
            of("full_attention", global, scaling)?,
            of("sliding_attention", local, &Value::Null)?,
        ];
        Ok(())
    }

    /// Which blocks see a window only: as `layer_types` says, or else all but those of `is_full`.
    pub(super) fn windows(
        &mut self,
        fields: Fields,
        reach: i64,
        is_full: impl Fn(i64) -> bool,
    ) -> Result<(), String> {
        let types = fields.0.get("layer_types").and_then(Value::as_array);
        if types.is_some_and(|types| types.len() != self.blocks.len()) {
            return Err("layer_types has another length than there are layers".into());
        }
        let local = usize::from(self.ropes.len() > 1);
        for (index, block) in self.blocks.iter_mut().enumerate() {
            let full = match types.and_then(|types| types.get(index)?.as_str()) {
                Some("full_attention") => true,
                Some("sliding_attention") => false,
                Some(other) => return Err(format!("layer_types has `{other}`, which is unknown")),
                None => is_full(index as i64),
            };
            if !full {
                *block = BlockKind { rope: local, reach: Some(reach) };
            }
        }
        Ok(())
    }
}

/// The first of `keys` that is an object; or nothing.
fn named<'a>(json: &'a Value, keys: &[&str]) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    keys.iter().find_map(|key| json.get(*key).filter(|v| v.is_object())).unwrap_or(NOTHING)
}

fn rope(base: f64, width: i64, scaling: Scaling) -> Result<Rope, String> {
    if !(base > 1.0 && base.is_finite()) {
        return Err(format!("the base of the rotary positions is {base}; it must be above 1"));
    }
    if width < 2 || width % 2 != 0 {
        return Err(format!("{width} numbers of a head cannot be turned in pairs"));
    }
    Ok(Rope { base, width, scaling })
}
