//! The graph of an experiment for people: statements as boxes, references as arrows.
//!
//! A call inside an argument is part of the statement it stands in, and the instances of a
//! statement at the points of a sweep are one box with `×N`.

mod layout;
mod svg;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dsl::experiment::Experiment;
use dsl::types::Kind;

use crate::graph::references;

pub use svg::svg;

/// One statement.
struct Statement {
    name: String,
    kind: Kind,
    /// The statement's plugin, then those of the calls inside it.
    plugins: Vec<String>,
    /// At how many points of a sweep it stands.
    points: usize,
}

impl Statement {
    /// Its name, and how many it stands for.
    fn heading(&self) -> String {
        match self.points {
            0 | 1 => self.name.clone(),
            points => format!("{} ×{points}", self.name),
        }
    }

    /// Its kind and plugins.
    fn detail(&self) -> String {
        format!("{} · {}", self.kind, self.plugins.join(" + "))
    }
}

/// Statements in the order of the experiment and arrows between them, each pointing onward.
struct Picture {
    title: String,
    statements: Vec<Statement>,
    arrows: Vec<(usize, usize)>,
}

impl Picture {
    fn of(experiment: &Experiment) -> Self {
        let owners = owners(experiment);
        let mut picture = Self {
            title: experiment.title.clone(),
            statements: Vec::new(),
            arrows: Vec::new(),
        };
        let mut boxes: BTreeMap<&str, usize> = BTreeMap::new();
        // Statements first, so that each takes its own kind and plugin, not an inner call's.
        for (index, node) in experiment.nodes.iter().enumerate() {
            if owners[index] != index {
                continue;
            }
            let place = *boxes.entry(&node.name).or_insert_with(|| {
                picture.statements.push(Statement {
                    name: node.name.clone(),
                    kind: node.kind,
                    plugins: vec![node.plugin.clone()],
                    points: 0,
                });
                picture.statements.len() - 1
            });
            picture.statements[place].points += 1;
        }
        for (index, node) in experiment.nodes.iter().enumerate() {
            let Some(&to) = boxes.get(experiment.nodes[owners[index]].name.as_str()) else {
                continue;
            };
            let plugins = &mut picture.statements[to].plugins;
            if !plugins.contains(&node.plugin) {
                plugins.push(node.plugin.clone());
            }
            for source in references(node) {
                let owner = owners.get(source.0).map(|owner| &experiment.nodes[*owner]);
                let from = owner.and_then(|owner| boxes.get(owner.name.as_str()));
                // An arrow always points onward, which keeps the layout free of cycles.
                picture
                    .arrows
                    .extend(from.filter(|from| **from < to).map(|from| (*from, to)));
            }
        }
        picture.arrows.sort_unstable();
        picture.arrows.dedup();
        picture
    }
}

/// For each node the statement it is drawn in: itself, or the first that uses it when it is a
/// call inside an argument.
fn owners(experiment: &Experiment) -> Vec<usize> {
    let mut owners: Vec<usize> = (0..experiment.nodes.len()).collect();
    for (index, node) in experiment.nodes.iter().enumerate().rev() {
        for source in references(node) {
            if experiment
                .nodes
                .get(source.0)
                .is_some_and(|node| !node.named)
            {
                owners[source.0] = owners[index];
            }
        }
    }
    owners
}

/// The graph in the language of Graphviz.
pub fn dot(experiment: &Experiment) -> String {
    let picture = Picture::of(experiment);
    let mut text = format!("digraph {} {{\n", quoted(&picture.title));
    text.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    for (index, statement) in picture.statements.iter().enumerate() {
        let label = quoted(&format!("{}\n{}", statement.heading(), statement.detail()));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  n{index} [label={label}];");
    }
    for (from, to) in &picture.arrows {
        let _ = writeln!(text, "  n{from} -> n{to};");
    }
    text.push_str("}\n");
    text
}

/// A Graphviz string: `"` and `\` are the only characters that could end or change it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            control if control.is_control() => quoted.push(' '),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The graph in the language of Mermaid.
pub fn mermaid(experiment: &Experiment) -> String {
    let picture = Picture::of(experiment);
    let mut text = String::from("flowchart TD\n");
    for (index, statement) in picture.statements.iter().enumerate() {
        let _ = writeln!(
            text,
            "  n{index}[\"{}<br>{}\"]",
            entities(&statement.heading()),
            entities(&statement.detail())
        );
    }
    for (from, to) in &picture.arrows {
        let _ = writeln!(text, "  n{from} --> n{to}");
    }
    text
}

