//! `farcast graph`: the experiment as a drawing.

use engine::draw;

use crate::args::{Drawing, Graph};
use crate::exit::{Abort, Exit};
use crate::session::study;
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Graph, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let study = study(&args.experiment, settings, terminal)?;
    terminal.out(match args.format {
        Drawing::Dot => draw::dot(&study.experiment),
        Drawing::Mermaid => draw::mermaid(&study.experiment),
        Drawing::Svg => draw::svg(&study.experiment),
    });
    Ok(Exit::Fine)
}
