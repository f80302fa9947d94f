//! The columns of the runs screen that were chosen.

use std::collections::BTreeMap;

use super::whole::View;
use crate::board::ALL_RUNS;
use crate::spec::ChosenColumn;

impl View {
    /// Under which name the columns of the list in view are kept: that of the saved query which it shows.
    pub fn columns_name(&self) -> &str {
        let filter = self.runs.filter.trim();
        let named = filter.strip_prefix("view:").map(|name| name.trim_matches('"'));
        let is_shown = |(name, query): &(&String, &String)| {
            !filter.is_empty() && (query.as_str() == filter || named == Some(name.as_str()))
        };
        self.views.iter().find(is_shown).map_or(ALL_RUNS, |(name, _)| name)
    }

    /// The columns that were chosen for the list in view, or for all lists; `None` leaves the choice to the table.
    pub fn chosen_columns(&self) -> Option<&[ChosenColumn]> {
        let own = self.columns.get(self.columns_name()).or_else(|| self.columns.get(ALL_RUNS));
        own.map(Vec::as_slice).filter(|columns| !columns.is_empty())
    }

    /// Reads `[tui.columns]`, which was checked when the board was opened.
    pub fn read_columns(texts: &BTreeMap<String, String>) -> BTreeMap<String, Vec<ChosenColumn>> {
        let read =
            |(name, text): (&String, &String)| Some((name.clone(), ChosenColumn::list(text).ok()?));
        texts.iter().filter_map(read).collect()
    }

    /// The figures at the ends of epochs that columns show.
    pub fn wanted_epochs(&self) -> Vec<(String, u32)> {
        let chosen = self.chosen_columns().unwrap_or_default().iter();
        let at = chosen.filter_map(|chosen| chosen.column.at_epoch());
        at.map(|(metric, epoch)| (metric.to_owned(), epoch)).collect()
    }

    /// Sizes of the folders of runs, once they are wanted.
    pub fn wants_disk(&self) -> bool {
        let is_disk = |chosen: &ChosenColumn| chosen.column == crate::spec::ListColumn::Disk;
        self.chosen_columns().is_some_and(|columns| columns.iter().any(is_disk))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_saved_query_may_have_columns_of_its_own() {
        let views = BTreeMap::from([("good".to_owned(), "acc>0.9".to_owned())]);
        let texts = BTreeMap::from([
            ("all".to_owned(), "id,lr".to_owned()),
            ("good".to_owned(), "id,disk".to_owned()),
        ]);
        let mut view =
            View { views: Arc::new(views), columns: View::read_columns(&texts), ..View::default() };
        let shown = |view: &View| view.chosen_columns().map(ChosenColumn::text);
        assert_eq!(shown(&view).as_deref(), Some("id,lr"));
        for filter in ["acc>0.9", "view:good", "view:\"good\""] {
            view.filter_to(filter);
            assert_eq!(shown(&view).as_deref(), Some("id,disk"), "{filter}");
            assert!(view.wants_disk());
        }
        view.filter_to("acc>0.8");
        assert_eq!(shown(&view).as_deref(), Some("id,lr"));
        view.columns.clear();
        assert_eq!(shown(&view), None);
    }
}
