//! The study thread: what takes longer than a look into the database. It reads data sets, model folders
//! and predictions, compares runs, and answers one [`Question`] at a time, always the newest.

mod compare;
mod form;
mod known;
mod scores;
mod shelf;
mod sweep;
mod texts;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use self::form::FormStudy;
use super::app::Message;
use super::filter::Known;
use crate::board::Board;
use crate::spec::Sweep;

pub use compare::{CompareQuestion, Compared};
pub use form::{FormFacts, Twin, day};
#[cfg(test)]
pub use scores::found;
pub use scores::{Found, Scores, ScoresQuestion, Two};
pub use shelf::{Shelf, Which};
pub use sweep::{SweepFacts, SweepQuestion, score};
pub use texts::{Filter, TextRow, Texts, TextsQuestion, export_texts};

use texts::Files;

/// What a screen wants to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// What is on the board to choose from, and what is in one of it.
    Shelf(Which, Option<String>),
    /// What these runs would meet and take.
    Form(Box<Sweep>),
    /// How runs differ.
    Compare(CompareQuestion),
    /// What a sweep says as a whole.
    Sweep(SweepQuestion),
    /// What runs hold, for the completion of a query.
    Known,
    /// Which texts are behind a figure.
    Texts(TextsQuestion),
    /// What the probabilities of a pass say.
    Scores(ScoresQuestion),
}

/// The answers so far; each says what it answers.
#[derive(Debug, Clone, Default)]
pub struct Study {
    /// Models and data files.
    pub shelf: Option<Arc<Shelf>>,
    /// For the launch form.
    pub form: Option<Arc<FormFacts>>,
    /// Runs side by side, or why they are not, and what it answers.
    pub compared: Option<(CompareQuestion, Arc<Result<Compared, String>>)>,
    /// A sweep as a whole, and what it answers.
    pub sweep: Option<(SweepQuestion, Arc<Result<SweepFacts, String>>)>,
    /// What runs hold.
    pub known: Option<Arc<Known>>,
    /// Texts behind a figure.
    pub texts: Option<Arc<Texts>>,
    /// What probabilities say.
    pub scores: Option<Arc<Scores>>,
}

/// Answers until either channel closes.
pub fn serve(board: &Board, questions: &Receiver<Question>, out: &Sender<Message>) {
    let mut study = Study::default();
    let mut forms = FormStudy::default();
    let mut files = Files::default();
    while let Ok(mut question) = questions.recv() {
        while let Ok(newer) = questions.try_recv() {
            question = newer;
        }
        match question {
            Question::Shelf(which, name) => {
                study.shelf = Some(Arc::new(shelf::look(board, which, name)));
            }
            Question::Form(sweep) => study.form = Some(Arc::new(forms.answer(board, *sweep))),
            Question::Compare(asked) => {
                let answer = Arc::new(compare::compared(board, &asked));
                study.compared = Some((asked, answer));
            }
            Question::Sweep(asked) => {
                study.sweep = Some((asked, Arc::new(sweep::sweep(board, asked))));
            }
            Question::Known => study.known = Some(Arc::new(known::known(board))),
            Question::Texts(asked) => study.texts = Some(Arc::new(files.texts(board, asked))),
            Question::Scores(asked) => {
                study.scores = Some(Arc::new(scores::scores(&mut files, board, asked)));
            }
        }
        if out.send(Message::Studied(Box::new(study.clone()))).is_err() {
            return;
        }
    }
}
