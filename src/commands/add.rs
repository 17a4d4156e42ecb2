//! `farcast add`: a dependency for the `farcast.toml` of a project, fetched.

use engine::error::Fault;
use engine::packages::{MANIFEST, Manifest, Pin, Source, name_fault};

use crate::args::Add;
use crate::exit::{Abort, Exit};
use crate::project::Project;
use crate::stored_run::report_fault;
use crate::terminal::Terminal;

pub fn run(args: &Add, terminal: &Terminal) -> Result<Exit, Abort> {
    let refuse = |fault: Fault| report_fault(&fault, terminal);
    let name = args.name.as_str();
    if let Some(fault) = name_fault(name) {
        terminal.error(format!("`{name}`: {fault}"));
        return Err(Abort::Usage);
    }
    let project = Project::open(terminal)?;
    if let Some(known) = project.manifest.dependencies.get(name) {
        let message = format!("`{MANIFEST}` has `{name}` already: {}", known.source);
        let hint = format!(
            "`farcast update {name}` takes its newest version; to use two, give one another name"
        );
        return Err(refuse(Fault::user(message).with_hint(hint)));
    }
    let source = source(args).map_err(refuse)?;
    let text = with_dependency(&project.text, &format!("{name} = {}", source.written()));
    let expected = |manifest: &Manifest| {
        let found = manifest.dependencies.get(name);
        found.is_some_and(|found| found.source == source)
            && manifest.dependencies.len() == project.manifest.dependencies.len() + 1
    };
    let manifest = match Manifest::parse(&text) {
        Ok(manifest) if expected(&manifest) => manifest,
        Err(found) if project.manifest.dependencies.is_empty() => {
            let first = found.into_iter().next();
            let message = first.map_or_else(String::new, |first| first.message);
            return Err(refuse(Fault::user(message)));
        }
        _ => {
            let message = format!("`{MANIFEST}` is written in a way that cannot be added to");
            let hint = format!(
                "add a line below `[dependencies]`: `{name} = {}`",
                source.written()
            );
            return Err(refuse(Fault::user(message).with_hint(hint)));
        }
    };
    let freedom = args.freedom.freedom();
    let fetched = project.fetched(&manifest, freedom).map_err(refuse)?;
    project.write(&text, terminal)?;
    project.keep(&fetched, freedom, terminal)?;
    terminal.say(format!(
        "`use \"@{name}\" as {}` brings it in",
        name.replace('-', "_")
    ));
    Ok(Exit::Fine)
}

/// Where the package comes from; what was not said is looked up.
fn source(args: &Add) -> Result<Source, Fault> {
    match (&args.git, &args.path, &args.archive) {
        (Some(url), _, _) => {
            let pin = match (&args.tag, &args.rev) {
                (Some(tag), _) => Pin::Tag(tag.clone()),
                (None, Some(rev)) => Pin::Rev(rev.clone()),
                (None, None) => return Source::now("git", url),
            };
            let url = url.clone();
            Ok(Source::Git { url, pin })
        }
        (_, Some(path), _) => Ok(Source::Path(path.clone())),
        (_, _, Some(url)) => Source::now("archive", url),
        (None, None, None) => Err(Fault::user(
            "say where it comes from: `--git`, `--path` or `--archive`",
        )),
    }
}

/// The text with a line at the end of `[dependencies]`.
fn with_dependency(text: &str, line: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some(head) = lines
        .iter()
        .position(|line| line.trim() == "[dependencies]")
    else {
        let gap = match text {
            "" => "",
            text if text.ends_with('\n') => "\n",
            _ => "\n\n",
        };
        return format!("{text}{gap}[dependencies]\n{line}\n");
    };
    let section = &lines[head + 1..];
    let next = section
        .iter()
        .position(|line| line.trim_start().starts_with('['));
    let section = &section[..next.unwrap_or(section.len())];
    let used = section.iter().rposition(|line| !line.trim().is_empty());
    let at = head + 1 + used.map_or(0, |at| at + 1);
    let mut lines = lines;
    lines.insert(at, line);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::with_dependency;

    #[test]
    fn a_line_goes_to_the_end_of_its_section() {
        assert_eq!(with_dependency("", "a = 1"), "[dependencies]\na = 1\n");
        assert_eq!(
            with_dependency("jobs = 2", "a = 1"),
            "jobs = 2\n\n[dependencies]\na = 1\n"
        );
        assert_eq!(
            with_dependency(
                "[dependencies]\nb = 1  # why\n\n[profile.x]\njobs = 1\n",
                "a = 1"
            ),
            "[dependencies]\nb = 1  # why\na = 1\n\n[profile.x]\njobs = 1\n"
        );
    }
}
