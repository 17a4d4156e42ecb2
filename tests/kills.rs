//! Killed at random moments, whatever it is doing: what was recorded stays, what comes out is
//! what an undisturbed run gives.
//!
//! `FARCAST_KILLS` says how often (default 60), `FARCAST_KILL_SEED` at which moments.

use std::fs;
use std::time::{Duration, Instant};

use crate::executors::SWEEP;
use crate::farcast::Folder;
use crate::store::{age, cached, damage_one};

/// Small enough to be run for every kill, with an action of every sort: the sweep, and what is
/// before it.
fn experiments() -> [String; 2] {
    let plain = SWEEP.split_once("sweep ").map_or("", |(plain, _)| plain);
    [plain, SWEEP].map(|text| format!("{text}report page = page(skill)\n"))
}

/// A number that follows from the seed and how many were asked for.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `end`, after SplitMix64.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What is killed: the arguments, and what is done to the store before.
struct Victim {
    args: &'static [&'static str],
    /// Whether a seed nobody has run is set, so that there is much to do.
    is_new: bool,
    before: Before,
}

enum Before {
    Nothing,
    Aged,
    Damaged,
    Pinned,
}

const VICTIMS: [Victim; 12] = {
    use Before::{Aged, Damaged, Nothing, Pinned};
    const fn victim(args: &'static [&'static str], is_new: bool, before: Before) -> Victim {
        Victim {
            args,
            is_new,
            before,
        }
    }
    [
        victim(
            &["run", "it.farcast", "--quiet", "--tables", "--weights"],
            true,
            Nothing,
        ),
        victim(&["run", "sweep.farcast", "--quiet"], true, Nothing),
        victim(&["run", "it.farcast", "--json"], false, Nothing),
        victim(&["run", "it.farcast", "--quiet"], true, Damaged),
        victim(&["cache", "gc", "--only", "it.farcast"], false, Aged),
        victim(&["cache", "gc", "--max-size", "1"], false, Aged),
        victim(&["cache", "verify", "--repair"], false, Damaged),
        victim(&["cache", "pin", "last"], false, Nothing),
        victim(&["cache", "unpin", "NAME"], false, Pinned),
        victim(&["rerun", "last", "--fresh", "--quiet"], false, Nothing),
        victim(
            &["compare", "last~1", "last", "--html", "it.html"],
            false,
            Nothing,
        ),
        victim(&["report", "it.farcast"], false, Nothing),
    ]
};

/// A store that is killed upon, and the results of undisturbed runs.
struct Scene {
    folder: Folder,
    undisturbed: Folder,
    chance: Chance,
    /// The seed of the run that is pinned throughout is 0.
    seed: u64,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let [plain, sweep] = experiments();
        let scene = Self {
            folder: Folder::with(&plain),
            undisturbed: Folder::with(&plain),
            chance: Chance::new(seed),
            seed: 0,
        };
        for folder in [&scene.folder, &scene.undisturbed] {
            folder.write("sweep.farcast", &sweep);
        }
        scene.fine(&["run", "it.farcast", "--quiet"]);
        scene.fine(&["cache", "pin", "last"]);
        scene.fine(&["run", "it.farcast", "--quiet", "--set", "degree=2"]);
        scene
    }

    fn fine(&self, args: &[&str]) {
        let said = self.folder.farcast(args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
    }

    /// Kills one command somewhere on its way, and looks at what is left.
    fn kill(&mut self, number: u64) {
        let victim = &VICTIMS[number as usize % VICTIMS.len()];
        let mut args: Vec<String> = victim.args.iter().map(|arg| (*arg).to_owned()).collect();
        if victim.is_new {
            self.seed += 1;
            args.extend(["--set".to_owned(), format!("seed={}", self.seed)]);
        }
        match victim.before {
            Before::Nothing => {}
            Before::Aged => age(&self.folder.path(".farcast")),
            Before::Damaged => {
                // Not what is pinned: that is looked for afterwards.
                self.fine(&["run", "it.farcast", "--quiet", "--set", "degree=3"]);
                damage_one(&self.folder, &["it.farcast", "--set", "degree=3"]);
            }
            Before::Pinned => {
                self.fine(&["cache", "pin", "last"]);
                args[2] = self.last_pin();
            }
        }
        let pinned = cached(&self.folder, &["it.farcast"]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let moment = self.moment();
        let started = Instant::now();
        let mut child = self.folder.start(&args);
        while started.elapsed() < moment && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(300));
        }
        let _ = child.kill();
        child.wait().unwrap();
        let told = format!("kill {number} of {args:?} after {moment:?}");
        self.is_sound(&pinned, &told);
        if victim.is_new {
            self.ends_as_undisturbed(&args, &told);
        }
    }

    /// From the start of a process to the end of a run: most take 20 to 150 ms.
    fn moment(&mut self) -> Duration {
        let range = [20_000, 60_000, 200_000][self.chance.below(3) as usize];
        Duration::from_micros(self.chance.below(range))
    }

    fn last_pin(&self) -> String {
        let said = self.folder.farcast(&["cache", "ls"]);
        let mut pins = said
            .out
            .lines()
            .filter_map(|line| line.strip_prefix("pinned: "));
        pins.next_back().unwrap().to_owned()
    }

    /// What was pinned is still there, and whatever is found is whole.
    fn is_sound(&self, pinned: &[String], told: &str) {
        let verified = self.folder.farcast(&["cache", "verify"]);
        let is_damaged = verified.out.contains("damaged  ");
        assert!(
            verified.code == i32::from(is_damaged),
            "{told}: {verified:?}"
        );
        // What was damaged on purpose may still be, but nothing else.
        assert!(!verified.out.contains("missing  "), "{told}: {verified:?}");
        assert_eq!(cached(&self.folder, &["it.farcast"]), pinned, "{told}");
        let runs = self.folder.farcast(&["runs"]);
        assert_eq!((runs.code, runs.err.as_str()), (0, ""), "{told}");
        for file in ["out/it/run.json", "out/it-rerun/run.json"] {
            let text = fs::read(self.folder.path(file)).unwrap_or_else(|_| b"{}".to_vec());
            assert!(
                serde_json::from_slice::<serde_json::Value>(&text).is_ok(),
                "{told}"
            );
        }
    }

    /// The same again to its end gives the bytes that a run in a store of its own gives.
    fn ends_as_undisturbed(&self, args: &[&str], told: &str) {
        let name = args[1].strip_suffix(".farcast").unwrap();
        let scores = format!("out/{name}/scores.csv");
        let [again, alone] = [&self.folder, &self.undisturbed].map(|folder| {
            let said = folder.farcast(args);
            assert_eq!(said.code, 0, "{told}: {said:?}");
            folder.read(&scores)
        });
        assert!(again == alone, "{told}: other scores");
    }
}

fn variable(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn kills_at_random_moments_lose_nothing() {
    let mut scene = Scene::new(variable("FARCAST_KILL_SEED", 1));
    for number in 0..variable("FARCAST_KILLS", 60) {
        scene.kill(number);
    }
    let said = scene.folder.farcast(&["cache", "gc"]);
    assert_eq!(said.code, 0, "{said:?}");
    let left = fs::read_dir(scene.folder.path(".farcast/holds")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let runs: Vec<String> = left.filter(|name| name.starts_with("run-")).collect();
    assert!(runs.is_empty(), "holds of dead processes: {runs:?}");
}
