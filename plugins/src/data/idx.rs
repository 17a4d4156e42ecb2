//! `idx`: images of the MNIST family of files.

use std::io::{BufRead, BufReader, Read};

use dsl::signature::ColumnRule;
use dsl::types::{ColumnInfo, Schema};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::Files;
use engine::params::DataPath;
use engine::plugin;
use engine::plugin::{Context, Facts, Plugin, Sketch};
use flate2::bufread::MultiGzDecoder;

use super::support::pixels::pixel;
use super::support::source::{self, moved};

plugin! {
    /// Images and their labels from IDX files, as those of MNIST and Fashion-MNIST.
    ///
    /// A row is an image, its columns `pixel_ROW_COLUMN` from `pixel_0_0` at the top left,
    /// from 0 to 1, or `pixel_CHANNEL_ROW_COLUMN` in files of four dimensions; with `labels`
    /// there is a column `label` with the class of each image. The files may be compressed by
    /// gzip; their numbers must be unsigned bytes.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// ```
    "idx" version 1
    pub struct Idx {
        /// The images, `[count, rows, columns]` or `[count, channels, rows, columns]`.
        file: DataPath;
        /// The class of each image, `[count]`.
        labels: Option<DataPath>;
        /// Only the first N images.
        first: Option<usize>, range("1..");
    }
}

/// The most pixels an image may have: each is a column.
const MOST_PIXELS: usize = 1 << 14;

/// The most pixels that are read of all images; each takes 8 bytes of memory.
const MOST_NUMBERS: usize = 1 << 28;

impl Plugin for Idx {
    type Output = Dataset;

    fn columns() -> ColumnRule {
        ColumnRule::Source
    }

    fn schema(&self, files: &Files) -> Result<Schema, Fault> {
        let (images, _) = self.open(files)?;
        let names = images.pixels().into_iter();
        let label = self.labels.iter().map(|_| LABEL.to_owned());
        let columns = names
            .chain(label)
            .map(|name| ColumnInfo::numbers(name, None));
        Ok(Schema {
            columns: columns.collect(),
        })
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            rows: call.get("first"),
            ..Facts::default()
        }
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let (images, labels) = self.open(context.files())?;
        let count = images.count.min(self.first.unwrap_or(usize::MAX));
        let pixels = images.pixels();
        if count.saturating_mul(pixels.len()) > MOST_NUMBERS {
            return Err(images
                .fault(&format!(
                    "{count} images of {} pixels are too many",
                    pixels.len()
                ))
                .with_hint("take some of them: `first: 10000`"));
        }
        let bytes = images.read(count)?;
        let mut columns: Vec<DataColumn> = pixels
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let values = bytes.iter().skip(at).step_by(pixels.len());
                DataColumn::numbers(
                    name.clone(),
                    None,
                    values
                        .map(|value| f64::from(*value) / 255.0)
                        .collect::<Vec<_>>(),
                )
            })
            .collect();
        if let Some(labels) = labels {
            let classes = labels.read(count)?;
            columns.push(DataColumn::numbers(
                LABEL.to_owned(),
                None,
                classes.into_iter().map(f64::from).collect::<Vec<_>>(),
            ));
        }
        Dataset::new(columns)
    }
}

/// The name of the column of classes.
const LABEL: &str = "label";

impl Idx {
    /// Both files after their headers, which fit each other.
    fn open(&self, files: &Files) -> Result<(IdxArray, Option<IdxArray>), Fault> {
        let images = IdxArray::open(&self.file, files, "file", &[3, 4])?;
        let lengths = images.shape.iter();
        let pixels = lengths.fold(1, |pixels: usize, length| pixels.saturating_mul(*length));
        if pixels == 0 || images.count == 0 {
            return Err(images.fault("there are no images"));
        }
        if pixels > MOST_PIXELS {
            return Err(images.fault(&format!(
                "expected at most {MOST_PIXELS} pixels in an image, found {pixels}"
            )));
        }
        let Some(path) = &self.labels else {
            return Ok((images, None));
        };
        let labels = IdxArray::open(path, files, "labels", &[1])?;
        if labels.count != images.count {
            return Err(labels.fault(&format!(
                "expected {} labels, found {}",
                images.count, labels.count
            )));
        }
        Ok((images, Some(labels)))
    }
}

