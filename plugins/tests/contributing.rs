//! The plugin of CONTRIBUTING.md: it compiles, runs, and is printed there unchanged.

use std::sync::Arc;

// begin
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Context, Plugin};
use plugins::subsets::Subsets;

plugin! {
    /// The rows below the mean of a column, and those above.
    ///
    /// ```farcast
    /// subset sides = halves(seen, by: z)
    /// ```
    "halves" version 1
    pub struct Halves {
        /// The rows to divide.
        data: Input<Dataset>;
        /// The column whose mean divides them.
        by: Column;
    }
}

impl Plugin for Halves {
    type Output = Subsets;

    fn run(self, _: &Context) -> Result<Subsets, Fault> {
        let values = self.data.values(&self.by.0)?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let rows = 0..values.len() as u32;
        let (above, below): (Vec<u32>, Vec<u32>) =
            rows.partition(|row| values[*row as usize] > mean);
        if below.is_empty() || above.is_empty() {
            return Err(Fault::at("by", "all rows are on one side of the mean"));
        }
        Ok(Subsets {
            rows: vec![below, above],
        })
    }
}
// end

use std::sync::Mutex;

use engine::executor::Threads;
use engine::graph::ActionId;
use engine::observer::{Ending, Observer};
use engine::outside::Disk;
use engine::run::Settings;
use engine::scheduler::OnFailure;
use engine::store::MemStore;
use engine::study::Study;

/// The names of the statements that ran.
#[derive(Default)]
struct Ran(Mutex<Vec<String>>);

impl Observer for Ran {
    fn ended(&self, _: ActionId, title: &str, ending: &Ending) {
        assert!(matches!(ending, Ending::Ran(_)), "{title}: {ending:?}");
        self.0.lock().unwrap().push(title.to_owned());
    }
}

#[test]
fn the_example_runs_beside_the_plugins_of_farcast() {
    let mut registry = plugins::registry();
    registry.plugin::<Halves>();
    assert_eq!(registry.validate(), Ok(()));
    let registry = Arc::new(registry);
    let world = Disk {
        registry: &registry,
    };
    let text = "
data all = synthetic(regime, rows: 300)
parent net = mlp(all, inputs: [x], target: y, hidden: [3], epochs: 1, members: 1)
subset sides = halves(all, by: z)
anomaly shift = finetune(net, sides, steps: 2)
";
    let study = Study::of_text("a.farcast", text, Vec::new(), Arc::clone(&registry), &world);
    let mut study = study.expect("a file without mistakes");
    let settings = Settings {
        on_failure: OnFailure::Stop,
        stop: Default::default(),
        host: "test".to_owned(),
    };
    let ran = Ran::default();
    let store = MemStore::default();
    let finished = study.run(&store, &Threads { jobs: 1 }, &ran, &settings);
    assert!(finished.is_ok());
    let mut titles = ran.0.into_inner().unwrap();
    titles.sort();
    assert_eq!(titles, ["all", "net[0]", "shift[0]", "sides"]);
}

#[test]
fn the_example_is_the_one_printed() {
    let own = include_str!("contributing.rs");
    let (_, code) = own.split_once("// begin\n").unwrap();
    let (code, _) = code.split_once("// end\n").unwrap();
    let page = include_str!("../../CONTRIBUTING.md");
    assert!(
        page.contains(code),
        "CONTRIBUTING.md shows other code than {}",
        file!()
    );
}
