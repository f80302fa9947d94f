//! What the end of a trainer means for its run. Pure.

use crate::events::Ending;
use crate::spec::{Desired, Outcome};

use super::exit::Exit;
use super::process::{is_crash, signal_name};

/// A run is given up after so many resumes without another complete epoch. The number is high because a
/// run that is killed from outside is not to blame, and a slow epoch meets more than one such moment.
const RESUMES: u32 = 20;

/// The same for a run that the kernel kills for memory: it will happen again, and next time the kernel may
/// choose another process.
const MEMORY_RESUMES: u32 = 2;

/// All that is known of how a trainer ended.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// What the user wants of the run.
    pub desired: Desired,
    /// How the process ended.
    pub exit: Exit,
    /// The trainer's own last word, with its reason.
    pub said: Option<(Ending, String)>,
    /// True if the runner had asked it to end.
    pub asked: bool,
    /// True if the kernel has killed processes for memory meanwhile.
    pub memory: bool,
    /// That it was to be pruned.
    pub cut: Option<Outcome>,
    /// How often the run was resumed by itself since it last completed an epoch.
    pub resumes: u32,
}

/// What becomes of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is over. The last lines of a failure are the caller's to add.
    Over(Outcome),
    /// Back into the queue, as the user wants it.
    Queue,
    /// Back into the queue, to go on from its last checkpoint, for this reason.
    Resume(String),
}

impl End {
    /// The trainer's own word counts most, then what the user wanted, then how the process ended: one
    /// that ended by itself has failed, one that was killed goes on.
    pub(super) fn verdict(&self) -> Verdict {
        let failed =
            |why: String| Verdict::Over(Outcome::Failed { why, last_lines: String::new() });
        match (&self.said, self.exit) {
            (Some((Ending::Done, _)), _) => Verdict::Over(Outcome::Done),
            (Some((Ending::Failed, why)), _) => failed(why.clone()),
            (Some((Ending::Stopped, _)), _) => self.as_desired("it was asked to stop from outside"),
            (None, Exit::Code(code)) if code != 0 || !self.asked => {
                failed(format!("The trainer ended with exit code {code} and did not say why."))
            }
            (None, Exit::Signal(signal)) if is_crash(signal) => {
                failed(format!("The trainer crashed ({}).", signal_name(signal)))
            }
            (None, Exit::Signal(signal)) => {
                let memory = if self.memory {
                    "; the kernel has killed a process for lack of memory meanwhile"
                } else {
                    ""
                };
                self.as_desired(&format!("it was killed by {}{memory}", signal_name(signal)))
            }
            (None, Exit::Code(_) | Exit::Vanished) => {
                self.as_desired("its process vanished without a word (killed, or a reboot)")
            }
        }
    }

    /// For ends that are not the run's own: it does what the user wants of it.
    fn as_desired(&self, why: &str) -> Verdict {
        let limit = if self.memory { MEMORY_RESUMES } else { RESUMES };
        match self.desired {
            Desired::Stop => Verdict::Over(Outcome::Stopped),
            Desired::Hold => Verdict::Queue,
            Desired::Run if let Some(cut) = &self.cut => Verdict::Over(cut.clone()),
            // Asked, and then the user thought better of it.
            Desired::Run if self.asked => Verdict::Queue,
            Desired::Run if self.resumes < limit => Verdict::Resume(why.to_owned()),
            Desired::Run => Verdict::Over(Outcome::Lost {
                why: format!(
                    "The trainer ended before its time: {why}. It was resumed {limit} times and \
                     completed no further epoch."
                ),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end() -> End {
        End {
            desired: Desired::Run,
            exit: Exit::Signal(libc::SIGKILL),
            said: None,
            asked: false,
            memory: false,
            cut: None,
            resumes: 0,
        }
    }

    fn word(end: &End) -> String {
        match end.verdict() {
            Verdict::Over(outcome) => outcome.word().to_owned(),
            Verdict::Queue => "queue".to_owned(),
            Verdict::Resume(_) => "resume".to_owned(),
        }
    }

    #[test]
    fn the_trainers_word_counts_most() {
        for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(libc::SIGSEGV), Exit::Vanished] {
            for desired in [Desired::Run, Desired::Hold, Desired::Stop] {
                let said = |ending| Some((ending, "why".to_owned()));
                assert_eq!(word(&End { exit, desired, said: said(Ending::Done), ..end() }), "done");
                assert_eq!(
                    word(&End { exit, desired, said: said(Ending::Failed), ..end() }),
                    "failed"
                );
            }
        }
    }

    #[test]
    fn a_stopped_trainer_does_what_the_user_wanted() {
        let said = Some((Ending::Stopped, String::new()));
        for (desired, asked, want) in [
            (Desired::Stop, true, "stopped"),
            (Desired::Hold, true, "queue"),
            (Desired::Run, true, "queue"),
            (Desired::Run, false, "resume"),
        ] {
            assert_eq!(word(&End { desired, asked, said: said.clone(), ..end() }), want);
            // Killed after the grace, or before it could say so.
            assert_eq!(word(&End { desired, asked, ..end() }), want);
        }
    }

    #[test]
    fn one_that_was_pruned_is_unless_it_was_done_or_its_user_wanted_otherwise() {
        let cut = Some(Outcome::Pruned(crate::spec::PrunedAt::default()));
        let end = End { cut, asked: true, ..end() };
        assert_eq!(word(&end), "pruned");
        let said = |ending| Some((ending, String::new()));
        assert_eq!(word(&End { said: said(Ending::Stopped), ..end.clone() }), "pruned");
        assert_eq!(word(&End { said: said(Ending::Done), ..end.clone() }), "done");
        assert_eq!(word(&End { desired: Desired::Stop, ..end.clone() }), "stopped");
        assert_eq!(word(&End { desired: Desired::Hold, ..end }), "queue");
    }

    #[test]
    fn one_that_ends_by_itself_has_failed() {
        for exit in [Exit::Code(0), Exit::Code(1), Exit::Code(2), Exit::Signal(libc::SIGSEGV)] {
            assert_eq!(word(&End { exit, ..end() }), "failed", "{exit:?}");
        }
        assert_eq!(word(&End { exit: Exit::Code(1), asked: true, ..end() }), "failed");
    }

    #[test]
    fn one_that_was_killed_goes_on_until_it_is_hopeless() {
        for exit in [Exit::Signal(libc::SIGKILL), Exit::Signal(libc::SIGHUP), Exit::Vanished] {
            assert_eq!(word(&End { exit, resumes: RESUMES - 1, ..end() }), "resume");
            assert_eq!(word(&End { exit, resumes: RESUMES, ..end() }), "lost");
        }
        assert_eq!(word(&End { memory: true, resumes: MEMORY_RESUMES, ..end() }), "lost");
        let Verdict::Resume(why) = (End { memory: true, ..end() }).verdict() else { panic!() };
        assert!(why.contains("SIGKILL") && why.contains("memory"), "{why}");
    }
}
