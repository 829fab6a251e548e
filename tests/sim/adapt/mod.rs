//! What a forwarder that adapts must do, as a table of scenarios in virtual time: each a name, a story and figures with
//! limits. The tests and the bench `adapt` run the same rows.

mod call;
mod capacity;
mod hostile;
mod loss;
mod outage;
mod room;
mod sharing;
mod traces;
mod uplink;
mod wrap;

pub use traces::Traces;

use std::fmt;

/// One line of the table.
pub struct Row {
    pub name: &'static str,
    /// What happens, and what is wanted.
    pub about: &'static str,
    pub run: fn(&Context) -> Outcome,
    /// It takes long, so fewer seeds are enough.
    pub long: bool,
    /// It reads recordings, which are not part of the project.
    pub needs_traces: bool,
}

/// What a run may depend on.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub seed: u64,
    pub traces: &'a Traces,
}

pub const ROWS: &[Row] = &[
    capacity::STEPS,
    capacity::START,
    capacity::STEADY,
    capacity::JITTER,
    sharing::TWO_FLOWS,
    sharing::AGAINST_TCP,
    loss::LOSS_2,
    loss::LOSS_10,
    loss::LOSS_30,
    loss::LOSS_50,
    outage::SHORT,
    outage::LONG,
    outage::LONGER,
    traces::CAPACITY,
    traces::LOSS,
    traces::ARRIVAL,
    uplink::LOSS_30,
    uplink::NARROW,
    uplink::FADES,
    uplink::POLICER,
    room::ISOLATION,
    room::LAYERS_ON_DEMAND,
    hostile::FEEDBACK,
    hostile::REQUESTS,
    wrap::WRAP,
];

pub fn by_name(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// Only told.
    Told,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// With its unit last.
    pub name: String,
    pub value: f64,
    pub limit: Limit,
}

impl Figure {
    pub fn is_met(&self) -> bool {
        match self.limit {
            Limit::AtMost(most) => self.value <= most,
            Limit::AtLeast(least) => self.value >= least,
            Limit::Told => true,
        }
    }

    /// The worse of two runs.
    pub fn worse(self, other: Self) -> Self {
        let other_is_worse = match self.limit {
            Limit::AtMost(_) | Limit::Told => other.value > self.value,
            Limit::AtLeast(_) => other.value < self.value,
        } || other.value.is_nan();
        if other_is_worse { other } else { self }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, limit } = self;
        match limit {
            Limit::AtMost(most) => write!(f, "{name} {value:.2} (at most {most})"),
            Limit::AtLeast(least) => write!(f, "{name} {value:.2} (at least {least})"),
            Limit::Told => write!(f, "{name} {value:.2}"),
        }?;
        f.write_str(if self.is_met() { "" } else { "  <-- missed" })
    }
}

/// What one run of a row found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub figures: Vec<Figure>,
}

impl Outcome {
    fn at_most(&mut self, name: impl Into<String>, value: f64, most: f64) {
        self.figures.push(Figure { name: name.into(), value, limit: Limit::AtMost(most) });
    }

    fn at_least(&mut self, name: impl Into<String>, value: f64, least: f64) {
        self.figures.push(Figure { name: name.into(), value, limit: Limit::AtLeast(least) });
    }

    fn told(&mut self, name: impl Into<String>, value: f64) {
        self.figures.push(Figure { name: name.into(), value, limit: Limit::Told });
    }

    pub fn is_met(&self) -> bool {
        self.figures.iter().all(Figure::is_met)
    }

    /// Figure by figure the worse of both.
    pub fn worse(self, other: Self) -> Self {
        let pairs = self.figures.into_iter().zip(other.figures);
        Self { figures: pairs.map(|(one, two)| one.worse(two)).collect() }
    }
}

impl Row {
    /// Runs it once for each seed; the worst of each figure, after `each` has seen every run.
    pub fn run_all(&self, seeds: &[u64], traces: &Traces, mut each: impl FnMut(u64, &Outcome)) -> Outcome {
        let outcomes = seeds.iter().map(|&seed| {
            let outcome = (self.run)(&Context { seed, traces });
            each(seed, &outcome);
            outcome
        });
        outcomes.reduce(Outcome::worse).unwrap_or_default()
    }
}