/// An open IDX file after its header.
struct IdxArray {
    path: DataPath,
    param: &'static str,
    /// The first dimension.
    count: usize,
    /// The others.
    shape: Vec<usize>,
    body: Box<dyn Read>,
}

impl IdxArray {
    /// Opens the file of a parameter and reads its header, which gives one of these numbers of
    /// dimensions.
    fn open(
        path: &DataPath,
        files: &Files,
        param: &'static str,
        dimensions: &[u8],
    ) -> Result<Self, Fault> {
        let opened = source::open(path, files).map_err(|fault| moved(fault, param))?;
        let mut file = BufReader::new(opened.reader());
        let mut array = Self {
            path: path.clone(),
            param,
            count: 0,
            shape: Vec::new(),
            body: Box::new(std::io::empty()),
        };
        let start = file.fill_buf()?;
        array.body = match start.starts_with(&[0x1f, 0x8b]) {
            true => Box::new(MultiGzDecoder::new(file)),
            false => Box::new(file),
        };
        let [zero, none, kind, found] = array.four()?;
        if (zero, none) != (0, 0) {
            return Err(array.fault("it does not start as IDX files do"));
        }
        if kind != UNSIGNED_BYTE {
            let message = format!("expected unsigned bytes (0x08), found type 0x{kind:02x}");
            return Err(array.fault(&message));
        }
        if !dimensions.contains(&found) {
            let expected: Vec<String> = dimensions.iter().map(u8::to_string).collect();
            let expected = expected.join(" or ");
            let message = format!("expected {expected} dimensions, found {found}");
            return Err(array.fault(&message));
        }
        for _ in 0..found {
            let length = u32::from_be_bytes(array.four()?);
            array.shape.push(length as usize);
        }
        array.count = array.shape.remove(0);
        Ok(array)
    }

    fn four(&mut self) -> Result<[u8; 4], Fault> {
        let mut four = [0; 4];
        match self.body.read_exact(&mut four) {
            Ok(()) => Ok(four),
            Err(error) => Err(self.fault(&error.to_string())),
        }
    }

    /// The columns of the pixels of an image, row after row, channel after channel.
    fn pixels(&self) -> Vec<String> {
        let places = self.shape.iter().fold(vec![Vec::new()], |places, count| {
            let longer = |place: &Vec<usize>| {
                let place = place.clone();
                (0..*count).map(move |at| [&place[..], &[at]].concat())
            };
            places.iter().flat_map(longer).collect()
        });
        places.iter().map(|place| pixel(place)).collect()
    }

