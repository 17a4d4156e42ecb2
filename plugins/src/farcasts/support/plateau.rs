//! The one rule by which learned farcasters are trained: until the loss on held-out weights no
//! longer falls, at ever smaller learning rates. No score of a forecast takes part.

use engine::error::Fault;
use engine::plugin::Context;

use super::adam::AdamOptions;

/// One drawn weight in this many is held out.
const HELD_OUT: usize = 10;

/// Fewer steps than this are not judged on their own, so that a small sample gets as many as a
/// large one.
const ROUND: usize = 50;

/// Rounds without progress before the learning rate falls.
const PATIENCE: usize = 10;

/// By what the learning rate is divided.
const FALL: f64 = 10.0;

/// The share of the learning rate below which training ends.
const LEAST: f64 = 5e-4;

/// What share of the loss must go for a round to count as progress.
const PROGRESS: f64 = 1e-4;

/// What is trained in passes over its examples.
pub trait Learner {
    /// One pass in minibatches, at this share of the learning rate.
    ///
    /// # Errors
    /// When the run is stopped.
    fn pass(&mut self, share: f64) -> Result<(), Fault>;

    /// The loss on what is held out.
    fn held_out_loss(&self) -> f64;

    /// Keeps the weights as the best so far.
    fn keep(&mut self);

    /// Goes back to the best weights, with a fresh optimiser.
    fn restart(&mut self);
}

/// Which examples are learned from, and which are held out.
pub fn divided(examples: usize) -> (Vec<usize>, Vec<usize>) {
    (0..examples).partition(|at| !is_held_out(*at))
}

/// Whether an example is held out.
pub fn is_held_out(example: usize) -> bool {
    example.is_multiple_of(HELD_OUT)
}

/// Trains a learner until nothing is left to gain, at most `epochs` passes, and leaves it at its
/// best; how many passes it took.
///
/// # Errors
/// Those of a pass.
pub fn train(
    learner: &mut impl Learner,
    examples: usize,
    options: AdamOptions,
    context: &Context,
) -> Result<usize, Fault> {
    let mut plateau = Plateau::new(learner.held_out_loss());
    learner.keep();
    let round = passes(examples, options.batch);
    let mut done = 0;
    while done < options.epochs {
        let round = round.min(options.epochs - done);
        for _ in 0..round {
            learner.pass(plateau.share)?;
        }
        done += round;
        let loss = learner.held_out_loss();
        context.progress(done as u64, options.epochs as u64, Some(loss));
        let (is_best, next) = plateau.judge(loss);
        if is_best {
            learner.keep();
        }
        match next {
            Next::On => {}
            Next::Slower => learner.restart(),
            Next::Stop => break,
        }
    }
    learner.restart();
    Ok(done)
}

/// How many passes over this many examples are judged together.
fn passes(examples: usize, batch: usize) -> usize {
    ROUND.div_ceil(examples.div_ceil(batch.max(1)).max(1))
}

/// The best loss so far, and how long ago there was progress.
#[derive(Clone, Debug)]
struct Plateau {
    best: f64,
    /// The loss at the last progress.
    mark: f64,
    since: usize,
    /// The share of the learning rate to go on at.
    share: f64,
}

/// What follows from a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Go on.
    On,
    /// Go back to the best weights and on at a smaller rate.
    Slower,
    /// Nothing is left to gain.
    Stop,
}

impl Plateau {
    fn new(loss: f64) -> Self {
        Self {
            best: loss,
            mark: loss,
            since: 0,
            share: 1.0,
        }
    }

    /// Judges a round by its loss on held-out weights: whether it is the best so far, and what
    /// follows.
    fn judge(&mut self, loss: f64) -> (bool, Next) {
        self.since += 1;
        let is_best = loss < self.best;
        if is_best {
            self.best = loss;
        }
        if loss < self.mark - PROGRESS * self.mark.abs() {
            self.mark = loss;
            self.since = 0;
        }
        if self.since < PATIENCE {
            return (is_best, Next::On);
        }
        self.since = 0;
        self.share /= FALL;
        match self.share < LEAST {
            true => (is_best, Next::Stop),
            false => (is_best, Next::Slower),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_until_nothing_is_left_to_gain() {
        let mut plateau = Plateau::new(1.0);
        assert_eq!(plateau.judge(0.5), (true, Next::On));
        // Ever better, but by less than counts.
        let losses = (1..=4 * PATIENCE).map(|round| 0.5 - 1e-7 * round as f64);
        let (best, next): (Vec<bool>, Vec<Next>) = losses.map(|loss| plateau.judge(loss)).unzip();
        assert!(best.iter().all(|best| *best));
        let slower: Vec<usize> = (0..next.len()).filter(|at| next[*at] != Next::On).collect();
        assert_eq!(slower, [9, 19, 29, 39]);
        assert_eq!((next[29], next[39]), (Next::Slower, Next::Stop));
    }

    #[test]
    fn small_samples_get_as_many_steps_as_large_ones() {
        assert_eq!(passes(245, 1024), ROUND);
        assert_eq!(passes(245, 32), 7);
        assert_eq!(passes(1_000_000, 32), 1);
    }

    /// One number that walks down `|x - 3|` in steps of the learning rate.
    struct Walker {
        at: f64,
        best: f64,
    }

    impl Learner for Walker {
        fn pass(&mut self, share: f64) -> Result<(), Fault> {
            self.at += 0.01 * share * (3.0 - self.at).signum();
            Ok(())
        }

        fn held_out_loss(&self) -> f64 {
            (self.at - 3.0).abs()
        }

        fn keep(&mut self) {
            self.best = self.at;
        }

        fn restart(&mut self) {
            self.at = self.best;
        }
    }

    #[test]
    fn training_goes_on_while_the_loss_falls_and_ends_at_its_best() {
        let options = AdamOptions {
            sample: 10,
            epochs: 100_000,
            batch: 10,
            rate: 1.0,
        };
        let mut walker = Walker { at: 0.0, best: 0.0 };
        let context = Context::alone("plateau");
        let passes = train(&mut walker, 10, options, &context).expect("a pass never fails");
        assert!((walker.at - 3.0).abs() < 1.1e-5, "{}", walker.at);
        assert!((300..10_000).contains(&passes), "{passes}");
        let few = AdamOptions {
            epochs: 70,
            ..options
        };
        let mut walker = Walker { at: 0.0, best: 0.0 };
        assert_eq!(train(&mut walker, 10, few, &context).expect("passes"), 70);
        assert!((walker.at - 0.7).abs() < 1e-9, "{}", walker.at);
    }
}
