//! The proleptic Gregorian calendar: days since 1970-01-01 to and from year, month and day.
//!
//! Years are counted from March, so that the leap day is a year's last, and in eras of 400 years, after which the calendar
//! repeats to the day.

const DAYS_PER_ERA: i64 = 400 * 365 + 97;
/// From 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

impl Date {
    /// The date so many days after 1970-01-01.
    pub(super) fn from_days(days: i64) -> Self {
        let since_march_0000 = days + EPOCH;
        let era = since_march_0000.div_euclid(DAYS_PER_ERA);
        let day_of_era = since_march_0000.rem_euclid(DAYS_PER_ERA);
        // Takes out the leap days that came before: one in 4 years, less one in 100, and the era's last.
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / (DAYS_PER_ERA - 1)) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: day_of_year - days_before(month_from_march) + 1,
        }
    }

    /// Days since 1970-01-01, if there is such a date.
    pub(super) fn to_days(self) -> Option<i64> {
        if self.day < 1 || self.day > days_in_month(self.year, self.month)? {
            return None;
        }
        let year = self.year - i64::from(self.month <= 2);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = days_before((self.month + 9) % 12) + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(year.div_euclid(400) * DAYS_PER_ERA + day_of_era - EPOCH)
    }
}

/// Days from the first of March to the first of the month so many months later. Five months always have 153 days.
fn days_before(month_from_march: i64) -> i64 {
    (153 * month_from_march + 2) / 5
}

fn days_in_month(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn every_day_of_three_eras_follows_the_one_before() {
        let mut date = Date { year: -400, month: 1, day: 1 };
        let first = date.to_days().expect("a date");
        for days in first..first + 3 * 146_097 {
            assert_eq!(Date::from_days(days), date);
            assert_eq!(date.to_days(), Some(days));
            date = next_by_the_rules(date);
        }
        assert_eq!(date, Date { year: 800, month: 1, day: 1 });
    }

    /// The calendar as one learns it: independent of the arithmetic above.
    fn next_by_the_rules(date: Date) -> Date {
        let leap = date.year % 400 == 0 || date.year % 4 == 0 && date.year % 100 != 0;
        let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        match date {
            Date { day, month, .. } if day < lengths[month as usize - 1] => Date { day: day + 1, ..date },
            Date { month: 12, year, .. } => Date { year: year + 1, month: 1, day: 1 },
            Date { month, .. } => Date { month: month + 1, day: 1, ..date },
        }
    }

    #[test]
    fn a_date_that_is_none_has_no_day() {
        for (year, month, day) in
            [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 13, 1), (2024, 0, 1), (2024, 1, 0)]
        {
            assert_eq!(Date { year, month, day }.to_days(), None, "{year}-{month}-{day}");
        }
        assert!(Date { year: 2000, month: 2, day: 29 }.to_days().is_some());
    }
}
