# Random times of each calendar by cftime 1.6.4: `python cftime.py 100000`. `cftime.csv` holds the
# first 80 of each calendar, and 8 of the autumn of 1582.
import random, sys, cftime
count = int(sys.argv[1])
random.seed(20121)
steps = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1, "milliseconds": 1e-3, "microseconds": 1e-6}
print("calendar,unit,value,date,day_of_year")
for calendar in ["standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day"]:
    n = 0
    while n < count:
        step = random.choice(list(steps))
        year = random.randint(-4700, 3000)
        if year == 0: continue
        ref = "%05d-%02d-%02d %02d:%02d:%02d" % (year, random.randint(1, 12), random.randint(1, 28), random.randint(0,23), random.randint(0,59), random.randint(0,59)) if year < 0 else "%04d-%02d-%02d %02d:%02d:%02d" % (year, random.randint(1, 12), random.randint(1, 28), random.randint(0,23), random.randint(0,59), random.randint(0,59))
        to = random.uniform(-4700, 3000)
        span = (to - year) * 365.2425 * 86400 / steps[step]
        if step == "microseconds": span = max(min(span, 9e15), -9e15)
        value = float(round(span)) if random.random() < 0.5 else round(span * 24) / 24 if step == "days" else span
        unit = f"{step} since {ref}"
        try:
            d = cftime.num2date(int(value) if value == int(value) else value, unit, calendar)
        except Exception as e:
            if "invalid day" in str(e) or "reference" in str(e) or 'present' in str(e): continue
            raise
        if not (-4700 <= d.year <= 3000): continue
        print(f"{calendar},{unit},{value!r},{d.year} {d.month} {d.day} {d.hour} {d.minute} {d.second} {d.microsecond},{d.dayofyr}")
        n += 1
