//! Places on the sphere: great-circle distances, what is near a place, and longitudes.

use engine::artifact::Dataset;
use engine::error::Fault;

use crate::complete::complete;

/// The mean radius of the Earth in km (IUGG; Moritz 2000, Geodetic Reference System 1980).
const RADIUS: f64 = 6371.0088;

/// The point of the unit sphere at a latitude and longitude in degrees.
///
/// Longitudes a full circle apart are one place, so -180..180 and 0..360 mix freely.
pub fn point(lat: f64, lon: f64) -> [f64; 3] {
    // The remainder first: sin(350°) and sin(-10°) differ in the last bit.
    let (lat, lon) = (lat.to_radians(), east(lon).to_radians());
    [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()]
}

/// The same longitude in 0..360.
pub fn east(lon: f64) -> f64 {
    let rest = lon.rem_euclid(360.0);
    // A tiny negative longitude is rounded to 360.
    if rest == 360.0 { 0.0 } else { rest + 0.0 }
}

/// The units of longitudes (CF 1.8, section 4.2).
pub const LONGITUDE: [&str; 6] = [
    "degrees_east",
    "degree_east",
    "degree_E",
    "degrees_E",
    "degreeE",
    "degreesE",
];

/// Whether a column holds longitudes, by its unit or, without one, by its name.
pub fn is_longitude(name: &str, unit: Option<&str>) -> bool {
    match unit {
        Some(unit) => LONGITUDE.contains(&unit),
        None => ["lon", "longitude"].contains(&name.to_ascii_lowercase().as_str()),
    }
}

/// The latitudes and longitudes of all rows.
///
/// # Errors
/// The user's fault when one is missing, or a latitude is beyond a pole.
pub fn coordinates<'a>(
    data: &'a Dataset,
    lat: &str,
    lon: &str,
) -> Result<(&'a [f64], &'a [f64]), Fault> {
    let (lats, lons) = (complete(data, lat, "lat")?, complete(data, lon, "lon")?);
    match lats.iter().find(|value| value.abs() > 90.0) {
        None => Ok((lats, lons)),
        Some(beyond) => Err(Fault::at(
            "lat",
            format!("expected latitudes from -90 to 90 in `{lat}`, found {beyond}"),
        )),
    }
}

/// The square of the straight distance between two points of the unit sphere.
fn chord_squared(a: [f64; 3], b: [f64; 3]) -> f64 {
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
    differences.sum()
}

/// Places in the order of their latitude, so that those near a place are found among few.
#[derive(Clone, Debug, Default)]
pub struct Places {
    sorted: Vec<(f64, [f64; 3], u32)>,
}

impl Places {
    /// The places with these coordinates in degrees, counted from 0.
    pub fn new(lat: &[f64], lon: &[f64]) -> Self {
        let places = lat.iter().zip(lon).zip(0..);
        let mut sorted: Vec<_> = places
            .map(|((lat, lon), index)| (*lat, point(*lat, *lon), index))
            .collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { sorted }
    }

    /// The places no further away than `radius` km, in the order they were given.
    pub fn within(&self, lat: f64, lon: f64, radius: f64) -> Vec<u32> {
        if !(lat + lon + radius).is_finite() {
            return Vec::new();
        }
        // A hair more, so that places at the very distance are not lost to rounding.
        let angle = (radius / RADIUS * (1.0 + 1e-12)).min(std::f64::consts::PI);
        let band = angle.to_degrees() + 1e-9;
        let most = (2.0 * (angle / 2.0).sin()).powi(2) + 1e-15;
        let start = self.sorted.partition_point(|place| place.0 < lat - band);
        let end = self.sorted.partition_point(|place| place.0 <= lat + band);
        let centre = point(lat, lon);
        let near = self.sorted[start..end].iter();
        let mut found: Vec<u32> = near
            .filter(|place| chord_squared(place.1, centre) <= most)
            .map(|place| place.2)
            .collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The great-circle distance in km, by which `within` is checked.
    fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
        2.0 * RADIUS * (chord_squared(point(a.0, a.1), point(b.0, b.1)).sqrt() / 2.0).asin()
    }

    #[test]
    fn distances_agree_with_scikit_learn() {
        // from sklearn.metrics.pairwise import haversine_distances as h; import numpy as np
        // for a, b in [((52.38, 13.06), (-33.87, 151.21)), ((0, 0), (0, 180)), ((89, 10), (88, -170)),
        //              ((60, 359.9), (60, 0.1))]:
        //     print(6371.0088 * h(np.radians([a]), np.radians([b]))[0, 0])
        for (a, b, expected) in [
            ((52.38, 13.06), (-33.87, 151.21), 16_121.281_270_120_004),
            ((0.0, 0.0), (0.0, 180.0), 20_015.114_442_035_923),
            ((89.0, 10.0), (88.0, -170.0), 333.585_240_700_6),
            ((60.0, 359.9), (60.0, 0.1), 11.119_503_789_357_772),
        ] {
            let found = distance(a, b);
            assert!((found - expected).abs() < 1e-6, "{a:?} {b:?}: {found}");
        }
    }

    #[test]
    fn what_is_near_is_found_across_the_date_line_and_the_poles() {
        let lat = [0.0, 0.0, 0.0, 89.0, 89.0, -89.0];
        let lon = [179.0, -179.0, 170.0, 0.0, 180.0, 0.0];
        let places = Places::new(&lat, &lon);
        let degree = RADIUS * 1f64.to_radians();
        assert_eq!(places.within(0.0, 180.0, degree), [0, 1]);
        assert_eq!(places.within(0.0, -180.0, 0.99 * degree), [0; 0]);
        assert_eq!(places.within(90.0, 77.0, 1.5 * degree), [3, 4]);
        assert_eq!(places.within(0.0, 0.0, 1e6), [0, 1, 2, 3, 4, 5]);
        assert_eq!(places.within(f64::NAN, 0.0, 1e6), [0; 0]);
    }

    #[test]
    fn longitudes_a_circle_apart_are_one() {
        assert_eq!(east(-170.0), 190.0);
        assert_eq!(east(360.0), 0.0);
        assert_eq!(east(-1e-20), 0.0);
        assert_eq!(point(10.0, -170.0), point(10.0, 190.0));
        assert!(is_longitude("x", Some("degrees_east")) && is_longitude("x", Some("degreesE")));
        assert!(!is_longitude("x", Some("degrees_north")) && !is_longitude("x", Some("degree")));
        assert!(is_longitude("Lon", None) && !is_longitude("x", None));
    }
}
