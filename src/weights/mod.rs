//! The files that hold a checkpoint's weights: which there are, and which tensors lie where in them.
//!
//! Weights are safetensors, or where there are none the `pytorch_model.bin` that `torch.save` wrote. That is a
//! pickle: a program for a machine with a stack, which Python would let import and call anything. [`pickle`]
//! knows the few operations and names that a state dict is made of and refuses all others by name; nothing is
//! called, and no more is kept than the program is long. Tensors stay where they are in the mapped file.

mod archive;
mod code;
mod convert;
mod files;
mod legacy;
mod pickle;
mod state_dict;
#[cfg(test)]
mod tests;

pub use convert::{to_safetensors, write};
pub use files::{Files, Format, map, matrices, sum};
pub use state_dict::{StateDict, Stored};
