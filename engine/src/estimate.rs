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

    /// The plugins of actions that are left of which nothing is known.
    pub fn unknown(&self) -> Vec<String> {
        let plugins = self.plugins.iter();
        let unknown = plugins.filter(|(_, it)| it.left > 0 && it.count == 0);
        unknown.map(|(plugin, _)| plugin.clone()).collect()
    }

    /// The time that all that is left takes, one action after another; none before anything is
    /// known of any of it.
    pub fn left(&self) -> Option<Left> {
        let left = || self.plugins.values().filter(|it| it.left > 0);
        let known = || left().filter(|it| it.count > 0);
        if known().next().is_none() && left().next().is_some() {
            return None;
        }
        Some(Left {
            seconds: known()
                .map(|it| it.sum / it.count as f64 * it.left as f64)
                .sum(),
            is_all: known().count() == left().count(),
        })
    }

    fn of(&mut self, plugin: &str) -> &mut Durations {
        self.plugins.entry(plugin.to_owned()).or_default()
    }
}

/// How long a run still takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Left {
    /// The seconds of what is known.
    pub seconds: f64,
    /// Whether that is all of it.
    pub is_all: bool,
}

impl Left {
    /// The same when as many actions run at once.
    pub fn shared(self, running: usize) -> Self {
        let seconds = self.seconds / running.max(1) as f64;
        Self { seconds, ..self }
    }

    /// The same some seconds later.
    pub fn after(self, seconds: f64) -> Self {
        let seconds = (self.seconds - seconds).max(0.0);
        Self { seconds, ..self }
    }

    /// `about 3 min left`, `more than 3 min left`; nothing for less than two seconds.
    pub fn text(self) -> String {
        let about = if self.is_all { "about" } else { "more than" };
        match self.seconds {
            ..2.0 => String::new(),
            seconds @ ..90.0 => format!("{about} {seconds:.0} s left"),
            seconds @ ..5400.0 => format!("{about} {:.0} min left", seconds / 60.0),
            seconds => format!("{about} {:.1} h left", seconds / 3600.0),
        }
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
        let all = |seconds| Left {
            seconds,
            is_all: true,
        };
        assert_eq!(estimate.left(), Some(all(6.0)));
        estimate.end("mlp", 4.0);
        assert_eq!(estimate.left(), Some(all(6.0)));
        estimate.add_left("compare");
        assert_eq!(estimate.unknown(), ["compare"]);
        let known = Left {
            is_all: false,
            ..all(6.0)
        };
        assert_eq!(estimate.left(), Some(known));
        estimate.end("compare", 1.0);
        estimate.end("mlp", 3.0);
        estimate.end("mlp", 3.0);
        assert_eq!(estimate.left(), Some(all(0.0)));
    }

    #[test]
    fn the_time_left_is_said_in_the_unit_that_suits_it() {
        let text = |is_all| {
            move |seconds| {
                let left = Left { seconds, is_all };
                left.text()
            }
        };
        let texts = [1.0, 40.0, 300.0, 7200.0].map(text(true));
        assert_eq!(text(false)(40.0), "more than 40 s left");
        let later = Left {
            seconds: 40.0,
            is_all: true,
        };
        assert_eq!(later.shared(2).after(5.0).text(), "about 15 s left");
        assert_eq!(later.after(50.0).text(), "");
        let said = [
            "",
            "about 40 s left",
            "about 5 min left",
            "about 2.0 h left",
        ];
        assert_eq!(texts, said);
    }
}
