//! Drawings of small made-up experiments.

use dsl::experiment::{Argument, Arguments, Node, NodeId, Value};
use dsl::source::Span;
use expect_test::expect;

use dsl::experiment::Experiment;
use dsl::types::Kind;

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
        trainer: None,
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
