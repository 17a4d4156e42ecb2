//! An axis of a figure: from values to pixels, and the marks along it.

use dsl::calendar::Calendar;

use super::dates;

/// Values beyond this are treated as not finite: their differences could overflow.
const LARGEST: f64 = 1e150;

/// Whether a value has a place on an axis of this scale.
pub fn drawable(value: f64, scale: Scale) -> bool {
    value.abs() < LARGEST && (scale == Scale::Linear || value > 1e-150)
}

/// How values are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their order of magnitude.
    Log,
}

impl Scale {
    /// The scale of an axis that is logarithmic or not.
    pub fn of(log: bool) -> Self {
        if log { Scale::Log } else { Scale::Linear }
    }

    fn apply(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log => value.log10(),
        }
    }
}

/// The values an axis has to show, as they are spread on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Extent {
    /// The range of these drawable values; none without values.
    pub fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Option<Self> {
        values
            .map(|value| scale.apply(value))
            .fold(None, |extent, value| {
                let (low, high) = extent.unwrap_or((value, value));
                Some((value.min(low), value.max(high)))
            })
            .map(|(low, high)| Self { scale, low, high })
    }

    /// The range that contains both.
    pub fn and(self, other: Self) -> Self {
        Self {
            scale: self.scale,
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// The same down to zero, on a linear scale.
    pub fn with_zero(self) -> Self {
        match self.scale {
            Scale::Linear => Self {
                low: self.low.min(0.0),
                high: self.high.max(0.0),
                ..self
            },
            Scale::Log => self,
        }
    }

    /// The same down to zero when all values lie above it and zero is not far.
    pub fn near_zero(self) -> Self {
        if self.low > 0.0 && self.low < self.high / 2.0 {
            self.with_zero()
        } else {
            self
        }
    }

    /// Exactly from `low` to `high` on a linear scale.
    pub fn exactly(low: f64, high: f64) -> Self {
        Self {
            scale: Scale::Linear,
            low,
            high,
        }
    }

    /// The same with as much more on either side as `self` reaches around zero.
    pub fn around(self, other: Self) -> Self {
        Self {
            low: other.low + self.low,
            high: other.high + self.high,
            ..other
        }
    }

    /// The same with room at the ends that are not zero, and some length even for one value.
    pub fn padded(self) -> Self {
        let size = self.low.abs().max(self.high.abs());
        let span = self.high - self.low;
        let room = if span > size * 1e-9 {
            span * 0.04
        } else if self.scale == Scale::Log {
            0.5
        } else if size > 0.0 {
            size * 0.1
        } else {
            1.0
        };
        let fixed = |end: f64| self.scale == Scale::Linear && end == 0.0 && span > 0.0;
        Self {
            low: if fixed(self.low) {
                0.0
            } else {
                self.low - room
            },
            high: if fixed(self.high) {
                0.0
            } else {
                self.high + room
            },
            ..self
        }
    }
}

/// An extent laid along pixels.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    extent: Extent,
    from: f64,
    to: f64,
}

impl Axis {
    /// From the pixel of the lowest value to that of the highest.
    pub fn new(extent: Extent, from: f64, to: f64) -> Self {
        Self { extent, from, to }
    }

    /// The pixel of a value.
    pub fn at(&self, value: f64) -> f64 {
        self.at_spread(self.extent.scale.apply(value))
    }

    /// The pixel of zero, or of the lowest value where zero has no place.
    pub fn base(&self) -> f64 {
        match self.extent.scale {
            Scale::Linear => self.at_spread(0.0_f64.clamp(self.extent.low, self.extent.high)),
            Scale::Log => self.from,
        }
    }

    /// The positions of marks in pixels and their labels, about one for every `every` pixels.
    pub fn ticks(&self, every: f64) -> Vec<(f64, String)> {
        let most = ((self.to - self.from).abs() / every).max(2.0);
        let values = match self.extent.scale {
            Scale::Linear => linear(self.extent.low, self.extent.high, most),
            Scale::Log => logarithmic(self.extent.low, self.extent.high, most),
        };
        values
            .into_iter()
            .map(|(spread, text)| (self.at_spread(spread), text))
            .collect()
    }

    /// The same of an axis that counts days since 1970-01-01 of a calendar, labelled with dates.
    pub fn dates(&self, every: f64, calendar: Calendar) -> Vec<(f64, String)> {
        let most = ((self.to - self.from).abs() / every).max(2.0);
        match dates::marks(self.extent.low, self.extent.high, most, calendar) {
            Some(marks) => marks
                .into_iter()
                .map(|(day, text)| (self.at_spread(day), text))
                .collect(),
            None => self.ticks(every),
        }
    }

    /// The same of an axis of longitudes (`["E", "W"]`) or latitudes (`["N", "S"]`) in degrees.
    pub fn degrees(&self, every: f64, sides: [&str; 2]) -> Vec<(f64, String)> {
        let Extent { low, high, .. } = self.extent;
        let most = ((self.to - self.from).abs() / every).max(2.0);
        let steps = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0, 90.0, 120.0];
        let step = steps.into_iter().find(|step| (high - low) / step <= most);
        let Some(step) = step.filter(|_| high - low > 2.0) else {
            return self.ticks(every);
        };
        let first = (low / step - 1e-6).ceil() as i64;
        let last = (high / step + 1e-6).floor() as i64;
        let mark = |index: i64| {
            let value = index as f64 * step;
            (self.at_spread(value), degree(value, sides))
        };
        (first..=last).map(mark).collect()
    }

    fn at_spread(&self, spread: f64) -> f64 {
        let Extent { low, high, .. } = self.extent;
        self.from + (spread - low) / (high - low) * (self.to - self.from)
    }
}

