use std::env;
use std::path::PathBuf;
use std::time::Duration;

use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;
use serde_json::Value;
use ureq::Agent;

use super::error::HubError;
use super::name::RepoName;
use super::sum::Sum;

/// A hub, with what this user's surroundings say of it.
pub struct Hub {
    api: Api,
    endpoint: String,
    cache: Cache,
    token: Option<String>,
    pub(super) agent: Agent,
}

/// What a repository holds at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Which repository.
    pub name: RepoName,
    /// The commit that the revision stood for.
    pub commit: String,
    /// Its licence by its model card, if it names one.
    pub licence: Option<String>,
    /// All files.
    pub files: Vec<Remote>,
}

/// One file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its path in the repository.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// What they add up to.
    pub sum: Sum,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default, rename = "cardData")]
    card: Value,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

/// A repository has thousands of files at most; an answer larger than this is none.
const LONGEST_ANSWER: u64 = 16 << 20;
/// A server that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_mins(1);

impl Hub {
    /// By `HF_ENDPOINT`, `HF_TOKEN` and `HF_HOME`.
    ///
    /// # Errors
    /// An endpoint that is no address.
    pub fn from_env() -> Result<Self, HubError> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let cache = Cache::from_env();
        let token = set("HF_TOKEN").map(|t| t.trim().to_owned()).or_else(|| cache.token());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(HubError::Refused(
                "HF_ENDPOINT must start with https:// or http://.".into(),
            ));
        }
        let api = ApiBuilder::from_cache(cache.clone())
            .with_endpoint(endpoint.clone())
            .with_token(token.clone())
            .with_progress(false)
            .build()
            .map_err(|e| HubError::network("The hub", &e))?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // `ask` follows by itself: the hub sends on to other hosts, whom the token is no business of.
            .max_redirects(0)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("tuneboard/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { api, endpoint, cache, token, agent: agent.into() })
    }

    /// What the repository holds.
    ///
    /// # Errors
    /// A repository that is not there or not for this user; an answer that makes no sense.
    pub fn list(&self, name: &RepoName) -> Result<Listing, HubError> {
        let path = repo(&name.id, &name.revision).api_url();
        Listing::read(name, &self.text(&name.to_string(), &format!("api/{path}?blobs=true"))?)
    }

    /// What stands at a path of the hub; errors call it `what`.
    ///
    /// # Errors
    /// Another status than 200, an answer that is too long.
    pub(super) fn text(&self, what: &str, path: &str) -> Result<String, HubError> {
        let mut response = self.ask(what, &format!("{}/{path}", self.endpoint), 0)?;
        if response.status() != 200 {
            return Err(HubError::of_status(what, response.status().as_u16()));
        }
        let body = response.body_mut().with_config().limit(LONGEST_ANSWER);
        body.read_to_string().map_err(|e: ureq::Error| HubError::network(what, &e))
    }

    /// Where a file of a listing is found.
    pub(super) fn address(&self, listing: &Listing, file: &Remote) -> String {
        self.api.repo(repo(&listing.name.id, &listing.commit)).url(&file.path)
    }

    /// Where this machine has the file already, if the hub's other tools fetched it.
    pub(super) fn cached(&self, listing: &Listing, file: &Remote) -> Option<PathBuf> {
        let repo = self.cache.repo(repo(&listing.name.id, &listing.commit));
        Some(repo.pointer_path(&listing.commit).join(&file.path)).filter(|path| path.is_file())
    }

    /// What `Authorization` says; never to be printed.
    pub(super) fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }
}

fn repo(id: &str, revision: &str) -> Repo {
    Repo::with_revision(id.to_owned(), RepoType::Model, revision.to_owned())
}

impl Listing {
    /// The hub's answer.
    ///
    /// # Errors
    /// One that makes no sense.
    pub fn read(name: &RepoName, text: &str) -> Result<Self, HubError> {
        listing(name, text)
    }
}

fn listing(name: &RepoName, text: &str) -> Result<Listing, HubError> {
    let odd = |why: String| HubError::Odd { what: name.to_string(), why };
    let answer: Answer = serde_json::from_str(text).map_err(|e| odd(e.to_string()))?;
    if !matches!(Sum::parse(&answer.sha), Some(Sum::Git(_))) {
        return Err(odd("it names no commit".into()));
    }
    let mut files = Vec::new();
    for sibling in answer.siblings {
        let lfs = sibling.lfs.as_ref();
        let sum = lfs.and_then(|lfs| lfs.sha256.as_deref()).or(sibling.blob.as_deref());
        let size = lfs.and_then(|lfs| lfs.size).or(sibling.size);
        let (Some(sum), Some(size)) = (sum.and_then(Sum::parse), size) else {
            return Err(odd("it gives no size and checksum of its files".into()));
        };
        files.push(Remote { path: sibling.rfilename, size, sum });
    }
    let licence = match &answer.card["license"] {
        Value::Array(several) => several.first().and_then(Value::as_str),
        one => one.as_str(),
    };
    let licence = licence.map(str::to_owned);
    Ok(Listing { name: name.clone(), commit: answer.sha, licence, files })
}
