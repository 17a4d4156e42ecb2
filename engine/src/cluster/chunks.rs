//! Cuts what is left to run into chunks, each the work of one job, in waves: a chunk reads results of
//! its own and of earlier waves.
//!
//! ```text
//! wave 0   [data seen unseen]
//! wave 1   [net[0] shift[0] drift[0]]  [net[1] shift[1] drift[1]]  …     one member or point together
//! wave 2   [score page]
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How long an action of a plugin is taken to run that nobody has seen running, in seconds.
pub const UNKNOWN: f64 = 60.0;

/// As many arrays as are ever submitted for one order; chunks get longer to keep it.
const MOST_ARRAYS: usize = 150;

/// What cutting needs of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What its job needs: actions of different classes are in different jobs.
    pub class: String,
    /// The point of a sweep that it belongs to.
    pub point: String,
    /// Its member.
    pub member: Option<u32>,
    /// What it reads, as places among the tasks, all before its own.
    pub inputs: Vec<usize>,
    /// How long it is expected to run.
    pub seconds: f64,
}

/// How to cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How long a chunk should run, in seconds.
    pub aim: f64,
    /// The largest number of chunks in an array.
    pub max_array: usize,
}

/// Chunks that need the same and wait for the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Array {
    /// It starts when all arrays of earlier waves have ended.
    pub wave: usize,
    /// What its jobs need.
    pub class: String,
    /// The number of its first chunk; chunks count from 1 through all arrays.
    pub first: usize,
    /// The actions of each chunk, in the order of the graph.
    pub chunks: Vec<Vec<usize>>,
}

impl Array {
    /// The number of its last chunk.
    pub fn last(&self) -> usize {
        self.first + self.chunks.len() - 1
    }
}

/// Cuts the tasks in `left` into arrays, in the order of their waves. Those in `alone` share their
/// chunk only with what must be run with them.
pub fn cut(
    tasks: &[Task],
    left: &BTreeSet<usize>,
    alone: &BTreeSet<usize>,
    limits: Limits,
) -> Vec<Array> {
    let mut limits = limits;
    loop {
        let arrays = cut_once(tasks, left, alone, limits);
        // Where chains alone need more, longer chunks do not help for ever.
        if arrays.len() <= MOST_ARRAYS || limits.aim > 1e9 {
            return arrays;
        }
        limits.aim *= 2.0;
    }
}

fn cut_once(
    tasks: &[Task],
    left: &BTreeSet<usize>,
    alone: &BTreeSet<usize>,
    limits: Limits,
) -> Vec<Array> {
    let groups = grouped(tasks, left, limits.aim);
    let mut packed: BTreeMap<(usize, &str), Vec<(f64, Vec<usize>)>> = BTreeMap::new();
    for group in groups {
        let class = tasks[group.tasks[0]].class.as_str();
        let chunks = packed.entry((group.wave, class)).or_default();
        let is_alone = group.tasks.iter().any(|task| alone.contains(task));
        match chunks.last_mut() {
            Some((seconds, chunk)) if !is_alone && *seconds + group.seconds <= limits.aim => {
                *seconds += group.seconds;
                chunk.extend(group.tasks);
            }
            // Nothing is packed behind one that is alone.
            _ if is_alone => chunks.push((f64::INFINITY, group.tasks)),
            _ => chunks.push((group.seconds, group.tasks)),
        }
    }
    let mut arrays = Vec::new();
    let mut first = 1;
    for ((wave, class), chunks) in packed {
        let mut chunks: Vec<Vec<usize>> = chunks.into_iter().map(|(_, chunk)| chunk).collect();
        chunks.iter_mut().for_each(|chunk| chunk.sort_unstable());
        for chunks in chunks.chunks(limits.max_array.max(1)) {
            arrays.push(Array {
                wave,
                class: class.to_owned(),
                first,
                chunks: chunks.to_vec(),
            });
            first += chunks.len();
        }
    }
    arrays
}

/// Tasks that must be in one chunk.
struct TaskGroup {
    wave: usize,
    seconds: f64,
    tasks: Vec<usize>,
}

/// The groups, each chain with what it continues while that is short enough, in the order of
/// their first tasks.
fn grouped(tasks: &[Task], left: &BTreeSet<usize>, aim: f64) -> Vec<TaskGroup> {
    let mut groups: Vec<Option<TaskGroup>> = Vec::new();
    let mut place: BTreeMap<usize, usize> = BTreeMap::new();
    let all: f64 = left.iter().map(|task| tasks[*task].seconds).sum();
    let mut classes = left.iter().map(|task| &tasks[*task].class);
    let first = classes.next();
    let is_one_class = classes.all(|class| Some(class) == first);
    if is_one_class && all <= aim && !left.is_empty() {
        let tasks = left.iter().copied().collect();
        return vec![TaskGroup {
            wave: 0,
            seconds: all,
            tasks,
        }];
    }
    for &id in left {
        let task = &tasks[id];
        let read: BTreeSet<usize> = { task.inputs.iter() }
            .filter_map(|input| place.get(input).copied())
            .collect();
        let wave_of = |group: &usize| groups[*group].as_ref().map_or(0, |group| group.wave);
        let wave = read.iter().map(wave_of).max().unwrap_or(0);
        let last: BTreeSet<usize> = read.into_iter().filter(|it| wave_of(it) == wave).collect();
        let continues = { task.inputs.iter() }
            .filter(|input| place.get(input).is_some_and(|group| last.contains(group)))
            .all(|input| goes_with(&tasks[*input], task));
        let seconds: f64 = { last.iter() }
            .filter_map(|group| groups[*group].as_ref())
            .map(|group| group.seconds)
            .sum();
        let home = last.first().copied();
        let is_short = continues && seconds + task.seconds <= aim;
        let Some(home) = home.filter(|_| is_short) else {
            place.insert(id, groups.len());
            groups.push(Some(TaskGroup {
                wave: wave + usize::from(!last.is_empty()),
                seconds: task.seconds,
                tasks: vec![id],
            }));
            continue;
        };
        let mut moved: Vec<usize> = vec![id];
        for group in last.range(home + 1..) {
            moved.extend(groups[*group].take().into_iter().flat_map(|it| it.tasks));
        }
        for task in &moved {
            place.insert(*task, home);
        }
        if let Some(group) = &mut groups[home] {
            group.seconds = seconds + task.seconds;
            group.tasks.extend(moved);
        }
    }
    groups.into_iter().flatten().collect()
}

