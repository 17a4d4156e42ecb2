//! `farcast graph`: the experiment as a drawing.

use engine::draw;

use super::Exit;
use crate::args::{Drawing, Graph};
use crate::session::{Session, Stop};
use crate::terminal::Terminal;

pub fn run(args: &Graph, terminal: &Terminal) -> Result<Exit, Stop> {
    let session = Session::open(&args.subject, terminal)?;
    terminal.out(match args.format {
        Drawing::Dot => draw::dot(&session.experiment),
        Drawing::Mermaid => draw::mermaid(&session.experiment),
        Drawing::Svg => draw::svg(&session.experiment),
    });
    Ok(Exit::Fine)
}
