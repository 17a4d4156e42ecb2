//! Which modules of a crate import each other in circles, read from the source text.
//!
//! A module is a file. It depends on the files that define what it imports or names by a path:
//! re-exports are followed, and passing a name on with `pub use` is not using it, nor is listing a
//! plugin in `register`. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A path of modules and names, the crate's root being the empty one.
type Names = Vec<String>;

/// One source file.
struct Module {
    /// Its identifiers, `::` and punctuation; without comments, literals and tests.
    tokens: Vec<String>,
    imports: Vec<Import>,
}

/// One name that a `use` brings in.
struct Import {
    name: String,
    path: Names,
    is_passed_on: bool,
}

impl Module {
    /// Whether a name occurs outside imports and declarations of modules.
    fn mentions(&self, name: &str) -> bool {
        let mut is_import = false;
        let mut previous = "";
        self.tokens.iter().any(|token| {
            match token.as_str() {
                "use" => is_import = true,
                ";" => is_import = false,
                _ => {}
            }
            let is_mention = token == name && !is_import && previous != "mod";
            previous = token;
            is_mention
        })
    }
}

/// The modules of one crate.
pub struct Crate(BTreeMap<Names, Module>);

impl Crate {
    /// Reads the sources below a folder.
    pub fn read(source: &Path) -> Self {
        let mut texts = BTreeMap::new();
        collect(source, &mut Vec::new(), &mut texts);
        let tests: BTreeSet<Names> = texts
            .iter()
            .flat_map(|(module, text)| test_modules(module, text))
            .collect();
        texts.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        let module = |(names, text): (Names, String)| {
            let tokens = without_register(tokens(&text));
            let imports = imports(&names, &tokens);
            (names, Module { tokens, imports })
        };
        Self(texts.into_iter().map(module).collect())
    }

    /// The circles between files.
    pub fn circles(&self) -> Vec<String> {
        let edges = self.0.iter().map(|(names, module)| {
            let name = names.join("::");
            let uses = self.uses(names, module);
            (name, uses.iter().map(|used| used.join("::")).collect())
        });
        circles(&edges.collect())
    }

    /// The circles between modules of the crate's root, each with all that is below it.
    pub fn circles_of_folders(&self) -> Vec<String> {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (names, module) in self.0.iter().filter(|(names, _)| !names.is_empty()) {
            let uses = self.uses(names, module);
            let folders = uses.iter().filter_map(|used| used.first().cloned());
            let from = edges.entry(names[0].clone()).or_default();
            from.extend(folders.filter(|folder| *folder != names[0]));
        }
        circles(&edges)
    }

    /// The modules that define what a module uses.
    fn uses(&self, names: &Names, module: &Module) -> BTreeSet<Names> {
        let mut used = BTreeSet::new();
        for import in &module.imports {
            if !import.is_passed_on || module.mentions(&import.name) {
                used.extend(self.defining(&import.path, 0));
            }
        }
        for path in paths(names, &module.tokens) {
            used.extend(self.defining(&path, 0));
        }
        used.remove(names);
        used
    }

    /// The module in which a path ends, through re-exports.
    fn defining(&self, path: &[String], depth: usize) -> Option<Names> {
        let length = (0..=path.len())
            .rev()
            .find(|length| self.0.contains_key(&path[..*length]))?;
        let (names, rest) = path.split_at(length);
        let Some((name, rest)) = rest.split_first() else {
            return Some(names.to_vec());
        };
        let module = &self.0[names];
        let named = module.imports.iter().find(|import| import.name == *name);
        let globs = module.imports.iter().filter(|import| import.name == "*");
        let target = named.map(|import| import.path.clone()).or_else(|| {
            let defines = |glob: &&Import| {
                let all = self.0.get(&glob.path);
                all.is_some_and(|module| defines(module, name))
            };
            let found = globs.into_iter().find(defines);
            found.map(|glob| [glob.path.as_slice(), std::slice::from_ref(name)].concat())
        });
        match target {
            Some(mut target) if depth < 8 => {
                target.extend_from_slice(rest);
                self.defining(&target, depth + 1)
                    .or_else(|| Some(names.to_vec()))
            }
            _ => Some(names.to_vec()),
        }
    }
}

fn defines(module: &Module, name: &str) -> bool {
    let words = [
        "struct", "enum", "trait", "fn", "type", "const", "static", "mod",
    ];
    let is_definition = |pair: &[String]| words.contains(&pair[0].as_str()) && pair[1] == name;
    module.tokens.windows(2).any(is_definition)
}

/// The texts of the modules below a folder.
fn collect(folder: &Path, names: &mut Names, texts: &mut BTreeMap<Names, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            names.push(stem);
            collect(&path, names, texts);
            names.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut module = names.clone();
            if !["mod", "lib", "main"].contains(&stem.as_str()) {
                module.push(stem);
            }
            texts.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The modules in files of their own that a module declares for tests only.
fn test_modules(module: &Names, text: &str) -> Vec<Names> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter_map(|pair| {
        let name = pair[1].strip_suffix(';')?.rsplit_once("mod ")?.1;
        (pair[0] == "#[cfg(test)]").then(|| [module.as_slice(), &[name.to_owned()]].concat())
    });
    declared.collect()
}

