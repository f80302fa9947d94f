//! Checkpoints from a Hugging Face hub: what a repository holds, and its files, resumed and checked.
//!
//! `HF_ENDPOINT`, `HF_TOKEN` (else the token file under `HF_HOME`) and the cache under `HF_HOME` mean what
//! they mean everywhere. hf-hub knows addresses, token and cache. The transfer is ours, because hf-hub's
//! adds whatever a server sends to the part it has, whether or not the server heeded the range that was
//! asked for, compares no checksum, and panics on odd headers. No message holds the token.

mod ask;
mod choose;
mod conversion;
mod error;
mod listing;
mod name;
mod sum;
mod transfer;

pub use choose::{Choice, Weights, choose, is_model_file, pickle};
pub use error::HubError;
pub use listing::{Hub, Listing, Remote};
pub use name::RepoName;
pub use sum::Sum;
