/// Which screen: its name, in lower case. Each screen's folder says what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenId(pub &'static str);

/// Those that other screens lead to.
impl ScreenId {
    /// The table of all runs.
    pub const RUNS: Self = Self("runs");
    /// One run.
    pub const RUN: Self = Self("run");
    /// Its confusion matrix.
    pub const CONFUSION: Self = Self("confusion");
    /// Queue and devices.
    pub const QUEUE: Self = Self("queue");
    /// The launch form.
    pub const LAUNCH: Self = Self("launch");
    /// The marked runs side by side.
    pub const COMPARE: Self = Self("compare");
    /// A sweep as a whole.
    pub const SWEEP: Self = Self("sweep");
    /// The log of one run, in full.
    pub const LOG: Self = Self("log");
    /// The texts behind its confusion matrix.
    pub const TEXTS: Self = Self("texts");
}

impl Default for ScreenId {
    fn default() -> Self {
        Self::RUNS
    }
}
