//! What a plugin itself says of a call before it runs.

use super::call::Call;
use super::checker::Checker;
use super::known::Args;
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Node, NodeId};
use crate::facts::{About, Facts, place_of};
use crate::types::Kind;

/// Calls of more characters than these are named by their plugin.
const LONGEST_CALL: usize = 48;

impl Checker<'_> {
    /// What a message calls the result of a call: the statement, or the call as it is written.
    fn shown_name<'a>(&'a self, made: &'a Node) -> &'a str {
        if made.named {
            return &made.name;
        }
        let sources = &self.names.program.sources;
        let text = sources.get(made.span.file).slice(made.span);
        match text.len() <= LONGEST_CALL && !text.contains('\n') && !text.is_empty() {
            true => text,
            false => &made.plugin,
        }
    }

    /// What is known of a call that checked.
    pub fn about(&self, node: NodeId) -> About<'_> {
        let inferred = &self.calls.facts[node.0];
        let made = &self.calls.nodes[node.0];
        About {
            name: self.shown_name(made),
            kind: made.kind,
            node,
            args: &made.args,
            facts: &inferred.known,
            schema: inferred.schema.as_deref(),
            members: inferred.members.map(|(count, _)| count),
        }
    }

    /// What follows for the result from a call's arguments; none when an error was reported.
    pub fn examine(&mut self, call: &Call, kind: Kind, args: &Args) -> Option<Facts> {
        let about = |node: NodeId| self.about(node);
        let name = &call.signature.name;
        let outside = self.names.outside;
        let examined = outside.examine(name, kind, &args.values, &about);
        let mut sound = true;
        for complaint in examined.complaints {
            let place = complaint.param.as_ref();
            let place = place.and_then(|param| place_of(&args.values, param));
            let span = place.unwrap_or(call.span);
            let mut diagnostic = match complaint.warning {
                true => Diagnostic::warning(Code::DoubtfulCall, span, complaint.message),
                false => Diagnostic::error(Code::ImpossibleCall, span, complaint.message),
            };
            diagnostic.hints.extend(complaint.hint);
            sound &= complaint.warning;
            self.report(call.env, diagnostic);
        }
        sound.then_some(examined.facts)
    }
}
