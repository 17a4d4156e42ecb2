//! Which parts of a name a pattern with `*` and `?` leaves open.

/// Which characters of a path its pattern leaves open, part by part.
pub(super) fn open_parts(pattern: &[String], parts: &[String]) -> Vec<bool> {
    let mut open = Vec::new();
    let mut pattern = pattern.iter();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            open.push(false);
        }
        match pattern.next() {
            Some(of) if of != "**" => open.extend(open_chars(of, part)),
            // Below what was named, or at any depth.
            _ => {
                pattern = [].iter();
                open.extend(part.chars().map(|_| true));
            }
        }
    }
    open
}

/// Which characters of a name `*` and `?` match; every `*` matches as few as it can.
fn open_chars(pattern: &str, name: &str) -> Vec<bool> {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let mut open = vec![true; name.len()];
    let (mut at, mut of) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(c) if *c == '?' || *c == name[at] => {
                open[at] = *c == '?';
                at += 1;
                of += 1;
            }
            _ => {
                let Some((stands, taken)) = star else {
                    break;
                };
                open[taken..=at].fill(true);
                star = Some((stands, taken + 1));
                (at, of) = (taken + 1, stands + 1);
            }
        }
    }
    open
}
