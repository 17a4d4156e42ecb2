//! `farcast config`: prints every setting, its value and its source.

use serde_json::json;

use crate::args::Config;
use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Config, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    if let Some(file) = args.file.as_ref().filter(|file| !file.exists()) {
        terminal.error(format!("`{}` does not exist", file.display()));
        return Err(Abort::Failed);
    }
    if args.json {
        let list: Vec<_> = settings
            .values
            .iter()
            .map(|value| {
                json!({
                    "name": value.setting.name, "value": value.value, "from": value.from,
                    "default": value.setting.default, "variable": value.setting.variable(),
                    "doc": value.setting.doc,
                })
            })
            .collect();
        let params: serde_json::Map<_, _> = settings
            .params
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let answer = json!({ "file": settings.file, "settings": list, "set": params });
        terminal.answer(&answer);
        return Ok(Exit::Fine);
    }
    let mut rows: Vec<Vec<String>> = settings
        .values
        .iter()
        .map(|value| {
            let shown = value.value.as_deref().unwrap_or(value.setting.default);
            vec![
                value.setting.name.to_owned(),
                shown.to_owned(),
                value.from.clone(),
            ]
        })
        .collect();
    rows.extend(settings.params.iter().map(|(name, value)| {
        let set = format!("{name} = {value}");
        vec!["set".to_owned(), set, settings.profile()]
    }));
    terminal.out(aligned_within(&rows, terminal.width()));
    let file = settings.file.as_ref();
    terminal.say(file.map_or("no farcast.toml".to_owned(), |file| {
        format!("settings of {}", file.display())
    }));
    Ok(Exit::Fine)
}
