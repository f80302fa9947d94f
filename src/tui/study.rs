//! The study thread: what takes longer than a look into the database. It reads data sets, model folders
//! and predictions, compares runs, and answers one [`Question`] at a time, always the newest.

mod form;
mod shelf;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use self::form::FormStudy;
use super::app::Message;
use crate::board::Board;
use crate::spec::Sweep;

pub use form::{FormFacts, Twin};
pub use shelf::{Shelf, Which};

/// What a screen wants to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// What is on the board to choose from, and what is in one of it.
    Shelf(Which, Option<String>),
    /// What these runs would meet and take.
    Form(Box<Sweep>),
}

/// The answers so far; each says what it answers.
#[derive(Debug, Clone, Default)]
pub struct Study {
    /// Models and data files.
    pub shelf: Option<Arc<Shelf>>,
    /// For the launch form.
    pub form: Option<Arc<FormFacts>>,
}

/// Answers until either channel closes.
pub fn serve(board: &Board, questions: &Receiver<Question>, out: &Sender<Message>) {
    let mut study = Study::default();
    let mut forms = FormStudy::default();
    while let Ok(mut question) = questions.recv() {
        while let Ok(newer) = questions.try_recv() {
            question = newer;
        }
        match question {
            Question::Shelf(which, name) => {
                study.shelf = Some(Arc::new(shelf::look(board, which, name)));
            }
            Question::Form(sweep) => study.form = Some(Arc::new(forms.answer(board, *sweep))),
        }
        if out.send(Message::Studied(Box::new(study.clone()))).is_err() {
            return;
        }
    }
}
