//! `project(net, on: seen, basis: utilised, share: 99.9 %)`: weights in the directions that data use.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Input;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use faer::Mat;

use super::support::seen::{Seen, dense, eigen, leading, not_dense, second_moments};
use crate::networks::precise::matrices;
use crate::parents::{Parent, not_runnable};

words! {
    /// Which directions of weights are kept.
    pub enum Basis {
        /// Those in which inputs and outputs of the layer vary.
        Utilised = "utilised",
        /// Those in which the loss is curved.
        Curvature = "curvature",
    }
}

plugin! {
    /// The same networks with weights in the directions alone that rows of data use.
    ///
    /// Each dense layer has inputs `X` and outputs `O = X Wᵀ` on the rows. `utilised` takes the
    /// leading eigenvectors of `XᵀX` and of `OᵀO` that hold `share` of their eigenvalues: `W' = P_O W P_X`,
    /// with `P` the projections on them; a note says which part of the layer's rank that is. `curvature`
    /// takes the eigenvectors of `A = E[x xᵀ]` and of `G = E[g gᵀ]`, with `g` the gradient of a row's loss by
    /// the outputs (K-FAC, Martens and Grosse 2015), and keeps the entries of `U_Gᵀ W U_A` with
    /// the largest products of eigenvalues until these hold `share` of their sum: memorised rows are
    /// curved little, and go first. Biases stay. With `share: 100 %` all stays.
    ///
    /// ```farcast
    /// parent lean = project(net, on: seen, basis: utilised, share: 99 %)
    /// ```
    "project" version 1
    pub struct Project {
        /// The networks, of dense layers.
        parent: Input<Parent>;
        /// The rows; `curvature` needs the truth, too.
        on: Input<Dataset>;
        /// Which directions are kept.
        basis: Basis = "utilised";
        /// The share that these hold.
        share: f64, range("0..=1");
    }
}

impl Plugin for Project {
    type Output = Parent;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let bare = not_runnable(call, "parent");
        Vec::from_iter(bare.or_else(|| not_dense(call, "parent")))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        super::support::facts::one(call, &call.inputs("parent"), 1.0)
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let (network, layers) = dense(&self.parent, "parent")?;
        let seen = Seen::of(network, &self.on)?;
        let mut weights = self.parent.weights.clone();
        if self.share < 1.0 {
            let doubles: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let before = matrices(&layers.widths, &doubles);
            let inputs = seen.pass(&weights)?.inputs;
            let slopes = match self.basis {
                Basis::Utilised => None,
                Basis::Curvature => Some(seen.slope(&weights)?.by_sums),
            };
            let mut start = 0;
            for (at, (layer, inputs)) in before.iter().zip(&inputs).enumerate() {
                context.check_stop()?;
                let (made, said) = match &slopes {
                    None => utilised(&layer.weight, inputs, self.share)?,
                    // Those of a row, not of the mean.
                    Some(slopes) => {
                        let rows = faer::Scale(inputs.nrows() as f64);
                        curved(&layer.weight, inputs, &(&slopes[at] * rows), self.share)?
                    }
                };
                context.note(format!("layer {at}: {said}"));
                let (outputs, width) = (made.nrows(), made.ncols());
                for row in 0..outputs {
                    for column in 0..width {
                        weights[start + row * width + column] = made[(row, column)] as f32;
                    }
                }
                start += outputs * (width + 1);
            }
        }
        Ok(Parent::new(network.clone(), weights))
    }
}

/// `P_O W P_X`, and how much of the rank that is.
fn utilised(weight: &Mat<f64>, inputs: &Mat<f64>, share: f64) -> Result<(Mat<f64>, String), Fault> {
    let outputs = inputs * weight.transpose();
    let projection = |rows: &Mat<f64>| -> Result<(Mat<f64>, usize), Fault> {
        let (values, vectors) = eigen(&second_moments(rows))?;
        let kept = leading(&values, share);
        let vectors = vectors.subcols(0, kept);
        Ok((vectors * vectors.transpose(), kept))
    };
    let (of_inputs, from) = projection(inputs)?;
    let (of_outputs, to) = projection(&outputs)?;
    let rank = weight.nrows().min(weight.ncols());
    let said = format!(
        "{from} of {} directions of inputs and {to} of {} of outputs, {:.2} of the rank",
        weight.ncols(),
        weight.nrows(),
        from.min(to) as f64 / rank as f64
    );
    Ok((of_outputs * weight * of_inputs, said))
}

