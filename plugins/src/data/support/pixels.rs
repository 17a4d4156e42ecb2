//! Pixels as columns of data: their names, and the images that the columns of a data set form.

use engine::artifact::Dataset;
use engine::error::Fault;

/// The name of the column of one pixel: its row and column, after its channel where there are
/// several.
pub fn pixel(place: &[usize]) -> String {
    let mut name = "pixel".to_owned();
    for number in place {
        name.push_str(&format!("_{number}"));
    }
    name
}

/// Channel, row and column of a pixel, from the name of its column.
fn place(name: &str) -> Option<[usize; 3]> {
    let numbers = name.strip_prefix("pixel_")?.split('_').map(str::parse);
    match numbers.collect::<Result<Vec<usize>, _>>().ok()?[..] {
        [row, column] => Some([0, row, column]),
        [channel, row, column] => Some([channel, row, column]),
        _ => None,
    }
}

/// The names of all pixels of the data, channel after channel and row after row, and how many
/// channels, rows and columns there are.
///
/// # Errors
/// When there are none, or when some of the box are missing or there twice.
pub fn pixels(data: &Dataset) -> Result<(Vec<String>, [usize; 3]), Fault> {
    let names = data.columns().iter().map(|column| &column.name);
    size(&names.collect::<Vec<_>>())
}

/// The same of the names of columns.
///
/// # Errors
/// As [`pixels`].
pub fn size(names: &[&String]) -> Result<(Vec<String>, [usize; 3]), Fault> {
    let mut found: Vec<([usize; 3], &String)> = (names.iter())
        .filter_map(|name| Some((place(name)?, *name)))
        .collect();
    if found.is_empty() {
        return Err(
            Fault::at("data", "expected images, found no column `pixel_0_0`")
                .with_hint("`idx` reads images; pixels are columns `pixel_ROW_COLUMN`"),
        );
    }
    found.sort();
    let size: [usize; 3] = std::array::from_fn(|axis| {
        let last = found.iter().map(|(place, _)| place[axis]).max();
        last.unwrap_or(0).saturating_add(1)
    });
    let all = size
        .iter()
        .fold(1usize, |all, count| all.saturating_mul(*count));
    let mut pairs = found.windows(2);
    if all != found.len() || pairs.any(|pair| pair[0].0 == pair[1].0) {
        let [channels, height, width] = size;
        let channels = match channels {
            1 => String::new(),
            several => format!("{several} channels of "),
        };
        return Err(Fault::at(
            "data",
            format!(
                "expected all pixels of {channels}{height} by {width}, found {}",
                found.len()
            ),
        ));
    }
    let names = found.into_iter().map(|(_, name)| name.clone());
    Ok((names.collect(), size))
}
