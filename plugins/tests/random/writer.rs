//! Writes random calls that have the right types.

use dsl::signature::{Catalog, Makes, Param, Signature};
use dsl::types::{Kind, Over, Type};
use engine::plugin::Context;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// The files of the tests that a parameter can name, by plugin.
const FILES: [(&str, &[&str]); 9] = [
    ("align", &["testdata/symmetry.json"]),
    ("csv", &["testdata/tiny.csv"]),
    ("parquet", &["testdata/tiny.parquet"]),
    ("netcdf", &["testdata/tiny3.nc", "testdata/tiny4.nc"]),
    ("zarr", &["testdata/tiny.zarr.zip"]),
    ("idx", &["testdata/shapes-images-idx3-ubyte.gz"]),
    ("checkpoints", &["testdata/checkpoints/step-*.safetensors"]),
    ("nino", &["testdata/networks/nino_mlp_random.safetensors"]),
    ("known", &["testdata/networks/known_random.safetensors"]),
];

/// Parameters whose defaults make an experiment long; always written.
const COSTLY: [&str; 11] = [
    "rows", "epochs", "steps", "members", "count", "sample", "width", "hidden", "channels",
    "dense", "recur",
];

/// How deep calls are inside calls.
const DEEPEST: usize = 3;

/// Writes calls; equal seeds write equal ones.
pub struct Writer<'a> {
    catalog: &'a Catalog,
    /// Names of statements with their kinds.
    statements: &'a [(Kind, &'a str)],
    rng: Box<dyn Rng>,
}

