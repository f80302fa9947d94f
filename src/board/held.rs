//! Sites where no run is to start. The file is the user's wish; the runner looks at it at each tick.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::save::replace;
use super::{Board, BoardError};

impl Board {
    /// The names of the sites that are held, one a line.
    fn held_file(&self) -> PathBuf {
        self.runs().join("held-sites")
    }

    /// The sites where no run is to start; runs that are there go on.
    pub fn held_sites(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.held_file()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Holds a site, or lets runs start there again; false if it was so already.
    ///
    /// # Errors
    /// A site that the config does not have, a file that cannot be written.
    pub fn hold_site(&self, name: &str, held: bool) -> Result<bool, BoardError> {
        self.check_trust()?;
        self.site(name)?;
        let mut sites = self.held_sites();
        let changes = if held { sites.insert(name.to_owned()) } else { sites.remove(name) };
        if !changes {
            return Ok(false);
        }
        let path = self.held_file();
        let text: String = sites.iter().flat_map(|site| [site.as_str(), "\n"]).collect();
        let written = fs::create_dir_all(self.runs()).and_then(|()| replace(&path, &text, None));
        written.map_err(|source| BoardError::Io { path, source })?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_held_until_it_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::init(folder.path()).unwrap();
        assert!(board.held_sites().is_empty());
        assert!(board.hold_site("local", true).unwrap());
        assert!(!board.hold_site("local", true).unwrap(), "it is held already");
        assert_eq!(board.held_sites(), ["local".to_owned()].into());
        assert!(board.hold_site("local", false).unwrap());
        assert!(board.held_sites().is_empty());
        assert!(board.hold_site("moon", true).is_err());
    }
}