/// Whether a task may be in the chunk of one that it reads: it goes on with the same member and
/// point, or gathers several. What many members share must not wait in the chunk of one of them.
fn goes_with(input: &Task, task: &Task) -> bool {
    let is_same_member = task.member.is_none() || task.member == input.member;
    let is_same_point = task.point.is_empty() || task.point == input.point;
    task.class == input.class && is_same_member && is_same_point
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(point: &str, member: Option<u32>, inputs: &[usize], seconds: f64) -> Task {
        Task {
            class: String::new(),
            point: point.to_owned(),
            member,
            inputs: inputs.to_vec(),
            seconds,
        }
    }

    /// Data, two parents each with an anomaly, and a score of both.
    fn ensemble(seconds: f64) -> Vec<Task> {
        vec![
            task("", None, &[], 1.0),
            task("", None, &[0], 1.0),
            task("", Some(0), &[1], seconds),
            task("", Some(1), &[1], seconds),
            task("", Some(0), &[2], seconds),
            task("", Some(1), &[3], seconds),
            task("", None, &[4, 5], 2.0),
        ]
    }

    const LIMITS: Limits = Limits {
        aim: 1200.0,
        max_array: 1000,
    };

    fn waves(tasks: &[Task], left: &[usize], limits: Limits) -> Vec<(usize, Vec<Vec<usize>>)> {
        let left = left.iter().copied().collect();
        let arrays = cut(tasks, &left, &BTreeSet::new(), limits);
        arrays.into_iter().map(|it| (it.wave, it.chunks)).collect()
    }

    #[test]
    fn a_member_is_a_chunk_and_what_gathers_them_the_next_wave() {
        let found = waves(&ensemble(600.0), &[0, 1, 2, 3, 4, 5, 6], LIMITS);
        let expected = [
            (0, vec![vec![0, 1]]),
            (1, vec![vec![2, 4], vec![3, 5]]),
            (2, vec![vec![6]]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_short_is_one_chunk() {
        let found = waves(&ensemble(10.0), &[0, 1, 2, 3, 4, 5, 6], LIMITS);
        assert_eq!(found, [(0, vec![vec![0, 1, 2, 3, 4, 5, 6]])]);
    }

    #[test]
    fn only_what_is_left_is_cut_and_long_chains_are_continued_in_the_next_wave() {
        let found = waves(&ensemble(1000.0), &[3, 4, 5, 6], LIMITS);
        let expected = [(0, vec![vec![3], vec![4]]), (1, vec![vec![5, 6]])];
        assert_eq!(found, expected);
    }

    #[test]
    fn small_ones_are_packed_and_large_arrays_divided() {
        let tasks: Vec<Task> = (0..50)
            .map(|at| task(&format!("p={at}"), None, &[], 100.0))
            .collect();
        let left: Vec<usize> = (0..50).collect();
        let limits = Limits {
            max_array: 3,
            ..LIMITS
        };
        let sizes: Vec<Vec<usize>> = waves(&tasks, &left, limits)
            .iter()
            .map(|(_, chunks)| chunks.iter().map(Vec::len).collect())
            .collect();
        assert_eq!(sizes, [vec![12, 12, 12], vec![12, 2]]);
        let alone = BTreeSet::from([1]);
        let arrays = cut(&tasks, &(0..4).collect(), &alone, LIMITS);
        // All four are short enough to be one chunk together.
        assert_eq!(arrays[0].chunks.len(), 1);
        let short = Limits {
            aim: 300.0,
            ..LIMITS
        };
        let arrays = cut(&tasks, &(0..4).collect(), &alone, short);
        assert_eq!(arrays[0].chunks, [vec![0], vec![1], vec![2, 3]]);
    }

    #[test]
    fn what_needs_other_machines_is_another_array() {
        let mut tasks = ensemble(10.0);
        for at in [4, 5] {
            tasks[at].class = "finetune".to_owned();
        }
        let left = (0..7).collect();
        let arrays = cut(&tasks, &left, &BTreeSet::new(), LIMITS);
        let found: Vec<(usize, &str, usize)> = arrays
            .iter()
            .map(|it| (it.wave, it.class.as_str(), it.chunks.len()))
            .collect();
        let expected = [(0, "", 1), (1, "", 1), (2, "finetune", 1), (3, "", 1)];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_number_of_arrays_is_bounded() {
        let tasks: Vec<Task> = (0..2000).map(|_| task("", None, &[], 5000.0)).collect();
        let limits = Limits {
            max_array: 2,
            ..LIMITS
        };
        let arrays = cut(&tasks, &(0..2000).collect(), &BTreeSet::new(), limits);
        assert!(arrays.len() <= MOST_ARRAYS);
        let count: usize = arrays.iter().map(|it| it.chunks.len()).sum();
        assert_eq!(arrays.last().unwrap().last(), count);
    }
}
