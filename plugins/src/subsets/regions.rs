//! `regions`: rows within boxes of latitude and longitude.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{constructor, made, plugin};

use super::Subsets;
use crate::calls::{at_most_rows, complaints, exactly_one, with_rows};
use crate::sphere;

constructor! {
    /// A box of latitude and longitude in degrees.
    ///
    /// It reaches from `west` eastwards to `east`, across the date line when that is nearer;
    /// longitudes may run from -180 to 180 or from 0 to 360. It holds its southern and western
    /// edges and not the others, but for the poles.
    ///
    /// ```farcast
    /// subset half = regions(all, areas: area(south: -3, north: 0), lat: x, lon: z)
    /// ```
    "area"
    pub struct Area {
        /// The southern edge.
        south: f64 = "-90", range("-90..=90");
        /// The northern edge.
        north: f64 = "90", range("-90..=90");
        /// The western edge.
        west: f64 = "0", range("-360..=360");
        /// The eastern edge; the full circle when a circle apart.
        east: f64 = "360", range("-360..=720");
    }
}

made! {
    /// A part of the globe.
    pub enum Region {
        Area,
    }
}

plugin! {
    /// Rows within boxes of latitude and longitude, one subset per box.
    ///
    /// The boxes are those given, or tiles of `size` degrees over the whole globe, from south
    /// to north and from Greenwich eastwards. Boxes may overlap. Those with too few rows make
    /// no subset.
    ///
    /// ```farcast
    /// subset tiles = regions(seen, size: 1, minimum: 10, lat: x, lon: z)
    /// ```
    "regions" version 1
    pub struct Regions {
        /// The rows.
        data: Input<Dataset>;
        /// The boxes.
        areas: Option<Vec<Region>>;
        /// The width of tiles in degrees instead; of the last ones less, to end at 90 and 360.
        size: Option<f64>, range("0.1..=180");
        /// Fewer rows than this make no subset.
        minimum: usize = "1", range("1..");
        /// The column of latitudes, in degrees.
        lat: Column = "lat";
        /// The column of longitudes, in degrees.
        lon: Column = "lon";
    }
}

impl Plugin for Regions {
    type Output = Subsets;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let areas = call.get::<Vec<Region>>("areas");
        let empty = areas.as_ref().is_some_and(Vec::is_empty);
        let mut found = complaints([
            exactly_one(call, &["areas", "size"]),
            empty.then(|| Complaint::at("areas", "expected one area or more, found none")),
            at_most_rows(call, "data", "minimum", "regions no larger than the data"),
        ]);
        let areas = areas.unwrap_or_default();
        found.extend(
            areas
                .iter()
                .filter_map(|Region::Area(area)| area.emptiness()),
        );
        found
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let areas = call.get::<Vec<Region>>("areas");
        with_rows(call, areas.map(|areas| areas.len() as u64))
    }

    fn run(self, context: &Context) -> Result<Subsets, Fault> {
        let (lats, lons) = sphere::coordinates(&self.data, &self.lat.0, &self.lon.0)?;
        let mut rows = match (&self.areas, self.size) {
            (Some(areas), _) => {
                let areas = areas.iter().map(|Region::Area(area)| area);
                areas.map(|area| area.rows(lats, lons)).collect()
            }
            (None, Some(size)) => tiles(size, lats, lons),
            (None, None) => Vec::new(),
        };
        let total = rows.len();
        let largest = rows.iter().map(Vec::len).max().unwrap_or_default();
        rows.retain(|rows: &Vec<u32>| rows.len() >= self.minimum);
        let dropped = total - rows.len();
        if rows.is_empty() {
            let minimum = self.minimum;
            let message =
                format!("rows in the largest region: {largest}, expected {minimum} or more");
            return Err(Fault::at("minimum", message));
        }
        if dropped > 0 {
            context.note(format!(
                "{dropped} of {total} regions have fewer than {} rows and make no subset",
                self.minimum
            ));
        }
        Ok(Subsets { rows })
    }
}

impl Area {
    /// Why no row can be in it.
    fn emptiness(&self) -> Option<Complaint> {
        let found = format!("found {} and {}", self.south, self.north);
        let message = match self {
            _ if self.south >= self.north => format!("expected `south` below `north`, {found}"),
            _ if self.west == self.east => {
                format!(
                    "expected `west` and `east` to differ, found {} twice",
                    self.west
                )
            }
            _ => return None,
        };
        Some(Complaint::at("areas", message))
    }

