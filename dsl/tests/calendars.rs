//! Dates of random times, against cftime 1.6 for Python (`golden/cftime.py` made the file).

use dsl::calendar::time::Part;
use dsl::calendar::{Calendar, TimeUnit};

#[test]
fn random_times_of_all_calendars_have_the_dates_of_cftime() {
    let golden = include_str!("golden/cftime.csv");
    let mut seen = 0;
    for line in golden.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [calendar, unit, value, date, day_of_year] = fields[..] else {
            panic!("{line}");
        };
        let calendar = Calendar::named(calendar).expect(line);
        let unit = TimeUnit::parse(unit, calendar).expect(line);
        let value: f64 = value.parse().expect(line);
        let parts: Vec<i64> = date.split(' ').map(|it| it.parse().expect(line)).collect();
        let [year, month, day, hour, minute, second, micros] = parts[..] else {
            panic!("{line}");
        };
        let found = [Part::Year, Part::Month, Part::Day, Part::Hour].map(|it| it.of(value, unit));
        assert_eq!(
            found,
            [year, month, day, hour].map(|it| it as f64),
            "{line}"
        );
        assert_eq!(
            Part::DayOfYear.of(value, unit).to_string(),
            day_of_year,
            "{line}"
        );
        let micros = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros;
        let date = unit.date(value).expect(line);
        // Where a double cannot hold the time to the microsecond, roundings differ.
        assert!((date.micros - micros).abs() <= 1, "{line}: {date}");
        seen += 1;
    }
    assert!(seen > 480);
}
