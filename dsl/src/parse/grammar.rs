//! The parser that pest derives from the grammar; its rules are known in this folder only.

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
pub(super) struct Grammar;
