//! The parameters of learned farcasters: what they learn from, and how Adam trains them.

use engine::group;

group! {
    /// How a map from states to horizons is trained by minibatches.
    #[derive(Clone, Copy)]
    pub struct AdamOptions {
        /// How many weights are drawn to learn from.
        sample: usize = "65536", range("10..=10000000");
        /// Passes over what is drawn at most; training ends where the loss on held-out weights
        /// no longer falls.
        epochs: usize = "100000", range("1..=100000");
        /// Examples in a minibatch.
        batch: usize = "1024", range("1..=1000000");
        /// Learning rate of Adam.
        rate: f64 = "1e-3", range("0..");
    }
}
