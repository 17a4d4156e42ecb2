//! The recipes of the cookbook, each run as it is written.

use std::fs;

use crate::farcast::{Folder, shipped};

#[test]
fn all_fifteen_recipes_run() {
    let text = fs::read_to_string(shipped("docs/cookbook.md")).unwrap();
    let folder = Folder::new();
    let casts = fs::read(shipped("docs/tutorial/casts.csv")).unwrap();
    folder.write("casts.csv", casts);
    let mut recipes = 0;
    for recipe in text.split("\n## ").skip(1) {
        let title = recipe.lines().next().unwrap();
        let (_, rest) = recipe.split_once("```farcast\n").unwrap();
        let (experiment, _) = rest.split_once("```").unwrap();
        folder.write("it.farcast", experiment);
        for args in [
            &["fmt", "--check", "it.farcast"][..],
            &["run", "it.farcast"],
        ] {
            let said = folder.farcast(args);
            assert_eq!(said.code, 0, "{title}: {said:?}");
        }
        recipes += 1;
    }
    assert_eq!(recipes, 15);
}
