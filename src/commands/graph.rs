//! `farcast graph`: the experiment as a drawing.

use engine::draw;

use crate::args::{Drawing, Graph};
use crate::exit::{Abort, Exit};
use crate::session::Session;
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Graph, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let session = Session::open(&args.experiment, settings, terminal)?;
    terminal.out(match args.format {
        Drawing::Dot => draw::dot(&session.experiment),
        Drawing::Mermaid => draw::mermaid(&session.experiment),
        Drawing::Svg => draw::svg(&session.experiment),
    });
    Ok(Exit::Fine)
}
