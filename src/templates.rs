//! The starters of `farcast new`.

/// A starter for one method: it needs no data of its own and runs anywhere in seconds.
pub struct Template {
    /// What `--from` calls it.
    pub name: &'static str,
    /// The experiment.
    pub text: &'static str,
}

macro_rules! template {
    ($name:literal, $file:literal) => {
        Template {
            name: $name,
            text: include_str!(concat!("../experiments/smoke/", $file)),
        }
    };
}

/// Every starter; the first is the default.
pub const TEMPLATES: &[Template] = &[
    template!("conditional", "starter.farcast"),
    template!("farcast", "farcast.farcast"),
    template!("know", "know.farcast"),
];
