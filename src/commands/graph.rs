//! `farcast graph`: the experiment as a drawing.

use engine::draw;

use super::Exit;
use crate::args::{Drawing, Graph};
use crate::session::{Session, Stop};
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Graph, settings: &Settings, terminal: &Terminal) -> Result<Exit, Stop> {
    let session = Session::open(&args.subject, settings, terminal)?;
    terminal.out(match args.format {
        Drawing::Dot => draw::dot(&session.experiment),
        Drawing::Mermaid => draw::mermaid(&session.experiment),
        Drawing::Svg => draw::svg(&session.experiment),
    });
    Ok(Exit::Fine)
}