/// The tokens of a text up to its tests.
fn tokens(text: &str) -> Vec<String> {
    let tests = ["mod tests {", "pub(crate) mod tests {"];
    let starts = tests.map(|head| text.find(&format!("#[cfg(test)]\n{head}")));
    let end = starts.into_iter().flatten().min();
    let text = &text[..end.unwrap_or(text.len())];
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            string_length(rest)
        } else if first == 'r' && (rest.starts_with("r\"") || rest.starts_with("r#\"")) {
            let end = if rest.starts_with("r\"") { "\"" } else { "\"#" };
            3 + rest[3..].find(end).unwrap() + end.len()
        } else if let Some(length) = char_length(rest) {
            length
        } else if first.is_alphanumeric() || first == '_' {
            let is_inside = |c: char| c.is_alphanumeric() || c == '_';
            let length = rest.find(|c| !is_inside(c)).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of a character literal, which a lifetime is not.
fn char_length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let end = match first {
        '\\' => 2 + inside.get(2..)?.find('\'')?,
        other => other.len_utf8(),
    };
    inside[end..].starts_with('\'').then_some(end + 2)
}

/// The tokens without the body of `fn register`.
fn without_register(mut tokens: Vec<String>) -> Vec<String> {
    let head = tokens
        .windows(2)
        .position(|pair| pair == ["fn", "register"]);
    if let Some(start) = head {
        let body = tokens[start..].iter().position(|token| token == "{");
        let end =
            body.and_then(|body| tokens[start + body..].iter().position(|token| token == "}"));
        let length = body.unwrap_or(0) + end.unwrap_or(0);
        tokens.drain(start..=start + length);
    }
    tokens
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// What the `use` statements bring in.
fn imports(module: &Names, tokens: &[String]) -> Vec<Import> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token == "use" {
            let before = at.checked_sub(1).map(|before| tokens[before].as_str());
            let is_passed_on = matches!(before, Some("pub" | ")"));
            let mut rest = &tokens[at + 1..];
            let mut leaves = Vec::new();
            tree(&mut rest, Vec::new(), &mut leaves);
            for (written, name) in leaves {
                let path = absolute(module, &written);
                found.extend(path.map(|path| Import {
                    name,
                    path,
                    is_passed_on,
                }));
            }
        }
    }
    found
}

/// The leaves of a tree of imports: the whole path, and the name it has here.
fn tree(rest: &mut &[String], mut path: Names, leaves: &mut Vec<(Names, String)>) {
    loop {
        let Some((token, after)) = rest.split_first() else {
            return;
        };
        match token.as_str() {
            "{" => {
                *rest = after;
                while rest
                    .first()
                    .is_some_and(|token| token != "}" && token != ";")
                {
                    tree(rest, path.clone(), leaves);
                    if rest.first().is_some_and(|token| token == ",") {
                        *rest = &rest[1..];
                    }
                }
                *rest = rest.get(1..).unwrap_or_default();
                return;
            }
            ";" | "," | "}" => break,
            "as" => {
                let name = after.first().cloned().unwrap_or_default();
                *rest = after.get(1..).unwrap_or_default();
                leaves.push((path, name));
                return;
            }
            "::" => {}
            "*" => {
                *rest = after;
                leaves.push((path, "*".to_owned()));
                return;
            }
            name => path.push(name.to_owned()),
        }
        *rest = after;
    }
    if path.last().is_some_and(|name| name == "self") && path.len() > 1 {
        path.pop();
    }
    if let Some(name) = path.last().cloned() {
        leaves.push((path, name));
    }
}

/// The paths beginning with `crate`, `self` or `super` that are written outside `use`.
fn paths(module: &Names, tokens: &[String]) -> Vec<Names> {
    let mut found = Vec::new();
    let mut is_import = false;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "use" => is_import = true,
            ";" => is_import = false,
            _ => {}
        }
        let is_first = at == 0 || tokens[at - 1] != "::";
        if !is_import && is_first && ["crate", "super"].contains(&token.as_str()) {
            let names = tokens[at..].chunks(2).take_while(|pair| {
                let is_path = pair.len() == 2 && pair[1] == "::";
                is_path || pair[0].chars().all(|c| c.is_alphanumeric() || c == '_')
            });
            let mut written = Names::new();
            for pair in names {
                written.push(pair[0].clone());
                if pair.get(1).is_none_or(|next| next != "::") {
                    break;
                }
            }
            // Not that of `pub(super)`.
            if written.len() > 1 {
                found.extend(absolute(module, &written));
            }
        }
    }
    found
}

/// A path of this crate from its root; none for one of another crate.
fn absolute(module: &Names, written: &[String]) -> Option<Names> {
    let (first, mut rest) = written.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Names::new(),
        "self" => module.clone(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        _ => {
            // A child of this module, as in `pub use child::Name`.
            return Some([module.as_slice(), written].concat());
        }
    };
    while let Some((word, after)) = rest.split_first()
        && word == "super"
    {
        base.pop()?;
        rest = after;
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// The strongly connected parts of a graph with more than one node, each as a line.
fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = edges
        .keys()
        .map(|start| (start, reachable(start, edges)))
        .collect();
    let mut found = BTreeSet::new();
    for (start, reached) in &reach {
        let back = reached.iter().filter(|other| {
            reach
                .get(**other)
                .is_some_and(|theirs| theirs.contains(start))
        });
        let circle: BTreeSet<&str> = back.map(|name| name.as_str()).collect();
        if circle.len() > 1 {
            let shown = circle.into_iter().map(|name| match name {
                "" => "(root)",
                name => name,
            });
            found.insert(shown.collect::<Vec<_>>().join(" "));
        }
    }
    found.into_iter().collect()
}

fn reachable<'a>(
    start: &String,
    edges: &'a BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut queue: Vec<&String> = edges.get(start).into_iter().flatten().collect();
    while let Some(next) = queue.pop() {
        if reached.insert(next) {
            queue.extend(edges.get(next).into_iter().flatten());
        }
    }
    reached
}
