use std::path::PathBuf;

use toml::{Table, Value};

use crate::spec::nearest;

/// What a site is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SiteKind {
    /// This machine.
    #[default]
    Local,
    /// A machine reached by the user's own `ssh`.
    Ssh,
    /// A Slurm cluster; its commands run here, or on `host` by `ssh`.
    Slurm,
}

/// A place where runs go: `[sites.NAME]` of `config.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// What it is.
    pub kind: SiteKind,
    /// Sites with a lower rank are filled first by `site=any`; `None` = local, then ssh, then slurm.
    pub rank: Option<u32>,
    /// Runs at once on the CPU; 0 = one per GPU, or one if there is none.
    pub slots: u32,
    /// Runs at once on one GPU, where their memory is known to fit; 0 = 1.
    pub gpu_runs: u32,
    /// CPU threads per run; 0 = the cores divided by the slots.
    pub threads: u32,
    /// The trainer's executable; empty = beside `tuneboard`, on other machines `FOLDER/bin`, else `PATH`.
    pub trainer: PathBuf,
    /// Any host that `ssh` knows.
    pub host: String,
    /// Another configuration file for `ssh`; empty = the user's own.
    pub ssh_config: String,
    /// Where tuneboard's files lie there; relative to the home folder.
    pub folder: String,
    /// The devices to use there; empty = found by asking.
    pub devices: Vec<String>,
    /// What is fetched when a run ends.
    pub fetch: Fetch,
    /// Slurm: partition.
    pub partition: String,
    /// Slurm: account.
    pub account: String,
    /// Slurm: time limit of a job, as sbatch takes it.
    pub time: String,
    /// Slurm: generic resources of a job, `gpu:1`.
    pub gres: String,
    /// Slurm: CPUs of a job; 0 = as the cluster has it.
    pub cpus: u32,
    /// Slurm: memory of a job, `16G`.
    pub memory: String,
    /// Slurm: more options, each as one `#SBATCH` line takes it.
    pub sbatch: Vec<String>,
    /// Slurm: jobs at once, waiting ones included.
    pub max_jobs: u32,
}

/// What is fetched from another machine when a run ends there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fetch {
    /// Checkpoints and predictions.
    #[default]
    All,
    /// Predictions; checkpoints on request.
    Predictions,
    /// Nothing but events and log; the rest on request.
    None,
}

/// Every key of a site and the kinds that take it.
const KEYS: [(&str, &[SiteKind]); 19] = {
    use SiteKind::{Local, Slurm, Ssh};
    [
        ("kind", &[Local, Ssh, Slurm]),
        ("rank", &[Local, Ssh, Slurm]),
        ("slots", &[Local, Ssh]),
        ("gpu_runs", &[Local, Ssh]),
        ("threads", &[Local, Ssh, Slurm]),
        ("trainer", &[Local, Ssh, Slurm]),
        ("host", &[Ssh, Slurm]),
        ("ssh_config", &[Ssh, Slurm]),
        ("folder", &[Ssh, Slurm]),
        ("devices", &[Ssh]),
        ("fetch", &[Ssh, Slurm]),
        ("partition", &[Slurm]),
        ("account", &[Slurm]),
        ("time", &[Slurm]),
        ("gres", &[Slurm]),
        ("cpus", &[Slurm]),
        ("memory", &[Slurm]),
        ("sbatch", &[Slurm]),
        ("max_jobs", &[Slurm]),
    ]
};

impl Site {
    /// CPU threads of each of `slots` runs at once on so many cores.
    pub fn share(&self, slots: u32, cores: u32) -> u32 {
        match self.threads {
            0 => (cores / slots.max(1)).max(1),
            given => given,
        }
    }

