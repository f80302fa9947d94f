//! tuneboard: launch, watch, compare and remember fine-tuning runs without leaving the terminal.
//!
//! ```text
//! config.toml + key=value -> spec::RunSpec -> store::Store::enqueue       cli, tui
//!   -> runner plans a Placement and starts the trainer                    runner
//!   -> tuneboard-train writes events.jsonl                                train (another executable)
//!   -> events::Tail -> rows in SQLite                                     runner, store
//!   -> tables, files, screens                                             analysis, cli, tui
//! ```
//! What each module may use, and why: docs/architecture.md.

pub mod analysis;
pub mod board;
pub mod cli;
pub mod dataset;
pub mod events;
pub mod gpus;
pub mod hub;
pub mod model_config;
pub mod order;
pub mod panics;
pub mod query;
pub mod runner;
pub mod spec;
pub mod store;
pub mod tui;
pub mod weights;
