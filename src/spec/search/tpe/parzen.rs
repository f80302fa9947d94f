use super::{Domain, Trial};
use crate::spec::search::{Draws, normal};

/// Trials that keep their full weight, the newest ones.
const FRESH: usize = 25;

/// One mixture over whole points. A trial's kernel is the product of its parameters' kernels; the last
/// kernel is the prior, which is flat or nearly so.
#[derive(Debug)]
pub(super) struct Mixture<'a> {
    space: &'a [Domain],
    /// Of each kernel; they sum to 1.
    pub weights: Vec<f64>,
    /// Of each parameter.
    pub kernels: Vec<Kernels>,
}

/// The kernels of one parameter, one for each trial and the prior last.
#[derive(Debug)]
pub(super) enum Kernels {
    /// Normal distributions, cut off at the ends of the span.
    Normal { centres: Vec<f64>, widths: Vec<f64> },
    /// The probability of each choice.
    Choice(Vec<Vec<f64>>),
}

impl<'a> Mixture<'a> {
    pub fn new(space: &'a [Domain], trials: &[&Trial]) -> Self {
        let mut weights = weights(trials.len());
        weights.push(1.0);
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        let kernels = space.iter().enumerate().map(|(i, domain)| {
            let values: Vec<f64> = trials.iter().map(|t| t.point[i]).collect();
            match domain {
                Domain::Choice(choices) => Kernels::Choice(rows(&values, *choices)),
                Domain::Number { .. } => normals(domain, &values),
            }
        });
        Self { space, weights, kernels: kernels.collect() }
    }

    /// The logarithm of the density (of the probability, for what lies on a grid or is a choice).
    pub fn log_density(&self, point: &[f64]) -> f64 {
        let mut logs: Vec<f64> = self.weights.iter().map(|w| w.ln()).collect();
        for ((domain, kernels), value) in self.space.iter().zip(&self.kernels).zip(point) {
            for (log, kernel) in logs.iter_mut().zip(kernels.log_densities(domain, *value)) {
                *log += kernel;
            }
        }
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if most == f64::NEG_INFINITY {
            return most;
        }
        most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
    }

    pub fn draw(&self, draws: &mut Draws) -> Vec<f64> {
        let component = draws.weighted(&self.weights);
        let parameters = self.space.iter().zip(&self.kernels);
        parameters.map(|(domain, kernels)| kernels.draw(component, domain, draws)).collect()
    }
}

/// Of so many trials: the newest 25 count in full, the older ones less, the oldest least.
fn weights(trials: usize) -> Vec<f64> {
    let old = trials.saturating_sub(FRESH);
    let lowest = 1.0 / trials.max(1) as f64;
    let ramp = |i: usize| match old {
        1 => lowest,
        _ => lowest + (1.0 - lowest) * i as f64 / (old - 1) as f64,
    };
    (0..trials).map(|i| if i < old { ramp(i) } else { 1.0 }).collect()
}

/// A trial's own choice is likelier than the others, the more so the more trials there are.
fn rows(values: &[f64], choices: usize) -> Vec<Vec<f64>> {
    let share = 1.0 / (values.len() + 1) as f64;
    let sum = 1.0 + share * choices as f64;
    let row = |value: &f64| -> Vec<f64> {
        let own = |choice: usize| if choice as f64 == *value { 1.0 } else { 0.0 };
        (0..choices).map(|choice| (share + own(choice)) / sum).collect()
    };
    let prior = vec![1.0 / choices as f64; choices];
    values.iter().map(row).chain([prior]).collect()
}

/// Each width is the larger of the gaps to the neighbours, within bounds that depend on how many there are.
fn normals(domain: &Domain, values: &[f64]) -> Kernels {
    let (low, high) = domain.span();
    let mut centres: Vec<f64> = values.iter().map(|value| domain.place(*value)).collect();
    let count = centres.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| centres[*a].total_cmp(&centres[*b]));
    let mut widths = vec![0.0; count];
    for (at, i) in order.iter().enumerate() {
        let centre = centres[*i];
        let before = if at == 0 { low } else { centres[order[at - 1]] };
        let after = order.get(at + 1).map_or(high, |next| centres[*next]);
        let (left, right) = (centre - before, after - centre);
        widths[*i] = match at {
            0 if count > 1 => right,
            _ if count > 1 && at + 1 == count => left,
            _ => left.max(right),
        };
    }
    let span = high - low;
    let least = span / (count as f64 + 2.0).min(100.0);
    for width in &mut widths {
        *width = width.clamp(least, span);
    }
    centres.push(f64::midpoint(low, high));
    widths.push(span);
    Kernels::Normal { centres, widths }
}

impl Kernels {
    /// Of one value under each kernel.
    fn log_densities(&self, domain: &Domain, value: f64) -> Vec<f64> {
        match self {
            Self::Choice(rows) => {
                let of =
                    |row: &Vec<f64>| row.get(value as usize).map_or(f64::NEG_INFINITY, |p| p.ln());
                rows.iter().map(of).collect()
            }
            Self::Normal { centres, widths } => {
                let (low, high) = domain.span();
                let x = domain.place(value);
                let cell = match *domain {
                    Domain::Number { log, step: Some(step), .. } => {
                        let place = |x: f64| if log { x.ln() } else { x };
                        Some((place(value - step / 2.0), place(value + step / 2.0)))
                    }
                    Domain::Number { .. } | Domain::Choice(_) => None,
                };
                let of = |(centre, width): (&f64, &f64)| {
                    let z = |x: f64| (x - centre) / width;
                    let whole = normal::log_mass(z(low), z(high));
                    let own = match cell {
                        Some((from, to)) => normal::log_mass(z(from), z(to)),
                        None => normal::log_density(z(x)) - width.ln(),
                    };
                    own - whole
                };
                centres.iter().zip(widths).map(of).collect()
            }
        }
    }

    /// A value from one kernel.
    fn draw(&self, component: usize, domain: &Domain, draws: &mut Draws) -> f64 {
        match self {
            Self::Choice(rows) => draws.weighted(&rows[component]) as f64,
            Self::Normal { centres, widths } => {
                let (low, high) = domain.span();
                // The centre lies in the span and the width is at most the span: every third draw or more
                // stays within it.
                for _ in 0..1000 {
                    let x = centres[component] + widths[component] * draws.normal();
                    if (low..=high).contains(&x) {
                        return domain.value(x);
                    }
                }
                domain.value(centres[component])
            }
        }
    }
}