impl<'a> Writer<'a> {
    pub fn new(catalog: &'a Catalog, statements: &'a [(Kind, &'a str)], seed: u64) -> Self {
        Self {
            catalog,
            statements,
            rng: Box::new(Context::alone(&seed.to_string()).rng("call")),
        }
    }

    /// A statement that calls a random plugin.
    pub fn statement(&mut self) -> String {
        let plugins = self
            .catalog
            .iter()
            .filter_map(|signature| match &signature.makes {
                Makes::Kinds(kinds) => Some((signature, kinds)),
                Makes::Value(_) => None,
            });
        let plugins: Vec<_> = plugins.collect();
        let (signature, kinds) = plugins[self.rng.random_range(0..plugins.len())];
        let kind = kinds[self.rng.random_range(0..kinds.len())];
        format!("{} d = {}\n", kind.keyword(), self.call(signature, 0))
    }

    fn call(&mut self, signature: &Signature, depth: usize) -> String {
        let mut args = Vec::new();
        for param in &signature.params {
            let is_needed = param.default.is_none() && !param.optional;
            let is_costly = COSTLY.contains(&param.name.as_str());
            if !is_needed && !is_costly && !self.rng.random_bool(0.3) {
                continue;
            }
            if let Some(value) = self.argument(signature, param, depth) {
                args.push(value);
            }
        }
        format!("{}({})", signature.name, args.join(", "))
    }

    fn argument(&mut self, signature: &Signature, param: &Param, depth: usize) -> Option<String> {
        if param.definitions {
            let formula = self.pick(&["mean(y)", "x + z", "std(x)", "y"]);
            return Some(format!("a = {formula}"));
        }
        if param.optional && param.name == "steps" && self.rng.random_bool(0.5) {
            return None;
        }
        let value = self.value(signature, param, &param.ty, depth)?;
        Some(format!("{}: {value}", param.name))
    }

    fn value(
        &mut self,
        signature: &Signature,
        param: &Param,
        ty: &Type,
        depth: usize,
    ) -> Option<String> {
        Some(match ty {
            Type::Int => self.whole(param).to_string(),
            Type::Float | Type::Quantity(_) => self.real(param),
            Type::Duration => "1 s".to_owned(),
            Type::Bool => self.pick(&["true", "false"]).to_owned(),
            Type::String => "\"a\"".to_owned(),
            Type::Path => {
                let files = FILES.iter().find(|(plugin, _)| *plugin == signature.name);
                format!("\"{}\"", self.pick(files?.1))
            }
            Type::Word(words) => words.choose(&mut self.rng)?.clone(),
            Type::List(inner) => {
                let count = *[0, 1, 1, 1, 1, 2, 2, 3].choose(&mut self.rng)?;
                let items: Option<Vec<String>> = (0..count)
                    .map(|_| self.value(signature, param, inner, depth))
                    .collect();
                format!("[{}]", items?.join(", "))
            }
            Type::Range(_) => {
                let first = self.rng.random_range(0..6);
                format!("{first}..={}", first + self.rng.random_range(0..8))
            }
            Type::Column => self.pick(&["x", "y", "z"]).to_owned(),
            Type::Formula(Over::Columns) => self.pick(&["x", "z", "x + z", "mean(y)"]).to_owned(),
            Type::Condition(Over::Columns) => self
                .pick(&["z > 0.5", "x > -1", "x < -9", "false"])
                .to_owned(),
            Type::Formula(Over::Coordinates) => {
                self.pick(&["step", "row + 1", "horizon"]).to_owned()
            }
            Type::Condition(Over::Coordinates) => self
                .pick(&["step > 2", "row == 0", "horizon >= 2", "subset < 3"])
                .to_owned(),
            Type::Formula(Over::Names(names)) => names.first()?.clone(),
            Type::Condition(Over::Names(names)) => format!("{} > 2", names.first()?),
            Type::Constructed(group) => {
                let makes = Makes::Value(group.clone());
                self.calls(|signature| signature.makes == makes, depth)?
            }
            Type::Kind(kind) => {
                let named: Vec<&str> = (self.statements.iter())
                    .filter(|(other, _)| other == kind)
                    .map(|(_, name)| *name)
                    .collect();
                let is_nested = depth < DEEPEST && self.rng.random_bool(0.3);
                match named.choose(&mut self.rng) {
                    Some(name) if !is_nested => (*name).to_owned(),
                    _ if depth >= DEEPEST => return None,
                    _ => {
                        let fits = |makes: &Makes| matches!(makes, Makes::Kinds(kinds) if kinds.contains(kind));
                        self.calls(|signature| fits(&signature.makes), depth)?
                    }
                }
            }
            Type::OneOf(types) => {
                let ty = types.choose(&mut self.rng)?;
                self.value(signature, param, ty, depth)?
            }
        })
    }

    /// A call of one of the signatures that fit.
    fn calls(&mut self, fits: impl Fn(&Signature) -> bool, depth: usize) -> Option<String> {
        let fitting: Vec<&Signature> = self.catalog.iter().filter(|it| fits(it)).collect();
        let signature = *fitting.choose(&mut self.rng)?;
        Some(self.call(signature, depth + 1))
    }

    fn whole(&mut self, param: &Param) -> i64 {
        let (least, most) = bounds(param);
        let (least, most) = (least.ceil() as i64, most.floor() as i64);
        let sizes = ["rows", "size", "sample", "batch"];
        let near = match sizes.contains(&param.name.as_str()) {
            true => [2, 10, 40, 100, 500],
            false => [0, 1, 2, 4, 8],
        };
        let value = near[self.rng.random_range(0..near.len())];
        value.clamp(least, most.max(least))
    }

    fn real(&mut self, param: &Param) -> String {
        let (least, most) = bounds(param);
        let value: f64 = *[0.0, 0.1, 0.5, 1.0, 2.0, 10.0]
            .choose(&mut self.rng)
            .unwrap();
        value.clamp(least, most.max(least)).to_string()
    }

    fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.rng.random_range(0..texts.len())]
    }
}

/// The ends of the declared range.
fn bounds(param: &Param) -> (f64, f64) {
    let range = param.range.as_deref().unwrap_or("..");
    let (least, most) = range.split_once("..").unwrap_or((range, range));
    let least = least.trim().parse().unwrap_or(-1.0);
    let most = most.trim_start_matches('=').trim().parse();
    (least, most.unwrap_or(1e9))
}