/// The entries in the eigenbases with the largest products of eigenvalues, and how many.
fn curved(
    weight: &Mat<f64>,
    inputs: &Mat<f64>,
    gradients: &Mat<f64>,
    share: f64,
) -> Result<(Mat<f64>, String), Fault> {
    let (of_inputs, u) = eigen(&second_moments(inputs))?;
    let (of_outputs, v) = eigen(&second_moments(gradients))?;
    let mut entries = v.transpose() * weight * &u;
    let mut places: Vec<(f64, usize, usize)> = Vec::new();
    for (row, of_output) in of_outputs.iter().enumerate() {
        let products = of_inputs.iter().enumerate();
        places.extend(products.map(|(column, of_input)| (of_output * of_input, row, column)));
    }
    places.sort_by(|a, b| b.0.total_cmp(&a.0));
    let products: Vec<f64> = places.iter().map(|(product, ..)| *product).collect();
    let kept = leading(&products, share);
    for (_, row, column) in &places[kept..] {
        entries[(*row, *column)] = 0.0;
    }
    let said = format!("{kept} of {} components", places.len());
    Ok((&v * entries * u.transpose(), said))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::data::support::testing::table;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{alignment, golden, parent};

    #[derive(Deserialize)]
    struct Golden {
        w: Vec<Vec<f64>>,
        inputs: Vec<Vec<f64>>,
        utilised_share: f64,
        k_inputs: usize,
        k_outputs: usize,
        utilised: Vec<Vec<f64>>,
        output_gradients: Vec<Vec<f64>>,
        curvature_share: f64,
        curvature_components: usize,
        curvature_kept: Vec<Vec<f64>>,
    }

    fn matrix(rows: &[Vec<f64>]) -> Mat<f64> {
        Mat::from_fn(rows.len(), rows[0].len(), |row, column| rows[row][column])
    }

    fn close(found: &Mat<f64>, expected: &[Vec<f64>]) {
        let expected = matrix(expected);
        let apart = (found - &expected).norm_max() / expected.norm_max();
        assert!(apart < 1e-12, "{apart}");
    }

    #[test]
    fn directions_are_those_of_the_golden_file() {
        let golden: Golden = golden(include_str!(
            "../../testdata/golden/weightspace/tensor.json"
        ));
        let (w, x) = (matrix(&golden.w), matrix(&golden.inputs));
        let (found, said) = utilised(&w, &x, golden.utilised_share).expect("directions");
        close(&found, &golden.utilised);
        let (from, to) = (golden.k_inputs, golden.k_outputs);
        assert!(said.starts_with(&format!("{from} of 4 directions of inputs and {to} of 6")));
        let gradients = matrix(&golden.output_gradients);
        let (found, said) = curved(&w, &x, &gradients, golden.curvature_share).expect("directions");
        close(&found, &golden.curvature_kept);
        assert_eq!(
            said,
            format!("{} of 24 components", golden.curvature_components)
        );
    }

    #[test]
    fn all_of_it_is_the_network_and_less_is_a_worse_one() {
        let golden = alignment();
        let net = parent(&golden.reference);
        let columns: Vec<Vec<f64>> = (0..3)
            .map(|at| golden.x.iter().map(|row| row[at]).collect())
            .collect();
        let data = table(&[
            ("y", &golden.y[..]),
            ("x0", &columns[0]),
            ("x1", &columns[1]),
            ("x2", &columns[2]),
        ]);
        let inputs = [("p", given(net.clone())), ("d", given(data))];
        for basis in ["utilised", "curvature"] {
            let run = |share: &str| {
                let text = format!("p, on: d, basis: {basis}, share: {share}");
                let project: Project = call(&text, &inputs);
                project
                    .run(&Context::alone("project"))
                    .expect("runs")
                    .weights
            };
            assert_eq!(run("1"), net.weights);
            // What no row uses may go without another output.
            let most = run("0.999999999999");
            let network = net.network.as_ref().expect("a network");
            let rows: Vec<f32> = golden.x.concat().into_iter().map(|it| it as f32).collect();
            let [before, after] = [&net.weights, &most].map(|it| network.evaluate(it, &rows, 12));
            let is_near = |(a, b): (&f32, &f32)| basis == "curvature" || (a - b).abs() < 1e-5;
            assert!(before.iter().zip(&after).all(is_near));
            assert_ne!(run("0.5"), net.weights);
        }
    }
}
