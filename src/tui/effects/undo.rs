use super::change::said;
use crate::spec::RunId;
use crate::store::{Run, Store, StoreError};
use crate::tui::command::Command;

/// What people wrote on some runs before a change.
#[derive(Debug)]
pub enum Past {
    /// Their tags, notes, names and places in the archive.
    Rows(Vec<Run>),
    /// They were not in the trash.
    Trash(Vec<RunId>),
}

impl Past {
    /// What a command is about to change; `None` for one that cannot be taken back this way.
    pub fn before(store: &Store, command: &Command) -> Result<Option<Self>, StoreError> {
        let ids = match command {
            Command::Tags(ids, _) | Command::Archive(ids) => ids.clone(),
            Command::Note(id, _) | Command::Rename(id, _) => vec![*id],
            _ => return Ok(None),
        };
        Ok(Some(Self::Rows(store.reader().runs(&ids)?)))
    }

    /// Puts everything back that differs, and says so.
    pub fn restore(self, store: &mut Store) -> Result<String, StoreError> {
        let rows = match self {
            Self::Trash(ids) => {
                store.restore(&ids)?;
                return Ok(said(&ids, "back from the trash", ""));
            }
            Self::Rows(rows) => rows,
        };
        for old in &rows {
            let Some(now) = store.reader().run(old.id)? else { continue };
            if now.tags != old.tags {
                store.set_tags(old.id, &old.tags)?;
            }
            if now.note != old.note {
                store.set_note(old.id, &old.note)?;
            }
            if now.name != old.name {
                store.rename(old.id, &old.name)?;
            }
            if now.archived != old.archived {
                store.set_archived(&[old.id], old.archived)?;
            }
        }
        let ids: Vec<RunId> = rows.iter().map(|run| run.id).collect();
        Ok(said(&ids, "as it was before", "Nothing to take back."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Desired, RunSpec};
    use crate::store::NewRun;

    #[test]
    fn changes_are_taken_back_last_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("board.db")).unwrap();
        let new = NewRun { name: "first".into(), spec: RunSpec::default(), desired: Desired::Hold };
        let id = store.enqueue(None, &[new]).unwrap().1[0];
        let mut past = Vec::new();
        let tag = Command::Tags(vec![id], vec!["best".into()]);
        past.extend(Past::before(&store, &tag).unwrap());
        store.set_tags(id, &["best".into()]).unwrap();
        past.extend(Past::before(&store, &Command::Rename(id, "second".into())).unwrap());
        store.rename(id, "second").unwrap();
        past.pop().unwrap().restore(&mut store).unwrap();
        let run = store.reader().run(id).unwrap().unwrap();
        assert_eq!((run.name.as_str(), run.tags.len()), ("first", 1));
        past.pop().unwrap().restore(&mut store).unwrap();
        assert!(store.reader().run(id).unwrap().unwrap().tags.is_empty());
        assert!(Past::before(&store, &Command::Stop(vec![id])).unwrap().is_none());
    }
}
