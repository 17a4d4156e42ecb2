//! Variables of a grid: names, dimensions, types and attributes.

use engine::error::Fault;
use engine::files::DataFile;

use super::Number;

/// A variable of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name, with the groups it is in: `obs/temp`.
    pub name: String,
    /// Its number among those of its source.
    pub place: usize,
    /// Its dimensions, the last one fastest. That of the characters of a text is left out.
    pub dimensions: Vec<Dimension>,
    /// What its values are.
    pub element: Element,
    /// Its attributes by name.
    pub attributes: Vec<(String, Attribute)>,
    /// What in it is not used, in words.
    pub remarks: Vec<String>,
    /// What the format writes where nothing was written, unless `_FillValue` says otherwise.
    pub unwritten: Option<f64>,
}

/// A dimension; two of one name and size are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// Its name, with the groups it is in.
    pub name: String,
    /// Its size.
    pub size: u64,
    /// Whether it may grow: files are joined along it.
    pub is_record: bool,
}

/// What the values of a variable are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// Numbers of a type.
    Number(Number),
    /// Texts.
    Text,
    /// What is not read, in words: `numbers of type enum`.
    Unread(String),
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// Numbers, and whether they are of single precision.
    Numbers(Vec<f64>, Precision),
}

/// The precision of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    Single,
    /// Any other type of number.
    Other,
}

impl Variable {
    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        let found = self.attributes.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value)
    }

    /// An attribute that is a text and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attribute(name)? {
            Attribute::Text(text) => {
                let text = text.trim_matches(['\0', ' ', '\n']);
                (!text.is_empty()).then_some(text)
            }
            Attribute::Numbers(..) => None,
        }
    }

    /// Its name without groups.
    pub fn leaf(&self) -> &str {
        leaf(&self.name)
    }

    /// How many values it has; at most 2^64 - 1.
    pub fn cells(&self) -> u64 {
        let sizes = self.dimensions.iter().map(|dimension| dimension.size);
        sizes.fold(1, u64::saturating_mul)
    }

    /// Whether it is the coordinate of a dimension: it has its name and no other dimension.
    pub fn is_axis_of(&self, dimension: &Dimension) -> bool {
        self.leaf().eq_ignore_ascii_case(leaf(&dimension.name))
            && self.dimensions.len() == 1
            && self.dimensions[0] == *dimension
    }
}

/// The last part of a path: `temp` of `obs/temp`.
pub fn leaf(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The variables of a file with all axes told apart: a variable with one dimension twice, such as
/// a covariance `cov(c, c)`, gets the dimensions `c` and `c_2`, and the coordinate `c` a twin
/// `c_2` with the same values.
pub fn complete(mut variables: Vec<Variable>) -> Vec<Variable> {
    let mut twins: Vec<Dimension> = Vec::new();
    let mut originals: Vec<Dimension> = Vec::new();
    for variable in &mut variables {
        for at in 1..variable.dimensions.len() {
            let own = variable.dimensions[at].clone();
            let same = variable.dimensions[..at].iter();
            let before = same.filter(|other| other.name == own.name).count();
            if before == 0 {
                continue;
            }
            // Those before it that were renamed are counted by their original names.
            let renamed = originals.iter().zip(&twins);
            let before_renamed = renamed
                .filter(|(original, twin)| {
                    original.name == own.name && variable.dimensions[..at].contains(twin)
                })
                .count();
            let twin = Dimension {
                name: format!("{}_{}", own.name, before + before_renamed + 1),
                ..own.clone()
            };
            if !twins.contains(&twin) {
                originals.push(own);
                twins.push(twin.clone());
            }
            variable.dimensions[at] = twin;
        }
    }
    for (original, twin) in originals.iter().zip(&twins) {
        let axis = variables.iter().find(|it| it.is_axis_of(original)).cloned();
        let is_taken = variables.iter().any(|it| it.name == twin.name);
        if let Some(axis) = axis.filter(|_| !is_taken) {
            variables.push(Variable {
                name: twin.name.clone(),
                dimensions: vec![twin.clone()],
                ..axis
            });
        }
    }
    variables
}

/// The complaint about a file that is not what it should be.
pub fn unreadable(file: &DataFile, error: &dyn std::fmt::Display) -> Fault {
    let text = error.to_string();
    let reason = text.lines().next().unwrap_or_default();
    let shown = file.path().display();
    Fault::at("file", format!("cannot read `{shown}` as netcdf: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, dimensions: &[&str]) -> Variable {
        Variable {
            name: name.to_owned(),
            place: 0,
            dimensions: dimensions
                .iter()
                .map(|name| Dimension {
                    name: (*name).to_owned(),
                    size: 3,
                    is_record: false,
                })
                .collect(),
            element: Element::Number(Number::F32),
            attributes: Vec::new(),
            remarks: Vec::new(),
            unwritten: None,
        }
    }

    #[test]
    fn a_dimension_that_comes_again_gets_a_name_and_a_coordinate() {
        let all = complete(vec![
            variable("c", &["c"]),
            variable("cov", &["c", "c", "c"]),
        ]);
        let shown: Vec<(&str, Vec<&str>)> = all
            .iter()
            .map(|it| {
                let dimensions = it.dimensions.iter().map(|d| d.name.as_str());
                (it.name.as_str(), dimensions.collect())
            })
            .collect();
        let expected = [
            ("c", vec!["c"]),
            ("cov", vec!["c", "c_2", "c_3"]),
            ("c_2", vec!["c_2"]),
            ("c_3", vec!["c_3"]),
        ];
        assert_eq!(shown, expected);
    }
}
