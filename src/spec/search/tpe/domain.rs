use crate::spec::search::Draws;

/// What one parameter may be. A trial holds a number for each parameter: the value itself, or the place of
/// a choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// A number between two others, both included.
    Number {
        /// The lowest.
        low: f64,
        /// The highest.
        high: f64,
        /// Whether distances count as ratios.
        log: bool,
        /// The grid that it lies on, from `low` on; `None` = any number.
        step: Option<f64>,
    },
    /// One of that many choices without an order.
    Choice(usize),
}

impl Domain {
    /// A value, each as likely as the others.
    pub fn uniform(&self, draws: &mut Draws) -> f64 {
        match *self {
            Self::Choice(choices) => draws.below(choices) as f64,
            Self::Number { .. } => {
                let (low, high) = self.span();
                self.value(low + draws.unit() * (high - low))
            }
        }
    }

    /// The ends of the span that kernels live on: half a step beyond the ends, in log space where
    /// distances are ratios.
    pub(super) fn span(&self) -> (f64, f64) {
        match *self {
            Self::Number { low, high, log, step } => {
                let half = step.unwrap_or(0.0) / 2.0;
                let place = |x: f64| if log { x.ln() } else { x };
                (place(low - half), place(high + half))
            }
            Self::Choice(_) => (0.0, 1.0),
        }
    }

    /// A value's place in the span.
    pub(super) fn place(&self, value: f64) -> f64 {
        if matches!(self, Self::Number { log: true, .. }) { value.ln() } else { value }
    }

    /// The value at a place: on the grid and within the ends.
    pub(super) fn value(&self, place: f64) -> f64 {
        match *self {
            Self::Number { low, high, log, step } => {
                let x = if log { place.exp() } else { place };
                let x = step.map_or(x, |step| low + ((x - low) / step).round() * step);
                x.clamp(low, high)
            }
            Self::Choice(_) => place,
        }
    }
}
