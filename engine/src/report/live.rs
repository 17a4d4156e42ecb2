//! `live.html`: how far a run is, as a page that refreshes itself.

use askama::Template;

use super::figure;
use crate::artifact::Figure;
use crate::error::Fault;
use crate::estimate::Left;
use crate::metric::significant;

/// The state of a run.
#[derive(Debug, Default)]
pub struct LivePage {
    /// The title of the experiment.
    pub title: String,
    /// Its file.
    pub file: String,
    /// The host and process.
    pub place: String,
    /// When the page was written.
    pub now: String,
    /// How long the run has taken.
    pub seconds: f64,
    /// Which round of its sweeps it is in, from 1.
    pub round: usize,
    /// How many actions have ended.
    pub ended: usize,
    /// How many are known of.
    pub total: usize,
    /// How long the rest takes, when that is known.
    pub left: Option<Left>,
    /// What runs.
    pub running: Vec<LiveAction>,
    /// Action and reason.
    pub failures: Vec<(String, String)>,
    /// How many failures are not listed.
    pub more_failures: usize,
    /// Action and how it ended, the last one first.
    pub recent: Vec<(String, String)>,
    /// The losses of what runs and ran.
    pub figures: Vec<Figure>,
    /// How the run ended; the page then stays as it is.
    pub over: Option<&'static str>,
}

/// A running action.
#[derive(Debug, Default)]
pub struct LiveAction {
    /// What people call it.
    pub title: String,
    /// How much of it is done.
    pub done: u64,
    /// How much there is; 0 when that is not known.
    pub total: u64,
    /// Its last loss.
    pub loss: Option<f64>,
    /// How long it has run.
    pub seconds: f64,
}

impl LiveAction {
    fn loss_text(&self) -> String {
        self.loss.map_or_else(String::new, significant)
    }

    fn seconds_text(&self) -> String {
        duration(self.seconds)
    }
}

#[derive(Template)]
#[template(path = "live.html")]
struct Live<'a> {
    title: &'a str,
    /// For the tab of the browser.
    progress: String,
    elapsed: String,
    left: String,
    /// Title and picture.
    figures: Vec<(&'a str, String)>,
    page: &'a LivePage,
}

/// The page as HTML.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn render_live(page: &LivePage) -> Result<String, Fault> {
    let figures = page.figures.iter();
    let live = Live {
        title: match page.title.as_str() {
            "" => "Experiment",
            title => title,
        },
        progress: match page.over {
            Some(how) => how.to_owned(),
            None => format!("{} %", 100 * page.ended / page.total.max(1)),
        },
        elapsed: duration(page.seconds),
        left: page.left.map_or_else(String::new, Left::text),
        figures: figures
            .map(|figure| (figure.title.as_str(), figure::svg(figure)))
            .collect(),
        page,
    };
    live.render().map_err(|error| Fault::Bug(error.to_string()))
}

fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_refreshes_itself_until_the_run_is_over() {
        let mut page = LivePage {
            title: "<b>".to_owned(),
            ended: 1,
            total: 4,
            seconds: 75.0,
            left: Some(Left {
                seconds: 300.0,
                is_all: true,
            }),
            running: vec![LiveAction {
                title: "net[0]</td>".to_owned(),
                done: 1,
                total: 2,
                loss: Some(0.5),
                seconds: 3700.0,
            }],
            failures: vec![("net[1]".to_owned(), "<script>".to_owned())],
            ..LivePage::default()
        };
        let html = render_live(&page).unwrap();
        for told in [
            "http-equiv=\"refresh\"",
            "<title>25 % &#60;b&#62;</title>",
            "1 min 15 s · about 5 min left",
            "1 h 1 min",
            "0.5000",
        ] {
            assert!(html.contains(told), "{told} in {html}");
        }
        for markup in ["<b></h1>", "<script", "[0]</td></td>"] {
            assert!(!html.contains(markup), "{markup}");
        }
        page.over = Some("ended");
        let html = render_live(&page).unwrap();
        assert!(!html.contains("http-equiv=\"refresh\"") && html.contains("report.html"));
    }
}