    /// The first `count` entries; memory grows with what is there, not with what is promised.
    fn read(mut self, count: usize) -> Result<Vec<u8>, Fault> {
        let expected = self.shape.iter().product::<usize>() * count;
        let mut bytes = Vec::new();
        let body = std::mem::replace(&mut self.body, Box::new(std::io::empty()));
        if let Err(error) = body.take(expected as u64).read_to_end(&mut bytes) {
            return Err(self.fault(&error.to_string()));
        }
        if bytes.len() < expected {
            return Err(self.fault(&format!(
                "expected {expected} bytes after the header, found {}",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    fn fault(&self, why: &str) -> Fault {
        moved(source::unreadable(&self.path, "idx", &why), self.param)
    }
}

/// The code of unsigned bytes in the third byte of a file.
const UNSIGNED_BYTE: u8 = 0x08;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, testdata};

    fn shapes() -> Idx {
        Idx {
            file: testdata("shapes-images-idx3-ubyte.gz"),
            labels: Some(testdata("shapes-labels-idx1-ubyte.gz")),
            first: None,
        }
    }

    /// An image file of these bytes.
    fn written(bytes: &[u8]) -> (tempfile::TempDir, Idx) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("images");
        std::fs::write(&path, bytes).expect("a file");
        let idx = Idx {
            file: DataPath(path),
            labels: None,
            first: None,
        };
        (folder, idx)
    }

    fn header(kind: u8, lengths: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0, 0, kind, lengths.len() as u8];
        lengths
            .iter()
            .for_each(|length| bytes.extend(length.to_be_bytes()));
        bytes
    }

    #[test]
    fn compressed_images_and_labels_are_read_as_they_were_written() {
        // testdata/shapes-*.gz: image k of 24, 6 by 7, has (7 row + column + k) % 5 * 50 in
        // every pixel and class k % 5.
        let data = shapes().run(&Context::alone("idx")).expect("data");
        assert_eq!(
            data.schema(),
            shapes().schema(&Files::unchecked()).expect("a schema")
        );
        assert_eq!((data.rows(), data.columns().len()), (24, 43));
        let pixel = data.values("pixel_2_3").expect("a pixel");
        let label = data.values("label").expect("labels");
        for k in 0..24 {
            assert_eq!(pixel[k], ((7 * 2 + 3 + k) % 5 * 50) as f64 / 255.0);
            assert_eq!(label[k], (k % 5) as f64);
        }
        let mut some = shapes();
        some.first = Some(5);
        assert_eq!(some.run(&Context::alone("idx")).expect("data").rows(), 5);
    }

    #[test]
    fn files_that_are_not_compressed_are_read_too() {
        let mut bytes = header(8, &[1, 1, 2]);
        bytes.extend([0, 255]);
        let (_folder, idx) = written(&bytes);
        let data = idx.run(&Context::alone("idx")).expect("data");
        assert_eq!(data.values("pixel_0_1").expect("a pixel")[..], [1.0]);
    }

    #[test]
    fn images_with_channels_have_a_column_for_each_pixel_of_each() {
        let mut bytes = header(8, &[2, 3, 1, 2]);
        bytes.extend(0..12);
        let (_folder, idx) = written(&bytes);
        let data = idx.run(&Context::alone("idx")).expect("data");
        let names: Vec<&str> = data.columns().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names[..3], ["pixel_0_0_0", "pixel_0_0_1", "pixel_1_0_0"]);
        let last = data.values("pixel_2_0_1").expect("a pixel");
        assert_eq!(last[..], [5.0 / 255.0, 11.0 / 255.0]);
    }

    #[test]
    fn what_is_no_image_file_is_refused_without_reading_on_trust() {
        let most = u32::MAX;
        for (bytes, why) in [
            (
                b"hello, world".to_vec(),
                "it does not start as IDX files do",
            ),
            (vec![0, 0, 8], "failed to fill whole buffer"),
            (vec![0x1f, 0x8b, 8, 0, 1, 2], "unexpected end of file"),
            (
                header(0x0d, &[1, 2, 2]),
                "expected unsigned bytes (0x08), found type 0x0d",
            ),
            (header(8, &[4]), "expected 3 or 4 dimensions, found 1"),
            (header(8, &[3, 0, 2]), "there are no images"),
            (
                header(8, &[1, most, most]),
                "expected at most 16384 pixels in an image, found 18446744065119617025",
            ),
            (
                header(8, &[most, 2, 2]),
                "4294967295 images of 4 pixels are too many",
            ),
            (
                header(8, &[2, 2, 2]),
                "expected 8 bytes after the header, found 0",
            ),
        ] {
            let (_folder, idx) = written(&bytes);
            let shown = format!("cannot read `{}` as idx: {why}", idx.file.0.display());
            let (param, message) = complaint(idx.run(&Context::alone("idx")));
            assert_eq!((param, message), (Some("file"), shown));
        }
    }

    #[test]
    fn labels_must_fit_the_images() {
        let mut bytes = header(8, &[1, 1, 1]);
        bytes.push(9);
        let (_folder, mut idx) = written(&bytes);
        idx.labels = shapes().labels;
        let (param, message) = complaint(idx.schema(&Files::unchecked()));
        assert_eq!(param, Some("labels"));
        assert!(
            message.ends_with("as idx: expected 1 labels, found 24"),
            "{message}"
        );
    }
}
