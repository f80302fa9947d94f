//! The one integration executable: every further one would link polars once more.

#[cfg(test)]
mod abilities;
#[cfg(test)]
mod adapters;
#[cfg(test)]
mod calibrate;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod circles;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod compare;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod data;
#[cfg(test)]
mod data_refused;
#[cfg(test)]
mod data_shapes;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod elmo;
#[cfg(test)]
mod evaluation;
#[cfg(test)]
mod families;
#[cfg(test)]
mod first_start;
#[cfg(test)]
mod folds;
#[cfg(test)]
mod foreign_adapters;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod glue;
#[cfg(test)]
mod gpu_check;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod house;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod huggingface;
#[cfg(test)]
mod ladder;
#[cfg(test)]
mod language_models;
#[cfg(test)]
mod lineage;
#[cfg(feature = "train")]
mod lr_find;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod packing;
#[cfg(test)]
mod predict;
#[cfg(test)]
mod query;
#[cfg(test)]
mod read_only;
#[cfg(test)]
mod reindex;
#[cfg(test)]
mod resumed_tasks;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod runner_faults;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod search;
#[cfg(test)]
mod shell;
#[cfg(test)]
mod sites;
#[cfg(test)]
mod slurm;
#[cfg(test)]
mod source;
#[cfg(test)]
mod store_file;
#[cfg(test)]
mod store_ingest;
#[cfg(test)]
mod store_runs;
#[cfg(test)]
mod tasks;
#[cfg(test)]
mod trainer;
#[cfg(test)]
mod tui;
#[cfg(all(test, feature = "train"))]
mod tui_live;
#[cfg(test)]
mod tui_loop;
mod tui_terminal;
#[cfg(test)]
mod ulmfit;
#[cfg(test)]
mod upgrade;