/// Mermaid reads HTML and Markdown inside labels: what is not plainly text is given by number.
fn entities(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        match character {
            ' ' | '.' | '_' | '·' | '×' | '+' => plain.push(character),
            letter if letter.is_alphanumeric() => plain.push(letter),
            control if control.is_control() => plain.push(' '),
            other => {
                let _ = write!(plain, "#{};", other as u32);
            }
        }
    }
    plain
}

#[cfg(test)]
pub(crate) mod tests {
    use dsl::experiment::{Argument, Arguments, Node, NodeId, Value};
    use dsl::source::Span;
    use expect_test::expect;

    use super::*;

    /// A node that refers to these.
    pub fn node(name: &str, kind: Kind, plugin: &str, from: &[usize]) -> Node {
        let references = from.iter().map(|node| Value::Node(NodeId(*node))).collect();
        Node {
            name: name.to_owned(),
            named: !name.contains('.'),
            kind,
            plugin: plugin.to_owned(),
            args: Arguments::from_iter([(
                "from".to_owned(),
                Argument {
                    value: Value::List(references),
                    span: Span::default(),
                },
            )]),
            seed: 0,
            point: String::new(),
            members: None,
            span: Span::default(),
        }
    }

    fn small() -> Experiment {
        Experiment {
            title: "Small".to_owned(),
            nodes: vec![
                node("casts", Kind::Data, "csv", &[]),
                node("net", Kind::Parent, "mlp", &[0]),
                node("net", Kind::Parent, "mlp", &[0]),
                node("adapted.regression", Kind::Regression, "ridge", &[1]),
                node("adapted", Kind::Child, "apply", &[3, 0]),
                node("adapted.regression", Kind::Regression, "ridge", &[2]),
                node("adapted", Kind::Child, "apply", &[5, 0]),
            ],
            ..Experiment::default()
        }
    }

    #[test]
    fn inner_calls_and_sweep_points_are_folded() {
        expect![[r#"
            digraph "Small" {
              node [shape=box, style=rounded, fontname="sans-serif"];
              n0 [label="casts\ndata · csv"];
              n1 [label="net ×2\nparent · mlp"];
              n2 [label="adapted ×2\nchild · apply + ridge"];
              n0 -> n1;
              n0 -> n2;
              n1 -> n2;
            }
        "#]]
        .assert_eq(&dot(&small()));
    }

    #[test]
    fn mermaid_says_the_same() {
        expect![[r#"
            flowchart TD
              n0["casts<br>data · csv"]
              n1["net ×2<br>parent · mlp"]
              n2["adapted ×2<br>child · apply + ridge"]
              n0 --> n1
              n0 --> n2
              n1 --> n2
        "#]]
        .assert_eq(&mermaid(&small()));
    }

    #[test]
    fn hostile_text_stays_text() {
        let hostile = Experiment {
            title: "a\"]; b [URL=\"x\\".to_owned(),
            nodes: vec![node(
                "x\"]\n<script>alert(1)</script>`#quot;",
                Kind::Data,
                "\\",
                &[],
            )],
            ..Experiment::default()
        };
        expect![[r#"
            digraph "a\"]; b [URL=\"x\\" {
              node [shape=box, style=rounded, fontname="sans-serif"];
              n0 [label="x\"]\n<script>alert(1)</script>`#quot;\ndata · \\"];
            }
        "#]]
        .assert_eq(&dot(&hostile));
        expect![[r##"
            flowchart TD
              n0["x#34;#93; #60;script#62;alert#40;1#41;#60;#47;script#62;#96;#35;quot#59;<br>data · #92;"]
        "##]]
        .assert_eq(&mermaid(&hostile));
        assert!(!svg(&hostile).contains("<script"));
    }

    #[test]
    fn an_empty_experiment_has_an_empty_graph() {
        let empty = Experiment::default();
        assert_eq!(mermaid(&empty), "flowchart TD\n");
        assert!(svg(&empty).starts_with("<svg"));
    }

    #[test]
    fn references_that_lead_nowhere_are_left_out() {
        let broken = Experiment {
            nodes: vec![node("a", Kind::Data, "csv", &[7, 0])],
            ..Experiment::default()
        };
        assert_eq!(
            mermaid(&broken),
            "flowchart TD\n  n0[\"a<br>data · csv\"]\n"
        );
    }
}
