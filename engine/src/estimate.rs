//! How long a run still takes, from what its plugins took before.

use std::collections::BTreeMap;

/// The durations of actions by plugin, and how many are left.
#[derive(Clone, Debug, Default)]
pub struct Estimate {
    plugins: BTreeMap<String, Durations>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Durations {
    sum: f64,
    count: usize,
    left: usize,
}

impl Estimate {
    /// Notes that an action of this plugin is left to run.
    pub fn add_left(&mut self, plugin: &str) {
        self.of(plugin).left += 1;
    }

    /// Notes what an action took before this run.
    pub fn add_known(&mut self, plugin: &str, seconds: f64) {
        let durations = self.of(plugin);
        durations.sum += seconds;
        durations.count += 1;
    }

    /// Notes that an action has ended.
    pub fn end(&mut self, plugin: &str, seconds: f64) {
        let durations = self.of(plugin);
        durations.left = durations.left.saturating_sub(1);
        durations.sum += seconds;
        durations.count += 1;
    }

    /// The seconds that all that is left takes one after another; none before anything is known
    /// of an action that reads part of it.
    pub fn left(&self) -> Option<f64> {
        let left = self.plugins.values().filter(|it| it.left > 0);
        let seconds = left.map(|it| {
            let is_known = it.count > 0;
            is_known.then(|| it.sum / it.count as f64 * it.left as f64)
        });
        seconds.sum()
    }

    fn of(&mut self, plugin: &str) -> &mut Durations {
        self.plugins.entry(plugin.to_owned()).or_default()
    }
}

/// `about 3 min left`; nothing for less than two seconds.
pub fn left_text(seconds: f64) -> String {
    match seconds {
        ..2.0 => String::new(),
        ..90.0 => format!("about {seconds:.0} s left"),
        ..5400.0 => format!("about {:.0} min left", seconds / 60.0),
        _ => format!("about {:.1} h left", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_what_was() {
        let mut estimate = Estimate::default();
        for _ in 0..3 {
            estimate.add_left("mlp");
        }
        assert_eq!(estimate.left(), None);
        estimate.add_known("mlp", 2.0);
        assert_eq!(estimate.left(), Some(6.0));
        estimate.end("mlp", 4.0);
        assert_eq!(estimate.left(), Some(6.0));
        estimate.add_left("compare");
        assert_eq!(estimate.left(), None);
        estimate.end("compare", 1.0);
        estimate.end("mlp", 3.0);
        estimate.end("mlp", 3.0);
        assert_eq!(estimate.left(), Some(0.0));
    }

    #[test]
    fn the_time_left_is_said_in_the_unit_that_suits_it() {
        let texts = [1.0, 40.0, 300.0, 7200.0].map(left_text);
        let said = [
            "",
            "about 40 s left",
            "about 5 min left",
            "about 2.0 h left",
        ];
        assert_eq!(texts, said);
    }
}
