//! Which stages the time goes to by which a door is slower than the bare engine.
//!
//! ```text
//! gap          = what the door takes - what the bare engine takes, per vector or query
//! whole        = the gap, or 5% of the bare engine's time if that is more
//! share        = a stage's time / whole; the engine's stage counts by what it takes more than
//!                the bare engine
//! unexplained  = (what the door takes - the sum of all stages) / whole
//! ```
//! Every stage has clocks of its own, so what they miss or count twice shows.

use std::collections::BTreeMap;

use nearfield::Stage;

use super::leg::Stages;

/// The least that a gap is measured by, as a share of the bare engine's time.
const WHOLE_MIN: f64 = 0.05;

/// A gap and its parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attribution {
    /// Shares of the gap.
    pub(super) shares: BTreeMap<&'static str, f64>,
    pub(super) unexplained: f64,
}

/// Explains a door that takes `door_us` per vector, of which stages take `stages_us`, where the
/// bare engine takes `engine_us`.
pub(super) fn attribute(door_us: f64, stages_us: &Stages, engine_us: f64) -> Attribution {
    let whole = (door_us - engine_us).max(engine_us * WHOLE_MIN).max(1e-9);
    let mut shares = BTreeMap::new();
    for (stage, us) in Stage::ALL.into_iter().zip(stages_us) {
        let beyond = match stage {
            Stage::Engine => us - engine_us,
            _ => *us,
        };
        if *us > 0.0 {
            shares.insert(stage.as_str(), beyond / whole);
        }
    }
    Attribution {
        shares,
        unexplained: (door_us - stages_us.iter().sum::<f64>()) / whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(of: &[(Stage, f64)]) -> Stages {
        let mut stages = Stages::default();
        for (stage, us) in of {
            stages[*stage as usize] = *us;
        }
        stages
    }

    #[test]
    fn shares_and_what_is_unexplained_make_up_the_gap() {
        let stages = stages(&[
            (Stage::Engine, 1.2),
            (Stage::Send, 2.0),
            (Stage::Decode, 5.0),
        ]);
        let found = attribute(11.0, &stages, 1.0);
        assert!((found.shares["send"] - 0.2).abs() < 1e-9);
        assert!((found.shares["engine"] - 0.02).abs() < 1e-9);
        assert!((found.unexplained - 0.28).abs() < 1e-9);
        let sum = found.shares.values().sum::<f64>() + found.unexplained;
        assert!((sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn small_gaps_are_measured_by_a_share_of_the_engine() {
        let stages = stages(&[(Stage::Engine, 1.0), (Stage::Ffi, 0.005)]);
        let found = attribute(1.006, &stages, 1.0);
        assert!((found.unexplained - 0.02).abs() < 1e-9);
    }

    #[test]
    fn what_is_counted_twice_shows_as_less_than_nothing() {
        let stages = stages(&[(Stage::Send, 3.0), (Stage::Decode, 3.0)]);
        assert!(attribute(5.0, &stages, 1.0).unexplained < 0.0);
    }
}
