//! A team's day, as the page about sharing tells it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::farcast::{Folder, shipped};

#[test]
fn a_team_s_day_is_as_the_page_tells_it() {
    let page = fs::read_to_string(shipped("docs/sharing.md")).unwrap();
    let (_, day) = page.split_once("## A team's day").unwrap();
    let place = Folder::new();
    let root = place.real_path();
    fs::create_dir_all(place.path("shared/farcast")).unwrap();
    let here = |text: &str| {
        text.replace("/shared/farcast", &format!("{root}/shared/farcast"))
            .replace(
                "https://example.org/ocean.git",
                &format!("file://{root}/ocean"),
            )
    };
    let (mut files, mut commands, mut quoted) = (0, 0, 0);
    let mut said = String::new();
    for part in day.split("<!-- ").skip(1) {
        let (mark, rest) = part.split_once(" -->\n```").unwrap();
        let (language, rest) = rest.split_once('\n').unwrap();
        let (content, _) = rest.split_once("```").unwrap();
        match (mark.strip_prefix("in "), language) {
            (Some(team), "sh") => {
                said.clear();
                for line in content.lines() {
                    said += &carry_out(&place, team, &here(line));
                    commands += 1;
                }
            }
            (None, "text") if mark == "said" => {
                for line in content.lines() {
                    assert!(said.contains(line), "{line}: {said}");
                    quoted += 1;
                }
            }
            (None, _) => {
                place.write(mark, here(content));
                files += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((files, commands, quoted), (6, 21, 5));
    // What the second run of the sweep computed is the new point alone.
    let run: serde_json::Value =
        serde_json::from_str(&place.read("atlas/out/longer/run.json")).unwrap();
    let actions = run["actions"].as_array().unwrap();
    let ran = actions.iter().filter(|action| action["state"] == "ran");
    let points: Vec<_> = ran.map(|action| action["point"].clone()).collect();
    assert!(!points.is_empty());
    assert!(points.iter().all(|point| point == "steps=80"), "{points:?}");
}

/// Runs a line in a team's folder, as the team; returns all that it says.
fn carry_out(place: &Folder, team: &str, line: &str) -> String {
    let folder = place.path(team);
    fs::create_dir_all(&folder).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_farcast")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let home = place.path(&format!("home/{team}"));
    let out = Command::new("sh")
        .args(["-c", line])
        .current_dir(&folder)
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("HOME", &home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Ada")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "a@example.org")))
        .env_remove("FARCAST_STORE")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(out.status.success(), "{team}: {line}: {said}");
    said
}
