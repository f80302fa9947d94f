//! The query of the runs screen while it is typed: what it means, what is wrong with it, how it may go on.

use super::whole::View;
use crate::query::{Completion, Query, complete};
use crate::tui::line::Line;
use crate::tui::snapshot::Snapshot;

/// Ways to go on that are proposed at once.
pub const PROPOSED: usize = 7;

impl View {
    /// Filters the runs by a query. One that is wrong, as nearly every query is while it is typed, leaves the
    /// list as it was.
    pub fn filter_to(&mut self, text: &str) {
        text.clone_into(&mut self.runs.filter);
        self.runs.candidate = 0;
        match Query::parse_with(text, &|name| self.views.get(name).cloned()) {
            Ok(query) => {
                self.runs.query = query;
                self.runs.wrong = None;
            }
            Err(error) => self.runs.wrong = Some(error),
        }
    }

    /// How the typed query may go on at the place where one types.
    pub fn completion(&self, line: &Line, snap: &Snapshot) -> Completion {
        let known = |key: &str| -> Vec<String> {
            if key == "view" {
                return self.views.keys().cloned().collect();
            }
            snap.answers
                .known
                .as_deref()
                .and_then(|known| known.get(key))
                .cloned()
                .unwrap_or_default()
        };
        let cursor = line.split().0.chars().count();
        let mut completion = complete(line.text(), cursor, &known);
        // What stands there already is no way to go on.
        let typed: String = line.split().0.chars().skip(completion.start).collect();
        completion.candidates.retain(|candidate| candidate.text != typed);
        completion.candidates.truncate(PROPOSED);
        completion
    }

    /// Takes the proposed way to go on.
    pub fn take_candidate(&mut self, line: &mut Line, snap: &Snapshot) {
        let completion = self.completion(line, snap);
        if let Some(candidate) = completion.candidates.get(self.runs.candidate) {
            line.complete(completion.start, &candidate.text);
            let text = line.text().to_owned();
            self.filter_to(&text);
        }
    }

    /// The next proposed way to go on, round and round.
    pub fn next_candidate(&mut self, line: &Line, snap: &Snapshot) {
        let count = self.completion(line, snap).candidates.len().max(1);
        self.runs.candidate = (self.runs.candidate + 1) % count;
    }
}
