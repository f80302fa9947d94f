//! Values that are text in TOML and JSON.

/// For `#[serde(into = "String", try_from = "String")]`: what `Display` writes and `FromStr` reads.
macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )+};
}

pub(super) use as_text;