    /// Reads one `[sites.NAME]`. Only the site `local` is, and must be, of kind `local`.
    ///
    /// # Errors
    /// One sentence: an unknown key with the nearest known one, or what a key takes.
    pub(super) fn read(name: &str, table: &Table) -> Result<Self, String> {
        check_name(name)?;
        let kind = match table.get("kind") {
            None if name == "local" => SiteKind::Local,
            None => return Err("`kind` is missing: ssh or slurm.".into()),
            Some(value) => match (value.as_str(), name) {
                (Some("local"), "local") => SiteKind::Local,
                (Some("local"), _) => {
                    return Err(
                        "only the site `local` is this machine; `kind` takes ssh or slurm.".into(),
                    );
                }
                (Some("ssh" | "slurm"), "local") => {
                    return Err(
                        "`local` is this machine; give a site elsewhere another name.".into()
                    );
                }
                (Some("ssh"), _) => SiteKind::Ssh,
                (Some("slurm"), _) => SiteKind::Slurm,
                _ => return Err("`kind` takes local, ssh or slurm.".into()),
            },
        };
        let mut site = Self { kind, ..Self::default() };
        for (key, value) in table {
            match KEYS.iter().find(|(known, _)| known == key) {
                Some((_, kinds)) if kinds.contains(&kind) => site.set(key, value)?,
                Some(_) => {
                    return Err(format!("`{key}` is no key of a site of kind {}.", kind.word()));
                }
                None => return Err(unknown(key, kind)),
            }
        }
        if kind == SiteKind::Ssh && site.host.is_empty() {
            return Err("`host` is missing: any name that `ssh` knows.".into());
        }
        if kind != SiteKind::Local && site.folder.is_empty() {
            "tuneboard".clone_into(&mut site.folder);
        }
        if kind == SiteKind::Slurm && site.max_jobs == 0 {
            site.max_jobs = 32;
        }
        Ok(site)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match key {
            "rank" => self.rank = Some(number(key, value, 1_000)?),
            "slots" => self.slots = number(key, value, 1_000)?,
            "gpu_runs" => self.gpu_runs = number(key, value, 64)?,
            "threads" => self.threads = number(key, value, 1_024)?,
            "cpus" => self.cpus = number(key, value, 10_000)?,
            "max_jobs" => self.max_jobs = number(key, value, 10_000)?,
            "trainer" => self.trainer = PathBuf::from(text(key, value)?),
            "ssh_config" => self.ssh_config = text(key, value)?,
            "folder" => self.folder = text(key, value)?,
            "host" => self.host = host(&text(key, value)?)?,
            "devices" => self.devices = devices(&list(key, value)?)?,
            "sbatch" => self.sbatch = list(key, value)?,
            "partition" => self.partition = word(key, value)?,
            "account" => self.account = word(key, value)?,
            "time" => self.time = word(key, value)?,
            "gres" => self.gres = word(key, value)?,
            "memory" => self.memory = word(key, value)?,
            "fetch" => {
                self.fetch = match value.as_str() {
                    Some("all") => Fetch::All,
                    Some("predictions") => Fetch::Predictions,
                    Some("none") => Fetch::None,
                    _ => return Err("`fetch` takes all, predictions or none.".into()),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The order in which `site=any` fills sites.
    pub fn rank(&self) -> u32 {
        self.rank.unwrap_or(match self.kind {
            SiteKind::Local => 0,
            SiteKind::Ssh => 10,
            SiteKind::Slurm => 20,
        })
    }
}

impl SiteKind {
    /// As in the config.
    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Ssh => "ssh",
            Self::Slurm => "slurm",
        }
    }
}

/// A site's name is a word of tables and of `site=`.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if name == "any" {
        return Err("`any` means every site; choose another name.".into());
    }
    if !first || name.len() > 40 || !name.chars().all(plain) {
        return Err("a site's name has letters, digits, `-`, `_` and `.`, at most 40.".into());
    }
    Ok(())
}

fn unknown(key: &str, kind: SiteKind) -> String {
    let taken = KEYS.iter().filter(|(_, kinds)| kinds.contains(&kind)).map(|(name, _)| *name);
    let near = match key {
        "preference" => Some("rank".to_owned()),
        "user" => return "there is no `user`; write host = \"user@host\".".into(),
        _ => nearest(key, taken.clone()),
    };
    if let Some(near) = near {
        return format!("there is no `{key}`; did you mean {near}?");
    }
    let all: Vec<&str> = taken.collect();
    format!("there is no `{key}`; a site of kind {} takes {}.", kind.word(), all.join(", "))
}

