//! `surroundings`: what lies around each row on the sphere, as new columns.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use dsl::column::ColumnExpr;
use dsl::signature::ColumnRule;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::{Column, Definitions, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use serde::{Deserialize, Serialize};

use super::support::groups::Groups;
use crate::calls::with_rows;
use crate::sphere::{self, Places};

plugin! {
    /// The same rows with more columns, each `name = formula` of the rows nearby.
    ///
    /// `surroundings(cells, radius: 500 km, land = share(relief > 0))` tells each cell how much
    /// of what lies around it, itself included, is land. Near is what is no further away on
    /// the great circle; longitudes may run from -180 to 180 or from 0 to 360. Rows at one
    /// place that are alike in the columns used count once, rows that miss one of them do not.
    /// A formula must give one number, as for `aggregate`. To see only rows of the same time,
    /// name it in `by`.
    ///
    /// ```farcast
    /// data around = surroundings(all, radius: 50 km, lat: x, lon: z, high = share(y > 0))
    /// ```
    "surroundings" version 1
    pub struct Surroundings {
        /// The rows.
        data: Input<Dataset>;
        /// How far away the furthest row may be.
        radius: f64, unit("km"), range("0..=20040");
        /// The numbers of the rows nearby, such as `land = share(relief > 0)`.
        definitions: Definitions;
        /// The columns in which rows that see each other are alike.
        by: Vec<Column> = "[]", texts();
        /// The column of latitudes, in degrees.
        lat: Column = "lat";
        /// The column of longitudes, in degrees.
        lon: Column = "lon";
    }
}

impl Plugin for Surroundings {
    type Output = Dataset;

    fn columns() -> ColumnRule {
        ColumnRule::Extend("data".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let definitions = call.get::<Definitions>("definitions");
        let formulas = definitions.into_iter().flat_map(|it| it.0);
        let complaints = formulas.filter_map(|(_, it)| varies("definitions", &it));
        complaints.collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.rows("data"))
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let groups = Groups::of(&self.data, &self.by, None)?;
        let mut data = (*self.data).clone();
        for (name, formula) in &self.definitions.0 {
            let mut values = vec![f64::NAN; data.rows()];
            for range in &groups.ranges {
                context.check_stop()?;
                let rows = &groups.rows[range.clone()];
                let near = self.near(&data, rows, formula, context)?;
                for (row, value) in rows.iter().zip(near) {
                    values[*row as usize] = value;
                }
            }
            data = data.with(DataColumn::numbers(name.clone(), None, values))?;
        }
        Ok(data)
    }
}

impl Surroundings {
    fn near(
        &self,
        data: &Dataset,
        rows: &[u32],
        formula: &ColumnExpr,
        context: &Context,
    ) -> Result<Vec<f64>, Fault> {
        let data = data.take(rows);
        let near = Near {
            radius: self.radius,
            lat: self.lat.0.clone(),
            lon: self.lon.0.clone(),
        };
        Field::new(&data, formula, near)?.around(&data, || context.check_stop())
    }
}

/// What counts as near.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Near {
    /// How far away the furthest place may be, in km.
    pub radius: f64,
    /// The column of latitudes.
    pub lat: String,
    /// The column of longitudes.
    pub lon: String,
}

/// A formula of what is known near a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    near: Near,
    formula: ColumnExpr,
    lat: Vec<f64>,
    lon: Vec<f64>,
    columns: BTreeMap<String, Vec<f64>>,
}

impl Field {
    /// The field of these data: each place once with each of its values.
    ///
    /// # Errors
    /// When a column does not exist, or a row has no place.
    pub fn new(data: &Dataset, formula: &ColumnExpr, near: Near) -> Result<Self, Fault> {
        let (lats, lons) = sphere::coordinates(data, &near.lat, &near.lon)?;
        let names = formula.columns();
        let columns = names
            .iter()
            .map(|name| data.values(name))
            .collect::<Result<Vec<_>, _>>()?;
        let mut distinct = BTreeMap::new();
        for row in 0..data.rows() {
            let mut values = vec![lats[row], sphere::east(lons[row])];
            values.extend(columns.iter().map(|column| column[row]));
            if values.iter().any(|value| value.is_nan()) {
                continue;
            }
            let key: Vec<u64> = values.iter().map(|value| ordered(*value)).collect();
            distinct.entry(key).or_insert(values);
        }
        let rows: Vec<Vec<f64>> = distinct.into_values().collect();
        let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<f64>>();
        Ok(Self {
            lat: column(0),
            lon: column(1),
            columns: (2..)
                .zip(&names)
                .map(|(at, name)| ((*name).to_owned(), column(at)))
                .collect(),
            formula: formula.clone(),
            near,
        })
    }

    /// The formula and the radius.
    pub fn name(&self) -> String {
        format!("{} within {} km", self.formula, self.near.radius)
    }

