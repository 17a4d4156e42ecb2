//! `farcast fetch`: brings the packages of a project into the cache, and writes its lock.

use serde_json::json;

use crate::args::Fetch;
use crate::exit::{Abort, Exit};
use crate::project::Project;
use crate::stored_run::report_fault;
use crate::terminal::Terminal;

pub fn run(args: &Fetch, terminal: &Terminal) -> Result<Exit, Abort> {
    let project = Project::open(terminal)?;
    let freedom = args.freedom.freedom();
    let fetched = project.fetched(&project.manifest, freedom);
    let fetched = fetched.map_err(|fault| report_fault(&fault, terminal))?;
    project.keep(&fetched, freedom, terminal)?;
    let count = fetched.lock.packages.len();
    if args.json {
        let packages = fetched.lock.packages.iter().map(|(source, locked)| {
            json!({
                "name": locked.name, "source": source, "commit": locked.commit,
                "tree": locked.tree.to_string(), "new": fetched.new.contains(&locked.name),
            })
        });
        terminal.answer(json!({ "packages": packages.collect::<Vec<_>>() }));
        return Ok(Exit::Fine);
    }
    terminal.say(match count {
        0 => "no packages are fetched from elsewhere".to_owned(),
        1 => "1 package, verified".to_owned(),
        count => format!("{count} packages, verified"),
    });
    Ok(Exit::Fine)
}