fn number(key: &str, value: &Value, most: u32) -> Result<u32, String> {
    let n = value.as_integer().and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= most);
    n.ok_or_else(|| format!("`{key}` takes a whole number from 0 to {most}."))
}

fn text(key: &str, value: &Value) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| format!("`{key}` takes a text."))?;
    if text.chars().any(char::is_control) {
        return Err(format!("`{key}` must not hold control characters."));
    }
    Ok(text.to_owned())
}

/// A text without blanks, as the options of sbatch are.
fn word(key: &str, value: &Value) -> Result<String, String> {
    let word = match value {
        Value::Integer(n) => n.to_string(),
        _ => text(key, value)?,
    };
    if word.contains(char::is_whitespace) {
        return Err(format!("`{key}` must not hold blanks."));
    }
    Ok(word)
}

fn list(key: &str, value: &Value) -> Result<Vec<String>, String> {
    let items = value.as_array().ok_or_else(|| format!("`{key}` takes a list of texts."))?;
    items.iter().map(|item| text(key, item)).collect()
}

/// `ssh` would take a leading dash for an option, and splits nothing else.
fn host(host: &str) -> Result<String, String> {
    if host.starts_with('-') || host.contains(char::is_whitespace) {
        return Err("`host` must not begin with a dash or hold blanks.".into());
    }
    Ok(host.to_owned())
}

fn devices(devices: &[String]) -> Result<Vec<String>, String> {
    let known = |device: &str| {
        device == "cpu" || device.strip_prefix("cuda:").is_some_and(|n| n.parse::<u16>().is_ok())
    };
    match devices.iter().find(|device| !known(device)) {
        Some(odd) => Err(format!("`devices` takes cpu and cuda:N, not `{odd}`.")),
        None => Ok(devices.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, toml: &str) -> Result<Site, String> {
        Site::read(name, &toml.parse().unwrap())
    }

    #[test]
    fn sites_of_every_kind_are_read() {
        assert_eq!(read("local", "slots = 2").unwrap().slots, 2);
        let site =
            read("box", "kind = \"ssh\"\nhost = \"me@box\"\ndevices = [\"cuda:1\"]").unwrap();
        assert_eq!((site.folder.as_str(), site.rank()), ("tuneboard", 10));
        let site = read("hpc", "kind = \"slurm\"\ntime = \"2:00:00\"\ncpus = 4").unwrap();
        assert_eq!((site.max_jobs, site.cpus, site.rank()), (32, 4, 20));
    }

    #[test]
    fn what_is_wrong_is_named_with_the_nearest_choice() {
        for (name, toml, want) in [
            ("box", "host = \"b\"", "`kind` is missing: ssh or slurm."),
            ("box", "kind = \"ssh\"", "`host` is missing: any name that `ssh` knows."),
            ("box", "kind = \"ssh\"\nhots = \"b\"", "there is no `hots`; did you mean host?"),
            (
                "box",
                "kind = \"ssh\"\nhost = \"-oProxyCommand=x\"",
                "`host` must not begin with a dash or hold blanks.",
            ),
            (
                "box",
                "kind = \"ssh\"\nhost = \"b\"\nuser = \"u\"",
                "there is no `user`; write host = \"user@host\".",
            ),
            (
                "box",
                "kind = \"ssh\"\nhost = \"b\"\ngres = \"gpu:1\"",
                "`gres` is no key of a site of kind ssh.",
            ),
            (
                "box",
                "kind = \"ssh\"\nhost = \"b\"\ndevices = [\"gpu\"]",
                "`devices` takes cpu and cuda:N, not `gpu`.",
            ),
            (
                "box",
                "kind = \"ssh\"\nhost = \"b\"\nfolder = \"a\\nb\"",
                "`folder` must not hold control characters.",
            ),
            ("any", "kind = \"ssh\"", "`any` means every site; choose another name."),
            ("local", "slot = 2", "there is no `slot`; did you mean slots?"),
            (
                "hpc",
                "kind = \"slurm\"\nmax_jobs = -1",
                "`max_jobs` takes a whole number from 0 to 10000.",
            ),
        ] {
            assert_eq!(read(name, toml).unwrap_err(), want);
        }
        assert!(read("a b", "kind = \"ssh\"").is_err());
    }
}