    /// The number for what lies around each row of these data; missing where nothing does.
    /// Before each row `may_go_on` is asked.
    ///
    /// # Errors
    /// When the data have no such columns of places; those of `may_go_on`.
    pub fn around(
        &self,
        data: &Dataset,
        may_go_on: impl Fn() -> Result<(), Fault>,
    ) -> Result<Vec<f64>, Fault> {
        let (lats, lons) = (data.values(&self.near.lat)?, data.values(&self.near.lon)?);
        let places = Places::new(&self.lat, &self.lon);
        // Rows of many times share few places.
        let mut known: BTreeMap<[u64; 2], f64> = BTreeMap::new();
        let mut values = Vec::with_capacity(data.rows());
        for (lat, lon) in lats.iter().zip(lons.iter()) {
            may_go_on()?;
            let lon = sphere::east(*lon);
            let value = match known.entry([ordered(*lat), ordered(lon)]) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    *new.insert(self.value(&places.within(*lat, lon, self.near.radius))?)
                }
            };
            values.push(value);
        }
        Ok(values)
    }

    fn value(&self, near: &[u32]) -> Result<f64, Fault> {
        if near.is_empty() {
            return Ok(f64::NAN);
        }
        let gather = |values: &Vec<f64>| near.iter().map(|place| values[*place as usize]).collect();
        let columns: BTreeMap<&str, Vec<f64>> = self
            .columns
            .iter()
            .map(|(name, values)| (name.as_str(), gather(values)))
            .collect();
        let values = self
            .formula
            .evaluate(near.len(), &|name| {
                columns.get(name).map(|values| values[..].into())
            })
            .map_err(Fault::user)?;
        Ok(values.first().copied().unwrap_or(f64::NAN))
    }
}

/// A whole number in the order of the float, equal for equal ones.
fn ordered(value: f64) -> u64 {
    let bits = if value.is_nan() {
        f64::NAN
    } else {
        value + 0.0
    }
    .to_bits();
    let negative = 1 << 63;
    if bits & negative == 0 {
        bits | negative
    } else {
        !bits
    }
}

/// Refuses a formula that has another value for each of many rows.
pub fn varies(param: &str, formula: &ColumnExpr) -> Option<Complaint> {
    let column = formula.varies_with(&[])?;
    let message = format!("expected one number for many rows, `{column}` has many");
    let hint = format!("say which: `mean({column})`, `std({column})`, …");
    Some(Complaint::at(param, message).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, table};

    fn surroundings(data: Dataset, formula: ColumnExpr, by: &[&str]) -> Result<Dataset, Fault> {
        Surroundings {
            data: Input::new(data),
            radius: 120.0,
            definitions: Definitions(vec![("near".to_owned(), formula)]),
            by: by.iter().map(|name| Column((*name).to_owned())).collect(),
            lat: Column("lat".to_owned()),
            lon: Column("lon".to_owned()),
        }
        .run(&Context::alone("surroundings"))
    }

    fn mean(column: &str) -> ColumnExpr {
        let column = ColumnExpr::Column(column.to_owned());
        ColumnExpr::Call("mean".to_owned(), vec![column])
    }

    fn near(data: &Dataset) -> Vec<f64> {
        data.values("near").expect("near").to_vec()
    }

    // A degree along the equator is 111.2 km: neighbours at one degree are near, others not.
    const LAT: [f64; 5] = [0.0, 0.0, 0.0, 0.0, 0.0];
    const U: [f64; 5] = [1.0, 2.0, 4.0, 8.0, 16.0];

    #[test]
    fn neighbours_across_the_date_line_count_whatever_the_convention() {
        let expected = [1.5, 7.0 / 3.0, 14.0 / 3.0, 6.0, 16.0];
        for lon in [
            [178.0, 179.0, 180.0, -179.0, 0.0],
            [178.0, 179.0, -180.0, 181.0, 360.0],
        ] {
            let data = table(&[("lat", &LAT), ("lon", &lon), ("u", &U)]);
            assert_eq!(
                near(&surroundings(data, mean("u"), &[]).expect("rows")),
                expected
            );
        }
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter() {
        let lon = [178.0, 179.0, 180.0, -179.0, 0.0];
        let data = table(&[
            ("lat", &LAT),
            ("lon", &lon),
            ("u", &[0.1, 0.2, 0.3, 0.7, 0.9]),
        ]);
        let order = [4, 2, 0, 3, 1];
        let turned = surroundings(data.take(&order), mean("u"), &[]).expect("rows");
        let straight = surroundings(data, mean("u"), &[]).expect("rows");
        assert_eq!(straight.take(&order), turned);
    }

    #[test]
    fn other_times_are_seen_unless_they_are_set_apart() {
        let data = table(&[
            ("lat", &[0.0, 0.0, 0.0, 0.0]),
            ("lon", &[0.0, 1.0, 0.0, 1.0]),
            ("month", &[1.0, 1.0, 2.0, 2.0]),
            ("u", &[1.0, 3.0, 5.0, 5.0]),
        ]);
        let all = surroundings(data.clone(), mean("u"), &[]).expect("rows");
        assert_eq!(near(&all), [3.5; 4]);
        let apart = surroundings(data, mean("u"), &["month"]).expect("rows");
        assert_eq!(near(&apart), [2.0, 2.0, 5.0, 5.0]);
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let data = table(&[("lat", &[91.0]), ("lon", &[0.0]), ("u", &[1.0])]);
        let (param, message) = complaint(surroundings(data, mean("u"), &[]));
        assert_eq!(param, Some("lat"));
        assert_eq!(
            message,
            "expected latitudes from -90 to 90 in `lat`, found 91"
        );
    }
}
