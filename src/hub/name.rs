use std::fmt;
use std::str::FromStr;

/// `ORG/NAME[@revision]`; without a revision the branch `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoName {
    /// `ORG/NAME`, or `NAME` for the hub's oldest repositories.
    pub id: String,
    /// A branch, tag or commit.
    pub revision: String,
}

impl RepoName {
    /// The part that names the model.
    pub fn last(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }
}

impl FromStr for RepoName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (id, revision) = text.split_once('@').unwrap_or((text, "main"));
        let plain = |part: &str| {
            !part.is_empty()
                && part.len() <= 96
                && !part.starts_with(['.', '-'])
                && !part.contains("..")
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let parts: Vec<&str> = id.split('/').collect();
        let good = parts.len() <= 2
            && parts.iter().copied().all(plain)
            && !revision.is_empty()
            && revision.split('/').all(plain);
        if good {
            Ok(Self { id: id.to_owned(), revision: revision.to_owned() })
        } else {
            Err("it takes ORG/NAME or ORG/NAME@REVISION, as google-bert/bert-base-uncased".into())
        }
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        if self.revision == "main" { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_nothing_else_is() {
        for text in ["gpt2", "a/b", "a/b@v1.0", "a-1/b_2.c@refs/pr/7"] {
            assert_eq!(text.parse::<RepoName>().unwrap().to_string(), text);
        }
        let plain: RepoName = "a/b".parse().unwrap();
        assert_eq!((plain.revision.as_str(), plain.last()), ("main", "b"));
        for text in
            ["", "a/b/c", "../b", "a/..", "a/b@", "a b/c", "a/b@x/../y", "a/b?x", "/b", "a/"]
        {
            assert!(text.parse::<RepoName>().is_err(), "{text}");
        }
    }
}