    fn rows(&self, lats: &[f64], lons: &[f64]) -> Vec<u32> {
        let places = lats.iter().zip(lons).zip(0..);
        places
            .filter(|((lat, lon), _)| self.holds(**lat, **lon))
            .map(|(_, row)| row)
            .collect()
    }

    fn holds(&self, lat: f64, lon: f64) -> bool {
        let width = match sphere::east(self.east - self.west) {
            // The same meridian: nothing, or once around.
            0.0 if self.east != self.west => 360.0,
            width => width,
        };
        let pole = self.north == 90.0 && lat == 90.0;
        (self.south..self.north).contains(&lat) | pole && sphere::east(lon - self.west) < width
    }
}

/// The rows of each tile of `size` degrees, those without rows among them.
fn tiles(size: f64, lats: &[f64], lons: &[f64]) -> Vec<Vec<u32>> {
    let (high, wide) = (
        (180.0 / size).ceil() as usize,
        (360.0 / size).ceil() as usize,
    );
    let mut rows = vec![Vec::new(); high * wide];
    for ((lat, lon), row) in lats.iter().zip(lons).zip(0..) {
        // The north pole belongs to the last tiles.
        let up = (((lat + 90.0) / size) as usize).min(high - 1);
        let along = ((sphere::east(*lon) / size) as usize).min(wide - 1);
        rows[up * wide + along].push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::data;
    use super::*;

    fn regions(
        areas: Option<Vec<[f64; 4]>>,
        size: Option<f64>,
        lon: &[f64; 5],
    ) -> (Result<Subsets, Fault>, Vec<String>) {
        let context = Context::alone("regions");
        let area = |[south, north, west, east]: [f64; 4]| {
            Region::Area(Area {
                south,
                north,
                west,
                east,
            })
        };
        let regions = Regions {
            data: data(&[("lat", &[-90.0, -10.0, 0.0, 10.0, 90.0]), ("lon", lon)]),
            areas: areas.map(|areas| areas.into_iter().map(area).collect()),
            size,
            minimum: 1,
            lat: Column("lat".to_owned()),
            lon: Column("lon".to_owned()),
        };
        let subsets = regions.run(&context);
        (subsets, context.take_notes())
    }

    const LON: [f64; 5] = [0.0, 175.0, -175.0, 20.0, 0.0];
    const EAST: [f64; 5] = [360.0, 175.0, 185.0, 20.0, 0.0];

    #[test]
    fn boxes_cross_the_date_line_whatever_the_convention() {
        let pacific = [-20.0, 20.0, 170.0, -170.0];
        for lon in [LON, EAST] {
            for area in [
                pacific,
                [-20.0, 20.0, 170.0, 190.0],
                [-20.0, 20.0, -190.0, -170.0],
            ] {
                let (subsets, _) = regions(Some(vec![area]), None, &lon);
                assert_eq!(subsets.expect("a subset").rows, [[1, 2]]);
            }
        }
        let (all, _) = regions(Some(vec![[-90.0, 90.0, 0.0, 360.0]]), None, &LON);
        assert_eq!(all.expect("a subset").rows, [[0, 1, 2, 3, 4]]);
    }

    #[test]
    fn edges_belong_to_one_of_two_neighbours() {
        let south = [-90.0, 0.0, 0.0, 360.0];
        let north = [0.0, 90.0, 0.0, 360.0];
        let (halves, _) = regions(Some(vec![south, north]), None, &LON);
        assert_eq!(halves.expect("subsets").rows, [vec![0, 1], vec![2, 3, 4]]);
    }

    #[test]
    fn tiles_cover_the_globe() {
        let (tiles, notes) = regions(None, Some(90.0), &EAST);
        assert_eq!(
            tiles.expect("subsets").rows,
            [vec![0], vec![1], vec![3, 4], vec![2]]
        );
        assert_eq!(
            notes,
            ["4 of 8 regions have fewer than 1 rows and make no subset"]
        );
    }

    #[test]
    fn regions_without_rows_are_refused() {
        let (empty, _) = regions(Some(vec![[50.0, 60.0, 0.0, 360.0]]), None, &LON);
        assert_eq!(
            empty.map(|_| ()).expect_err("no rows").to_string(),
            "rows in the largest region: 0, expected 1 or more"
        );
    }
}
