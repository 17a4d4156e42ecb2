//! Dates along an axis that counts days since 1970-01-01 of a calendar.

use dsl::calendar::{Calendar, Date};

/// A calendar's mark: every N of these.
#[derive(Clone, Copy)]
enum Every {
    Years(i64),
    Months(i64),
    Days(i64),
    Hours(i64),
}

/// From the finest to the coarsest, with the days between two marks.
const STEPS: [(Every, f64); 21] = [
    (Every::Hours(1), 1.0 / 24.0),
    (Every::Hours(3), 0.125),
    (Every::Hours(6), 0.25),
    (Every::Hours(12), 0.5),
    (Every::Days(1), 1.0),
    (Every::Days(2), 2.0),
    (Every::Days(5), 5.0),
    (Every::Days(10), 10.0),
    (Every::Months(1), 30.4),
    (Every::Months(2), 61.0),
    (Every::Months(3), 91.0),
    (Every::Months(6), 183.0),
    (Every::Years(1), 365.0),
    (Every::Years(2), 730.0),
    (Every::Years(5), 1826.0),
    (Every::Years(10), 3652.0),
    (Every::Years(20), 7305.0),
    (Every::Years(50), 18_262.0),
    (Every::Years(100), 36_524.0),
    (Every::Years(200), 73_048.0),
    (Every::Years(500), 182_621.0),
];

/// Whether times are near enough for dates to be counted.
pub fn is_countable(day: f64) -> bool {
    day.abs() < 3e9
}

/// At most about `most` marks between two days, with their labels; none when the days are too
/// far apart for any of the steps.
pub fn marks(low: f64, high: f64, most: f64, calendar: Calendar) -> Option<Vec<(f64, String)>> {
    if !is_countable(low) || !is_countable(high) {
        return None;
    }
    let (every, _) = STEPS.iter().find(|(_, days)| (high - low) / days <= most)?;
    let first = calendar.date(low.floor() as i64);
    let last = calendar.date(high.ceil() as i64);
    let on = |year: i64, month: u8, day: u8| calendar.number(Date { year, month, day });
    let mut found: Vec<(f64, String)> = Vec::new();
    match *every {
        Every::Years(step) => {
            let mut year = first.year.div_euclid(step) * step;
            while year <= last.year {
                found.extend(on(year, 1, 1).map(|day| (day as f64, year.to_string())));
                year += step;
            }
        }
        Every::Months(step) => {
            let of = |date: Date| date.year * 12 + i64::from(date.month) - 1;
            let mut month = of(first).div_euclid(step) * step;
            while month <= of(last) {
                let (year, number) = (month.div_euclid(12), month.rem_euclid(12) as u8 + 1);
                let text = format!("{year}-{number:02}");
                found.extend(on(year, number, 1).map(|day| (day as f64, text)));
                month += step;
            }
        }
        Every::Days(step) => {
            let mut day = low.floor() as i64;
            while day as f64 <= high {
                let Date {
                    year,
                    month,
                    day: of_month,
                } = calendar.date(day);
                // Marks begin anew with each month; the last ones of a month would crowd them.
                let is_marked = (i64::from(of_month) - 1) % step == 0
                    && (step == 1 || i64::from(of_month) + step / 2 <= 30);
                if is_marked {
                    found.push((day as f64, format!("{year}-{month:02}-{of_month:02}")));
                }
                day += 1;
            }
        }
        Every::Hours(step) => {
            let mut hour = (low * 24.0).floor() as i64 / step * step;
            while hour as f64 <= high * 24.0 {
                let date = calendar.date(hour.div_euclid(24));
                let of_day = hour.rem_euclid(24);
                let text = match of_day {
                    0 => format!("{}-{:02}-{:02}", date.year, date.month, date.day),
                    _ => format!("{of_day:02}:00"),
                };
                found.push((hour as f64 / 24.0, text));
                hour += step;
            }
        }
    }
    found.retain(|(day, _)| (low..=high).contains(day));
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(low: f64, high: f64, calendar: Calendar) -> Vec<String> {
        let marks = marks(low, high, 5.0, calendar).unwrap();
        marks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn marks_are_round_dates() {
        let standard = Calendar::Standard;
        assert_eq!(
            texts(0.0, 3650.0, standard),
            ["1970", "1972", "1974", "1976", "1978"]
        );
        assert_eq!(
            texts(0.0, 100.0, standard),
            ["1970-01", "1970-02", "1970-03", "1970-04"]
        );
        assert_eq!(
            texts(57.5, 61.5, standard),
            ["1970-02-28", "1970-03-01", "1970-03-02", "1970-03-03"]
        );
        assert_eq!(
            texts(0.0, 1.0, standard),
            ["1970-01-01", "06:00", "12:00", "18:00", "1970-01-02"]
        );
        assert_eq!(
            texts(57.5, 61.5, Calendar::Day360),
            ["1970-02-29", "1970-02-30", "1970-03-01", "1970-03-02"]
        );
    }

    #[test]
    fn few_marks_whatever_the_span() {
        for span in [0.01, 0.3, 2.0, 17.0, 400.0, 9e3, 5e5, 4e8] {
            let found = marks(-span / 3.0, span, 6.0, Calendar::NoLeap);
            assert!(found.is_none_or(|marks| marks.len() <= 8), "{span}");
        }
        assert_eq!(marks(0.0, 1e12, 6.0, Calendar::NoLeap), None);
    }
}
