//! The first rungs of the ladder: models that are fitted to the train rows in one go, in seconds, on
//! the CPU, without libtorch's arithmetic. Definitions and numbers are scikit-learn's.
//!
//! ```text
//! texts -> words -> Vocabulary -> counts | TF-IDF (sparse Rows)
//!       -> naive_bayes | logistic | ridge | shares -> Linear -> log probabilities, logits or numbers
//! ```
//! All of them end as one linear map from a row to a score per class, so [`Fitted`] is one type, its
//! file has one layout, and predicting is one function.
//!
//! TF-IDF is written out here: linfa-preprocessing's has another idf and does not normalise rows. So is
//! L-BFGS: on Reuters R8 argmin 0.11 took 1,043 iterations and minutes to the optimum that this one, like
//! scikit-learn's, reaches in under 120 and a second.

mod fitted;
mod lbfgs;
mod linear;
mod logistic;
mod naive_bayes;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod parity_tasks;
mod ridge;
mod rows;
mod run;
mod several;
mod vocabulary;
mod words;

pub use fitted::Fitted;
pub use run::run;
pub use words::{Text, words};
