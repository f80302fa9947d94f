//! What the hub's own robot makes of repositories whose weights are pickled: a pull request with safetensors.
//! Reference: transformers' `safetensors_conversion.py`.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::HubError;
use super::listing::{Hub, Listing};
use super::name::RepoName;

/// Anybody may open a pull request; the robot's alone is the hub's word.
const ROBOT: &str = "SFconvertbot";
const TITLE: &str = "Adding `safetensors` variant of this model";
/// A robot that is not among the newest discussions has done nothing of late.
const PAGES: u32 = 3;

#[derive(Deserialize)]
struct Discussions {
    #[serde(default)]
    discussions: Vec<Discussion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discussion {
    num: u32,
    #[serde(default)]
    title: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    is_pull_request: bool,
    author: Option<Author>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Commit {
    id: String,
}

impl Hub {
    /// The repository with the safetensors that the hub's robot made of just this commit, if it did. A hub that
    /// knows nothing of such things has none.
    pub fn conversion(&self, listing: &Listing) -> Option<Listing> {
        let id = &listing.name.id;
        let number = (0..PAGES).find_map(|page| {
            let path = format!("{id}/discussions?p={page}&type=pull_request&status=open");
            let page: Discussions = self.asked(&path).ok()?;
            page.discussions.into_iter().find(Discussion::is_conversion).map(|d| d.num)
        })?;
        let revision = format!("refs/pr/{number}");
        let commits: Vec<Commit> =
            self.asked(&format!("{id}/commits/{}", revision.replace('/', "%2F"))).ok()?;
        let was_made_of = commits.get(1).map(|commit| commit.id.as_str());
        if was_made_of != Some(listing.commit.as_str()) {
            return None;
        }
        self.list(&RepoName { id: id.clone(), revision }).ok()
    }

    fn asked<T: DeserializeOwned>(&self, path: &str) -> Result<T, HubError> {
        let odd =
            |e: serde_json::Error| HubError::Odd { what: path.to_owned(), why: e.to_string() };
        serde_json::from_str(&self.text(path, &format!("api/models/{path}"))?).map_err(odd)
    }
}

impl Discussion {
    fn is_conversion(&self) -> bool {
        let is_robots = self.author.as_ref().is_some_and(|author| author.name == ROBOT);
        is_robots && self.is_pull_request && self.title == TITLE && self.status == "open"
    }
}
