use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every word, in the order of the documentation.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }

        impl FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }
    };
}

pub(super) use choice;

choice! {
    /// What is learnt.
    Task {
        /// One class per text or pair of texts.
        Classify = "classify",
        /// The next word of the texts.
        Lm = "lm",
        /// One or more numbers per text or pair of texts.
        Regress = "regress",
        /// Any number of labels per text or pair of texts.
        Multilabel = "multilabel",
        /// A tag for each word of a text, as for named entities.
        Tag = "tag",
    }
}
choice! {
    /// What quotes mean in a CSV or TSV file.
    Quote {
        /// As the whole file suggests.
        Auto = "auto",
        /// They are letters.
        None = "none",
        /// They enclose a field and are doubled inside.
        Double = "double",
    }
}
choice! {
    /// What backslashes mean in a CSV or TSV file.
    Escape {
        /// As the whole file suggests.
        Auto = "auto",
        /// They are letters.
        None = "none",
        /// They take the meaning of a quote or a delimiter behind them.
        Backslash = "backslash",
    }
}
choice! {
    /// What stands between two fields of a CSV or TSV file.
    Delimiter {
        /// As the whole file suggests.
        Auto = "auto",
        /// `,`
        Comma = "comma",
        /// A tab.
        Tab = "tab",
        /// `;`
        Semicolon = "semicolon",
        /// `|`
        Bar = "bar",
    }
}
choice! {
    /// Whether the first line of a CSV or TSV file names its columns.
    Header {
        /// As its words suggest.
        Auto = "auto",
        /// It does.
        Yes = "yes",
        /// It is a row; columns have numbers.
        No = "no",
    }
}

impl Delimiter {
    /// The character; `None` for [`Self::Auto`].
    pub fn byte(self) -> Option<u8> {
        match self {
            Self::Auto => None,
            Self::Comma => Some(b','),
            Self::Tab => Some(b'\t'),
            Self::Semicolon => Some(b';'),
            Self::Bar => Some(b'|'),
        }
    }
}

choice! {
    /// A named set of values.
    Preset {
        /// No preset.
        None = "none",
        /// The recipe of docs/notebook.md.
        Notebook = "notebook",
    }
}
choice! {
    /// How the token vectors of a text become one vector.
    Pool {
        /// As the checkpoint's own head was trained, or else as suits the model's family.
        Auto = "auto",
        /// The first token, through the checkpoint's pooler where it has one.
        Cls = "cls",
        /// The mean over real tokens.
        Mean = "mean",
        /// The maximum over real tokens, per dimension.
        Max = "max",
        /// The last token.
        Last = "last",
        /// All tokens one behind the other, padded to `max_length`.
        Flatten = "flatten",
        /// Last, maximum and mean side by side (Howard & Ruder 2018).
        Concat = "concat",
    }
}
choice! {
    /// The optimiser.
    Optimizer {
        /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
        AdamW = "adamw",
        /// Adam (Kingma & Ba 2015); `weight_decay` is ignored.
        Adam = "adam",
        /// Stochastic gradient descent, with momentum if `momentum` is above 0.
        Sgd = "sgd",
    }
}
choice! {
    /// The learning rate after warm-up.
    Schedule {
        /// Falls linearly to zero.
        Linear = "linear",
        /// Falls to zero along half a cosine.
        Cosine = "cosine",
        /// Stays.
        Constant = "constant",
        /// Slanted triangular (Howard & Ruder 2018): rises over `warmup`, falls for the rest.
        Slanted = "slanted",
    }
}
choice! {
    /// Which weights learn.
    Unfreeze {
        /// As is usual for the model: the head only for ELMo, all weights for the others.
        Auto = "auto",
        /// All of them.
        All = "all",
        /// The classification head only.
        Head = "head",
        /// The head first, one group of layers more each epoch.
        Gradual = "gradual",
    }
}
choice! {
    /// What is put beside the weights of a checkpoint to learn in their stead.
    Adapter {
        /// Nothing: they learn themselves.
        None = "none",
        /// A product of two narrow matrices beside each of some (Hu et al. 2021).
        Lora = "lora",
    }
}
choice! {
    /// What is minimised.
    Loss {
        /// As is usual for the task: cross-entropy, binary cross-entropy or the squared error.
        Auto = "auto",
        /// Cross-entropy over classes or tags.
        CrossEntropy = "cross_entropy",
        /// (Binary) cross-entropy with less weight on what is learnt already (Lin et al. 2017).
        Focal = "focal",
        /// Binary cross-entropy of each label.
        Bce = "bce",
        /// The mean squared error.
        Mse = "mse",
        /// Huber's loss: squared below `huber_delta`, linear beyond.
        Huber = "huber",
    }
}
choice! {
    /// The number format of the matrix products.
    Precision {
        /// bf16 where the device is fast at it, else fp32.
        Auto = "auto",
        /// 32-bit floats throughout.
        Fp32 = "fp32",
        /// bfloat16 products, 32-bit master weights.
        Bf16 = "bf16",
    }
}
