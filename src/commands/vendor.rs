//! `farcast vendor`: copies the packages of a project into its folder, for work without a cache.

use engine::packages::vendor;

use crate::args::Vendor;
use crate::exit::{Abort, Exit};
use crate::project::Project;
use crate::stored_run::report_fault;
use crate::terminal::Terminal;

pub fn run(args: &Vendor, terminal: &Terminal) -> Result<Exit, Abort> {
    let project = Project::open(terminal)?;
    let freedom = args.freedom.freedom();
    let fetched = project.fetched(&project.manifest, freedom);
    let fetched = fetched.map_err(|fault| report_fault(&fault, terminal))?;
    project.keep(&fetched, freedom, terminal)?;
    let count = vendor(&project.folder, &fetched.lock);
    let count = count.map_err(|fault| report_fault(&fault, terminal))?;
    let packages = match count {
        1 => "1 package is".to_owned(),
        count => format!("{count} packages are"),
    };
    terminal.say(format!(
        "{packages} in `vendor`, which goes before the cache"
    ));
    Ok(Exit::Fine)
}