/// `60° W` for 300 or −60.
fn degree(value: f64, [positive, negative]: [&str; 2]) -> String {
    let turned = match positive == "E" && value > 180.0 {
        true => value - 360.0,
        false => value,
    };
    match turned {
        0.0 | 360.0 => "0°".to_owned(),
        180.0 | -180.0 => "180°".to_owned(),
        turned if turned < 0.0 => format!("{}° {negative}", -turned),
        turned => format!("{turned}° {positive}"),
    }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn linear(low: f64, high: f64, most: f64) -> Vec<(f64, String)> {
    let rough = (high - low) / most;
    let power = rough.log10().floor();
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * 10f64.powf(power))
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(rough);
    let first = (low / step - 1e-6).ceil() as i64;
    let last = (high / step + 1e-6).floor() as i64;
    (first..=last)
        .map(|index| {
            let value = index as f64 * step;
            (value, label(value, step, low.abs().max(high.abs())))
        })
        .collect()
}

/// Powers of ten; between them 2 and 5 when there are few; evenly spread when there are none.
fn logarithmic(low: f64, high: f64, most: f64) -> Vec<(f64, String)> {
    let (first, last) = (low.ceil() as i32, high.floor() as i32);
    if high - low < 0.5 {
        return linear(10f64.powf(low), 10f64.powf(high), most)
            .into_iter()
            .map(|(value, text)| (value.log10(), text))
            .collect();
    }
    let plain = first >= -3 && last <= 4;
    let factors: &[f64] = if high - low < 2.2 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let skip = (f64::from(last - first) / most).ceil().max(1.0) as usize;
    (first - 1..=last)
        .filter(|power| (power - first).rem_euclid(skip as i32) == 0)
        .flat_map(|power| factors.iter().map(move |factor| (power, *factor)))
        .map(|(power, factor)| (f64::from(power) + factor.log10(), power, factor))
        .filter(|(spread, ..)| *spread >= low - 1e-9 && *spread <= high + 1e-9)
        .map(|(spread, power, factor)| {
            let text = match (plain, factor as u32) {
                (true, factor) => decimal(f64::from(factor) * 10f64.powi(power), -power),
                (false, 1) => format!("10{}", superscript(power)),
                (false, factor) => format!("{factor}·10{}", superscript(power)),
            };
            (spread, text)
        })
        .collect()
}

fn label(value: f64, step: f64, largest: f64) -> String {
    let magnitude = largest.log10().floor();
    let decimals = -(step.log10() + 1e-9).floor();
    if (-4.0..6.0).contains(&magnitude) || value == 0.0 {
        return decimal(value, if value == 0.0 { 0 } else { decimals as i32 });
    }
    let mantissa = value / 10f64.powf(magnitude);
    let digits = (decimals + magnitude) as i32;
    format!(
        "{}·10{}",
        decimal(mantissa, digits),
        superscript(magnitude as i32)
    )
}

fn decimal(value: f64, decimals: i32) -> String {
    let decimals = decimals.clamp(0, 12) as usize;
    format!("{value:.decimals$}").replace('-', "−")
}

fn superscript(power: i32) -> String {
    power
        .to_string()
        .chars()
        .map(|digit| match digit {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '0' | '4'..='9' => {
                char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit)
            }
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(scale: Scale, values: &[f64]) -> Vec<String> {
        let extent = Extent::of(scale, values.iter().copied()).unwrap().padded();
        let ticks = Axis::new(extent, 0.0, 400.0).ticks(70.0);
        ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(texts(Scale::Linear, &[0.0, 9.3]), ["0", "2", "4", "6", "8"]);
        assert_eq!(texts(Scale::Linear, &[-0.3, 0.3]), ["−0.2", "0", "0.2"]);
        assert_eq!(
            texts(Scale::Linear, &[0.0, 3e6]),
            ["0", "1·10⁶", "2·10⁶", "3·10⁶"]
        );
    }

    #[test]
    fn log_marks_are_powers_of_ten() {
        assert_eq!(
            texts(Scale::Log, &[1e-3, 1.0]),
            ["0.001", "0.01", "0.1", "1"]
        );
        assert_eq!(
            texts(Scale::Log, &[1e-6, 1e-3]),
            ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³"]
        );
        assert_eq!(texts(Scale::Log, &[1.0, 20.0]), ["1", "2", "5", "10", "20"]);
    }

    #[test]
    fn degrees_have_their_side_of_the_world() {
        let axis = Axis::new(Extent::exactly(0.0, 360.0), 0.0, 400.0);
        let texts: Vec<String> = axis
            .degrees(70.0, ["E", "W"])
            .into_iter()
            .map(|t| t.1)
            .collect();
        assert_eq!(texts, ["0°", "90° E", "180°", "90° W", "0°"]);
        let axis = Axis::new(Extent::exactly(-90.0, 90.0), 0.0, 200.0);
        let texts: Vec<String> = axis
            .degrees(44.0, ["N", "S"])
            .into_iter()
            .map(|t| t.1)
            .collect();
        assert_eq!(texts, ["90° S", "45° S", "0°", "45° N", "90° N"]);
    }

    #[test]
    fn one_value_gets_an_axis_around_it() {
        for value in [0.0, 5.0, -1e16, 1e-12, 1e149] {
            let extent = Extent::of(Scale::Linear, [value].into_iter()).unwrap();
            let axis = Axis::new(extent.padded(), 0.0, 100.0);
            assert_eq!(axis.at(value).round(), 50.0);
            assert!(axis.ticks(20.0).len() <= 12);
        }
    }

    #[test]
    fn values_that_differ_by_rounding_count_as_one() {
        assert!(texts(Scale::Linear, &[1.0, 1.0 + f64::EPSILON]).len() > 1);
    }
}
