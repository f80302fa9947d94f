//! The background thread does what takes longer than a look into the database: it reads data sets, model
//! folders and predictions, and compares runs. It answers one [`Question`] at a time, always the newest.

mod choices;
mod compare;
mod form;
mod known;
mod scores;
mod start;
mod sweep;
mod texts;
mod together;

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use self::form::Forms;
use self::texts::Files;
use crate::board::Board;
use crate::spec::Sweep;

#[cfg(test)]
pub use choices::DataFile;
pub use choices::{Choices, Which, expanded, folder_of, short_name};
pub use compare::{CompareQuestion, Compared};
pub use form::{FormFacts, Twin};
pub use known::Known;
pub use scores::{Found, LabelLine, Other, ScoresAnswer, ScoresQuestion, TargetPoints, Two};
#[cfg(test)]
pub use scores::{found, of_words, other};
pub use start::Start;
pub use sweep::{SweepFacts, SweepQuestion};
pub use texts::{Filter, TextRow, Texts, TextsQuestion, export_texts};
pub use together::{TogetherAnswer, TogetherQuestion};

/// What a screen wants to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// Which models or data files the board or the folder that is typed has, or which columns the named file,
    /// and what is in the named one.
    Choices(Which, String, Option<String>),
    /// What an empty board has to begin with; asked anew after each number of things that were done for it.
    Start(u32),
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
    /// What runs of one setting say together.
    Together(TogetherQuestion),
}

/// The answers so far; each says what it answers.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// Models and data files.
    pub choices: Option<Arc<Choices>>,
    /// What there is to begin with.
    pub start: Option<Arc<Start>>,
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
    pub scores: Option<Arc<ScoresAnswer>>,
    /// What runs of one setting say together.
    pub together: Option<Arc<TogetherAnswer>>,
}

/// Answers until the channel closes, or until `out` returns false: nobody listens any more.
pub fn serve(board: &Board, questions: &Receiver<Question>, mut out: impl FnMut(Answers) -> bool) {
    let mut answers = Answers::default();
    let mut forms = Forms::default();
    let mut files = Files::default();
    while let Ok(mut question) = questions.recv() {
        while let Ok(newer) = questions.try_recv() {
            question = newer;
        }
        match question {
            Question::Choices(which, folder, name) => {
                answers.choices = Some(Arc::new(choices::look(board, which, &folder, name)));
            }
            Question::Start(_) => answers.start = Some(Arc::new(Start::of(board))),
            Question::Form(sweep) => answers.form = Some(Arc::new(forms.answer(board, *sweep))),
            Question::Compare(asked) => {
                let answer = Arc::new(compare::compared(board, &asked));
                answers.compared = Some((asked, answer));
            }
            Question::Sweep(asked) => {
                answers.sweep = Some((asked, Arc::new(sweep::sweep(board, asked))));
            }
            Question::Known => answers.known = Some(Arc::new(known::known(board))),
            Question::Texts(asked) => answers.texts = Some(Arc::new(files.texts(board, asked))),
            Question::Scores(asked) => {
                answers.scores = Some(Arc::new(scores::scores(&mut files, board, asked)));
            }
            Question::Together(asked) => {
                answers.together = Some(Arc::new(together::together(board, asked)));
            }
        }
        if !out(answers.clone()) {
            return;
        }
    }
}
