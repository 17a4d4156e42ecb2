//! The tutorial, carried out from beginning to end.

use std::fs;

use crate::farcast::{Folder, shipped};

#[test]
fn the_tutorial_works_as_it_is_written() {
    let text = fs::read_to_string(shipped("docs/tutorial.md")).unwrap();
    let folder = Folder::new();
    folder.write(
        "casts.csv",
        fs::read(shipped("docs/tutorial/casts.csv")).unwrap(),
    );
    let file = "oxygen.farcast";
    let mut mistake = None;
    let (mut commands, mut files) = (0, 0);
    let mut parts = text.split("```");
    let mut before = parts.next().unwrap();
    while let (Some(block), Some(after)) = (parts.next(), parts.next()) {
        let (language, content) = block.split_once('\n').unwrap();
        let mark = before
            .rsplit("<!-- ")
            .next()
            .filter(|mark| mark.trim_end().ends_with("-->"));
        let mark = mark.map(|mark| mark.trim_end().trim_end_matches(" -->"));
        match (language, mark) {
            ("farcast", Some("add to oxygen.farcast")) => {
                folder.write(file, folder.read(file) + content);
            }
            ("farcast", Some(name)) => {
                folder.write(name, content);
                files += 1;
            }
            ("text", Some(change)) => {
                let change = change.strip_prefix("mistake: ").unwrap();
                let (right, wrong) = change.split_once(" -> ").unwrap();
                folder.write("wrong.farcast", folder.read(file).replace(right, wrong));
                let said = folder.farcast(&["check", "wrong.farcast"]);
                assert!(said.err.contains(content.trim()), "{said:?}");
                mistake = Some(wrong);
            }
            ("sh", _) => {
                for line in content.lines() {
                    let args: Vec<&str> = line.split_whitespace().skip(1).collect();
                    let said = folder.farcast(&args);
                    assert_eq!(said.code, 0, "{line}: {said:?}");
                    commands += 1;
                }
            }
            other => panic!("{other:?}"),
        }
        // The errors that the text quotes, to its two digits.
        for model in ["net", "adapted", "informed"] {
            let quoted = after.split_once(&format!("<!-- {model} -->"));
            if let Some((_, rest)) = quoted {
                let end = rest
                    .find(|c: char| c != '.' && !c.is_ascii_digit())
                    .unwrap();
                let digits = rest[..end].trim_end_matches('.');
                assert_eq!(format!("{:.2}", rmse(&folder, model)), digits, "{model}");
            }
        }
        before = after;
    }
    assert_eq!((files, commands, mistake), (2, 10, Some("inputs: [tmp]")));
}

/// The error of the mean of a model's members, from the file of scores.
fn rmse(folder: &Folder, model: &str) -> f64 {
    let scores = folder.read("out/oxygen/scores.csv");
    let mut lines = scores.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| names.iter().position(|other| *other == name).unwrap();
    let fields = lines.map(|line| line.split(',').collect::<Vec<_>>());
    let found = fields.filter(|line| {
        line[at("model")] == model
            && line[at("member")] == "mean"
            && line[at("metric")] == "rmse"
            && line[at("group")].is_empty()
    });
    let values: Vec<f64> = found
        .map(|line| line[at("value")].parse().unwrap())
        .collect();
    values[0]
}
