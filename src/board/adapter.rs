//! Whether a run can go on from an adapter, or put one beside a model.

use std::collections::BTreeSet;
use std::path::Path;

use super::model::described;
use crate::model_config::adapter::{AdapterConfig, Parts, is_adapter};
use crate::spec::{Adapter, Init, RunSpec, Targets, Task, nearest};
use crate::weights;

/// What keeps a run from going on from the adapter in `folder`, or from putting one beside the weights there, as a
/// fragment.
pub fn unadaptable(folder: &Path, board: &Path, spec: &RunSpec) -> Option<String> {
    if is_adapter(folder) {
        if spec.init == Init::Random {
            return Some(
                "it is an adapter, which init=random has no use for; name its base model".into(),
            );
        }
        if spec.task == Task::Lm {
            return Some(format!(
                "it is an adapter, which task=lm cannot start from; `tuneboard-train merge {} models/NAME` makes \
                 one model of it and its base",
                folder.display()
            ));
        }
        let config = AdapterConfig::read(folder).ok()?;
        let differs = config.differs(spec.lora_rank.into(), spec.lora_alpha);
        return differs.filter(|_| spec.adapter == Adapter::Lora);
    }
    if spec.adapter == Adapter::None {
        return None;
    }
    let (family, _) = described(folder, board)?;
    if family.row().lora.is_empty() {
        return Some(format!("adapter=lora is not for {family} models"));
    }
    let Targets::Named(wanted) = &spec.lora_targets else { return None };
    let matrices = weights::matrices(&Parts::of(folder, board).ok()?.weights).ok()?;
    let modules: Vec<&str> =
        matrices.iter().filter_map(|name| name.strip_suffix(".weight")).collect();
    let lacks = |target: &&String| {
        let one = Targets::Named(vec![(*target).clone()]);
        !modules.iter().any(|module| one.mean(module, &[]))
    };
    let target = wanted.iter().find(lacks)?;
    let ends: BTreeSet<&str> =
        modules.iter().filter_map(|module| module.rsplit('.').next()).collect();
    let near = nearest(target, ends.iter().copied());
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let ends = ends.into_iter().collect::<Vec<_>>().join(", ");
    Some(format!("lora_targets names `{target}`, and it has the layers {ends}{near}"))
}
